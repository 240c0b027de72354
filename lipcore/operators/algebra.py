"""Sums, products, scalings, powers, adjoints and transposes of operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from .base import LinearOperator


class SumOperator(LinearOperator):
    """``A + B + ...`` of operators of one shape; batches broadcast."""

    operands: tuple[LinearOperator, ...]

    def __init__(self, *operands: LinearOperator) -> None:
        # a sum of sums is one sum, so that norms see all terms
        self.operands = tuple(t for o in operands for t in (o.operands if isinstance(o, SumOperator) else (o,)))
        first, sizes = self.operands[0], {o.shape[-2:] for o in self.operands}
        if len(sizes) > 1:
            raise ValueError(f"cannot add operators of shapes {[o.shape for o in self.operands]}: shapes differ")
        self._setup(
            (*broadcast_batches(*self.operands), *first.shape[-2:]),
            **common_home(*self.operands),
            domain_shape=first.domain_shape,
            range_shape=first.range_shape,
        )

    def _matmat(self, X: Array) -> Array:
        return _total([o.matmat(X) for o in self.operands])

    def _rmatmat(self, Y: Array) -> Array:
        return _total([o.rmatmat(Y) for o in self.operands])

    def adjoint(self) -> LinearOperator:
        """Sum of the adjoints."""
        return SumOperator(*(o.adjoint() for o in self.operands))


class ProductOperator(LinearOperator):
    """``A B ...``, applied from right to left; batches broadcast."""

    operands: tuple[LinearOperator, ...]

    def __init__(self, *operands: LinearOperator) -> None:
        self.operands = tuple(f for o in operands for f in (o.operands if isinstance(o, ProductOperator) else (o,)))
        for left, right in zip(self.operands[:-1], self.operands[1:], strict=True):
            if left.shape[-1] != right.shape[-2]:
                raise ValueError(f"cannot multiply operators of shapes {left.shape} and {right.shape}: shapes differ")
        first, last = self.operands[0], self.operands[-1]
        self._setup(
            (*broadcast_batches(*self.operands), first.shape[-2], last.shape[-1]),
            **common_home(*self.operands),
            domain_shape=last.domain_shape,
            range_shape=first.range_shape,
        )

    def _matmat(self, X: Array) -> Array:
        for operand in reversed(self.operands):
            X = operand.matmat(X)
        return X

    def _rmatmat(self, Y: Array) -> Array:
        for operand in self.operands:
            Y = operand.rmatmat(Y)
        return Y

    def adjoint(self) -> LinearOperator:
        """Product of the adjoints in reverse order."""
        return ProductOperator(*(o.adjoint() for o in reversed(self.operands)))


class ScaledOperator(LinearOperator):
    """``scalar * A``; the scalar may be an array without axes and carry a gradient."""

    def __init__(self, operator: LinearOperator, scalar: Any) -> None:
        self.operator, self.scalar = operator, scalar
        xp, dtype = operator.xp, operator.dtype
        if not B.is_array(scalar) and not isinstance(scalar, complex | float | int):
            # NumPy's numbers, and those of the standard library such as fractions
            scalar = self.scalar = scalar.item() if hasattr(scalar, "item") else float(scalar)
        is_complex = B.is_complex(xp, scalar.dtype) if B.is_array(scalar) else isinstance(scalar, complex)
        if is_complex and not B.is_complex(xp, dtype):
            dtype = B.common_dtype(xp, dtype, xp.complex64)
        self._setup(
            operator.shape,
            dtype=dtype,
            xp=xp,
            device=operator.device,
            domain_shape=operator.domain_shape,
            range_shape=operator.range_shape,
        )

    def _factor(self) -> Any:
        # an array scalar of another dtype would change the dtype of the product
        if not B.is_array(self.scalar) or isinstance(self.scalar, np.generic):
            return complex(self.scalar) if B.is_complex(self.xp, self.dtype) else float(self.scalar)
        return B.cast(self.scalar, self.dtype)

    def _matmat(self, X: Array) -> Array:
        return self.operator.matmat(X) * self._factor()

    def _rmatmat(self, Y: Array) -> Array:
        factor = self._factor()
        return self.operator.rmatmat(Y) * (B.conj(factor) if B.is_array(factor) else factor.conjugate())

    def adjoint(self) -> LinearOperator:
        """Adjoint scaled by the conjugate."""
        scalar = self.scalar
        return ScaledOperator(self.operator.adjoint(), B.conj(scalar) if B.is_array(scalar) else scalar.conjugate())


class PowerOperator(LinearOperator):
    """``A^p`` of a square operator for an integer ``p >= 0``."""

    def __init__(self, operator: LinearOperator, exponent: Any) -> None:
        if operator.shape[-1] != operator.shape[-2]:
            raise ValueError(f"a power needs a square operator, got shape {operator.shape}")
        if isinstance(exponent, bool) or not isinstance(exponent, int | np.integer) or exponent < 0:
            raise ValueError(f"`exponent` must be a nonnegative integer, got {exponent!r}")
        self.operator, self.exponent = operator, int(exponent)
        self._setup(
            operator.shape,
            **common_home(operator),
            domain_shape=operator.domain_shape,
            range_shape=operator.range_shape,
        )

    def _matmat(self, X: Array) -> Array:
        for _ in range(self.exponent):
            X = self.operator.matmat(X)
        return X if self.exponent else B.copied(X)

    def _rmatmat(self, Y: Array) -> Array:
        for _ in range(self.exponent):
            Y = self.operator.rmatmat(Y)
        return Y if self.exponent else B.copied(Y)

    def adjoint(self) -> LinearOperator:
        """Power of the adjoint."""
        return PowerOperator(self.operator.adjoint(), self.exponent)


class AdjointOperator(LinearOperator):
    """``A^H``, by exchanging the two hooks of ``A``."""

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator
        self._setup(**_turned(operator))

    def _matmat(self, X: Array) -> Array:
        return self.operator._rmatmat(X)

    def _rmatmat(self, Y: Array) -> Array:
        return self.operator._matmat(Y)

    def adjoint(self) -> LinearOperator:
        """The operator itself."""
        return self.operator

    def transpose(self) -> LinearOperator:
        """The conjugate of the operator."""
        return TransposedOperator(self)


class TransposedOperator(LinearOperator):
    """``A^T``: the adjoint between two conjugations."""

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator
        self._setup(**_turned(operator))

    def _matmat(self, X: Array) -> Array:
        return B.conj(self.operator._rmatmat(B.conj(X)))

    def _rmatmat(self, Y: Array) -> Array:
        return B.conj(self.operator._matmat(B.conj(Y)))

    def transpose(self) -> LinearOperator:
        """The operator itself."""
        return self.operator


def _turned(operator: LinearOperator) -> dict[str, Any]:
    return {
        "shape": (*operator.batch_shape, operator.shape[-1], operator.shape[-2]),
        **common_home(operator),
        "domain_shape": operator.range_shape,
        "range_shape": operator.domain_shape,
    }


def _total(terms: list[Array]) -> Array:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def broadcast_batches(*operands: LinearOperator) -> Shape:
    """Common batch shape of operators."""
    try:
        return np.broadcast_shapes(*(o.batch_shape for o in operands))
    except ValueError:
        raise ValueError(f"batch shapes {[o.batch_shape for o in operands]} do not broadcast") from None


def common_home(*operands: LinearOperator) -> dict[str, Any]:
    """dtype, namespace and device that operators share; an error names the first that differs."""
    first = operands[0]
    for other in operands[1:]:
        if not same_namespace(first.xp, other.xp):
            raise TypeError(f"operators of {first.xp.__name__} and {other.xp.__name__} cannot be combined")
    device = next((o.device for o in operands if o.device is not None), None)
    for other in operands:
        if other.device is not None and other.device != device:
            raise ValueError(f"operators on devices {device} and {other.device} cannot be combined")
    return {"dtype": B.common_dtype(first.xp, *(o.dtype for o in operands)), "xp": first.xp, "device": device}


def same_namespace(a: Namespace, b: Namespace) -> bool:
    """Whether two namespaces are one library; two copies of the compat layer are not one object."""
    return a is b or a.__name__ == b.__name__
