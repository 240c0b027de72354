"""Operators that act on each row of a tensor by itself: derivatives of softmax and of normalisations."""

from __future__ import annotations

import math
from typing import Any

from .. import _backend as B
from .._typing import Array, Shape
from .base import LinearOperator

# A sample is read as (outer, n, inner): its rows lie along the middle axis.
_ROW = -2


class RowMap(LinearOperator):
    r"""A stack of operators, each of which acts on the rows (outer, n, inner) of a sample.

    Notes
    -----
    A subclass implements ``_rows(x)`` and ``_rows_adjoint(y)`` on tensors (\*batch_shape, outer, n, inner, K) with the
    rows along axis -3, and answers in the same form.
    """

    layout: Shape
    image: Shape

    def _setup_rows(self, layout: Shape, image: Shape, batch: Shape, like: Array) -> None:
        self.layout, self.image = tuple(layout), tuple(image)
        xp = B.array_namespace(like)
        shape = (*batch, math.prod(image), math.prod(layout))
        self._setup(shape, dtype=like.dtype, xp=xp, device=B.device_of(like))

    def _rows(self, x: Array) -> Array:
        raise NotImplementedError

    def _rows_adjoint(self, y: Array) -> Array:
        raise NotImplementedError

    def _matmat(self, X: Array) -> Array:
        K = X.shape[-1]
        y = self._rows(self.xp.reshape(X, (*self.batch_shape, *self.layout, K)))
        return self.xp.reshape(y, (*self.batch_shape, self.shape[-2], K))

    def _rmatmat(self, Y: Array) -> Array:
        K = Y.shape[-1]
        x = self._rows_adjoint(self.xp.reshape(Y, (*self.batch_shape, *self.image, K)))
        return self.xp.reshape(x, (*self.batch_shape, self.shape[-1], K))


class _OfProbabilities(RowMap):
    def __init__(self, p: Array) -> None:
        xp = B.array_namespace(p, name="p")
        if not B.is_floating(xp, p.dtype) or B.is_complex(xp, p.dtype):
            raise TypeError(f"`p` must be real floating point, got dtype {B.dtype_name(p.dtype)}; cast it first")
        if p.ndim < 3:
            raise ValueError(f"`p` must have shape (*batch_shape, outer, n, inner), got {tuple(p.shape)}")
        self.p = p
        self._column = xp.expand_dims(p, axis=-1)
        layout = tuple(p.shape[-3:])
        self._setup_rows(layout, self._image(layout), tuple(p.shape[:-3]), p)

    def _image(self, layout: Shape) -> Shape:
        return layout

    def _mean(self, x: Array) -> Array:
        return self.xp.sum(self._column * x, axis=-3, keepdims=True)


class SoftmaxJacobian(_OfProbabilities):
    r"""Derivative of softmax, :math:`\mathrm{diag}(p) - p p^T` for each row p.

    Parameters
    ----------
    p : array, shape (*batch_shape, outer, n, inner)
        The probabilities, real; rows along axis -2.

    Notes
    -----
    .. math:: (J x)_i = p_i \sum_j p_j (x_i - x_j), \qquad J^T = J,

    which is the same where the probabilities add up to one, and meant where they do so up to rounding. Entries are
    taken relative to that of the largest probability first, so that products are accurate also where that is one to
    working precision and the Jacobian tiny. One product costs about 6 operations an entry. The norm follows from a
    secular equation in O(n).

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.row_maps import SoftmaxJacobian
    >>> J = SoftmaxJacobian(np.array([0.5, 0.5]).reshape(1, 2, 1))
    >>> J.to_dense()
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """

    def __init__(self, p: Array) -> None:
        super().__init__(p)
        xp = self.xp
        top = xp.astype(p == xp.max(p, axis=-2, keepdims=True), p.dtype)
        self._top = xp.expand_dims(top / xp.sum(top, axis=-2, keepdims=True), axis=-1)

    def _rows(self, x: Array) -> Array:
        relative = x - self.xp.sum(self._top * x, axis=-3, keepdims=True)
        return self._column * (relative - self._mean(relative))

    def _rows_adjoint(self, y: Array) -> Array:
        return self._rows(y)

    def adjoint(self) -> LinearOperator:
        """The operator itself."""
        return self

    def transpose(self) -> LinearOperator:
        """The operator itself."""
        return self


class LogSoftmaxJacobian(_OfProbabilities):
    r"""Derivative of log-softmax, :math:`I - 1 p^T` for each row p.

    Parameters
    ----------
    p : array, shape (*batch_shape, outer, n, inner)
        The probabilities, real; rows along axis -2.

    Notes
    -----
    .. math:: (J x)_i = x_i - \textstyle\sum_j p_j x_j, \qquad (J^T y)_i = y_i - p_i \textstyle\sum_j y_j.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.row_maps import LogSoftmaxJacobian
    >>> LogSoftmaxJacobian(np.array([0.75, 0.25]).reshape(1, 2, 1)).to_dense()
    array([[ 0.25, -0.25],
           [-0.75,  0.75]])
    """

    def _rows(self, x: Array) -> Array:
        return x - self._mean(x)

    def _rows_adjoint(self, y: Array) -> Array:
        return y - self._column * self.xp.sum(y, axis=-3, keepdims=True)


