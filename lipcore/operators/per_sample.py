"""A stack of operators over samples, and stacks folded into one operator."""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import _backend as B
from .._typing import Array
from .algebra import common_home
from .base import LinearOperator


class PerSample(LinearOperator):
    r"""An operator for each of `samples` samples: a stack that has that many members, or one operator that all share.

    Parameters
    ----------
    operator : LinearOperator, shape (M, N) or (samples, M, N)
        A single operator is shared: its products with all samples are one product with more columns.
    samples : int
        Members of the stack.

    Notes
    -----
    A stack is passed through as it is.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.per_sample import PerSample
    >>> PerSample(lc.Dense(np.eye(3)), 5).shape
    (5, 3, 3)
    """

    def __init__(self, operator: LinearOperator, samples: int) -> None:
        if operator.batch_shape not in ((), (samples,), (1,)):
            raise ValueError(f"`operator` must have the batch shape () or ({samples},), got {operator.batch_shape}")
        self.operator = operator
        self._setup(
            (samples, *operator.shape[-2:]),
            **common_home(operator),
            domain_shape=operator.domain_shape,
            range_shape=operator.range_shape,
        )

    def _matmat(self, X: Array) -> Array:
        return self.operator.matmat(X)

    def _rmatmat(self, Y: Array) -> Array:
        return self.operator.rmatmat(Y)

    def adjoint(self) -> LinearOperator:
        """The adjoint for each sample."""
        return PerSample(self.operator.adjoint(), self.shape[0])


class Folded(LinearOperator):
    r"""The last axis of a stack of operators as diagonal blocks of one operator.

    Parameters
    ----------
    operator : LinearOperator, shape (*batch_shape, H, M, N)
        A stack with at least one batch axis, such as the heads of an attention layer.

    Notes
    -----
    The result has shape (\*batch_shape, H M, H N): block h of the vectors belongs to member h.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.per_sample import Folded
    >>> A = Folded(lc.Dense(np.array([[[1.0, 2.0]], [[3.0, 4.0]]])))
    >>> A.to_dense()
    array([[1., 2., 0., 0.],
           [0., 0., 3., 4.]])
    """

    def __init__(self, operator: LinearOperator) -> None:
        if not operator.batch_shape:
            raise ValueError(f"`operator` must be a stack with at least one batch axis, got shape {operator.shape}")
        self.operator = operator
        *batch, members, m, n = operator.shape
        self._setup((*batch, members * m, members * n), **common_home(operator))

    def _matmat(self, X: Array) -> Array:
        return self._through(self.operator.matmat, X)

    def _rmatmat(self, Y: Array) -> Array:
        return self._through(self.operator.rmatmat, Y)

    def _through(self, product: Callable[[Array], Array], X: Array) -> Array:
        # split and join on the row-major side, where vectors lie one after the other: no copy of a transposed view
        rows, members = B.transpose(X), self.operator.shape[-3]
        *lead, columns, size = rows.shape
        split = self.xp.reshape(rows, (*lead, columns, members, size // members))
        blocks = self.xp.moveaxis(split, -2, -3)
        images = self.xp.moveaxis(B.transpose(product(B.transpose(blocks))), -3, -2)
        return B.transpose(self.xp.reshape(images, (*lead, columns, math.prod(images.shape[-2:]))))

    def adjoint(self) -> LinearOperator:
        """The adjoint blocks."""
        return Folded(self.operator.adjoint())


class Unfolded(LinearOperator):
    r"""The diagonal blocks of a block-diagonal operator as a stack.

    Parameters
    ----------
    operator : LinearOperator, shape (samples * M, samples * N)
        An operator that is known to have blocks of one shape on its diagonal and nothing beside them, such as the
        Jacobian of a function of a batch that treats its samples independently.
    samples : int
        Number of blocks, along the first axis of its tensors.

    Notes
    -----
    Inverse of `Folded`. One product with the stack is one product with the operator.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.per_sample import Unfolded
    >>> Unfolded(lc.Diagonal(np.arange(1.0, 5.0)), 2).to_dense()[1]
    array([[3., 0.],
           [0., 4.]])
    """

    def __init__(self, operator: LinearOperator, samples: int) -> None:
        m, n = operator.shape[-2:]
        if operator.batch_shape or samples < 1 or m % samples or n % samples:
            raise ValueError(f"`operator` of shape {operator.shape} is not made of {samples} equal blocks")
        self.operator = operator
        self._setup((samples, m // samples, n // samples), **common_home(operator))

    def _matmat(self, X: Array) -> Array:
        return self._through(self.operator.matmat, X)

    def _rmatmat(self, Y: Array) -> Array:
        return self._through(self.operator.rmatmat, Y)

    def _through(self, product: Callable[[Array], Array], X: Array) -> Array:
        xp, (samples, size, columns) = self.xp, X.shape
        image = product(xp.reshape(X, (samples * size, columns)))
        return xp.reshape(image, (samples, image.shape[0] // samples, columns))

    def adjoint(self) -> LinearOperator:
        """The adjoint blocks."""
        return Unfolded(self.operator.adjoint(), self.shape[0])
