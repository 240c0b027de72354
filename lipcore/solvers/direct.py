"""LAPACK on the dense matrix, where that is the cheapest way."""

from __future__ import annotations

import math
from typing import Any

from .. import _backend as B
from .._typing import Array
from ..operators import Dense, LinearOperator
from .orthogonalization import norms, squares
from .results import EighResult, SVDResult
from .stopping import default_tol

# Up to this short side a dense factorisation beats any iteration; beyond _LARGE it is not tried unasked.
SMALL = 96
_LARGE = 2048
_ENTRIES = 1 << 24


def is_cheap(A: LinearOperator, k: int, *, small_end: bool) -> bool:
    """Whether to go direct: small, nearly all values wanted, or the small end of something moderate."""
    short, entries = min(A.shape[-2:]), math.prod(A.shape)
    if entries > _ENTRIES or (isinstance(A, Dense) and B.is_traced(A.array)):
        return False
    wanted = short if short <= SMALL else 3 * k + 60
    return short <= (_LARGE if small_end else max(SMALL, min(wanted, _LARGE)))


def dense(A: LinearOperator) -> Array:
    """The finite matrix in at least single precision, by min(M, N) products; a constant of differentiation."""
    m, n = A.shape[-2:]
    matrix = A.to_dense() if isinstance(A, Dense) or n <= m else B.adjoint(A.adjoint().to_dense())
    matrix = B.stop_gradient(B.cast(matrix, B.compute_dtype(A.xp, matrix.dtype)))
    if not B.is_traced(matrix) and not B.to_numpy(A.xp.all(A.xp.isfinite(matrix))):
        raise ValueError("`A` must be finite, its matrix holds NaN or infinity; clean it first")
    return matrix


def direct_svd(A: LinearOperator, k: int, which: str) -> SVDResult:
    """Triplets (k of them) at one end by LAPACK; min(M, N) products unless A holds its matrix."""
    xp = A.xp
    with B.detached(xp):
        matrix = dense(A)
        bits = _binary_scale(matrix)
        scaled = (matrix * bits) * bits
        U, S, Vh = xp.linalg.svd(scaled, full_matrices=False)
        top, part = S[..., :1], slice(0, k) if which == "LM" else slice(S.shape[-1] - k, S.shape[-1])
        U, S, Vh = U[..., :, part], S[..., part], Vh[..., part, :]
        diagonal = B.cast(S, U.dtype)[..., None, :]
        forward = xp.sum(squares(xp.matmul(scaled, B.adjoint(Vh)) - U * diagonal), axis=-2)
        backward = xp.sum(squares(xp.matmul(B.adjoint(scaled), U) - B.adjoint(Vh) * diagonal), axis=-2)
        residuals = xp.sqrt(forward + backward)
        converged = xp.all(residuals <= default_tol(A) * top, axis=-1)
    scale = bits[..., 0]
    products = 0 if isinstance(A, Dense) else min(A.shape[-2:])
    S, residuals = (S / scale) / scale, (residuals / scale) / scale
    return SVDResult(U, S, Vh, residuals, converged, _zeros(A), products, "direct")


def direct_eigh(A: LinearOperator, k: int, which: str) -> EighResult:
    """Eigenpairs (k of them) at one end by LAPACK; N products unless A holds its matrix."""
    from .row_basis import in_order

    xp = A.xp
    with B.detached(xp):
        matrix = dense(A)
        bits = _binary_scale(matrix)
        scaled = (matrix * bits) * bits
        values, X = in_order(xp.linalg.eigh((scaled + B.adjoint(scaled)) / 2), which)
        top = xp.max(xp.abs(values), axis=-1, keepdims=True)
        values, X = values[..., :k], X[..., :, :k]
        # against A as given: an operator that is not Hermitian must not pass
        gap = B.transpose(xp.matmul(scaled, X) - X * B.cast(values, X.dtype)[..., None, :])
        residuals = norms(gap)[..., 0]
        converged = xp.all(residuals <= default_tol(A) * top, axis=-1)
    scale = bits[..., 0]
    products = 0 if isinstance(A, Dense) else A.shape[-1]
    values, residuals = (values / scale) / scale, (residuals / scale) / scale
    return EighResult(values, X, residuals, converged, _zeros(A), products, "direct")


def _binary_scale(matrix: Array) -> Array:
    """Square root of the power of two that brings the largest entry near one, (*batch_shape, 1, 1).

    Squares of residuals then stay in range, and so do the sums inside LAPACK.
    """
    xp = B.array_namespace(matrix)
    largest = xp.max(xp.abs(matrix), axis=(-2, -1), keepdims=True)
    one = xp.ones_like(largest)
    limit = 1000.0 if B.dtype_name(largest.dtype) == "float64" else 120.0
    bits = xp.log2(xp.where(largest > 0, largest, one))
    return xp.pow(2 * one, -xp.round(xp.clip(bits, -limit, limit) / 2))


def _zeros(A: LinearOperator) -> Any:
    import numpy as np

    return np.zeros(A.batch_shape, dtype=int) if A.batch_shape else 0
