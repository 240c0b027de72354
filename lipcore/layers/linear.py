"""Layers that are affine maps: an operator, and an offset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds, opnorm_bounds
from ..norms import rounding as r
from ..operators import Dense as DenseOperator
from ..operators import LinearOperator
from .base import Layer, Ord, limited
from .regions import Ball, Box, Host, Intersection, Region, norms_up


class LinearLayer(Layer):
    r"""An affine map ``y = A x + b`` of each sample.

    Notes
    -----
    A subclass implements

    ``_operator(shape, arrays, like)``
        the operator on a sample of `shape`, made of `arrays`, which are either those of ``_arrays()`` or copies of
        them with other entries (absolute values, double precision on the host), or where there are none, in the
        library, dtype and device of the array `like`;
    ``_arrays()``
        the arrays that make the operator, by name; none by default;
    ``_offset(shape)``
        `b`, broadcastable to a sample of the output, or None.

    Absolute arrays must give entries that are at least the absolute ones. An operator without arrays is written down to
    find them, unless the class says ``nonnegative = True``.

    Outputs, Jacobian and constants follow; constants are `opnorm_bounds` of the operator. Intervals go through the
    operator of absolute entries (interval arithmetic by midpoint and radius, Rump 1999), widened by the rounding of
    sums of ``_terms(shape)`` products.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> class Reverse(lc.layers.LinearLayer):
    ...     def _operator(self, shape, arrays, like):
    ...         return lc.LinearOperator((*shape, *shape), lambda x: x[::-1], lambda y: y[::-1], dtype=float)
    >>> Reverse()(np.array([[1.0, 2.0, 3.0]]))
    array([[3., 2., 1.]])
    """

    rtol = 1e-3  # relative width of the constants
    nonnegative = False  # whether entries that no array makes are known not to be negative

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_operator`")

    def _arrays(self) -> Mapping[str, Array]:
        return {}

    def _offset(self, shape: Shape) -> Array | None:
        return None

    def _terms(self, shape: Shape) -> int:
        """The most products that are added up in one output."""
        return math.prod(shape)

    def _sizes(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        """An operator whose entries are at least the absolute ones; `shape` and `arrays` as for ``_operator``."""
        if arrays or self.nonnegative:
            return self._operator(shape, {name: np.abs(a) for name, a in arrays.items()}, like)
        plain = self._operator(shape, arrays, like)
        return DenseOperator(np.abs(plain.to_dense())).with_shapes(plain.domain_shape, plain.range_shape)

    def _ball_gain(self, shape: Shape) -> Bounds:
        """Constant in the 2-norm for the image of a ball, analytic at least if there is one."""
        return self.lipschitz(2, input_shape=shape)

    def operator(self, shape: Shape, like: Array | None = None) -> LinearOperator:
        """The linear part on samples of `shape`; `like` says the library where the layer holds no array."""
        arrays = self._arrays()
        example = next(iter(arrays.values()), like)
        return self._operator(tuple(shape), arrays, np.zeros(()) if example is None else example)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        return tuple(self.operator(input_shapes[0]).range_shape)

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        shape = tuple(x.shape[1:])
        y = self.operator(shape, x).apply(x)
        offset = self._offset(shape)
        return y if offset is None else y + offset

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        return (self.operator(tuple(x.shape[1:]), x),)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        return opnorm_bounds(self.operator(self.known_shape(shape)), ord, rtol=self.rtol)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        host = {name: np.asarray(B.to_numpy(a), dtype=np.float64) for name, a in self._arrays().items()}
        like = np.zeros(())
        plain = self._operator(region.shape, host, like)
        size = self._sizes(region.shape, host, like)
        middle, spread = _middle(region)
        offset = self._offset(region.shape)
        at = plain.apply(middle)
        # infinity times a weight of zero is no number: what an unbounded input reaches is found apart
        endless = np.isinf(spread)
        spread = np.where(endless, 0.0, spread)
        reach = np.where(size.apply(np.where(endless, 1.0, 0.0)) > 0, np.inf, size.apply(spread))
        lost = size.apply(np.abs(middle) + spread) * r.gamma(2 * self._terms(region.shape) + 8) + 1e-300
        shift = np.zeros(()) if offset is None else np.asarray(B.to_numpy(offset), dtype=np.float64)
        value = at + shift
        rounded = lost + 4e-16 * (np.abs(value) + np.abs(shift))
        slack = np.nextafter((reach + rounded) * (1 + 1e-15), np.inf)
        box = Box(np.nextafter(value - slack, -np.inf), np.nextafter(value + slack, np.inf), kind=region.kind)
        balls = self._balls(region, value, rounded)
        return Intersection(box, *balls) if balls else box

    def _balls(self, region: Region, value: Host, error: Host) -> list[Ball]:
        """Balls around the image of the centre, which is off by at most `error`, where the region has a ball."""
        parts = region.regions if isinstance(region, Intersection) else (region,)
        if value.ndim < 1 or not any(isinstance(p, Ball) and p.ord != math.inf and p.radius > 0 for p in parts):
            return []
        found = []
        for ord in (2, "token") if "token" in self.ords else (2,):
            gain = self._ball_gain(region.shape) if ord == 2 else self.lipschitz(ord, input_shape=region.shape)
            gain = limited(gain, ord, (region,))
            reach = r.mul_up(gain.upper, region.spread(ord))
            radius = r.add_up(reach, float(np.max(norms_up(error, ord), initial=0.0)))
            if math.isfinite(radius) and gain.kind in KNOWN:
                found.append(Ball(value, radius, ord, kind=gain.kind))
        return found


KNOWN = ("rigorous", "analytic")


def _middle(region: Region) -> tuple[Host, Host]:
    """Midpoint and radius of the intervals, the radius rounded up."""
    middle = region.center
    spread: Any = np.maximum(np.nextafter(region.upper - middle, np.inf), np.nextafter(middle - region.lower, np.inf))
    return middle, np.where(region.upper == region.lower, 0.0, np.maximum(spread, 0.0))
