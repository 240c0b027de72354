"""Padding of images at their borders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Device, DType, Namespace, Shape
from .base import LinearOperator
from .convolution_options import Pads, read_padding

Host = np.ndarray[Any, Any]


class Padding(LinearOperator):
    r"""Images widened at their borders.

    Parameters
    ----------
    padding : int or tuple
        Pixels to add: one number, or per padded axis a number or a pair (before, after). It belongs to the last axes
        of `input_shape`.
    input_shape : tuple of int
        Shape of one tensor, ``(channels, *spatial)`` for an image.
    padding_mode : {"zeros", "circular", "reflect", "replicate"}, optional
        What the added pixels hold, as in torch.
    dtype : dtype, optional
        Real or complex floating; the library's default otherwise.
    xp : namespace, optional
        Array library, NumPy by default.
    device : device, optional
        Device of the vectors; whichever they are on by default.

    Attributes
    ----------
    padding : tuple of (int, int)
        Pairs (before, after) of the last axes.

    Raises
    ------
    ValueError
        If `padding` does not fit the shape, or is wider than its mode can fill.

    Notes
    -----
    Every pixel of the result copies one pixel of the image, or none. With c the largest number of copies of a pixel,
    a product over the axes, the norms are :math:`\|P\|_2 = \sqrt c`, :math:`\|P\|_1 = c`, :math:`\|P\|_\infty = 1`. The
    adjoint adds the borders to the pixels that they were copied from.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.padding import Padding
    >>> P = Padding(1, (1, 3), padding_mode="reflect")
    >>> P.apply(np.array([[1.0, 2.0, 3.0]]))
    array([[2., 1., 2., 3., 2.]])
    """

    def __init__(
        self,
        padding: int | Sequence[int | Sequence[int]],
        input_shape: Sequence[int],
        *,
        padding_mode: str = "zeros",
        dtype: DType | None = None,
        xp: Namespace | None = None,
        device: Device = None,
    ) -> None:
        shape = tuple(input_shape)
        axes = len(padding) if isinstance(padding, Sequence) else len(shape) - 1
        if not 1 <= axes <= len(shape):
            raise ValueError(f"`padding` {padding!r} has no axes to pad in tensors of shape {shape}")
        self.padding: Pads = read_padding(padding, axes)
        self.padding_mode = padding_mode
        first = len(shape) - axes
        B.check_pads(shape[first:], self.padding, padding_mode)
        image = (*shape[:first], *(n + sum(p) for n, p in zip(shape[first:], self.padding, strict=True)))
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

    def copies(self) -> int:
        """Largest number of times that a pixel occurs in the result."""
        spatial = self._shapes[0][-len(self.padding) :]
        most = (int(np.max(copies(n, p, self.padding_mode))) for n, p in zip(spatial, self.padding, strict=True))
        return math.prod(most)

    def _matmat(self, X: Array) -> Array:
        return self._through(X, *self._shapes, B.pad)

    def _rmatmat(self, Y: Array) -> Array:
        return self._through(Y, *self._shapes[::-1], B.pad_adjoint)

    def _through(self, X: Array, source: Shape, target: Shape, product: Any) -> Array:
        columns = X.shape[-1]
        tensors = self.xp.reshape(B.transpose(X), (columns, *source))
        y = product(tensors, self.padding, self.padding_mode)
        # without borders, and where zeros are cut off, the result is a view of the argument
        y = B.copied(y) if self.padding_mode == "zeros" or not any(map(any, self.padding)) else y
        return B.transpose(self.xp.reshape(y, (columns, math.prod(target))))


@lru_cache(maxsize=256)
def copies(size: int, pair: tuple[int, int], mode: str) -> Host:
    """How often each pixel of an axis occurs in the padded axis; read-only."""
    if mode == "zeros":
        counts = np.ones(size, dtype=np.int64)
    else:
        counts = np.bincount(B.pad(np.arange(float(size)), (pair,), mode).astype(np.int64), minlength=size)
    counts.flags.writeable = False
    return counts
