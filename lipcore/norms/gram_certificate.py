"""One Gram matrix, many thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg.blas

from .._typing import Array
from . import rounding as r
from . import scaling as s
from .cholesky import (
    CODES,
    budget_of,
    check_finite,
    factors,
    negative_gram,
    row_major,
    scale_exponents,
    scaling_loss,
    working_copy,
)

__all__ = ["GramCertificate"]

# Of the largest diagonal entry: entries are below 2^100 then, the largest one is above 2^-100, and none is NaN.
_SMALLEST, _LARGEST = 2.0**-140, 2.0**198
# Of the trace, for a copy in single precision in which nothing overflows, and nothing of weight underflows.
_SINGLE_RANGE = 2.0**30


class GramCertificate:
    """The Gram matrix of one matrix, and thresholds certified with it for one factorisation each.

    The first factorisation overwrites it; if there is another, it is formed once more, and kept.

    Parameters
    ----------
    a : ndarray, shape (m, n)
        Real or complex floating NumPy array, certified in float64.

    Attributes
    ----------
    exponent : int
        The matrix was divided by ``2^exponent``; everything below is about the scaled one.
    size : int
        Order of the Gram matrix: the smaller side.
    frobenius : float
        Upper bound of the Frobenius norm.
    factor : ndarray or None
        Lower triangular Cholesky factor L of the last threshold proved, ``L L^H`` close to ``theta^2 I - G``; the
        strict upper triangle holds anything.

    Raises
    ------
    ValueError
        If `a` is not a finite matrix.

    Notes
    -----
    Row-major matrices have the complex conjugate of the Gram matrix here, which has the same eigenvalues.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.gram_certificate import GramCertificate
    >>> gram = GramCertificate(np.array([[3.0, 1.0], [4.0, 1.0]]))
    >>> [gram.norm_at_most(theta) for theta in (5.1, 5.2, 6.0)]
    [False, True, True]
    """

    def __init__(self, a: np.ndarray[Any, Any]) -> None:
        if getattr(a, "ndim", 0) != 2 or a.dtype.kind not in "fc":
            raise ValueError(f"`a` must be a floating NumPy matrix, got {type(a).__name__}")
        self.size = min(a.shape)
        self._budget = budget_of(a, "float64")
        self.is_complex = self._budget.is_complex
        self._code = CODES["float64", self.is_complex]
        self._attempts = 0
        self.exponent, self.scaling_loss = 0, 0.0
        self._form(a)
        if self.size and not _SMALLEST <= np.max(self.diagonal) <= _LARGEST:
            self._form_scaled(a)
        self._trace = float(np.sum(self.diagonal))
        self.frobenius = r.sqrt_up(self._budget.squared_frobenius(self._trace)) if np.any(self.diagonal) else 0.0
        self.factor: Array = None

    def _form(self, a: np.ndarray[Any, Any]) -> None:
        self.scaled = working_copy(a[None], np.asarray([self.exponent]), "float64")[0]
        self._negative: Array = None
        self.diagonal = -self.negative.diagonal().real

    def _form_scaled(self, a: np.ndarray[Any, Any]) -> None:
        """The same for entries that are very large or small, all zero, or not finite, as their squares' sums told."""
        largest = s.largest(a[None])
        check_finite(largest)
        self.exponent = int(scale_exponents(largest, "float64")[0])
        self.scaling_loss = 2 * scaling_loss(a.shape) if self.exponent > 0 else 0.0
        if self.exponent:
            self._form(a)

    @property
    def negative(self) -> Array:
        """Minus the Gram matrix: its lower triangle. Formed when it is needed."""
        if self._negative is None:
            self._negative = negative_gram(self.scaled, self._code) if self.size else np.zeros((0, 0))
        return self._negative

    def _expendable(self) -> Array:
        """`negative`, to be overwritten: itself at first, since one attempt is usually enough, and then copies."""
        self._attempts += 1
        found = self.negative
        if self._attempts == 1:
            self._negative = None
            return found
        return found.copy(order="F")

    def matvec(self, x: Array) -> Array:
        """Product of the scaled Gram matrix (or its conjugate) with a vector, by BLAS ?symv / ?hemv."""
        product = getattr(scipy.linalg.blas, self._code + ("hemv" if self._code == "z" else "symv"))
        return product(-1.0, self.negative, x, lower=1)

    def single_product(self) -> Callable[[Array], Array] | None:
        """`matvec` with a copy of the Gram matrix in single precision; None where its entries do not fit there."""
        if not 1 / _SINGLE_RANGE < self._trace < _SINGLE_RANGE:
            return None
        code = "c" if self.is_complex else "s"
        product = getattr(scipy.linalg.blas, code + ("hemv" if self.is_complex else "symv"))
        with np.errstate(all="ignore"):  # above the diagonal is whatever was in memory
            copy = self.negative.astype("c8" if self.is_complex else "f4")
        return lambda x: product(-1.0, copy, x, lower=1)

    def side(self, x: Array) -> tuple[Array, Array]:
        """Matrix and vector of which the Gram matrix's Rayleigh quotient at `x` is ``||B x||^2 / ||x||^2``."""
        tall = self.scaled.shape[0] >= self.scaled.shape[1]
        # Row-major matrices have the conjugate Gram matrix here; and A^H u has the norm of A^T conj(u).
        vector = x.conj() if self.is_complex and row_major(self.scaled) == tall else x
        return (self.scaled if tall else self.scaled.T), vector

    def norm_at_most(self, threshold: float, *, scaled: bool = False) -> bool:
        """Prove ``||A||_2 <= threshold``, or ``||A||_2 <= threshold * 2^exponent`` with `scaled`.

        Returns
        -------
        bool
            True where proved; False says nothing.
        """
        theta = float(threshold) if scaled else s.ldexp_down(max(float(threshold), 0.0), -self.exponent)
        # What underflowed when the matrix was scaled is below every rounding of what did not.
        theta = math.nextafter(theta - self.scaling_loss, -math.inf) if self.scaling_loss else theta
        if theta >= self.frobenius:
            return threshold >= 0
        t = float(self._budget.shift(theta, self._trace))
        if not t > 0:
            return False
        attempt = self._expendable()
        if factors(attempt, t, self.diagonal, self._code):
            self.factor = attempt
            return True
        return False

    def smallest_threshold(self, value: float) -> float:
        """About the smallest threshold, scaled, that a matrix of norm `value` (scaled) can be certified for.

        Above `value` by what the error terms take, so that only the errors actually made can let it fail.
        """
        lacking = value * value - float(self._budget.shift(value, self._trace))
        return math.sqrt(value * value + 1.001 * max(lacking, 0.0))
