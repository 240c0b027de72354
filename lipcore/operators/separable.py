"""One small sparse matrix along each axis of a tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Device, DType, Namespace, Shape
from .axis_table import AxisTable, Rows
from .base import LinearOperator

# Wider rows are gathered at once and summed, instead of term by term.
_TERMS = 8


class Separable(LinearOperator):
    r"""A matrix along each axis of a tensor: pooling, resampling and slicing of images.

    Parameters
    ----------
    tables : sequence of AxisTable or None
        The matrix of each axis; None leaves the axis alone.
    domain_shape : tuple of int
        Shape of one tensor, with as many axes as there are tables; where a table is given it says the size too.
    dtype : dtype, optional
        Real or complex floating; the library's default otherwise. The matrices, which are made in double precision, are
        rounded to it.
    xp : namespace, optional
        Array library, NumPy by default.
    device : device, optional
        Device of the vectors; whichever they are on by default.

    Attributes
    ----------
    tables : tuple of AxisTable or None
        The matrices.

    Raises
    ------
    ValueError
        If the tables do not fit the shape.

    See Also
    --------
    Kronecker : Products of two operators; this one is the product of `tables`, for matrices with few entries in a row.

    Notes
    -----
    .. math:: y = (M_1 \otimes M_2 \otimes \dots)\, x, \qquad \|y\| \le \|M_1\| \|M_2\| \dots \|x\|,

    with equality for some x in the 1-, 2- and inf-norm. Axes that shrink go first. A row of few entries is a sum of
    slices where its columns advance evenly, and of gathers elsewhere; the adjoint gathers through the rows of the
    transposes, so that nothing is ever scattered.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.axis_table import axis_table
    >>> from lipcore.operators.separable import Separable
    >>> halves = axis_table([[0, 1], [2, 3]], 0.5, 4)
    >>> A = Separable([None, halves], (2, 4))
    >>> A.apply(np.arange(8.0).reshape(2, 4))
    array([[0.5, 2.5],
           [4.5, 6.5]])
    """

    def __init__(
        self,
        tables: Sequence[AxisTable | None],
        domain_shape: Sequence[int],
        *,
        dtype: DType | None = None,
        xp: Namespace | None = None,
        device: Device = None,
    ) -> None:
        self.tables, shape = tuple(tables), tuple(domain_shape)
        sizes = tuple(n if t is None else t.size for t, n in zip(self.tables, shape, strict=False))
        if len(self.tables) != len(shape) or sizes != shape:
            raise ValueError(f"`tables` of sizes {sizes} do not fit `domain_shape` {shape}: one, or None, per axis")
        image = tuple(n if t is None else t.shape[0] for t, n in zip(self.tables, shape, strict=True))
        xp = B.standard_namespace(xp)
        self._setup(
            (math.prod(image), math.prod(shape)),
            dtype=xp.empty((0,), dtype=dtype, device=device).dtype if dtype is None else dtype,
            xp=xp,
            device=device,
            domain_shape=shape,
            range_shape=image,
        )
        self._shapes = shape, image
        ratios = [(m / max(n, 1), axis) for axis, (m, n) in enumerate(zip(image, shape, strict=True))]
        self._order = tuple(axis for _, axis in sorted(ratios) if self.tables[axis] is not None)
        self._forward = {axis: self._steps(self.tables[axis], back=False) for axis in self._order}
        self._back = {axis: self._steps(self.tables[axis], back=True) for axis in self._order}

    def _steps(self, table: AxisTable | None, *, back: bool) -> _Sum | _Gather:
        assert table is not None
        rows = table.transposed if back else table.rows
        kind = _Sum if rows.index.shape[1] <= _TERMS else _Gather
        return kind(rows, xp=self.xp, dtype=self.dtype, device=self.device)

    def _matmat(self, X: Array) -> Array:
        x = self._tensors(X, self._shapes[0])
        for axis in self._order:
            x = self._forward[axis](x, axis + 1)
        views = all(self._forward[axis].is_view for axis in self._order)
        return self._block(B.copied(x) if views else x, self.shape[-2])

    def _rmatmat(self, Y: Array) -> Array:
        y = self._tensors(Y, self._shapes[1])
        for axis in reversed(self._order):
            y = self._back[axis](y, axis + 1)
        views = all(self._back[axis].is_view for axis in self._order)
        return self._block(B.copied(y) if views else y, self.shape[-1])

    def _tensors(self, X: Array, shape: Shape) -> Array:
        return self.xp.reshape(B.transpose(X), (X.shape[-1], *shape))

    def _block(self, x: Array, size: int) -> Array:
        return B.transpose(self.xp.reshape(x, (x.shape[0], size)))


class _Sum:
    """Rows of few entries along an axis: a sum with one term for each column of the table."""

    def __init__(self, rows: Rows, *, xp: Namespace, dtype: DType, device: Device) -> None:
        self.rows, self.is_view = rows, rows.is_slice
        self.terms = []
        for j, (cut, weight) in enumerate(rows.columns):
            index = None if cut is not None else _numbers(rows.index[:, j], xp, device)
            factor = None if weight is not None else B.from_numpy(rows.weights[:, j], xp=xp, device=device, dtype=dtype)
            self.terms.append((cut, index, weight, factor))

    def __call__(self, x: Array, axis: int) -> Array:
        xp = B.array_namespace(x)
        total: Array = None
        for cut, index, weight, factor in self.terms:
            piece = xp.take(x, index, axis=axis) if cut is None else x[(slice(None),) * axis + (cut, ...)]
            if weight is None:
                piece = piece * xp.reshape(factor, (-1,) + (1,) * (x.ndim - axis - 1))
            elif weight != 1 and self.rows.common is None:
                piece = piece * weight
            total = piece if total is None else total + piece
        common = self.rows.common
        return total if common is None or common == 1 else total * common


class _Gather:
    """Rows of many entries along an axis: gathered side by side, and summed."""

    is_view = False

    def __init__(self, rows: Rows, *, xp: Namespace, dtype: DType, device: Device) -> None:
        self.rows = rows
        flat = np.ravel(rows.index)
        self.index = None if np.array_equal(flat, np.arange(len(flat))) else _numbers(flat, xp, device)
        single = rows.common is not None
        self.weights = None if single else B.from_numpy(rows.weights, xp=xp, device=device, dtype=dtype)

    def __call__(self, x: Array, axis: int) -> Array:
        xp, (m, width) = B.array_namespace(x), self.rows.index.shape
        if self.index is not None:
            x = xp.take(x, self.index, axis=axis)
        elif x.shape[axis] != m * width:
            x = x[(slice(None),) * axis + (slice(0, m * width), ...)]
        g = xp.reshape(x, (*x.shape[:axis], m, width, *x.shape[axis + 1 :]))
        if self.weights is not None:
            g = g * xp.reshape(self.weights, (m, width) + (1,) * (x.ndim - axis - 1))
        total = xp.sum(g, axis=axis + 1, dtype=g.dtype)
        return total if self.weights is not None else total * self.rows.common


def _numbers(index: np.ndarray, xp: Namespace, device: Device) -> Array:
    """Indices in the library's own integers, which may be of 32 bits."""
    return B.from_numpy(index, xp=xp, device=device)
