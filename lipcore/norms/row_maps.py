"""Norms of the derivatives of softmax, its logarithm and normalisations, in O(n) for each row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _backend as B
from ..operators.base import LinearOperator
from ..operators.row_maps import LogSoftmaxJacobian, LogSumExpJacobian, SoftmaxJacobian
from . import rounding as r
from .bounds import Bounds
from .cholesky import check_finite
from .induced import _bounds as induced
from .structured import ChildBounds, structured_bounds

__all__ = ["centered_norm", "softmax_norm"]

Rows = np.ndarray[Any, Any]
_STEPS = 80  # of bisection: more than the bits of a double


def softmax_norm(p: Rows) -> tuple[Rows, Rows]:
    r"""Bounds of the 2-norm of :math:`s\, \mathrm{diag}(p) - p p^T` for the rows p (..., n) of sum s.

    Parameters
    ----------
    p : ndarray of float64, shape (..., n)
        Not negative. With s = 1 it is the Jacobian of softmax.

    Returns
    -------
    lower, upper : ndarray of float64, shape (...)

    Notes
    -----
    The largest eigenvalue is s t, where t lies between the two largest probabilities and solves

    .. math:: \frac{p_1}{p_1 - t} = \sum_{i > 1} \frac{p_i}{t - p_i}.

    As :math:`t - p_i \ge t - p_2`, it is at most :math:`p_1 (s - p_1 + p_2) / s`. The left side grows with t and
    the right falls. Bisection keeps to both sides of the root as far as rounding, bounded by n + 8 units of the sum of
    all terms, lets the sign be seen. Nothing cancels: the relative width is small also where :math:`p_1` is one to
    working precision.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.row_maps import softmax_norm
    >>> lower, upper = softmax_norm(np.array([0.5, 0.5]))
    >>> bool(lower <= 0.5 <= upper)
    True
    """
    first, rest, second = _leading(p)
    others = np.asarray(r.sum_up(rest, axis=-1))
    total = np.asarray(r.sum_up(p, axis=-1)), np.asarray(r.sum_down(p, axis=-1))
    ceiling = first * ((others + second) / np.maximum(total[1], 1e-300))
    low, high = _secular_root(first, rest, second, ceiling, first, rest)
    upper = np.asarray(r.mul_up(high, total[0]))
    return np.minimum(np.asarray(r.mul_down(low, total[1])), upper), upper


def centered_norm(gain: Rows) -> tuple[Rows, Rows]:
    r"""Bounds of the 2-norm of :math:`\mathrm{diag}(g) (I - 1 1^T / n)` for the rows g (..., n).

    Parameters
    ----------
    gain : ndarray of float64, shape (..., n)
        Of either sign, sizes between 1e-150 and 1e150 or zero.

    Returns
    -------
    lower, upper : ndarray of float64, shape (...)

    Notes
    -----
    Its square t is the largest eigenvalue of :math:`\mathrm{diag}(g^2) - g g^T / n`. It lies between the two largest
    squares and solves

    .. math:: \frac{1}{g_1^2 - t} = \sum_{i > 1} \frac{1}{t - g_i^2};

    as :math:`t - g_i^2 \ge t - g_2^2`, it is at most :math:`((n - 1) g_1^2 + g_2^2) / n`.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.row_maps import centered_norm
    >>> lower, upper = centered_norm(np.array([1.0, 1.0, 1.0]))
    >>> bool(lower <= 1.0 <= upper)
    True
    """
    n = gain.shape[-1]
    if n == 1:
        nothing = np.zeros(gain.shape[:-1])
        return nothing, nothing
    first, rest, second = _leading(gain * gain)
    ceiling = ((n - 1) * first + second) / n
    low, high = _secular_root(first, rest, second, ceiling, np.ones_like(first), np.ones_like(rest))
    # the squares are rounded once
    slack = 4 * r.UNIT["float64"]
    return np.asarray(r.sqrt_down(low * (1 - slack))), np.asarray(r.sqrt_up(high * (1 + slack)))


def _leading(p: Rows) -> tuple[Rows, Rows, Rows]:
    """The largest entry of each row, the others, and the second largest."""
    ordered = np.sort(p, axis=-1)
    first, rest = ordered[..., -1], ordered[..., :-1]
    return first, rest, rest[..., -1] if rest.shape[-1] else np.zeros_like(first)


def _secular_root(
    first: Rows, rest: Rows, second: Rows, ceiling: Rows, lead_weight: Rows, weights: Rows
) -> tuple[Rows, Rows]:
    """Bounds of the t between `second` and `first` with ``lead_weight / (first - t) = sum(weights / (t - rest))``.

    The root is known to lie below `ceiling` too, which has a few roundings.
    """
    slack = r.gamma(rest.shape[-1] + 9)
    ceiling = np.maximum(np.minimum(first, ceiling * (1 + 16 * r.UNIT["float64"])), second)

    def bisected(side: float) -> tuple[Rows, Rows]:
        """Places below and above the root, the one of `side` certified."""
        low, high = second, ceiling
        for _ in range(_STEPS):
            t = low + (high - low) / 2
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                lead = np.where(t < first, lead_weight / (first - t), math.inf)
                tail = np.sum(np.where(weights > 0, weights / (t[..., None] - rest), 0.0), axis=-1)
                beyond = (lead - tail > side * slack * (lead + tail)) | (lead == math.inf)
            low, high = np.where(beyond, low, t), np.where(beyond, t, high)
        return low, high

    return bisected(-1.0)[0], bisected(1.0)[1]


def _host_rows(operator: SoftmaxJacobian | LogSoftmaxJacobian | LogSumExpJacobian) -> Rows:
    """The probabilities (..., n) of all rows of a sample along axis -2."""
    p = np.asarray(B.to_numpy(operator.p), dtype=np.float64)
    check_finite(np.max(np.abs(p), initial=0.0))
    rows = np.moveaxis(p, -2, -1)
    return rows.reshape(*operator.batch_shape, -1, rows.shape[-1])


def _largest(lower: Rows, upper: Rows, ord: Any, method: str) -> Bounds:
    """Norm of diagonal blocks; a scalar where there is no stack."""
    ends = [np.max(end, axis=-1) for end in (lower, upper)]
    low, high = (end if np.ndim(end) else float(end) for end in ends)
    return Bounds(low, high, "rigorous", ord=ord, method=method)


@structured_bounds.register
def _(operator: SoftmaxJacobian, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    return _largest(*softmax_norm(_host_rows(operator)), 2, "secular equation")


@structured_bounds.register
def _(operator: LogSoftmaxJacobian, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    # with s the sum of p, I - 1 p^T / s is a projection, of the norm sqrt(n) ||p|| / s (for n > 1), and this is near
    p = _host_rows(operator)
    n = p.shape[-1]
    if n == 1:
        lower, upper = (np.abs(1 - p[..., 0]) * (1 + side * 1e-15) for side in (-1, 1))
        return _largest(lower, upper, 2, "difference from one")
    low, high = (np.asarray(x) for x in r.sum_squares(p))
    length, longest = np.asarray(r.sqrt_down(n * low)), np.asarray(r.up(r.sqrt_up(r.up(n * high))))
    total = np.sum(p, axis=-1)
    off = np.abs(total - 1) + 2 * r.gamma(n) * (total + 1)
    return _largest(
        np.maximum(length * (1 - 3 * off), 0.0), longest * (1 + 3 * off) * (1 + 1e-15), 2, "norm of a projection"
    )


@structured_bounds.register
def _(operator: LogSumExpJacobian, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    low, high = (np.asarray(x) for x in r.sum_squares(_host_rows(operator)))
    return _largest(np.asarray(r.sqrt_down(low)), np.asarray(r.sqrt_up(high)), 2, "length of rows")


@induced.register
def _(operator: SoftmaxJacobian, ord: Any, rng: Any) -> Bounds:
    if ord == "fro":
        return induced.dispatch(LinearOperator)(operator, ord, rng)
    p = _host_rows(operator)
    # the largest row and column is that of the largest probability: 2 p_1 (sum of the others)
    ordered = np.sort(p, axis=-1)
    first, rest = 2 * ordered[..., -1], ordered[..., :-1]
    lower, upper = (np.asarray(total(rest, axis=-1)) for total in (r.sum_down, r.sum_up))
    return _largest(np.asarray(r.mul_down(first, lower)), np.asarray(r.mul_up(first, upper)), ord, "sums")


@induced.register
def _(operator: LogSoftmaxJacobian, ord: Any, rng: Any) -> Bounds:
    if ord == "fro":
        return induced.dispatch(LinearOperator)(operator, ord, rng)
    p = _host_rows(operator)
    n, total = p.shape[-1], np.sum(p, axis=-1, keepdims=True)
    # columns |1 - p_j| + (n - 1) p_j, or rows |1 - p_i| + (sum of the others)
    sums = np.abs(1 - p) + ((n - 1) * p if ord == 1 else total - p)
    error = 2 * r.gamma(n + 4) * (1 + n * p + total)
    return _largest(np.maximum(np.max(sums - error, axis=-1), 0.0), np.max(sums + error, axis=-1), ord, "sums")


@induced.register
def _(operator: LogSumExpJacobian, ord: Any, rng: Any) -> Bounds:
    if ord == "fro":
        return induced.dispatch(LinearOperator)(operator, ord, rng)
    p = _host_rows(operator)
    if ord == 1:
        top = np.max(p, axis=-1)
        return _largest(top, top, ord, "largest entry")
    return _largest(np.asarray(r.sum_down(p, axis=-1)), np.asarray(r.sum_up(p, axis=-1)), ord, "sums")
