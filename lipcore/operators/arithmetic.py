"""What can be written with operators: products, sums, powers, adjoints."""

from __future__ import annotations

from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _backend as B

if TYPE_CHECKING:
    from .base import LinearOperator


class Arithmetic:
    """The algebra of `LinearOperator`, which alone inherits from this (so `self` is one)."""

    def dot(self: Any, x: Any) -> Any:
        """Product with a vector (1-D), blocks, another operator, or a number."""
        if _is_operator(x):
            from .algebra import ProductOperator

            return ProductOperator(self, x)
        if _is_scalar(x):
            from .algebra import ScaledOperator

            return ScaledOperator(self, x)
        return self.matvec(x) if B.is_array(x) and x.ndim == 1 else self.matmat(x)

    def rdot(self: Any, x: Any) -> Any:
        """``x A`` for a vector (1-D), blocks (..., K, M), another operator, or a number."""
        if _is_operator(x):
            return x.dot(self)
        if _is_scalar(x):
            return self.dot(x)
        self._checked_input(x, "x")
        if x.ndim == 1:
            return B.conj(self.rmatvec(B.conj(x)))
        return B.adjoint(self.rmatmat(B.adjoint(x)))

    def adjoint(self: Any) -> LinearOperator:
        """The conjugate transpose ``A^H``."""
        from .algebra import AdjointOperator

        return AdjointOperator(self)

    def transpose(self: Any) -> LinearOperator:
        """The transpose ``A^T``, not conjugated."""
        from .algebra import TransposedOperator

        return TransposedOperator(self)

    @property
    def H(self: Any) -> LinearOperator:
        """The conjugate transpose."""
        turned: LinearOperator = self.adjoint()
        return turned

    @property
    def T(self: Any) -> LinearOperator:
        """The transpose."""
        turned: LinearOperator = self.transpose()
        return turned

    def __call__(self: Any, x: Any) -> Any:
        """Same as `dot`."""
        return self.dot(x)

    def __matmul__(self: Any, x: Any) -> Any:
        if _is_scalar(x):
            raise ValueError("a number is no operand of @; use * instead")
        return self.dot(x)

    def __rmatmul__(self: Any, x: Any) -> Any:
        if _is_scalar(x):
            raise ValueError("a number is no operand of @; use * instead")
        return self.rdot(x)

    def __mul__(self: Any, x: Any) -> Any:
        return self.dot(x)

    def __rmul__(self: Any, x: Any) -> Any:
        return self.rdot(x)

    def __truediv__(self: Any, scalar: Any) -> LinearOperator:
        if not _is_scalar(scalar):
            raise ValueError(f"an operator is divided by a number only, got {type(scalar).__name__}")
        divided: LinearOperator = self.dot(1.0 / scalar)
        return divided

    def __neg__(self: Any) -> LinearOperator:
        negated: LinearOperator = self.dot(-1)
        return negated

    def __add__(self: Any, other: Any) -> LinearOperator:
        from .algebra import SumOperator

        return SumOperator(self, other) if _is_operator(other) else NotImplemented

    def __sub__(self: Any, other: Any) -> LinearOperator:
        return self + (-other) if _is_operator(other) else NotImplemented

    def __pow__(self: Any, exponent: int) -> LinearOperator:
        from .algebra import PowerOperator

        return PowerOperator(self, exponent)


def _is_operator(x: Any) -> bool:
    return isinstance(x, Arithmetic)


def _is_scalar(x: Any) -> bool:
    """A Python or NumPy number, or an array without axes."""
    return isinstance(x, Number | np.number) or (B.is_array(x) and x.ndim == 0)
