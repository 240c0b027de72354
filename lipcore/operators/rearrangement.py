"""Axes of a tensor in another order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import _backend as B
from .._typing import Array, Device, DType, Namespace, Shape
from .base import LinearOperator


class Rearrangement(LinearOperator):
    r"""Tensor read as having the axes `split`, with the axes permuted, read as having the shape `range_shape`.

    Parameters
    ----------
    split : tuple of int
        Axes into which the tensor is divided.
    axes : sequence of int
        Permutation of the axes of `split`, as for ``permute_dims``.
    domain_shape, range_shape : tuple of int, optional
        Tensor shapes for ``apply``; `split`, and `split` permuted, by default.
    dtype : dtype, optional
        Real or complex floating; the library's default otherwise.
    xp : namespace, optional
        Array library, NumPy by default.
    device : device, optional
        Device of the vectors; whichever they are on by default.

    Raises
    ------
    ValueError
        If `axes` is not a permutation of the axes of `split`, or the shapes differ in size.

    Notes
    -----
    A permutation of the entries: orthogonal, and of norm 1 for every norm that counts all entries alike.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.rearrangement import Rearrangement
    >>> Rearrangement((2, 3), (1, 0)).apply(np.arange(6.0).reshape(2, 3))
    array([[0., 3.],
           [1., 4.],
           [2., 5.]])
    """

    def __init__(
        self,
        split: Shape,
        axes: Sequence[int],
        *,
        domain_shape: Shape | None = None,
        range_shape: Shape | None = None,
        dtype: DType | None = None,
        xp: Namespace | None = None,
        device: Device = None,
    ) -> None:
        self.split, self.axes = tuple(split), tuple(axes)
        if sorted(self.axes) != list(range(len(self.split))):
            raise ValueError(f"`axes` must be a permutation of the axes of {self.split}, got {self.axes}")
        self._back = tuple(self.axes.index(i) for i in range(len(self.axes)))
        self._permuted = tuple(self.split[a] for a in self.axes)
        n = math.prod(self.split)
        xp = B.standard_namespace(xp)
        self._setup(
            (n, n),
            dtype=xp.empty((0,), dtype=dtype, device=device).dtype if dtype is None else dtype,
            xp=xp,
            device=device,
            domain_shape=self.split if domain_shape is None else domain_shape,
            range_shape=self._permuted if range_shape is None else range_shape,
        )

    def _matmat(self, X: Array) -> Array:
        return self._through(X, self.split, self.axes)

    def _rmatmat(self, Y: Array) -> Array:
        return self._through(Y, self._permuted, self._back)

    def _through(self, X: Array, shape: Shape, axes: Shape) -> Array:
        n, columns = X.shape
        tensors = self.xp.reshape(B.transpose(X), (columns, *shape))
        moved = self.xp.permute_dims(tensors, (0, *(1 + a for a in axes)))
        # a permuted view may still be the argument itself: whoever writes into the product must not write into it
        return B.transpose(self.xp.reshape(B.copied(moved), (columns, n)))
