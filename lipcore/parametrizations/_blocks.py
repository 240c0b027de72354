"""Orthogonal convolutions out of projectors, and where their parameters come from."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array, Shape
from ._polar import polar
from ._weights import Weight, composed


class Entries:
    """The entries of a weight, handed out group by group as matrices."""

    def __init__(self, read: Weight) -> None:
        self._rows = read.xp.reshape(read.array, (read.groups, -1))
        self._next = 0

    def matrices(self, rows: int, columns: int) -> Array:
        """The next ``rows * columns`` entries of every group, (groups, rows, columns)."""
        first, self._next = self._next, self._next + rows * columns
        part = self._rows[:, first : self._next]
        return B.array_namespace(part).reshape(part, (part.shape[0], rows, columns))


def atom_entries(channels: int, taps: Shape) -> int:
    """How many entries `atoms` takes."""
    return channels * (channels // 2) * sum(k - 1 for k in taps)


def atoms(entries: Entries, channels: int, taps: Shape, groups: int) -> Array | None:
    r"""Square orthogonal kernel (groups * channels, channels, *taps); None for one tap.

    A product of factors :math:`P + (I - P) z` with one projector P of half rank each: the axes take turns, which makes
    pairs of them the 2 x 2 blocks of Li et al. 2019. Each is unitary on \|z\| = 1, and never longer than 1 where P is a
    sum of projectors with weights in [0, 1] only. They are multiplied in pairs, and the products in pairs.
    """
    counts = [k - 1 for k in taps]
    factors = []
    for turn in range(max(counts, default=0)):
        for axis, count in enumerate(counts):
            if turn < count:
                factors.append(_factor(entries, channels, axis, len(taps), groups))
    while len(factors) > 1:
        pairs = [composed(a, b, groups) for a, b in zip(factors[::2], factors[1::2], strict=False)]
        factors = pairs + factors[len(pairs) * 2 :]
    return factors[0] if factors else None


def _factor(entries: Entries, channels: int, axis: int, axes: int, groups: int) -> Array:
    """One factor, with two taps along `axis`."""
    half = channels // 2
    raw = entries.matrices(channels, half)
    xp = B.array_namespace(raw)
    eye = xp.eye(channels, dtype=raw.dtype, device=B.device_of(raw))
    eye = xp.broadcast_to(eye, (groups, channels, channels))
    if half:
        basis = polar(raw)
        projector = xp.matmul(basis, B.transpose(basis))
    else:
        projector = xp.zeros_like(eye)
    pair = xp.stack([projector, eye - projector], axis=-1)
    shape = tuple(2 if a == axis else 1 for a in range(axes))
    return xp.reshape(pair, (groups * channels, channels, *shape))


def pointwise(entries: Entries, rows: int, columns: int, taps: Shape, groups: int) -> Array:
    """Kernel with orthonormal rows or columns as a matrix, (groups * rows, columns, *taps)."""
    found = polar(entries.matrices(rows, columns * math.prod(taps)))
    return B.array_namespace(found).reshape(found, (groups * rows, columns, *taps))
