"""What layers that are made of other layers have in common: linearity as a whole, and a point to look at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds, opnorm_bounds
from ..operators import LinearOperator
from .base import Layer, Ord
from .linear import LinearLayer
from .regions import Ball, Box, Host, Intersection, Region, norms_up

_NORMS = (1, 2, math.inf)
_NARROW = 1e-2  # no point is looked at where the bounds are this close to each other

Known = tuple[Region | None, Shape | None]
"""What is known of the values that reach a layer."""


class Composite(Layer):
    r"""A layer made of other layers.

    Notes
    -----
    Where nothing else is known from below, the constant is at least the norm of the Jacobian at one point of the region
    (or anywhere, where the shape is known): :math:`\|J(x)\| \le L`. The point is drawn at random with a fixed seed,
    since the centre may lie where several activations have their kinks at once; the product of the slopes that are
    chosen there need not be a derivative of the whole.
    """

    def linear_part(self, shape: Shape, like: Array) -> LinearOperator | None:
        """The linear part on samples of `shape` where the whole is affine, else None; see `linear_part`."""
        return None

    def _through(
        self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]
    ) -> tuple[tuple[Bounds, ...], Known]:
        """Constants with respect to each input, and what is known of the output, in one pass through the parts."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `_through`")

    def _gains(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> tuple[Bounds, ...]:
        return self._through(ord, regions, shapes)[0]

    def _bounds(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Bounds:
        bounds = super()._bounds(ord, regions, shapes)
        if ord not in _NORMS or bounds.relative_width <= _NARROW:
            return bounds
        return raised(bounds, point_norm(self, ord, regions, shapes))


def through(
    layer: Layer, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]
) -> tuple[tuple[Bounds, ...], Known]:
    """Constants of any layer, and what is known of its output; parts of parts are passed through once."""
    if isinstance(layer, Composite):
        return layer._through(ord, regions, shapes)
    return layer.gains(ord, tuple(regions), input_shape=tuple(shapes)), passed(layer, regions, shapes)


def passed(layer: Layer, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Known:
    """A region and a shape of what a layer makes of inputs from `regions`, as far as they are known."""
    image = layer.image(tuple(regions), input_shape=tuple(shapes))
    if image is not None:
        return image, image.shape
    known = [shape for shape in shapes if shape is not None]
    return None, layer.output_shape(*known) if len(known) == len(shapes) else None


def affine_norm(layer: Composite, ord: Ord, shape: Shape) -> Bounds | None:
    """Norm of the whole where it is affine on samples of `shape`, which the norms of its parts only bound."""
    operator = layer.linear_part(shape, example_of(layer))
    if operator is None or ord not in _NORMS:
        return None
    found = opnorm_bounds(operator if ord == 2 else bare(operator), ord)
    return found if found.kind != "estimate" and math.isfinite(found.upper) else None


def linear_part(layer: Layer, shape: Shape, like: Array) -> LinearOperator | None:
    """The linear part of a layer that is affine on samples of `shape`, else None.

    `like` is an array of the library in which operators without arrays are made.
    """
    if isinstance(layer, LinearLayer):
        return layer.operator(shape, like)
    return layer.linear_part(shape, like) if isinstance(layer, Composite) else None


def raised(bounds: Bounds, lower: float) -> Bounds:
    """`bounds` whose lower end is at least `lower`, as far as the upper end allows."""
    better = min(lower, bounds.upper)
    if not better > bounds.lower:
        return bounds
    return replace(bounds, lower=better, log2_lower=None, log2_upper=None) if math.isfinite(bounds.upper) else bounds


def point_norm(layer: Layer, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> float:
    """Norm of the Jacobian at a point of the regions, from below; zero where there is no point to be had."""
    rng = np.random.default_rng(0)
    pairs = zip(regions, shapes, strict=True)
    points = [inner_point(region, rng) if region is not None else anywhere(shape, rng) for region, shape in pairs]
    if any(point is None for point in points):
        return 0.0
    like = example_of(layer)
    xp, device = B.array_namespace(like), B.device_of(like)
    with B.detached(xp):
        xs = [
            B.from_numpy(point[None], xp=xp, device=device, dtype=like.dtype) for point in points if point is not None
        ]
        J = layer.jacobian(*xs)
        found = opnorm_bounds(bare(J), ord, rtol=1e-2, kind="estimate", rng=0)
    return float(np.max(found.lower))


def bare(A: LinearOperator) -> LinearOperator:
    """The same operator by its products alone, for norms of which its parts say too little."""
    return LinearOperator(A.shape, A.matvec, A.rmatvec, A.matmat, A.dtype, A.rmatmat, xp=A.xp, device=A.device)


def anywhere(shape: Shape | None, rng: np.random.Generator) -> Host | None:
    """A random point of a space of known shape."""
    return None if shape is None else rng.standard_normal(shape)


def inner_point(region: Region, rng: np.random.Generator) -> Host | None:
    """A random point inside a region; None for a region without inside, on which no direction is free."""
    parts = region.regions if isinstance(region, Intersection) else (region,)
    if not all(isinstance(part, Ball | Box) for part in parts) or not np.all(region.lower < region.upper):
        return None
    balls = [part for part in parts if isinstance(part, Ball)]
    for middle in (region.center, *(np.clip(ball.center, region.lower, region.upper) for ball in balls)):
        shift = np.clip(rng.standard_normal(region.shape), -3, 3) / 4
        room = np.where(shift < 0, middle - region.lower, region.upper - middle)
        step = shift * np.where(np.isfinite(room), room, 1.0)
        for _ in range(20):  # towards the middle, until it lies in all balls
            point: Host = middle + step
            if all(_distance(point, ball) <= 0.9 * ball.radius for ball in balls):
                return point
            step = step / 2
    return None


def _distance(point: Host, ball: Ball) -> float:
    return float(np.max(norms_up(np.abs(point - ball.center), ball.ord), initial=0.0))


def example_of(layer: Layer) -> Array:
    """An array of the library in which a layer lives, as its weights say; of NumPy where it has none."""
    return next(arrays_of(layer), np.zeros(()))


def arrays_of(value: Any) -> Iterator[Array]:
    """The floating-point arrays that a layer and its parts hold, in the order in which they were set."""
    if isinstance(value, Layer):
        yield from arrays_of(vars(value))
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from arrays_of(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from arrays_of(member)
    elif B.is_array(value) and B.is_floating(B.array_namespace(value), value.dtype):
        yield value
