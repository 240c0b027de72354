"""An operator known by its products alone."""

from __future__ import annotations

from .._typing import Array
from .algebra import common_home
from .base import LinearOperator


class Opaque(LinearOperator):
    """`operator` without its structure: norms of it rest on products with the whole, never on those of its parts.

    A product of many factors is bounded by the product of their norms, which is wide; where that is of no use, nobody
    should spend time on it.
    """

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator
        self._setup(
            operator.shape,
            **common_home(operator),
            domain_shape=operator.domain_shape,
            range_shape=operator.range_shape,
        )

    def _matmat(self, X: Array) -> Array:
        return self.operator.matmat(X)

    def _rmatmat(self, Y: Array) -> Array:
        return self.operator.rmatmat(Y)

    def adjoint(self) -> LinearOperator:
        """The adjoint, as opaque."""
        return Opaque(self.operator.adjoint())
