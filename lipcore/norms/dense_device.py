"""Bounds of matrices that live on an accelerator, in float64, without a detour of the data over the host."""

from __future__ import annotations

import numpy as np

from .. import _backend as B
from .._typing import Array
from . import rounding as r
from .bounds import Bounds
from .cholesky import check_finite, scale_exponents, scaling_loss
from .cholesky_device import largest_entries, norm_at_most_on_device, scaled_by_power, sum_squares
from .error_budget import ErrorBudget

__all__ = ["dense_bounds_on_device"]

_SHARE = 0.6
_ATTEMPTS = 40


def dense_bounds_on_device(a: Array, rtol: float) -> Bounds:
    """`dense_bounds` with the products, eigenvectors and factorisations of the array's own library.

    Parameters
    ----------
    a : array, shape (..., m, n)
        Not empty, on a device with float64.
    rtol : float

    Returns
    -------
    Bounds
    """
    xp = B.array_namespace(a)
    with B.detached(xp):
        is_complex = B.is_complex(xp, a.dtype)
        wide = B.cast(B.stop_gradient(a), xp.complex128 if is_complex else xp.float64)
        if wide.shape[-2] < wide.shape[-1]:
            wide = B.adjoint(wide)
        largest = np.asarray(B.to_numpy(largest_entries(xp, wide)), dtype=np.float64)
        check_finite(largest)
        e = scale_exponents(largest, "float64")
        scaled = scaled_by_power(xp, wide, e)
        lower, frobenius = _attained(xp, scaled)
        lower = r.add_down(lower, -np.where(e > 0, 2 * scaling_loss(tuple(wide.shape)), 0.0))
        upper = _proved(scaled, lower, frobenius, rtol)
        # The scaled matrix was proved; what scaling lost to underflow is added.
        upper = r.add_up(upper, np.where(e > 0, 2 * scaling_loss(tuple(wide.shape)), 0.0))
    zero = largest == 0
    lower, upper = np.where(zero, 0.0, lower), np.where(zero, 0.0, upper)
    shift = e if np.ndim(e) else int(e)
    if not np.ndim(e):
        lower, upper = float(lower), float(upper)
    reached = np.subtract(upper, lower) <= rtol * np.asarray(upper)
    return Bounds.from_scaled(lower, upper, shift, "rigorous", converged=reached, method="Cholesky")


def _attained(xp: Array, a: Array) -> tuple[Array, Array]:
    """Lower bounds from the leading eigenvectors of the Gram matrices, and upper bounds of the Frobenius norms."""
    _, vectors = xp.linalg.eigh(xp.matmul(B.adjoint(a), a))
    v = vectors[..., -1:]
    w = xp.matmul(a, v)
    sums = np.asarray(B.to_numpy(xp.stack([sum_squares(xp, x) for x in (w, v, a)], axis=0)))
    m, n = a.shape[-2:]
    growth = 1 + 4 * r.gamma(2 * m * n + 8)
    reached, length, frobenius = (r.sqrt_down(sums[0] / growth), *(r.sqrt_up(x * growth) for x in sums[1:]))
    loss = ErrorBudget(n, n, B.is_complex(xp, a.dtype)).product
    underflow = 64.0 * m * n * r.ETA["float64"]
    lower = r.add_down(r.div_down(reached, length), -r.add_up(r.mul_up(loss, frobenius), underflow))
    return np.where(np.isfinite(lower), lower, 0.0), frobenius


def _proved(a: Array, lower: Array, frobenius: Array, rtol: float) -> Array:
    """Upper bounds: thresholds above `lower`, raised for those members for which nothing was proved."""
    m, n = a.shape[-2:]
    xp = B.array_namespace(a)
    budget = ErrorBudget(m, n, B.is_complex(xp, a.dtype))
    # Four times the a-priori error of the factorisation is what the residual may use up.
    error = (budget.product + 4 * budget.factorization * n) * frobenius * frobenius
    upper, growth = frobenius, np.full(np.shape(lower), _SHARE * rtol)
    nothing = np.zeros(np.shape(lower))
    for _ in range(_ATTEMPTS):
        room = np.minimum(error, (budget.product * n + 4 * budget.factorization * n) * lower * lower)
        theta = np.sqrt(lower * lower + 1.01 * room) * (1 + growth)
        theta = np.where(upper < frobenius, upper, np.minimum(theta, frobenius))
        proved = norm_at_most_on_device(a, theta, nothing)
        upper = np.where(proved, theta, upper)
        if np.all(proved):
            break
        growth = np.maximum(8 * growth, 2.0**-44)
    return upper
