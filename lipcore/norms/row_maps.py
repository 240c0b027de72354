"""Norms of the derivatives of softmax, log-softmax and log-sum-exp, in O(n) for each row."""

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

__all__ = ["softmax_norm"]

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
    n = p.shape[-1]
    ordered = np.sort(p, axis=-1)
    first, rest = ordered[..., -1], ordered[..., :-1]
    second = rest[..., -1] if n > 1 else np.zeros_like(first)
    others = np.asarray(r.sum_up(rest, axis=-1))
    total = np.asarray(r.sum_up(p, axis=-1)), np.asarray(r.sum_down(p, axis=-1))
    ceiling = np.minimum(
        first, (1 + 8 * r.UNIT["float64"]) * first * ((others + second) / np.maximum(total[1], 1e-300))
    )
    slack = r.gamma(n + 8)

    def bisected(side: float) -> tuple[Rows, Rows]:
        """Places below and above the root, the one of `side` certified."""
        low, high = second, np.maximum(ceiling, second)
        for _ in range(_STEPS):
            t = low + (high - low) / 2
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                lead = np.where(t < first, first / (first - t), math.inf)
                tail = np.sum(np.where(rest > 0, rest / (t[..., None] - rest), 0.0), axis=-1)
                beyond = (lead - tail > side * slack * (lead + tail)) | (lead == math.inf)
            low, high = np.where(beyond, low, t), np.where(beyond, t, high)
        return low, high

    upper = np.asarray(r.mul_up(bisected(1.0)[1], total[0]))
    return np.minimum(np.asarray(r.mul_down(bisected(-1.0)[0], total[1])), upper), upper


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
