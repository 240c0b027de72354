"""What the two convolution operators share: reading their options, and blocks of vectors as batches of images."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import _backend as B
from .._typing import Array, Namespace, Shape

Pads = tuple[tuple[int, int], ...]


class Kernel(NamedTuple):
    """A checked kernel beside the sizes that it fixes."""

    xp: Namespace
    batch: Shape
    leading: int  # channels of its first axis
    inner: int  # channels of its second axis, per group
    taps: Shape


def read_image(shape: Any, name: str = "input_shape") -> Shape:
    """`shape` as (channels, *spatial)."""
    sizes = _integers(shape)
    if sizes is None or not 2 <= len(sizes) <= 4 or min(sizes) < 1:
        raise ValueError(
            f"`{name}` must be (channels, *spatial) of positive integers with 1 to 3 spatial axes, got {shape!r}"
        )
    return sizes


def read_kernel(kernel: Array, axes: int, layout: str) -> Kernel:
    """Sizes of a `kernel` for images with `axes` spatial axes."""
    xp = B.array_namespace(kernel, name="kernel")
    if not B.is_floating(xp, kernel.dtype):
        raise TypeError(
            f"`kernel` must be real or complex floating point, got dtype {B.dtype_name(kernel.dtype)}; cast it first"
        )
    shape = tuple(map(int, kernel.shape))
    if len(shape) < axes + 2:
        raise ValueError(
            f"`kernel` must have shape {layout} with {axes} axes of taps, as many as `input_shape` has spatial "
            f"axes, got {shape}"
        )
    if min(shape) < 1:
        raise ValueError(f"`kernel` must not be empty, got shape {shape}")
    first = len(shape) - axes - 2
    return Kernel(xp, shape[:first], shape[first], shape[first + 1], shape[first + 2 :])


def read_groups(groups: Any) -> int:
    """`groups` as a positive integer."""
    number = _integer(groups)
    if number is None or number < 1:
        raise ValueError(f"`groups` must be a positive integer, got {groups!r}")
    return number


def read_per_axis(name: str, value: Any, axes: int, least: int) -> Shape:
    """One integer for all axes, or one per axis, each at least `least`."""
    number = _integer(value)
    numbers = _integers(value) if number is None else (number,) * axes
    if numbers is None or len(numbers) != axes or min(numbers) < least:
        kind = "positive" if least else "nonnegative"
        raise ValueError(f"`{name}` must be a {kind} integer or one for each of the {axes} spatial axes, got {value!r}")
    return numbers


def read_padding(padding: Any, axes: int) -> Pads:
    """`padding` as one pair (before, after) per axis."""
    number = _integer(padding)
    entries = [number] * axes if number is not None else padding
    pads = [_pair(entry) for entry in entries] if _is_sequence(entries) else []
    if len(pads) != axes or any(pair is None for pair in pads):
        raise ValueError(
            f"`padding` must be a nonnegative integer, or for each of the {axes} spatial axes an integer or a pair "
            f"(before, after), got {padding!r}"
        )
    return tuple(pair for pair in pads if pair is not None)


def multiplications(convolution: Any) -> int:
    """Multiplications of one product of a (transposed) convolution, to the padding."""
    pixels = min(math.prod(convolution.domain_shape[1:]), math.prod(convolution.range_shape[1:]))
    return int(math.prod(convolution.kernel.shape) * pixels)


def to_images(X: Array, image: Shape, batch: Shape, xp: Namespace) -> Array:
    """Block (*batch, N, K) as K images, those of a batch side by side in the channels: (K, batch * c, *spatial).

    Costs no copy where `X` is the transposed view of a row-major array and there is no batch.
    """
    K, rows = X.shape[-1], B.transpose(X)
    if not batch:
        return xp.reshape(rows, (K, *image))
    stack = math.prod(batch)
    rows = xp.permute_dims(xp.reshape(rows, (stack, K, math.prod(image))), (1, 0, 2))
    return xp.reshape(rows, (K, stack * image[0], *image[1:]))


def to_block(x: Array, image: Shape, batch: Shape, xp: Namespace) -> Array:
    """Inverse of `to_images`; a transposed view."""
    K, size = x.shape[0], math.prod(image)
    if not batch:
        return B.transpose(xp.reshape(x, (K, size)))
    columns = xp.permute_dims(xp.reshape(x, (K, math.prod(batch), size)), (1, 2, 0))
    return xp.reshape(columns, (*batch, size, K))


def _integer(value: Any) -> int | None:
    """`value` where it is an integer; True and arrays with axes are none."""
    if isinstance(value, bool) or getattr(value, "shape", ()) != ():
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _is_sequence(values: Any) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str | bytes)


def _integers(values: Any) -> Shape | None:
    if not _is_sequence(values):
        return None
    numbers = [_integer(v) for v in values]
    return None if None in numbers else tuple(n for n in numbers if n is not None)


def _pair(entry: Any) -> tuple[int, int] | None:
    number = _integer(entry)
    numbers = _integers(entry) if number is None else (number, number)
    if numbers is None or len(numbers) != 2 or min(numbers) < 0:
        return None
    return numbers[0], numbers[1]
