"""Leading eigenvectors of a Gram matrix that is in hand: they need not be proved, only good."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg

from ..solvers.tridiagonal import largest_pairs
from .gram_certificate import GramCertificate

__all__ = ["inverse_iteration", "leading_vector"]

_CYCLE = 8
_MOST = 320
_INVERSE_STEPS = 12
# Norms attained by vectors of single precision lack about 1e-7 at worst; wanted within this, they are good enough.
_SINGLE = 2e-7
# An error estimated by residuals at most so many times too large may be estimated otherwise too.
_TRUSTED, _AIM = 20.0, 6.0
# A step this small, relative to the norm, has nothing new in it.
_EXHAUSTED = {np.dtype("f4"): 2e-7, np.dtype("f8"): 1e-14}

Vector = np.ndarray[Any, Any]


def leading_vector(gram: GramCertificate, rtol: float, most: int = _MOST) -> tuple[Vector, int]:
    """Approximate leading eigenvector by Lanczos from a fixed start.

    In single precision where that is enough for `rtol`: a step costs as much as reading the Gram matrix. Nothing is
    reorthogonalised: orthogonality goes where a Ritz pair has converged (Paige 1980), and this one is the first that
    does; and what the vector is worth is measured with the matrix afterwards.

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
    product = gram.single_product() if rtol >= _SINGLE else None
    code = ("f4", "c8") if product else ("f8", "c16")
    start = np.random.default_rng(1961).standard_normal(n).astype(code[gram.is_complex])
    return _lanczos(product or gram.matvec, start, rtol, min(most, n))


def _lanczos(product: Any, start: Vector, rtol: float, most: int) -> tuple[Vector, int]:
    n = start.shape[0]
    basis = np.empty((min(most, 64), n), dtype=start.dtype)
    alpha, beta = np.zeros(most), np.zeros(most)
    basis[0] = start / np.linalg.norm(start)
    tiny = _EXHAUSTED[basis.real.dtype]
    schedule = _Schedule()
    for j in range(most):
        w = product(basis[j])
        if j:
            w -= basis.dtype.type(beta[j - 1]) * basis[j - 1]
        alpha[j] = np.vdot(basis[j], w).real
        w -= basis.dtype.type(alpha[j]) * basis[j]
        beta[j] = math.sqrt(np.vdot(w, w).real)
        exhausted = j + 1 == most or beta[j] <= tiny * np.max(alpha[: j + 1])
        if exhausted or j + 1 == schedule.look:
            theta, residual, y = largest_pairs(alpha[: j + 1], beta[: j + 1], min(5, j + 1))
            excess = _error(theta, residual) / (2 * rtol * theta[0])
            if exhausted or excess <= 1 or schedule.risen(theta[0], excess) <= 2 * rtol * theta[0]:
                return basis[: j + 1].T @ y[:, 0].astype(basis.dtype), j + 1
            schedule.missed_by(excess)
        if j + 1 == basis.shape[0]:
            basis = np.concatenate([basis, np.empty_like(basis)])[:most]
        basis[j + 1] = w / basis.dtype.type(beta[j])
    raise AssertionError("the last step returns")


class _Schedule:
    """When to look at the error again: where it will be small enough if it goes on falling as it did."""

    def __init__(self) -> None:
        self.look = _CYCLE
        self._last, self._value = (0, math.inf), 0.0

    def risen(self, value: float, excess: float) -> float:
        """Estimate of what the Ritz value still lacks: thrice that of a geometric series; infinite where not to be had.

        The estimate by residuals, `excess` times too large, takes the nearest gap for all of the residual's directions.
        """
        fallen, rise = excess / self._last[1], value - self._value
        self._value = value
        return 3.0 * rise * fallen / (1.0 - fallen) if excess < _TRUSTED and fallen < 0.5 else math.inf

    def missed_by(self, excess: float) -> None:
        """At step `look` the error was so many times larger than wanted."""
        step, before = self._last
        self._last, longest = (self.look, excess), max(_CYCLE, self.look // 8)
        if before <= excess or before == math.inf:
            self.look += longest
            return
        falling = math.log(before / excess) / (self.look - step)
        aim = _AIM if excess > 2 * _AIM else 1.0
        self.look += min(max(math.ceil(math.log(excess / aim) / falling), 2), longest)


def _error(theta: Vector, residual: Vector) -> float:
    """Estimated error of the largest Ritz value: the best of ``rho^2 / gap`` over clusters at the top."""
    best, cluster = float(residual[0]), 0.0
    for i in range(len(theta) - 1):
        cluster += float(residual[i]) ** 2
        gap = float(theta[0] - theta[i + 1])
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
        y = scipy.linalg.solve_triangular(factor, x, lower=True, check_finite=False)
        solved: Vector = scipy.linalg.solve_triangular(factor, y, trans=trans, lower=True, check_finite=False)
        return solved

    return _lanczos(product, start.astype(factor.dtype), 1e-4, min(_INVERSE_STEPS, start.shape[0]))
