"""Orthogonal convolutions out of projectors, and where their parameters come from."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array, Shape
from ._polar import Factor
from ._weights import Weight


class Entries:
    """The entries of a weight, handed out group by group as matrices."""

    def __init__(self, read: Weight) -> None:
        self._rows = read.xp.reshape(read.array, (read.groups, -1))
        self._next = 0

    def matrices(self, *shape: int) -> Array:
        r"""The next entries of every group, (groups, \*shape)."""
        first, self._next = self._next, self._next + math.prod(shape)
        part = self._rows[:, first : self._next]
        return B.array_namespace(part).reshape(part, (part.shape[0], *shape))


def projector_axes(taps: Shape) -> list[int]:
    """The axis along which each factor shifts: they take turns, in pairs the 2 x 2 blocks of Li et al. 2019."""
    counts = [k - 1 for k in taps]
    return [axis for turn in range(max(counts, default=0)) for axis, count in enumerate(counts) if turn < count]


def projector_entries(channels: int, taps: Shape) -> int:
    """How many entries `bases` takes."""
    return channels * (channels // 2) * len(projector_axes(taps))


def bases(entries: Entries, channels: int, taps: Shape, factor: Factor) -> list[Array]:
    """Orthonormal bases (groups, channels, channels // 2), one per projector, from one stack of polar factors."""
    count = len(projector_axes(taps))
    if not count:
        return []
    found = entries.matrices(count, channels, channels // 2)
    if channels > 1:  # one channel has the projector zero, and shifts
        found = factor(found)
    return [found[:, k, ...] for k in range(count)]


def with_projector(x: Array, basis: Array, axis: int) -> Array:
    r"""Kernel of the convolution with :math:`P + (I - P) z` followed by that with `x`; z shifts along one axis.

    The factor is unitary on \|z\| = 1 where the basis is orthonormal, and never longer than 1 where P is a sum of
    projectors with weights in [0, 1]. It is applied through the basis, which takes half the products of the projector
    itself, and fewer than the factors multiplied with each other would take.

    Parameters
    ----------
    x : array, shape (groups, \*taps, rows, channels)
    basis : array, shape (groups, channels, rank)
        Of the projector P.
    axis : int
        Spatial axis, which grows by one tap.
    """
    xp = B.array_namespace(x)
    flat = xp.reshape(x, (x.shape[0], -1, x.shape[-1]))
    near = xp.reshape(xp.matmul(xp.matmul(flat, basis), B.transpose(basis)), x.shape)
    shape = [1 if a == 1 + axis else n for a, n in enumerate(x.shape)]
    none = xp.zeros(tuple(shape), dtype=x.dtype, device=B.device_of(x))
    return xp.concat([near, none], axis=1 + axis) + xp.concat([none, x - near], axis=1 + axis)


def pointwise(entries: Entries, rows: int, columns: int, taps: Shape, factor: Factor) -> Array:
    r"""Kernel with orthonormal rows or columns as a matrix, (groups, \*taps, rows, columns)."""
    found = factor(entries.matrices(rows, columns * math.prod(taps)))
    return taps_first(B.array_namespace(found).reshape(found, (found.shape[0], rows, columns, *taps)))


def taps_first(x: Array) -> Array:
    r"""(groups, rows, columns, \*taps) as (groups, \*taps, rows, columns)."""
    return B.array_namespace(x).permute_dims(x, (0, *range(3, x.ndim), 1, 2))


def taps_last(x: Array) -> Array:
    """The other way round."""
    return B.array_namespace(x).permute_dims(x, (0, x.ndim - 2, x.ndim - 1, *range(1, x.ndim - 2)))
