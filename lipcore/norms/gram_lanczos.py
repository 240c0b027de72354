"""Leading eigenvectors of a Gram matrix that is in hand: they need not be proved, only good."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from .gram_certificate import GramCertificate

__all__ = ["inverse_iteration", "leading_vector"]

_CYCLE = 8
_MOST = 320
_INVERSE_STEPS = 12

Vector = np.ndarray[Any, Any]


def leading_vector(gram: GramCertificate, rtol: float, most: int = _MOST) -> tuple[Vector, int]:
    """Approximate leading eigenvector by Lanczos from a fixed start.

    Nothing is reorthogonalised: orthogonality goes where a Ritz pair has converged (Paige 1980), and this one is the
    first that does; and what the vector is worth is measured with the matrix afterwards.

    Parameters
    ----------
    gram : GramCertificate
    rtol : float
        Wanted relative error of the norm that the vector attains.
    most : int
        Most products with the Gram matrix.

    Returns
    -------
    vector : ndarray, shape (n,)
    steps : int
        Products with the Gram matrix.
    """
    n = gram.size
    dtype = np.dtype(np.complex128 if gram.is_complex else np.float64)
    start = np.random.default_rng(1961).standard_normal(n).astype(dtype)
    return _lanczos(gram.matvec, start, rtol, min(most, n))


def _lanczos(product: Any, start: Vector, rtol: float, most: int) -> tuple[Vector, int]:
    n = start.shape[0]
    basis = np.empty((min(most, 64), n), dtype=start.dtype)
    alpha, beta = np.zeros(most), np.zeros(most)
    basis[0] = start / np.linalg.norm(start)
    look = _CYCLE
    for j in range(most):
        w = product(basis[j])
        if j:
            w -= beta[j - 1] * basis[j - 1]
        alpha[j] = np.vdot(basis[j], w).real
        w -= alpha[j] * basis[j]
        beta[j] = np.linalg.norm(w)
        exhausted = j + 1 == most or beta[j] <= 1e-14 * np.max(alpha[: j + 1])
        if exhausted or j + 1 == look:
            look += max(_CYCLE, look // 8)
            values, vectors = scipy.linalg.eigh_tridiagonal(
                alpha[: j + 1], beta[:j], select="i", select_range=(max(j - 4, 0), j)
            )
            if exhausted or _error(values, beta[j] * np.abs(vectors[-1])) <= 2 * rtol * values[-1]:
                return basis[: j + 1].T @ vectors[:, -1], j + 1
        if j + 1 == basis.shape[0]:
            basis = np.concatenate([basis, np.empty_like(basis)])[:most]
        basis[j + 1] = w / beta[j]
    raise AssertionError("the last step returns")


def _error(values: Vector, residuals: Vector) -> float:
    """Estimated error of the last (largest) Ritz value: the best of ``rho^2 / gap`` over clusters at the top."""
    best, cluster = float(residuals[-1]), 0.0
    for i in range(len(values) - 1, 0, -1):
        cluster += float(residuals[i]) ** 2
        gap = float(values[-1] - values[i - 1])
        if gap > cluster**0.5:
            best = min(best, cluster / gap)
    return best


def inverse_iteration(gram: GramCertificate, start: Vector) -> tuple[Vector, int]:
    """Leading eigenvector by Lanczos on the inverse of ``theta^2 I - G``, whose factor is in hand.

    Parameters
    ----------
    gram : GramCertificate
        With the factor of the last threshold proved.
    start : ndarray, shape (n,)
        Vector to start from; a fixed random part is added, for the direction that it may lack.

    Returns
    -------
    vector : ndarray, shape (n,)
    steps : int
        Solves with the factor.
    """
    factor = gram.factor
    noise = np.random.default_rng(1965).standard_normal(start.shape[0])
    start = start / np.linalg.norm(start) + noise / np.linalg.norm(noise)
    trans = 2 if gram.is_complex else 1

    def product(x: Vector) -> Vector:
        y = scipy.linalg.solve_triangular(factor, x, trans=trans, lower=False, check_finite=False)
        solved: Vector = scipy.linalg.solve_triangular(factor, y, lower=False, check_finite=False)
        return solved

    return _lanczos(product, start.astype(factor.dtype), 1e-4, min(_INVERSE_STEPS, start.shape[0]))
