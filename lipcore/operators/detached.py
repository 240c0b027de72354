"""An operator as a constant of differentiation."""

from __future__ import annotations

from collections.abc import Callable

from .. import _backend as B
from .._typing import Array
from .algebra import common_home
from .base import LinearOperator


class DetachedOperator(LinearOperator):
    """`operator` without its derivatives: what solvers iterate on.

    The gradient of a norm is taken through one product with the original operator at the vector found, so nothing of
    the iteration needs to be recorded.
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
        return self._constant(self.operator._matmat, X)

    def _rmatmat(self, Y: Array) -> Array:
        return self._constant(self.operator._rmatmat, Y)

    def _constant(self, product: Callable[[Array], Array], X: Array) -> Array:
        with B.detached(self.xp):
            return B.stop_gradient(product(X))
