"""How far the output of one attention head can move: what every bound of attention is computed by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..regions import Host

_ENTRIES = 2**21  # logits that are looked at together
_LOOKED_AT = 2**26  # logits of a head that are looked at one by one


class Values(NamedTuple):
    """What is known of the values: their slope with respect to their source, the diameter and radius of the set."""

    slope: float
    diameter: float
    radius: float


class Gains(NamedTuple):
    """Constants with respect to the source of the queries, that of keys and values, and both if they are one.

    In the Euclidean norm of all entries, the largest Euclidean norm of a token, and the sum of those of all tokens.
    """

    euclidean: tuple[float, float, float]
    token: tuple[float, float, float]
    total: tuple[float, float, float]


@dataclass(frozen=True)
class Head:
    r"""What is known of one head while its inputs move over a region.

    Attributes
    ----------
    q, k : array, shape (n, d) and (m, d)
        Logits at the centre are ``q @ k.T``, up to a constant for each row.
    q_length, k_length, q_reach, k_reach : array, shape (n,) and (m,)
        Lengths and reaches of vectors whose inner products the logits are, possibly not those of `q` and `k`: a logit
        stays within ``q_reach k_length + (q_length + q_reach) k_reach`` of the one at the centre.
    query_slope : float
        a: within row i the derivatives of the logits with respect to the query's source lie in a ball of radius a.
    key_slope : array, shape (n,)
        b: the derivative of the logit of i and j with respect to the source of key j is at most ``b_i`` long.
    allowed : boolean array, shape (n, m) or (1, m), or None
        Which keys a query meets; all by default.
    causal : bool
        Whether query i meets keys 0 to i only, of those allowed.
    bias : array, shape (n, m) or (1, m), or None
        What is added to the logits.
    cap : float or None
        Logits before the bias lie between -cap and cap and move no faster than without.
    any_mask : bool
        Whether any keys at all may be hidden.
    """

    q: Host
    k: Host
    q_length: Host
    k_length: Host
    q_reach: Host
    k_reach: Host
    query_slope: float
    key_slope: Host
    allowed: Host | None = None
    causal: bool = False
    bias: Host | None = None
    cap: float | None = None
    any_mask: bool = False


def head_gains(head: Head, several: Sequence[Values]) -> list[Gains]:
    r"""Constants of one head, for each description of its values.

    Notes
    -----
    With a row :math:`p` of the softmax, :math:`o_i = \sum_j p_j v_j` and logits :math:`s_j`,

    .. math:: \mathrm{d}o_i = \sum_j p_j\, (v_j - o_i)\, \mathrm{d}s_j + \sum_j p_j\, \mathrm{d}v_j .

    *Through the query.* The changes :math:`\mathrm{d}p` of the probabilities add up to zero, so that the first sum is
    :math:`\tfrac12 \|\mathrm{d}p\|_1` times a difference of two averages of values, hence at most
    :math:`\tfrac12 D \|\mathrm{d}p\|_1`, D the diameter of the values. Adding a constant to the logits does nothing:
    :math:`\|\mathrm{d}p\|_1 \le c_i\, a \|\mathrm{d}x_i\|`, where :math:`c_i = \max 4 \mu (1 - \mu) \le 1`, over the
    masses :math:`\mu` of sets of keys, is the norm of the softmax's derivative from the largest entry to the sum. If
    one key has :math:`p_j \ge l > 1/2`, no mass is closer to one half than :math:`l`, and :math:`c_i \le 4 l (1 - l)`.
    Different queries have outputs of their own: :math:`\alpha = \max_i \tfrac12 D c_i a` is the constant in every norm
    of tokens.

    *Through key and value j.* The coefficient of the change of their source has at most the norm
    :math:`p_j (W + b_i \|v_j - o_i\|)`.

    - Since :math:`v_j - o_i = (1 - p_j)(v_j - o'_i)`, :math:`o'_i` the average of the other values, that is at most
      :math:`p_j (W + b_i D (1 - p_j))`, maximised over the :math:`p_j` that intervals of
      logits allow. Summed over i: the column sum C.
    - Summed over j: :math:`W + b_i E\|v - o_i\|`, and :math:`E\|v - o_i\|` is at most the radius of the values (the
      variance is the least mean square distance from any point) and at most :math:`D (1 - \sum p^2)` (the mean distance
      of two independent draws): the row sum r.

    By Schur's test the constant is :math:`\sqrt{C r}` in the Euclidean norm; it is r in the token norm (where
    :math:`W + \tfrac12 D c_i b_i` holds too, as for the query) and C in the sum over tokens.
    """
    sums = [_Sums(values) for values in several]
    for block in _probabilities(head):
        for one in sums:
            one.take(block, head.query_slope, head.key_slope[block.rows])
    return [one.gains() for one in sums]


class _Sums:
    """The largest row sums and the column sums of the coefficients, gathered block by block."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.columns: Host = np.zeros(1)
        self.alpha = self.row = self.token = self.both = 0.0

    def take(self, block: Block, a: float, b: Host) -> None:
        slope, diameter, radius = self.values
        steep = (b * diameter)[:, None]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            best = np.where(steep > 0, (slope + steep) / (2 * steep), np.inf)
        p = np.clip(best, block.lower, block.upper)
        self.columns = self.columns + np.sum(p * (slope + steep * (1 - p)) * block.alive[:, None], axis=0)
        rest = np.minimum(block.rest, 0.5)
        peaked = 4 * rest * (1 - rest)
        away = np.minimum(radius, diameter * block.rest * (2 - block.rest))
        near = np.minimum(away, diameter * peaked / 2)
        alphas = block.alive * (diameter / 2 * a * peaked)
        tokens = block.alive * (slope + b * near)
        self.alpha = max(self.alpha, _top(alphas))
        self.token = max(self.token, _top(tokens))
        self.both = max(self.both, _top(alphas + tokens))
        self.row = max(self.row, _top(block.alive * (slope + b * away)))

    def gains(self) -> Gains:
        column = _top(self.columns)
        schur = float(np.sqrt(self.row) * np.sqrt(column))
        alpha = self.alpha
        return Gains((alpha, schur, alpha + schur), (alpha, self.token, self.both), (alpha, column, alpha + column))


