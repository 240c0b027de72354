r"""The rounding that a Cholesky certificate has to pay for.

Let B be p x q, G the computed :math:`B^H B`, and M the computed :math:`t I - G`. If floating-point Cholesky of M runs
to completion, then

.. math:: \|B\|_2^2 \le t + e_{gram} + e_{shift} + e_{chol} .

*Gram.* A real inner product of length p, summed in any order, is off by at most :math:`\gamma_p |x|^T |y|` (Jeannerod
and Rump 2013 need only p u; gamma also covers fused multiply-adds), so
:math:`\|G - B^T B\|_2 \le \gamma_p \| |B|^T |B| \|_2 \le \gamma_p \|B\|_F^2`. Complex products are made of real
ones: the real and the imaginary part are real inner products of length 2 p, whose terms are by Cauchy-Schwarz at most
:math:`\sum |x_i| |y_i|` together, hence the factor :math:`\sqrt 2\, \gamma_{2p}`.

*Shift.* Only the diagonal is rounded, once, by at most u times the entry, which is at most :math:`\theta^2`.

*Cholesky.* Each entry of the factor R satisfies its equation up to :math:`\gamma_{n+1} \sum_k |r_{ki}| |r_{kj}|`, in
any order of summation (Higham 2002, lemma 8.4 and theorem 10.3); a multiplication by the reciprocal of the pivot, as
BLAS does it, costs one rounding more in the off-diagonal entries, which had one to spare. The diagonal gives
:math:`\sum_k |r_{kj}|^2 \le m_{jj} / (1 - \gamma)`, hence by Cauchy-Schwarz
:math:`\|R^H R - M\|_2 \le \gamma_{n+1} / (1 - \gamma_{n+1}) \operatorname{tr} M` (Demmel 1989; Rump, "Verification of
positive definiteness", BIT 46, 2006). In complex arithmetic the sums have twice as many real terms:
:math:`\sqrt 2\, \gamma_{2n+2}`. The trace of M is :math:`n t - \operatorname{tr} G`, small where all singular values
are alike, which is where the Gram term is large: the two together stay below about :math:`n p u \theta^2`.

*Underflow.* Matrices are scaled by a power of two before, so that what underflows is far below u; its terms, `ETA` per
operation, are added all the same.

The analysis needs classical products (no Strassen, no Winograd, no 3M complex product, no TF32 or bfloat16 products)
and, for Cholesky, solves by substitution. What BLAS does for the host satisfies this; on accelerators, where triangular
solves multiply by inverted blocks, the residual of the factor is computed instead (see `cholesky_device`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._typing import Array
from . import rounding as r

__all__ = ["ErrorBudget"]

_SQRT2 = math.nextafter(math.sqrt(2), 2)
# Covers the roundings in evaluating the bounds themselves: sums and products of a few nonnegative terms.
_EVALUATION = 1 + 2.0**-46
_U = r.UNIT["float64"]


@dataclass(frozen=True)
class ErrorBudget:
    """Error terms of a certificate for matrices of one shape, in one arithmetic.

    Parameters
    ----------
    inner : int
        Length p of the inner products in the Gram matrix.
    size : int
        Order n of the Gram matrix.
    is_complex : bool
        Whether the entries are complex.
    precision : {"float64", "float32"}
        Format of Gram matrix and factorisation.
    """

    inner: int
    size: int
    is_complex: bool
    precision: str = "float64"

    @cached_property
    def unit(self) -> float:
        """Unit roundoff."""
        return r.UNIT[self.precision]

    def _factor(self, terms: int) -> float:
        """Relative error of an inner product of so many terms."""
        return _SQRT2 * r.gamma(2 * terms, self.unit) * _EVALUATION if self.is_complex else r.gamma(terms, self.unit)

    @cached_property
    def product(self) -> float:
        """Error of the Gram matrix relative to the square of the Frobenius norm."""
        return self._factor(self.inner)

    @cached_property
    def factorization(self) -> float:
        """Error of the factorisation relative to the trace; infinite where nothing can be proved."""
        g = self._factor(self.size + 1)
        return g / (1.0 - g) * _EVALUATION if g < 0.5 else math.inf

    @cached_property
    def product_underflow(self) -> float:
        """Spectral norm of what underflow does to the Gram matrix."""
        return 8.0 * self.size * self.inner * r.ETA[self.precision]

    @cached_property
    def _frobenius(self) -> float:
        """Ratio of the squared Frobenius norm to the computed trace of the Gram matrix, at most."""
        if self.product >= 0.5:
            return math.inf
        return (1 + 2 * r.gamma(self.size)) / (1 - self.product) * _EVALUATION

    def squared_frobenius(self, trace: Array) -> Array:
        """Upper bound of ``||B||_F^2`` from the computed trace of the Gram matrix, summed in float64."""
        return trace * self._frobenius + self.product_underflow

    def shift(self, threshold: Array, trace: Array, *, factorization: Array | None = None) -> Array:
        """The t at which a completed factorisation of ``t I - G`` proves ``||B||_2 <= threshold``.

        Parameters
        ----------
        threshold : float or ndarray, shape (...)
            Not negative, and small enough for its square to be finite.
        trace : float or ndarray, shape (...)
            Computed trace of G, summed in float64.
        factorization : float or ndarray, optional
            Bound of the residual of the factorisation, instead of the one known beforehand.

        Returns
        -------
        float or ndarray of float64, shape (...)
            A number of the format `precision`; zero or less where the threshold is within the rounding errors.
        """
        square = threshold * threshold
        if factorization is None:
            factorization = self.factorization_error(square, trace)
        underflow = 16.0 * self.size * (self.size + 1) * r.ETA[self.precision] * (1.0 + square)
        if self.product == math.inf or self.factorization == math.inf:
            return np.full(np.shape(square), -np.inf)
        error = self.product * self.squared_frobenius(trace) + self.product_underflow + factorization + underflow
        # The diagonal is rounded when it is shifted; `square`, this sum and the difference are in float64.
        t = square - (error * _EVALUATION + (2 * self.unit + 8 * _U) * square)
        if self.precision == "float32":
            single = np.asarray(t, dtype=np.float32)
            return np.where(single > t, np.nextafter(single, np.float32(-np.inf)), single).astype(np.float64)
        return t

    def factorization_error(self, squared_threshold: Array, trace: Array) -> Array:
        """A-priori bound of ``||R^H R - M||_2`` for the factor R of ``M = t I - G``, any t up to the threshold.

        A negative trace of M means a negative pivot: then the factorisation fails and proves nothing.
        """
        rest = self.size * squared_threshold * (1 + 8 * _U) - trace * (1 - 2 * r.gamma(self.size))
        if self.factorization == math.inf:
            return np.full(np.shape(rest), np.inf)
        return self.factorization * np.maximum(rest, 0.0) * (1 + 8 * self.unit)
