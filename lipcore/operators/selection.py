"""Picking entries of a vector."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array, DType, Shape
from .base import LinearOperator


class Selection(LinearOperator):
    r"""Entries of a vector picked by their number, one after the other; an entry may be picked several times.

    Parameters
    ----------
    index : integer array, shape (\*batch_shape, M)
        Numbers between 0 and ``size - 1``, of any library; they are not checked, since that would read them.
    size : int
        Length N of the vectors that are picked from.
    dtype : dtype
        Real or complex floating dtype of the vectors.
    domain_shape, range_shape : tuple of int, optional
        Tensor shapes for ``apply``.

    Raises
    ------
    TypeError
        If `index` is not an integer array, or `dtype` not floating.
    ValueError
        If `index` has no axis.

    Notes
    -----
    .. math:: (S x)_m = x_{\mathrm{index}(m)}, \qquad (S^H y)_i = \sum_{m : \mathrm{index}(m) = i} y_m .

    It is the Jacobian of a maximum over windows and of sorting. With c the largest number of times an entry is picked,
    :math:`\|S\|_2 = \sqrt c`, :math:`\|S\|_1 = c` and :math:`\|S\|_\infty = 1`: the columns are orthogonal, and column
    i holds as many ones as i is picked times.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.selection import Selection
    >>> S = Selection(np.array([2, 0, 2]), 3, dtype=np.float64)
    >>> S @ np.array([1.0, 2.0, 3.0])
    array([3., 1., 3.])
    >>> S.H @ np.array([1.0, 10.0, 100.0])
    array([ 10.,   0., 101.])
    """

    def __init__(
        self,
        index: Array,
        size: int,
        *,
        dtype: DType,
        domain_shape: Shape | None = None,
        range_shape: Shape | None = None,
    ) -> None:
        xp = B.array_namespace(index, name="index")
        if not xp.isdtype(index.dtype, "integral"):
            raise TypeError(f"`index` must be an array of integers, got dtype {B.dtype_name(index.dtype)}")
        if index.ndim < 1:
            raise ValueError("`index` must have shape (*batch_shape, M), got an array without axes")
        self.index = index
        *batch, rows = index.shape
        self._setup(
            (*batch, rows, size),
            dtype=dtype,
            xp=xp,
            device=B.device_of(index),
            domain_shape=domain_shape,
            range_shape=range_shape,
        )

    def _matmat(self, X: Array) -> Array:
        if not self.batch_shape:
            return self.xp.take(X, self.index, axis=0)
        places = self.xp.broadcast_to(self.xp.expand_dims(self.index, axis=-1), (*self.index.shape, X.shape[-1]))
        return self.xp.take_along_axis(X, places, axis=-2)

    def _rmatmat(self, Y: Array) -> Array:
        return B.scatter_add(Y, self.index, self.shape[-1])