def _top(x: Host) -> float:
    return float(np.max(x, initial=0.0))


class Block(NamedTuple):
    """Some rows: bounds of all probabilities, of one less the largest of each row, and which rows see any key."""

    rows: slice
    lower: Host
    upper: Host
    rest: Host
    alive: Host


def _probabilities(head: Head) -> Iterator[Block]:
    n, m = head.q.shape[0], head.k.shape[0]
    plain = head.allowed is None and head.bias is None
    if head.any_mask or (n * m > _LOOKED_AT and not plain):
        yield Block(slice(0, n), np.zeros((n, 1)), np.ones((n, 1)), np.ones(n), np.ones(n))
        return
    if plain and (n * m > _LOOKED_AT or not (np.any(head.q) and np.any(head.k))):
        yield _alike(head, n, m)
        return
    step = max(1, _ENTRIES // max(m, 1))
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        seen = _seen(head, rows, m)
        low, high = _logits(head, rows)
        low, high = np.where(seen, low, -np.inf), np.where(seen, high, -np.inf)
        counts = np.sum(seen, axis=1)
        lower, upper, rest = _softmax_ends(low, high)
        lower = np.where(seen & (counts == 1)[:, None], 1.0, lower)
        yield Block(rows, lower, upper, np.where(counts <= 1, 0.0, rest), (counts > 0).astype(np.float64))


def _alike(head: Head, n: int, m: int) -> Block:
    """All keys of a row alike: the logits of row i lie between -t_i and t_i, and the first column is the largest."""
    t = (head.q_length + head.q_reach) * np.max(head.k_length + head.k_reach, initial=0.0)
    if head.cap is not None:
        t = head.cap * np.tanh(t / head.cap)
    others = np.minimum(np.arange(n), m - 1) if head.causal else np.full(n, m - 1)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        lower, upper = (1 / (1 + others * np.exp(sign * 2 * t)) for sign in (1, -1))
        rest = np.where(others == 0, 0.0, 1 / (1 + np.exp(-2 * t) / np.maximum(others, 1)))
    return Block(slice(0, n), np.where(others == 0, 1.0, lower)[:, None], upper[:, None], rest, np.ones(n))


def _seen(head: Head, rows: slice, m: int) -> Host:
    seen = np.ones((rows.stop - rows.start, m), dtype=bool)
    if head.causal:
        seen &= np.arange(m)[None, :] <= np.arange(rows.start, rows.stop)[:, None]
    if head.allowed is not None:
        seen &= _rows(head.allowed, rows)
    if head.bias is not None:
        seen &= _rows(head.bias, rows) > -np.inf
    return seen


def _rows(array: Host, rows: slice) -> Host:
    return array if array.shape[0] == 1 else array[rows]


def _logits(head: Head, rows: slice) -> tuple[Host, Host]:
    """Ends of the logits of some rows."""
    middle = head.q[rows] @ head.k.T
    reach = head.q_reach[rows, None]
    width = reach * head.k_length[None, :] + (head.q_length[rows, None] + reach) * head.k_reach[None, :]
    low, high = middle - width, middle + width
    if head.cap is not None:
        low, high = (head.cap * np.tanh(end / head.cap) for end in (low, high))
    if head.bias is not None:
        low, high = low + _rows(head.bias, rows), high + _rows(head.bias, rows)
    return low, high


def _softmax_ends(low: Host, high: Host) -> tuple[Host, Host, Host]:
    """Lower and upper bounds of the probabilities, and an upper bound of what each row's largest leaves over."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        upper = 1 / (1 + np.exp(_others(low, -1) - high))
        ratio = np.exp(_others(high, 1) - low)
        rest = np.where(np.isfinite(ratio), ratio / (1 + ratio), 1.0)
        lower = np.where(np.isnan(ratio), 0.0, 1 / (1 + ratio))
    # a key that is hidden has no share; an exponential that underflowed stands for something positive
    upper = np.where(high > -np.inf, np.maximum(np.where(np.isnan(upper), 1.0, upper), 1e-300), 0.0)
    return np.minimum(lower, upper), upper, np.min(rest, axis=1, initial=1.0)


def _others(x: Host, sign: int) -> Host:
    """Logarithm of the sum of the other exponentials of each row, from above (sign 1) or from below (sign -1)."""
    top = np.max(x, axis=1, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    each = np.exp(x - top)
    total = np.sum(each, axis=1, keepdims=True)
    # what remains of a sum after its own term was taken away may be rounding alone
    left = total - each + sign * 4e-16 * (x.shape[1] + 2) * total
    return np.asarray(np.log(np.maximum(left, 0.0)) + top)


def side_by_side(heads: Sequence[Gains], factor: float) -> Gains:
    """Heads next to each other behind a projection of norm `factor`: the root of the sum of squares (Minkowski)."""
    return _numbers(lambda x: factor * float(np.sqrt(np.sum(np.square(x)))), heads)


def added_up(heads: Sequence[Gains]) -> Gains:
    """Heads behind their own parts of the projection, added up."""
    return _numbers(lambda x: float(np.sum(x)), heads)


def least(several: Sequence[Gains]) -> Gains:
    """The least of several bounds, number by number."""
    return _numbers(lambda x: float(np.min(x)), several)


def _numbers(function: Callable[[Host], float], several: Sequence[Gains]) -> Gains:
    whole = np.asarray(several, dtype=np.float64)
    a, b, c = (tuple(function(whole[:, i, j]) for j in range(3)) for i in range(3))
    return Gains(a, b, c)  # type: ignore[arg-type]
