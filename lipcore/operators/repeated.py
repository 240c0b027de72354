"""One operator on each of many pieces of a vector."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array, Shape
from .algebra import common_home
from .base import LinearOperator


class Repeated(LinearOperator):
    r"""One operator that acts on every token of a sequence: ``Kronecker(Identity(t), operator)``.

    Parameters
    ----------
    operator : LinearOperator, shape (M, N)
        A single operator, without a batch.
    lead : tuple of int
        Axes in front of the tensors that the operator takes, such as ``(tokens,)``.

    Attributes
    ----------
    operator : LinearOperator
        The operator that was given.

    Raises
    ------
    ValueError
        If `operator` has a batch, or `lead` a negative entry.

    Notes
    -----
    The vectors of all tokens are the columns of one product with `operator`, without a copy where vectors lie one after
    the other. The 1-, 2- and inf-norm are those of `operator`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.repeated import Repeated
    >>> A = Repeated(lc.Dense(np.array([[1.0, 2.0]])), (3,))
    >>> A.apply(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    array([[1.],
           [2.],
           [3.]])
    """

    def __init__(self, operator: LinearOperator, lead: Shape) -> None:
        if operator.batch_shape:
            raise ValueError(f"`operator` must be a single operator, got the batch {operator.batch_shape}")
        if any(n < 0 for n in lead):
            raise ValueError(f"`lead` must not be negative, got {lead}")
        self.operator, self.lead = operator, tuple(lead)
        times, (m, n) = math.prod(self.lead), operator.shape
        self._setup(
            (times * m, times * n),
            **common_home(operator),
            domain_shape=(*self.lead, *operator.domain_shape),
            range_shape=(*self.lead, *operator.range_shape),
        )

    def _matmat(self, X: Array) -> Array:
        m, n = self.operator.shape
        rows = self._pieces(X, n)
        return self._joined(self.operator.matmat(B.transpose(rows)), X.shape[-1], m)

    def _rmatmat(self, Y: Array) -> Array:
        m, n = self.operator.shape
        rows = self._pieces(Y, m)
        return self._joined(self.operator.rmatmat(B.transpose(rows)), Y.shape[-1], n)

    def _pieces(self, X: Array, size: int) -> Array:
        return self.xp.reshape(B.transpose(X), (X.shape[-1] * math.prod(self.lead), size))

    def _joined(self, Y: Array, columns: int, size: int) -> Array:
        return B.transpose(self.xp.reshape(B.transpose(Y), (columns, math.prod(self.lead) * size)))

    def adjoint(self) -> LinearOperator:
        """The adjoint on every token."""
        return Repeated(self.operator.adjoint(), self.lead)
