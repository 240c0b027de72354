"""What the constructions share: reading a weight, scaling it, and taking its convolution apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from ..operators.convolution_options import read_groups, read_per_axis


class Weight(NamedTuple):
    """A checked weight, dense or kernel, and the options that go with it."""

    array: Array
    xp: Namespace
    outputs: int  # per group
    inputs: int  # per group
    taps: Shape  # () where dense
    groups: int
    stride: Shape
    dilation: Shape

    @property
    def dense(self) -> bool:
        """Whether the weight is a matrix."""
        return not self.taps

    @property
    def device(self) -> object:
        """Where fresh arrays belong."""
        return B.device_of(self.array)

    @property
    def eps(self) -> float:
        """Spacing of 1.0 in the weight's dtype."""
        return B.eps(self.xp, self.array.dtype)

    def by_groups(self, array: Array) -> Array:
        """An array of the weight's shape as matrices (groups, outputs, inputs times taps)."""
        return self.xp.reshape(array, (self.groups, self.outputs, self.inputs * math.prod(self.taps)))

    def like_weight(self, array: Array) -> Array:
        """What has as many entries, in the weight's shape."""
        return self.xp.reshape(array, tuple(self.array.shape))

    def windows(self) -> int:
        """The most outputs that one pixel of a channel enters."""
        reach = [math.gcd(s, d) * k for k, s, d in zip(self.taps, self.stride, self.dilation, strict=True)]
        return math.prod(-(-r // s) for r, s in zip(reach, self.stride, strict=True))


def read_weight(
    weight: Array,
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    name: str = "weight",
) -> Weight:
    """`weight` and its options, or an error that says what is wrong with them."""
    xp = B.array_namespace(weight, name=name)
    if B.dtype_name(weight.dtype) not in ("float32", "float64"):
        raise TypeError(
            f"`{name}` must be float32 or float64, got {B.dtype_name(weight.dtype)}; constrain in single precision and "
            "cast the result"
        )
    shape = tuple(int(n) for n in weight.shape)
    if not 2 <= len(shape) <= 5 or min(shape) < 1:
        raise ValueError(
            f"`{name}` must be dense (out, in) or a kernel (out, in / groups, *k) with 1 to 3 spatial axes, and not "
            f"empty, got shape {shape}"
        )
    taps, number = shape[2:], read_groups(groups)
    if not taps:
        if number != 1:
            raise ValueError(f"`groups` must be 1 for a dense `{name}` {shape}, got {groups}")
        for option, value in (("stride", stride), ("dilation", dilation)):
            if value != 1:
                raise ValueError(f"`{option}` must be 1 for a dense `{name}` {shape}, got {value!r}")
    if shape[0] % number:
        raise ValueError(f"`groups` must divide the {shape[0]} output channels of `{name}`, got {groups}")
    steps = read_per_axis("stride", stride, len(taps), 1) if taps else ()
    gaps = read_per_axis("dilation", dilation, len(taps), 1) if taps else ()
    return Weight(weight, xp, shape[0] // number, shape[1], taps, number, steps, gaps)


def dense_only(weight: Array, name: str, instead: str) -> Weight:
    """`weight` where it is a matrix."""
    if getattr(weight, "ndim", 2) != 2:
        raise ValueError(
            f"`weight` must be dense (out, in) for {name}, got shape {tuple(weight.shape)}; for a convolution use "
            f"{instead}"
        )
    return read_weight(weight)


def scaled(x: Array, axes: tuple[int, ...] | None = None) -> Array:
    """`x` over its largest entry (along `axes`), which is taken for a constant; zeros stay.

    A construction that does not see the scale of its weight keeps its value and its derivative, and neither over- nor
    underflows.
    """
    xp = B.array_namespace(x)
    largest = B.stop_gradient(xp.max(xp.abs(x), axis=axes, keepdims=True))
    usable = xp.logical_and(largest > tiny(x), xp.isfinite(largest))
    return x / xp.where(usable, largest, xp.ones_like(largest))


def tiny(x: Array) -> float:
    """A number whose inverse is finite in the dtype of `x`."""
    return float(np.finfo(B.numpy_dtype(B.real_dtype(B.array_namespace(x), x.dtype))).tiny) * 4


def nonzero(x: Array) -> Array:
    """`x` with ones for zeros: a divisor, or what a root is taken of."""
    xp = B.array_namespace(x)
    return xp.where(x > tiny(x), x, xp.ones_like(x))


def root_sum_squares(x: Array, axes: tuple[int, ...]) -> Array:
    """Euclidean norms along `axes`, kept as axes of length 1; 1 instead of 0, so that one can divide by them."""
    xp = B.array_namespace(x)
    squares = B.cast(x * B.conj(x), B.real_dtype(xp, x.dtype))
    return xp.sqrt(nonzero(xp.sum(squares, axis=axes, keepdims=True)))


def composed(outer: Array, inner: Array) -> Array:
    r"""Kernel of the convolution with `inner` followed by that with `outer`.

    Parameters
    ----------
    outer : array, shape (c, b, \*k)
    inner : array, shape (b, a, \*l)

    Returns
    -------
    array, shape (c, a, \*(k + l - 1))
    """
    xp = B.array_namespace(outer, inner)
    turned = xp.flip(outer, axis=tuple(range(2, outer.ndim)))
    pads = tuple((k - 1, k - 1) for k in outer.shape[2:])
    ones = (1,) * len(pads)
    found = B.convolve(xp.moveaxis(inner, 1, 0), turned, stride=ones, dilation=ones, groups=1, padding=pads)
    return xp.moveaxis(found, 0, 1)


def limited(x: Array, norm: float) -> Array:
    """Matrices (..., m, n), scaled down to the Frobenius norm `norm` where theirs is larger."""
    xp = B.array_namespace(x)
    largest = xp.max(xp.abs(B.stop_gradient(x)), axis=(-2, -1), keepdims=True)
    unit = xp.where(largest > 1e-10, largest, 1e-10 * xp.ones_like(largest))
    shape = x / unit  # entries up to 1: its squares cannot overflow
    length = root_sum_squares(shape, (-2, -1))
    # in units of the largest entry, which may be far above what the limit can hold
    allowed = norm / unit
    return xp.where(length > allowed, shape * (norm / length), x)
