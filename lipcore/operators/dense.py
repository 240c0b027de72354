"""A matrix, or a stack of matrices, as an operator."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from .base import LinearOperator


class Dense(LinearOperator):
    r"""A matrix held in memory.

    Parameters
    ----------
    array : array, shape (*batch_shape, M, N)
        Real or complex floating array of any library; it is not copied.

    Raises
    ------
    TypeError
        If `array` is no array, or of an integer dtype.
    ValueError
        If `array` has fewer than two axes.

    Notes
    -----
    :math:`y = A x` and :math:`A^H y`, each one product with the array: ``2 M N`` floating-point operations a column.
    The array may be sharded: a JAX array with a `NamedSharding`, or a torch `DTensor`, whose products are then made by
    all processes together while each of them holds the vectors whole.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.Dense(np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]))
    >>> A.shape
    (3, 2)
    >>> A @ np.array([1.0, 1.0])
    array([3., 4., 0.])
    """

    def __init__(self, array: Array) -> None:
        xp = B.array_namespace(array, name="array")
        if array.ndim < 2:
            raise ValueError(f"`array` must have at least two axes (*batch_shape, M, N), got shape {array.shape}")
        self.array = array
        self._setup(tuple(array.shape), dtype=array.dtype, xp=xp, device=B.device_of(array))

    def _matmat(self, X: Array) -> Array:
        return B.matmul(self.array, X)

    def _rmatmat(self, Y: Array) -> Array:
        # conjugating the block, not the matrix, spares a copy of the matrix
        return B.conj(B.matmul(B.transpose(self.array), B.conj(Y)))

    def to_dense(self) -> Array:
        """The matrix itself."""
        return self.array
