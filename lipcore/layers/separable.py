"""Layers that are a small matrix along each axis of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..operators import LinearOperator
from ..operators.axis_table import AxisTable, axis_table
from ..operators.separable import Separable
from .base import Ord
from .linear import LinearLayer
from .regions import Region
from .windows import Host, Windows

# Entries are correctly rounded quotients: off by 2^-53 of themselves each, and there are at most three axes.
_ENTRY_ERROR = 2.0**-48


class SeparableLayer(LinearLayer):
    r"""A matrix along each axis of a sample.

    Notes
    -----
    A subclass implements ``_tables(shape)``: for each axis of a sample its matrix, or None for the identity. The
    constants are products of those of the axes, and hold for the matrices of exact quotients as well as for their
    entries rounded to double precision.
    """

    rtol = 1e-9

    def _tables(self, shape: Shape) -> Sequence[AxisTable | None]:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_tables`")

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        return self._made(self._tables(shape), shape, like)

    def _sizes(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        return self._made([None if t is None else t.absolute for t in self._tables(shape)], shape, like)

    def _made(self, tables: Sequence[AxisTable | None], shape: Shape, like: Array) -> Separable:
        return Separable(tables, shape, dtype=like.dtype, xp=B.array_namespace(like), device=B.device_of(like))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        (shape,) = input_shapes
        tables = self._tables(tuple(shape))
        return tuple(n if t is None else t.shape[0] for t, n in zip(tables, shape, strict=True))

    def _terms(self, shape: Shape) -> int:
        return math.prod(t.rows.index.shape[1] for t in self._tables(shape) if t is not None)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        bounds = super()._constant(ord, region, shape)
        if all(t is None or t.is_exact for t in self._tables(self.known_shape(shape))):
            return bounds
        return bounds * Bounds(1 - _ENTRY_ERROR, 1 + _ENTRY_ERROR, "rigorous", ord=ord)


def mean_table(windows: Windows, divisor: Host) -> AxisTable:
    """The matrix of means over windows, sums divided by `divisor`."""
    return axis_table(windows.index, np.where(windows.valid, 1.0 / divisor[:, None], 0.0), windows.size)


def sum_table(windows: Windows) -> AxisTable:
    """The matrix of sums over windows."""
    return axis_table(windows.index, np.where(windows.valid, 1.0, 0.0), windows.size)


def ones_like(x: Array, shape: Shape) -> Any:
    """Ones of `shape` where `x` lives, in its dtype."""
    return B.array_namespace(x).ones(shape, dtype=x.dtype, device=B.device_of(x))
