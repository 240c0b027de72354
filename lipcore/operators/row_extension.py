"""Rows with one more entry, a weighted sum of the others."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array, Shape
from .base import LinearOperator


class RowExtension(LinearOperator):
    r"""Each row x of a tensor becomes :math:`(c\, x, \langle w, x \rangle)`, with weights of its own.

    Parameters
    ----------
    weights : array, shape (*batch_shape, *rows, features)
        The vectors w, real.
    factor : float
        The number c.
    rows : int
        How many axes before the last count rows; those before them are a batch.

    Notes
    -----
    The derivative of a map of rows such as :math:`x \mapsto (x, \|x\|^2 / 2)`, with :math:`c = 1` and :math:`w = x`.
    The adjoint is :math:`(y, t) \mapsto c\, y + t\, w`.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.row_extension import RowExtension
    >>> A = RowExtension(np.array([[3.0, 4.0]]), 2.0)
    >>> A.to_dense()
    array([[2., 0.],
           [0., 2.],
           [3., 4.]])
    """

    def __init__(self, weights: Array, factor: float, *, rows: int = 1) -> None:
        xp = B.array_namespace(weights, name="weights")
        if not B.is_floating(xp, weights.dtype) or B.is_complex(xp, weights.dtype):
            raise TypeError(f"`weights` must be real floating point, got dtype {B.dtype_name(weights.dtype)}")
        if rows < 1 or weights.ndim < rows + 1:
            raise ValueError(f"`weights` must have {rows} axes of rows and one of features, got {tuple(weights.shape)}")
        self.weights, self.factor = weights, float(factor)
        cut = weights.ndim - rows - 1
        batch, tensor = tuple(weights.shape[:cut]), tuple(weights.shape[cut:])
        image = (*tensor[:-1], tensor[-1] + 1)
        self._setup(
            (*batch, math.prod(image), math.prod(tensor)),
            dtype=weights.dtype,
            xp=xp,
            device=B.device_of(weights),
            domain_shape=tensor,
            range_shape=image,
        )

    def _matmat(self, X: Array) -> Array:
        x = self._tensors(X, self.domain_shape)
        added = self.xp.sum(self._weights() * x, axis=-1, keepdims=True)
        return self._columns(self.xp.concat([self.factor * x, added], axis=-1), self.shape[-2])

    def _rmatmat(self, Y: Array) -> Array:
        y = self._tensors(Y, self.range_shape)
        return self._columns(self.factor * y[..., :-1] + y[..., -1:] * self._weights(), self.shape[-1])

    def _weights(self) -> Array:
        batch = self.batch_shape
        return self.xp.reshape(self.weights, (*batch, 1, *self.domain_shape))

    def _tensors(self, X: Array, tensor: Shape) -> Array:
        return self.xp.reshape(B.transpose(X), (*self.batch_shape, X.shape[-1], *tensor))

    def _columns(self, y: Array, size: int) -> Array:
        columns = y.shape[len(self.batch_shape)]
        return B.transpose(self.xp.reshape(y, (*self.batch_shape, columns, size)))
