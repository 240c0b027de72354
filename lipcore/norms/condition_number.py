"""The condition number: how much a map can distort, from the most to the least stretched direction."""

from __future__ import annotations

import dataclasses
import math
from functools import singledispatch
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import Dense, Diagonal, Identity, LinearOperator, aslinearoperator
from ..operators.algebra import AdjointOperator, ScaledOperator, TransposedOperator
from ..solvers.svds import svds
from . import rounding as r
from . import scaling as s
from .bounds import Bounds
from .dense import dense_bounds

# An operator with more entries than this is not written down.
_ENTRIES = 1 << 23


def condition_number(
    A: LinearOperator | Array, *, rtol: float = 1e-3, rng: int | np.random.Generator | None = None
) -> Bounds:
    r"""Bounds of the 2-norm condition number, the largest singular value over the smallest.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, M, N)
        The smallest of its min(M, N) singular values counts.
    rtol : float, default 1e-3
        Wanted relative width.
    rng : None, int or numpy.random.Generator
        Source of random starts, for operators too large to write down.

    Returns
    -------
    Bounds
        Of kind "rigorous" for matrices, diagonal operators and their scalings and adjoints; "analytic" for operators of
        at most 8 million entries, which are written down by products taken for exact; "estimate" for larger ones.
        `upper` is infinite where the operator could not be proved to have full rank (a condition number of a matrix
        beyond about 1e12 / max(M, N)), `lower` then still holds.

    Raises
    ------
    ConvergenceError
        If the operator is too large to write down and its smallest singular value is not found.
    ValueError
        For an empty operator, a bad `rtol`, or data with NaN or infinity.

    Notes
    -----
    With an approximate left inverse R of a tall A, :math:`\|I - R A\| \le \rho < 1` proves
    :math:`\sigma_\min(A) \ge (1 - \rho) / \|R\|`; all three norms are bounded with their rounding, in float64. A vector
    proves the other side. Costs one LAPACK inverse or QR factorisation, three products and two certificates.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> bounds = lc.condition_number(np.diag([100.0, 5.0, 1.0]))
    >>> bounds.kind, bounds.lower <= 100.0 <= bounds.upper, bounds.converged
    ('rigorous', True, True)
    >>> lc.condition_number(np.ones((2, 2))).upper
    inf
    """
    operator = aslinearoperator(A)
    if not 0 < rtol < 1:
        raise ValueError(f"`rtol` must lie between 0 and 1, got {rtol!r}")
    if 0 in operator.shape:
        raise ValueError(f"`A` must not be empty to have a condition number, got shape {operator.shape}")
    return _condition(operator, rtol, rng)


@singledispatch
def _condition(operator: LinearOperator, rtol: float, rng: Any) -> Bounds:
    if math.prod(operator.shape) <= _ENTRIES:
        bounds = _condition(Dense(B.stop_gradient(operator.to_dense())), rtol, rng)
        method = f"products with all unit vectors, {bounds.method}"
        return dataclasses.replace(bounds, kind="analytic", method=method, matvecs=operator.shape[-1])
    rng = B.as_rng(rng)
    largest, smallest = (
        B.to_numpy(svds(operator, 1, which=which, rng=rng).S[..., 0]).astype(np.float64) for which in ("LM", "SM")
    )
    eps = B.eps(operator.xp, B.compute_dtype(operator.xp, operator.dtype))
    # both are attained by vectors; what they miss is their residual, a small multiple of the largest one
    error = eps**0.75 * largest
    with np.errstate(divide="ignore"):
        lower, upper = largest / (smallest + error), (largest + error) / np.maximum(smallest - error, 0.0)
    return Bounds(lower, upper, "estimate", converged=upper - lower <= rtol * upper, method="both ends by iteration")


@_condition.register
def _(operator: Dense, rtol: float, rng: Any) -> Bounds:
    array = B.to_numpy(operator.array)
    matrices = array.reshape(-1, *array.shape[-2:])
    ends = np.array([_ratio_bounds(matrix, rtol) for matrix in matrices])
    lower, upper = (ends[:, i].reshape(operator.batch_shape) for i in (0, 1))
    return _finished(lower, upper, rtol, "approximate inverse")


def _finished(lower: np.ndarray, upper: np.ndarray, rtol: float, method: str) -> Bounds:
    with np.errstate(invalid="ignore"):
        converged = np.isfinite(upper) & (upper - lower <= rtol * upper)
    return Bounds(lower, upper, "rigorous", converged=converged, method=method)