class LogSumExpJacobian(_OfProbabilities):
    r"""Derivative of the logarithm of the sum of exponentials, :math:`p^T` for each row p.

    Parameters
    ----------
    p : array, shape (*batch_shape, outer, n, inner)
        The probabilities, real; rows along axis -2.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.row_maps import LogSumExpJacobian
    >>> LogSumExpJacobian(np.array([0.75, 0.25]).reshape(1, 2, 1)).to_dense()
    array([[0.75, 0.25]])
    """

    def _image(self, layout: Shape) -> Shape:
        return (layout[0], 1, layout[2])

    def _rows(self, x: Array) -> Array:
        return self._mean(x)

    def _rows_adjoint(self, y: Array) -> Array:
        return self._column * y


class RowNormalization(RowMap):
    r"""Derivative of a normalisation of rows, :math:`\mathrm{diag}(g) (C - \hat x \hat x^T / k) / s` for each row.

    Parameters
    ----------
    normalized : array, shape (*batch_shape, outer, n, inner)
        The normalised rows :math:`\hat x`, along axis -2.
    inverse : array, shape (*batch_shape, outer, 1, inner)
        The factors 1 / s.
    gain : array, optional
        The factors g, which broadcast to (outer, n, inner).
    centered : bool
        Whether C takes the mean away; the identity otherwise.
    count : float
        The number k: n for means of squares, 1 for sums of squares.

    Notes
    -----
    With centred rows :math:`\hat x` is orthogonal to the ones. One product costs about 5 operations an entry; nothing
    of size n x n is formed.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.row_maps import RowNormalization
    >>> unit = np.array([0.6, 0.8]).reshape(1, 2, 1)
    >>> RowNormalization(unit, np.full((1, 1, 1), 0.5), centered=False, count=1).to_dense()
    array([[ 0.32, -0.24],
           [-0.24,  0.18]])
    """

    def __init__(
        self, normalized: Array, inverse: Array, gain: Array | None = None, *, centered: bool, count: float
    ) -> None:
        xp = B.array_namespace(normalized, inverse, name="normalized")
        for name, array in (("normalized", normalized), ("inverse", inverse)):
            if not B.is_floating(xp, array.dtype) or B.is_complex(xp, array.dtype):
                raise TypeError(f"`{name}` must be real floating point, got dtype {B.dtype_name(array.dtype)}")
        self.normalized, self.inverse, self.gain = normalized, inverse, gain
        self.centered, self.count = centered, float(count)
        columns: tuple[Any, ...] = tuple(xp.expand_dims(a, axis=-1) for a in (normalized, inverse))
        self._hat, self._inverse = columns
        self._gain = None if gain is None else xp.expand_dims(gain, axis=-1)
        layout = tuple(normalized.shape[-3:])
        self._setup_rows(layout, layout, tuple(normalized.shape[:-3]), normalized)

    def _symmetric(self, x: Array) -> Array:
        xp = self.xp
        y = x - self._hat * (xp.sum(self._hat * x, axis=-3, keepdims=True) / self.count)
        if self.centered:
            y = y - xp.sum(x, axis=-3, keepdims=True) / self.layout[_ROW]
        return y * self._inverse

    def _rows(self, x: Array) -> Array:
        y = self._symmetric(x)
        return y if self._gain is None else y * self._gain

    def _rows_adjoint(self, y: Array) -> Array:
        return self._symmetric(y if self._gain is None else y * self._gain)


class PairMap(RowMap):
    r"""Symmetric maps of pairs, :math:`(z_1, z_2) \mapsto (d_1 z_1 + b z_2,\; b z_1 + d_2 z_2)`.

    Parameters
    ----------
    diagonal : array, shape (*batch_shape, outer, 2, inner)
        The entries d, real; pairs along axis -2.
    across : array, shape (*batch_shape, outer, 1, inner)
        The entries b.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.row_maps import PairMap
    >>> PairMap(np.array([1.0, 2.0]).reshape(1, 2, 1), np.full((1, 1, 1), 3.0)).to_dense()
    array([[1., 3.],
           [3., 2.]])
    """

    def __init__(self, diagonal: Array, across: Array) -> None:
        xp = B.array_namespace(diagonal, across, name="diagonal")
        for name, array in (("diagonal", diagonal), ("across", across)):
            if not B.is_floating(xp, array.dtype) or B.is_complex(xp, array.dtype):
                raise TypeError(f"`{name}` must be real floating point, got dtype {B.dtype_name(array.dtype)}")
        self.diagonal, self.across = diagonal, across
        self._own, self._other = (xp.expand_dims(array, axis=-1) for array in (diagonal, across))
        layout = tuple(diagonal.shape[-3:])
        self._setup_rows(layout, layout, tuple(diagonal.shape[:-3]), diagonal)

    def _rows(self, x: Array) -> Array:
        return self._own * x + self._other * self.xp.flip(x, axis=-3)

    def _rows_adjoint(self, y: Array) -> Array:
        return self._rows(y)
