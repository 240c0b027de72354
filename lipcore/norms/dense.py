"""Rigorous two-sided bounds of the 2-norm of matrices."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import scipy.linalg.lapack

from .. import _backend as B
from .._typing import Array
from .bounds import Bounds
from .cholesky import check_matrices, on_accelerator
from .gram_certificate import GramCertificate
from .gram_lanczos import inverse_iteration, leading_vector
from .lower_bound import attained_down, norm_lower_bound

__all__ = ["dense_bounds", "norm_lower_bound"]

# Up to this order LAPACK's eigensolver for one eigenvalue beats Lanczos steps made in Python.
_DIRECT = 192
# Fractions of the width asked for: what the upper bound takes at least, and with the error terms at most, and what the
# lower bound may lack.
_SHARE, _ROOM, _LACKING = 0.6, 0.95, 0.5
_ATTEMPTS = 60


def dense_bounds(a: Array, rtol: float = 1e-6) -> Bounds:
    """Rigorous bounds of ``||A||_2`` for a matrix or each matrix of a stack.

    Parameters
    ----------
    a : array, shape (..., m, n)
        Real or complex floating, of any backend. Half and single precision are exact in float64, which does the work.
    rtol : float
        Relative width ``(upper - lower) / upper`` asked for. Reached down to about ``m n 1e-16`` (1e-8 up to order
        9000; complex: 3000); below, the bounds are as narrow as that.

    Returns
    -------
    Bounds
        Of kind "rigorous". ``converged`` tells whether `rtol` was reached.

    Raises
    ------
    TypeError
        If `a` is not a floating array.
    ValueError
        If it has fewer than two axes, holds NaN or infinity, or if `rtol` is not positive.

    Notes
    -----
    The Gram matrix of the smaller side is formed once. Its leading vector, by LAPACK for small and by Lanczos for large
    matrices, gives the lower bound, evaluated with the matrix itself. One Cholesky factorisation (`norm_at_most`) then
    proves an upper bound just above; if it fails, the vector was not the leading one: a larger threshold is proved,
    whose factor turns the vector towards the leading one (inverse iteration), and so on. Whatever happens, both bounds
    are true. With n the smaller side: m n^2 for the product and n^3 / 3 for each factorisation, usually one. Nothing is
    random.

    On an accelerator, torch and CuPy arrays are factorised where they are (see `norm_at_most`); the vectors come
    from an eigendecomposition of the Gram matrix there.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.dense import dense_bounds
    >>> bounds = dense_bounds(np.array([[3.0, 0.0], [4.0, 0.0]]), rtol=1e-12)
    >>> bounds.kind, bounds.lower <= 5.0 <= bounds.upper, bounds.converged
    ('rigorous', True, True)
    """
    xp = B.array_namespace(a, name="a")
    check_matrices(xp, a)
    if not rtol > 0:
        raise ValueError(f"`rtol` must be positive, got {rtol!r}")
    batch = tuple(a.shape[:-2])
    if 0 in tuple(a.shape):
        nothing = np.zeros(batch) if batch else 0.0
        return Bounds(nothing, nothing, "rigorous", method="empty")
    if on_accelerator(xp, a):
        from .dense_device import dense_bounds_on_device

        return dense_bounds_on_device(a, rtol)
    host = B.to_numpy(a)
    found = [_matrix(matrix, rtol) for matrix in host.reshape(-1, *host.shape[-2:])]
    lower, upper, e, matvecs = (np.asarray(column).reshape(batch) for column in zip(*found, strict=True))
    reached = upper - lower <= rtol * upper
    numbers: tuple[Any, Any, Any] = (lower, upper, e) if batch else (float(lower), float(upper), int(e))
    return Bounds.from_scaled(*numbers, "rigorous", converged=reached, matvecs=int(np.sum(matvecs)), method="Cholesky")


def _matrix(a: np.ndarray[Any, Any], rtol: float) -> tuple[float, float, int, int]:
    """Bounds of one matrix, scaled; the power of two that they were scaled by; products with the matrix."""
    if min(a.shape) > _DIRECT:
        B.keep_freed_memory()
    with B.scipy_blas_threads() if min(a.shape) > _DIRECT else contextlib.nullcontext():
        return _certified(GramCertificate(a), rtol)


def _certified(gram: GramCertificate, rtol: float) -> tuple[float, float, int, int]:
    if gram.frobenius == 0.0:
        return 0.0, 0.0, 0, 0
    vector, steps = _direct_vector(gram) if gram.size <= _DIRECT else leading_vector(gram, _LACKING * rtol)
    lower = _attained(gram, vector)
    upper = gram.frobenius
    growth = max(_SHARE * rtol, _ROOM * rtol - (gram.smallest_threshold(lower) / lower - 1.0)) if lower > 0 else rtol
    for attempt in range(_ATTEMPTS):
        theta = gram.smallest_threshold(lower) * (1.0 + growth)
        if theta >= upper:
            break
        if gram.norm_at_most(theta, scaled=True):
            upper = theta
            if attempt == 0 or upper - lower <= rtol * upper:
                break
            # The threshold had to grow, so a direction was missed: it dominates the inverse of the factorised matrix.
            vector, more = inverse_iteration(gram, vector)
            better, steps = max(lower, _attained(gram, vector)), steps + more
            if not better > lower * (1.0 + 1e-3 * growth):
                break
            lower, growth = better, _SHARE * rtol
        else:
            growth = max(8.0 * growth, 2.0**-44)
    return float(lower), float(upper), gram.exponent, steps


def _direct_vector(gram: GramCertificate) -> tuple[np.ndarray[Any, Any], int]:
    """Leading eigenvector of the Gram matrix by LAPACK."""
    n = gram.size
    if n == 1:
        return np.ones(1), 0
    # The stored matrix is the negative one: its smallest eigenvalue is wanted.
    solve = scipy.linalg.lapack.zheevr if gram.is_complex else scipy.linalg.lapack.dsyevr
    _, vectors, _, _, info = solve(gram.negative, range="I", il=1, iu=1, lower=1)
    vector: np.ndarray[Any, Any] = vectors[:, 0]
    return (vector, 0) if info == 0 and np.all(np.isfinite(vector)) else leading_vector(gram, 1e-10)


def _attained(gram: GramCertificate, vector: np.ndarray[Any, Any]) -> float:
    """Lower bound from a vector of the Gram matrix, evaluated with the matrix that it came from."""
    matrix, vector = gram.side(vector)
    bound = float(attained_down(matrix, vector, gram.frobenius))
    # Entries that scaling took to underflow.
    return max(math.nextafter(bound - gram.scaling_loss, -math.inf), 0.0) if gram.scaling_loss else bound