def _ratio_bounds(matrix: np.ndarray[Any, Any], rtol: float) -> tuple[float, float]:
    """Bounds of the condition number of one host matrix."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.conj().T
    wide_type = np.complex128 if tall.dtype.kind == "c" else np.float64
    tall = np.ascontiguousarray(tall, dtype=wide_type)
    largest = dense_bounds(tall, rtol=rtol / 4)
    size = float(np.max(np.abs(tall)))
    if size == 0.0:
        return 1.0, math.inf
    exponent = int(s.exponent(size))
    tall = s.scale_by_power(tall, -exponent)
    top = Bounds(s.ldexp_down(largest.lower, -exponent), s.ldexp_up(largest.upper, -exponent), "rigorous")
    low, high = _smallest_bounds(tall, rtol / 4)
    lower = r.div_down(top.lower, high) if high > 0 else 1.0
    upper = r.div_up(top.upper, low) if low > 0 else math.inf
    return max(1.0, float(lower)), max(1.0, float(upper))


def _smallest_bounds(a: np.ndarray[Any, Any], rtol: float) -> tuple[float, float]:
    """Bounds of the smallest singular value of a tall matrix with entries of modulus about one at most."""
    inverse, vector = _inverse_and_vector(a)
    image = a @ vector
    m, n = a.shape
    length, frobenius = float(np.linalg.norm(vector)), float(np.linalg.norm(a)) * (1 + 4 * r.gamma(m * n + 2))
    if not (length > 0 and np.all(np.isfinite(vector))):
        return 0.0, frobenius
    slack = 4 * r.gamma(4 * (m + n) + 16)
    high = (float(np.linalg.norm(image)) * (1 + slack) + slack * frobenius * length) / length * (1 + slack) + 1e-290
    if inverse is None:
        return 0.0, high
    bound = dense_bounds(inverse, rtol=rtol).upper
    with np.errstate(over="ignore", invalid="ignore"):
        residual = inverse @ a
        residual[np.arange(n), np.arange(n)] -= 1.0
        rounding = 4 * r.gamma(2 * m + 8) * float(np.linalg.norm(inverse)) * frobenius
        rho = (float(np.linalg.norm(residual)) + rounding) * (1 + 4 * r.gamma(2 * n * n + 8))
    if not (math.isfinite(bound) and rho < 1):
        return 0.0, high
    # the scaling of the matrix may have moved entries by less than 2^-1073 each
    return max(0.0, r.div_down(r.add_down(1.0, -rho), bound) - 1e-290), high


def _inverse_and_vector(a: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any] | None, np.ndarray[Any, Any]]:
    """Approximate left inverse, None where there is none, and a vector that is stretched the least."""
    m, n = a.shape
    try:
        if m == n:
            inverse = np.linalg.inv(a)
        else:
            q, triangle = np.linalg.qr(a)
            inverse = np.linalg.solve(triangle, q.conj().T)
    except np.linalg.LinAlgError:
        inverse = None
    if inverse is None or not np.all(np.isfinite(inverse)) or float(np.max(np.abs(inverse))) > 1e100:
        return None, np.linalg.svd(a, full_matrices=False)[2][-1].conj()
    # the direction that the inverse stretches the most; a few products with it find it, as it stands out
    vector = np.asarray(svds(np.ascontiguousarray(inverse), 1, tol=1e-7, rng=0).U[:, 0])
    return inverse, vector


@_condition.register
def _(operator: Diagonal, rtol: float, rng: Any) -> Bounds:
    sizes = B.to_numpy(operator.diagonal)
    if not np.all(np.isfinite(sizes)):
        raise ValueError("`A` must be finite, its diagonal holds NaN or infinity")
    wide = np.abs(sizes.astype(np.complex128 if sizes.dtype.kind == "c" else np.float64))
    low, high = np.min(wide, axis=-1), np.max(wide, axis=-1)
    # the modulus of a complex number is off by a few roundings, and so is the quotient
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(low > 0, high / np.where(low > 0, low, 1.0), np.inf)
    least = np.where(np.isfinite(ratio), ratio, np.finfo(np.float64).max)
    return _finished(np.maximum(least * (1 - 2.0**-48), 1.0), ratio * (1 + 2.0**-48), rtol, "closed form")


@_condition.register
def _(operator: Identity, rtol: float, rng: Any) -> Bounds:
    one = np.ones(operator.batch_shape)
    return _finished(one, one, rtol, "closed form")


@_condition.register(AdjointOperator)
@_condition.register(TransposedOperator)
def _(operator: Any, rtol: float, rng: Any) -> Bounds:
    return _condition(operator.operator, rtol, rng)


@_condition.register
def _(operator: ScaledOperator, rtol: float, rng: Any) -> Bounds:
    scalar = operator.scalar
    if complex(B.to_numpy(scalar) if B.is_array(scalar) else scalar) == 0:
        return _finished(np.ones(operator.batch_shape), np.full(operator.batch_shape, np.inf), rtol, "zero")
    return _condition(operator.operator, rtol, rng)
