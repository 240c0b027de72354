"""Positive and negative parts, one behind the other, as a lipcore layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import _backend as B
from ... import layers as L
from ..._typing import Array, Shape
from ...layers.base import Ord
from ...layers.rows import checked_axis, sample_axis
from ...norms import Bounds
from ...operators import Diagonal, LinearOperator, VStack
from ...operators.rearrangement import Rearrangement


class SignSplit(L.Layer):
    r"""``[relu(x), relu(-x)]`` along an axis.

    Parameters
    ----------
    axis : int
        Axis of the batched array, which becomes twice as long.

    Notes
    -----
    Each column of the Jacobian has one entry, of size 1, at most: :math:`J^T J` is diagonal with entries 0 and 1. The
    constant is 1 in the 1-, 2- and inf-norm, attained where no entry is zero.
    """

    def __init__(self, axis: int = 1) -> None:
        self.axis = checked_axis(axis)

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        xp = B.array_namespace(x)
        parts = [xp.where(y > 0, y, xp.zeros_like(y)) for y in (x, -x)]
        return xp.concat(parts, axis=self.axis)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp, shape = B.array_namespace(x), tuple(int(n) for n in x.shape[1:])
        rows = xp.reshape(x, (x.shape[0], -1))
        slopes = [B.cast(rows > 0, x.dtype), -B.cast(rows < 0, x.dtype)]
        stacked = VStack([Diagonal(slope) for slope in slopes])
        place = sample_axis(self.axis, tuple(shape))
        if place == 0:
            return (stacked,)
        # the parts lie one behind the other; on another axis they are to lie side by side
        order = (*range(1, place + 1), 0, *range(place + 1, len(shape) + 1))
        wide = self.output_shape(shape)
        moved = Rearrangement((2, *shape), order, range_shape=wide, dtype=x.dtype, xp=xp, device=B.device_of(x))
        return (moved @ stacked,)

    def _constant(self, ord: Ord, region: L.Region | None, shape: Shape | None) -> Bounds:
        return Bounds(0.0 if region is not None else 1.0, 1.0, "rigorous", ord=ord, method="signs")

    def _image(self, regions: Sequence[L.Region | None], shapes: Sequence[Shape | None]) -> L.Region | None:
        (region,) = regions
        if region is None:
            return None
        place = sample_axis(self.axis, region.shape)
        low = np.concatenate([np.maximum(region.lower, 0.0), np.maximum(-region.upper, 0.0)], axis=place)
        high = np.concatenate([np.maximum(region.upper, 0.0), np.maximum(-region.lower, 0.0)], axis=place)
        return L.Box(low, high, kind=region.kind)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        shape = list(input_shapes[0])
        shape[sample_axis(self.axis, tuple(shape))] *= 2
        return tuple(shape)
