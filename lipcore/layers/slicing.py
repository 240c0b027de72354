"""Parts of a sample: slices, crops, every so many pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..operators import LinearOperator
from ..operators.axis_table import AxisTable, axis_table
from ..operators.convolution_options import Pads, read_padding
from ..operators.separable import Separable
from .entries import EntryLayer
from .windows import read_option, spatial_axes


class _Part(EntryLayer):
    """The entries of a sample that a range of each axis picks."""

    def _ranges(self, shape: Shape) -> list[range | None]:
        """What stays of each axis; None for all of it."""
        raise NotImplementedError

    def _image_shape(self, shape: Shape) -> Shape:
        return tuple(n if s is None else len(s) for s, n in zip(self._ranges(shape), shape, strict=True))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        return self._image_shape(tuple(input_shapes[0]))

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        ranges = zip(self._ranges(shape), shape, strict=True)
        tables = [None if s is None else _pick(s.start, s.stop, s.step, n) for s, n in ranges]
        part = Separable(tables, shape, dtype=like.dtype, xp=B.array_namespace(like), device=B.device_of(like))
        return part.with_shapes(shape, self._image_shape(shape))


@lru_cache(maxsize=256)
def _pick(start: int, stop: int, step: int, size: int) -> AxisTable:
    return axis_table(np.arange(start, stop, step)[:, None], 1.0, size)


class Slice(_Part):
    r"""Slices of a sample.

    Parameters
    ----------
    *index : slice or int
        For each leading axis of a sample, without the sample axis, a slice or a number; a number drops its axis. The
        axes that remain are kept whole.

    Raises
    ------
    TypeError
        If an entry of `index` is neither slice nor integer.
    ValueError
        If a number is out of range, or there are more entries than axes.

    Notes
    -----
    The constant is 1 in every norm (0 where nothing is left), attained everywhere: each output is one input, and no
    input occurs twice. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> first_token = lc.layers.Slice(0)
    >>> first_token(np.arange(6.0).reshape(1, 3, 2))
    array([[0., 1.]])
    >>> lc.layers.Slice(slice(None), slice(None, None, -1))(np.arange(4.0).reshape(1, 2, 2))
    array([[[1., 0.],
            [3., 2.]]])
    """

    def __init__(self, *index: slice | int) -> None:
        for entry in index:
            if isinstance(entry, bool) or not isinstance(entry, slice | int):
                raise TypeError(f"`index` must be made of slices and integers, got {entry!r}")
        # slices cannot be hashed or compared by every version of Python, their parts can
        self.index = tuple((e.start, e.stop, e.step) if isinstance(e, slice) else e for e in index)

    def _ranges(self, shape: Shape) -> list[range | None]:
        if len(self.index) > len(shape):
            raise ValueError(f"Slice of {len(self.index)} axes does not fit samples of shape {shape}")
        ranges: list[range | None] = [None] * len(shape)
        for axis, entry in enumerate(self.index):
            n = shape[axis]
            if isinstance(entry, tuple):
                ranges[axis] = range(*slice(*entry).indices(n))
            elif -n <= entry < n:
                ranges[axis] = range(entry % n, entry % n + 1)
            else:
                raise ValueError(f"`index` {entry} is out of range for axis {axis} of samples of shape {shape}")
        return ranges

    def _image_shape(self, shape: Shape) -> Shape:
        whole = super()._image_shape(shape)
        return tuple(
            n for n, e in zip(whole, (*self.index, *[()] * len(shape)), strict=False) if not isinstance(e, int)
        )


class Crop(_Part):
    r"""Borders of an image cut off, the opposite of `Pad`.

    Parameters
    ----------
    cropping : int or tuple
        Pixels to cut off: one number for all spatial axes, or for each an integer or a pair (before, after).

    Raises
    ------
    ValueError
        If `cropping` is not made of nonnegative integers, or leaves nothing of the image.

    Notes
    -----
    The constant is 1 in every norm. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Crop(((1, 0),))(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[2., 3.]]])
    """

    def __init__(self, cropping: int | Sequence[int | Sequence[int]]) -> None:
        self.cropping: Any = read_borders("cropping", cropping)

    def _ranges(self, shape: Shape) -> list[range | None]:
        spatial = spatial_axes(shape, "Crop")
        pairs = borders_of(self.cropping, len(spatial))
        if any(sum(pair) >= n for pair, n in zip(pairs, spatial, strict=True)):
            raise ValueError(f"`cropping` {self.cropping} leaves nothing of samples of shape {shape}")
        return [None, *(range(before, n - after) for n, (before, after) in zip(spatial, pairs, strict=True))]


class Subsample(_Part):
    r"""Every so many pixels of an image.

    Parameters
    ----------
    stride : int or tuple of int
        Step between the pixels that stay; one number, or one for each of 1 to 3 spatial axes.

    Raises
    ------
    ValueError
        If `stride` is not positive, or does not fit the image.

    Notes
    -----
    The constant is 1 in every norm. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Subsample(2)(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[1., 3.]]])
    """

    def __init__(self, stride: int | Sequence[int]) -> None:
        self.stride = read_option("stride", stride, 1)

    def _ranges(self, shape: Shape) -> list[range | None]:
        spatial = spatial_axes(shape, "Subsample")
        steps = self.stride if isinstance(self.stride, tuple) else (self.stride,) * len(spatial)
        if len(steps) != len(spatial):
            raise ValueError(f"`stride` {self.stride} does not fit samples of shape {shape}")
        return [None, *(range(0, n, step) for n, step in zip(spatial, steps, strict=True))]


def read_borders(name: str, value: Any) -> int | Pads:
    """A number of pixels for all sides, or a pair (before, after) for each of one to three axes."""
    axes = len(value) if isinstance(value, Sequence) and not isinstance(value, str) else 0
    try:
        pairs = read_padding(value, axes or 1)
    except ValueError as error:
        raise ValueError(str(error).replace("padding", name)) from None
    if axes > 3:
        raise ValueError(f"`{name}` must have an entry for each of 1 to 3 spatial axes, got {value!r}")
    return pairs if axes else pairs[0][0]


def borders_of(value: int | Pads, axes: int) -> Pads:
    """Pairs for each axis of an image."""
    return read_padding(value, axes)
