"""What the layers that take maxima over windows share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..operators import LinearOperator
from ..operators.selection import Selection
from .base import Layer, Ord
from .regions import Ball, Box, Intersection, Region
from .windows import Host, Windows

# Combinations of pixels within a window that are tried, one by one, to see which inputs can be picked on a region.
_COMBINATIONS = 1024


class WindowMaximum(Layer):
    r"""Maxima over windows that are products of windows along each axis of an image ``(channels, *spatial)``.

    Notes
    -----
    A subclass implements ``_windows(spatial)``: the windows of each spatial axis. Maxima are taken along one axis after
    the other, the last one first, so that of equal pixels the first one in the order of the window is picked, as torch
    does.

    The Jacobian picks one input for each output. An input is picked at most as often as there are windows that hold it:
    c times, a product over the axes. Hence c (1), :math:`\sqrt c` (2) and 1 (inf), attained wherever that input
    exceeds all others: all of its windows pick it.
    """

    def _windows(self, spatial: Shape) -> list[Windows]:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_windows`")

    def _sample(self, shape: Shape) -> list[Windows]:
        if not 2 <= len(shape) <= 4:
            raise ValueError(
                f"{type(self).__name__} takes samples (channels, *spatial) with 1 to 3 spatial axes, got the shape "
                f"{shape}"
            )
        return self._windows(tuple(shape[1:]))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        (shape,) = input_shapes
        return (shape[0], *(len(w.index) for w in self._sample(tuple(shape))))

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        return self._shaped(largest(x, self._sample(tuple(x.shape[1:]))))

    def _shaped(self, y: Array) -> Array:
        """Outputs (samples, channels, *windows) in the form that the layer gives."""
        return y

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        shape = tuple(x.shape[1:])
        index = picked(x, self._sample(shape))
        flat = B.array_namespace(x).reshape(index, (x.shape[0], math.prod(index.shape[1:])))
        operator = Selection(flat, math.prod(shape), dtype=x.dtype)
        return (operator.with_shapes(shape, self.output_shape(shape)),)

    def _overlap(self, region: Region | None, shape: Shape | None) -> int:
        """Most windows that can pick one input."""
        windows = self._sample(self.known_shape(shape))
        most = math.prod(int(np.max(w.counts)) for w in windows)
        if region is None or most == 1:
            return most
        if math.prod(w.index.shape[1] for w in windows) > _COMBINATIONS:
            return most
        return min(most, _possible_picks(region, windows))

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        count = 1.0 if ord == math.inf else float(self._overlap(region, shape))
        low, high = (r.sqrt_down(count), r.sqrt_up(count)) if ord == 2 else (count, count)
        if region is not None:
            # inside a region of some thickness each output moves with an input; not with which one
            low = 1.0 if isinstance(region, Ball | Box) and np.all(region.lower < region.upper) else 0.0
        return Bounds(low, high, "rigorous", ord=ord, method="largest number of windows that an input is in")

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        windows = self._sample(region.shape)
        low, middle, high = (self._shaped(largest(a[None], windows))[0] for a in _three(region))
        box = Box(low, high, kind=region.kind)
        if not isinstance(region, Ball) or region.ord == math.inf:
            return box
        gain = self.lipschitz(2, region).upper
        radius = float(r.mul_up(gain, region.spread(2)))
        return Intersection(box, Ball(middle, radius, 2, kind=region.kind)) if math.isfinite(radius) else box


def _three(region: Region) -> tuple[Host, Host, Host]:
    return region.lower, region.center, region.upper


def largest(x: Array, windows: Sequence[Windows]) -> Array:
    """Maxima (samples, channels, *windows) of images (samples, channels, *spatial)."""
    xp = B.array_namespace(x)
    for axis in range(len(windows) + 1, 1, -1):
        x = xp.max(_gathered(x, windows[axis - 2], axis), axis=axis + 1)
    return x


def picked(x: Array, windows: Sequence[Windows]) -> Array:
    """Numbers, within a sample, of the inputs that the maxima are: (samples, channels, *windows)."""
    xp, home = B.array_namespace(x), B.device_of(x)
    sizes = tuple(x.shape[1:])
    index: Array = None
    for axis in range(len(windows) + 1, 1, -1):
        window = windows[axis - 2]
        g = _gathered(x, window, axis)
        place = xp.argmax(g, axis=axis + 1, keepdims=True)
        number = B.from_numpy(window.index * math.prod(sizes[axis:]), xp=xp, device=home)
        number = xp.reshape(number, (*window.index.shape, *(1,) * (x.ndim - axis - 1)))
        candidates = number if index is None else number + _gathered(index, window, axis)
        index = xp.take_along_axis(xp.broadcast_to(candidates, g.shape), place, axis=axis + 1)
        index = xp.squeeze(index, axis=axis + 1)
        x = xp.squeeze(xp.take_along_axis(g, place, axis=axis + 1), axis=axis + 1)
    channel = xp.arange(sizes[0], dtype=index.dtype, device=home) * math.prod(sizes[1:])
    return index + xp.reshape(channel, (-1, *(1,) * len(windows)))


def _gathered(x: Array, window: Windows, axis: int) -> Array:
    """`x` with an axis replaced by two: windows, and the pixels of each."""
    xp, flat = B.array_namespace(x), np.ravel(window.index)
    if not np.array_equal(flat, np.arange(window.size)):
        x = xp.take(x, B.from_numpy(flat, xp=xp, device=B.device_of(x)), axis=axis)
    return xp.reshape(x, (*x.shape[:axis], *window.index.shape, *x.shape[axis + 1 :]))


def _possible_picks(region: Region, windows: Sequence[Windows]) -> int:
    """Most windows in which one input can be the largest, given the interval of each."""
    floor = largest(region.lower[None], windows)[0]
    counts = np.zeros(region.shape, dtype=np.int64)
    for places in itertools.product(*(range(w.index.shape[1]) for w in windows)):
        pixels = np.ix_(*(w.index[:, j] for w, j in zip(windows, places, strict=True)))
        valid = np.ones((), dtype=bool)
        for w, j in zip(windows, places, strict=True):
            valid = valid[..., None] & w.valid[:, j]
        here: Any = (slice(None), *pixels)
        can = valid & (region.upper[here] >= floor)
        # within one combination an input stands for several windows only where another pixel stands in for it
        np.add.at(counts, here, can)
    return int(np.max(counts))
