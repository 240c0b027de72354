"""Cholesky certificates on accelerators: torch and CuPy, float64, no detour over the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from . import rounding as r
from .error_budget import ErrorBudget

__all__ = ["largest_entries", "norm_at_most_on_device", "scaled_by_power", "sum_squares"]


def norm_at_most_on_device(matrices: Array, theta: Array, slack: Array) -> np.ndarray[Any, Any]:
    """`norm_at_most` with the products and factorisations of the array's own library.

    Parameters
    ----------
    matrices : array, shape (..., m, n)
        Not empty, on a device with float64.
    theta, slack : ndarray of float64, shape (...)
        Thresholds and perturbations.

    Returns
    -------
    ndarray of bool, shape (...)

    Notes
    -----
    Three reads by the host: the largest entries, the diagonals, and the outcome. How a device solves the triangular
    systems inside Cholesky is not known, so the residual of the factor is computed: ``||M - L L^H||_2`` is at most the
    Frobenius norm of what comes out, plus ``gamma ||L||_F^2`` for computing it.
    """
    from .cholesky import check_finite, effective_thresholds, scale_exponents

    xp = B.array_namespace(matrices)
    with B.detached(xp):
        is_complex = B.is_complex(xp, matrices.dtype)
        wide = B.cast(B.stop_gradient(matrices), xp.complex128 if is_complex else xp.float64)
        largest = np.asarray(B.to_numpy(largest_entries(xp, wide)), dtype=np.float64)
        check_finite(largest)
        e = scale_exponents(largest, "float64")
        limits = effective_thresholds(theta, slack, e, tuple(wide.shape))
        # No matrix is left out for being hopeless: shapes stay fixed, and its factorisation simply fails.
        scaled = scaled_by_power(xp, wide, e)
        m, n = wide.shape[-2:]
        budget = ErrorBudget(max(m, n), min(m, n), is_complex)
        gram = xp.matmul(B.adjoint(scaled), scaled) if m >= n else xp.matmul(scaled, B.adjoint(scaled))
        diagonal = np.asarray(B.to_numpy(xp.linalg.diagonal(gram))).real
        frobenius = r.sqrt_up(budget.squared_frobenius(np.sum(diagonal, axis=-1)))
        simple = (limits >= frobenius) | ((largest == 0) & (limits >= 0))
        limits = np.where(simple, 0.0, np.maximum(limits, 0.0))
        ok = _factorized(xp, gram, diagonal, limits, budget)
        return np.asarray(simple | ok)


def _factorized(xp: Any, gram: Array, diagonal: Array, limits: Array, budget: ErrorBudget) -> Array:
    """Whether ``limits^2 I - gram`` is proved positive definite."""
    traces = np.sum(diagonal, axis=-1)
    # The residual is smaller than its a-priori bound, but its evaluation costs about as much again.
    allowed = 4 * np.asarray(budget.factorization_error(limits * limits, traces))
    shifts = np.asarray(budget.shift(limits, traces, factorization=allowed))
    possible = shifts > np.max(diagonal, axis=-1)
    pivots = np.where(possible[..., None], shifts[..., None] - diagonal, -1.0)
    eye = xp.eye(gram.shape[-1], dtype=gram.dtype, device=B.device_of(gram))
    fresh = B.from_numpy(pivots, xp=xp, device=B.device_of(gram))
    shifted = eye * B.cast(fresh, gram.dtype)[..., None, :] - gram * (1 - eye)
    lower, ok = B.cholesky(shifted)
    proved = np.asarray(B.to_numpy(ok)) & possible
    lower = xp.tril(lower)
    residual = xp.tril(shifted - xp.matmul(lower, B.adjoint(lower)))
    sums = xp.stack([sum_squares(xp, residual), sum_squares(xp, lower)], axis=0)
    return proved & (_residual_bound(np.asarray(B.to_numpy(sums)), budget) <= allowed)


def _residual_bound(sums: Array, budget: ErrorBudget) -> Array:
    """Bound of ``||M - L L^H||_2`` from the sums of squares of its computed lower triangle and of L; NaN stays NaN."""
    n = budget.size
    growth = 1 + 2 * r.gamma(2 * n * n + 4)
    with np.errstate(invalid="ignore"):
        seen = np.sqrt(2 * sums[0] * growth) * (1 + 4 * budget.unit)
        # Evaluation: the product, of inner length n, and one subtraction.
        evaluation = ErrorBudget(n + 1, n, budget.is_complex).product * sums[1] * growth
        return (seen + evaluation) * (1 + 8 * budget.unit) + 64.0 * n * n * r.ETA["float64"]


def largest_entries(xp: Any, a: Array) -> Array:
    """Largest absolute value of the real and imaginary parts; NaN where there is one."""
    if B.is_complex(xp, a.dtype):
        return xp.maximum(largest_entries(xp, xp.real(a)), largest_entries(xp, xp.imag(a)))
    return xp.max(xp.abs(a), axis=(-2, -1))


def sum_squares(xp: Any, a: Array) -> Array:
    """Sum of squared absolute values over the last two axes."""
    if B.is_complex(xp, a.dtype):
        return sum_squares(xp, xp.real(a)) + sum_squares(xp, xp.imag(a))
    return xp.sum(a * a, axis=(-2, -1))


def scaled_by_power(xp: Any, a: Array, e: Array) -> Array:
    """``a 2^-e``, in two factors since one may not be representable."""
    if not np.any(e):
        return a
    device = B.device_of(a)
    for part in (e // 2, e - e // 2):
        factor = B.from_numpy(np.ldexp(1.0, -part), xp=xp, device=device)
        a = a * B.cast(factor, a.dtype)[..., None, None]
    return a
