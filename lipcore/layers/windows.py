"""Windows along the axes of an image: which pixels each of them holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np

from .._typing import Shape
from ..operators.convolution_options import read_per_axis

Host = np.ndarray[Any, Any]
Option: TypeAlias = int | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows along one axis of `size` pixels.

    Parameters
    ----------
    size : int
    index : int64 ndarray, shape (windows, width)
        Pixels of each window in order. Where a window has fewer than `width`, one of its own stands in.
    valid : bool ndarray, shape (windows, width)
        Whether the entry is a pixel of the window, and none that stands in.
    span : int64 ndarray, shape (windows,)
        Pixels of each window with the padding that it holds.
    """

    size: int
    index: Host
    valid: Host
    span: Host

    @cached_property
    def counts(self) -> Host:
        """Number of windows that hold each pixel."""
        return np.bincount(self.index[self.valid], minlength=self.size)

    @cached_property
    def longest(self) -> int:
        """Most pixels in a window."""
        return int(np.max(np.sum(self.valid, axis=1), initial=0))


@lru_cache(maxsize=256)
def sliding_windows(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> Windows:
    """Windows of `kernel` pixels every `stride` pixels, as torch places them.

    Raises
    ------
    ValueError
        If there is no window, or a window holds nothing but padding.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if room < 0:
        raise ValueError(
            f"`kernel_size` {kernel} with dilation {dilation} spans more than the {size} pixels of an axis with "
            f"padding {padding}: no window fits"
        )
    count = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1  # it would start in the padding at the end
    start = stride * np.arange(count) - padding
    pixel = start[:, None] + dilation * np.arange(kernel)
    valid = (pixel >= 0) & (pixel < size)
    if not np.all(np.any(valid, axis=1)):
        raise ValueError(
            f"`padding` {padding} with kernel_size {kernel} and dilation {dilation} leaves a window without a pixel on "
            f"an axis of {size}"
        )
    first = pixel[np.arange(count), np.argmax(valid, axis=1)]
    # a window that reaches beyond the padding at the end is as long as what it holds (ceil_mode)
    span = np.minimum(start + dilation * (kernel - 1) + 1, size + padding) - start
    return Windows(size, np.where(valid, pixel, first[:, None]), valid, span)


@lru_cache(maxsize=256)
def adaptive_windows(size: int, count: int) -> Windows:
    """The `count` windows that divide an axis, from ``floor(i n / count)`` up to ``ceil((i + 1) n / count)``."""
    if size < 1:
        raise ValueError("pooling needs at least one pixel on every axis, got an axis without any")
    number = np.arange(count)
    start, stop = number * size // count, -(-(number + 1) * size // count)
    pixel = start[:, None] + np.arange(max(int(np.max(stop - start)), 1))
    valid = pixel < stop[:, None]
    return Windows(size, np.where(valid, pixel, start[:, None]), valid, stop - start)


def read_option(name: str, value: Any, least: int) -> Option:
    """An integer for all axes, or a tuple of one to three integers."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not 1 <= len(value) <= 3:
            raise ValueError(f"`{name}` must have one entry for each of 1 to 3 spatial axes, got {value!r}")
        return read_per_axis(name, value, len(value), least)
    return read_per_axis(name, value, 1, least)[0]


def spatial_axes(shape: Shape, layer: str) -> Shape:
    """Spatial sizes of a sample ``(channels, *spatial)``."""
    if not 2 <= len(shape) <= 4:
        raise ValueError(f"{layer} takes samples (channels, *spatial) with 1 to 3 spatial axes, got the shape {shape}")
    return tuple(shape[1:])


class PoolOptions:
    """Options of windows that slide, checked once and spread over the axes of an image."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = read_option("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else read_option("stride", stride, 1)
        self.padding = read_option("padding", padding, 0)
        self.dilation = read_option("dilation", dilation, 1)
        self.ceil_mode = bool(ceil_mode)
        given = (self.kernel_size, self.stride, self.padding, self.dilation)
        lengths = {len(option) for option in given if isinstance(option, tuple)}
        if len(lengths) > 1:
            raise ValueError(f"options must agree on the number of spatial axes, got {sorted(lengths)}")
        self.axes = lengths.pop() if lengths else None
        kernels, pads = self._spread("kernel_size", self.axes or 1), self._spread("padding", self.axes or 1)
        if any(2 * p > k for k, p in zip(kernels, pads, strict=True)):
            raise ValueError(f"`padding` must be at most half of kernel_size {kernel_size!r}, got {padding!r}")

    def _spread(self, name: str, axes: int) -> Shape:
        value = getattr(self, name)
        return read_per_axis(name, value, axes, 0 if name == "padding" else 1)

    def per_axis(self, axes: int) -> list[tuple[int, int, int, int]]:
        """Kernel size, stride, padding and dilation of each axis."""
        names = ("kernel_size", "stride", "padding", "dilation")
        return list(zip(*(self._spread(name, axes) for name in names), strict=True))

    def windows(self, spatial: Shape) -> list[Windows]:
        """Windows of each axis of an image."""
        options = self.per_axis(len(spatial))
        return [sliding_windows(n, *option, self.ceil_mode) for n, option in zip(spatial, options, strict=True)]
