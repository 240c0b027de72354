"""Images that go on at the other side: what is put around them before a convolution without padding."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from keras import ops

Pads = list[tuple[int, int]]


def circular_pads(taps: Sequence[int], gaps: Sequence[int]) -> Pads:
    """Pixels before and after, so that a convolution keeps the size of the image."""
    reach = [d * (k - 1) for k, d in zip(taps, gaps, strict=True)]
    return [(r // 2, r - r // 2) for r in reach]


def spatial_axes(rank: int, data_format: str) -> range:
    """Axes of pixels of a batch."""
    return range(1, rank + 1) if data_format == "channels_last" else range(2, rank + 2)


def border(padding: str) -> str:
    """What is around an image that keeps its size."""
    if padding not in ("same", "circular"):
        raise ValueError(f"`padding` must be one of same, circular, got {padding!r}")
    return padding


def check_wrapped(layer: Any, shape: Sequence[Any]) -> None:
    """Raise unless the strides of a circular convolution divide the images of a batch, and its kernel fits in.

    Where they do not, the windows at the seam overlap more than any others, and more than constructions count on.
    """
    pads = circular_pads(layer.kernel_size, layer.dilation_rate)
    sizes = [shape[axis] for axis in spatial_axes(layer.rank, layer.data_format)]
    for n, step, pad in zip(sizes, layer.strides, pads, strict=True):
        if n is None and step > 1:
            raise ValueError(
                f"`padding` 'circular' of layer {layer.name!r} with strides {layer.strides} needs images of known "
                f"size, got {tuple(shape)}"
            )
        if n is not None and n % step:
            raise ValueError(
                f"`strides` {layer.strides} of layer {layer.name!r} must divide the image {tuple(sizes)} where "
                "`padding` is 'circular'"
            )
        if n is not None and max(pad) > n:
            raise ValueError(
                f"`kernel_size` {layer.kernel_size} of layer {layer.name!r} must not reach beyond the image "
                f"{tuple(sizes)} where `padding` is 'circular'"
            )


def wrapped(x: Any, layer: Any) -> Any:
    """A batch with the pixels of the other side around it, as a convolution of `layer` meets it."""
    check_wrapped(layer, x.shape)
    pads = circular_pads(layer.kernel_size, layer.dilation_rate)
    for axis, (before, after) in zip(spatial_axes(layer.rank, layer.data_format), pads, strict=True):
        ends = [slice(-before, None)] * (before > 0), [slice(0, after)] * (after > 0)
        head, tail = ([x[(*itertools.repeat(slice(None), axis), end)] for end in side] for side in ends)
        if head or tail:
            x = ops.concatenate([*head, x, *tail], axis=axis)
    return x
