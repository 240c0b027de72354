"""One block written into an array of zeros."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array, Device, DType, Namespace, Shape
from .base import LinearOperator


class Placement(LinearOperator):
    r"""A tensor written between zeros along one axis: what concatenation does to one of its inputs.

    Parameters
    ----------
    shape : tuple of int
        Shape of the tensor.
    axis : int
        Axis along which zeros are added.
    before, after : int
        Number of zeros on each side.
    dtype : dtype
        Real or complex floating.
    xp : namespace
        Array library.
    device : optional
        Device of the vectors.

    Raises
    ------
    ValueError
        If `axis` is not an axis of `shape`, or a number of zeros is negative.

    Notes
    -----
    The columns are columns of the identity, so that every norm is 1. The adjoint cuts the block out.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.placement import Placement
    >>> A = Placement((2,), 0, 1, 2, dtype=np.float64, xp=np)
    >>> A @ np.array([1.0, 2.0])
    array([0., 1., 2., 0., 0.])
    """

    def __init__(
        self, shape: Shape, axis: int, before: int, after: int, *, dtype: DType, xp: Namespace, device: Device = None
    ) -> None:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"`axis` must be an axis of the shape {tuple(shape)}, got {axis!r}")
        if before < 0 or after < 0:
            raise ValueError(f"`before` and `after` must be nonnegative, got {before!r} and {after!r}")
        axis %= len(shape)
        self.axis, self.before, self.after = axis, before, after
        whole = (*shape[:axis], before + shape[axis] + after, *shape[axis + 1 :])
        self._setup(
            (math.prod(whole), math.prod(shape)),
            dtype=dtype,
            xp=xp,
            device=device,
            domain_shape=shape,
            range_shape=whole,
        )

    def _matmat(self, X: Array) -> Array:
        lead, size, rest, columns = self._sizes(X)
        block = self.xp.reshape(X, (lead, size, rest, columns))
        sides = [
            self.xp.zeros((lead, n, rest, columns), dtype=X.dtype, device=self.device)
            for n in (self.before, self.after)
        ]
        return self.xp.reshape(self.xp.concat([sides[0], block, sides[1]], axis=1), (self.shape[0], columns))

    def _rmatmat(self, Y: Array) -> Array:
        lead, size, rest, columns = self._sizes(Y)
        whole = self.xp.reshape(Y, (lead, self.before + size + self.after, rest, columns))
        block = whole[:, self.before : self.before + size, :, :]
        # a copy: whoever writes into the product must not write into the argument
        return self.xp.reshape(B.copied(block), (self.shape[1], columns))

    def _sizes(self, X: Array) -> tuple[int, int, int, int]:
        shape, axis = self.domain_shape, self.axis
        return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]), X.shape[-1]
