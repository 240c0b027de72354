"""What every layer is: a map of arrays, its Jacobian at a point, and its Lipschitz constants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any, TypeAlias

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..operators import HStack, LinearOperator
from ..operators.per_sample import PerSample
from .regions import Ball, Box, Region

Ord: TypeAlias = int | float | str


class UnboundedError(ValueError):
    """A Lipschitz constant is infinite, or not known to be finite, on the set that was asked about."""


class Layer:
    r"""A differentiable map of arrays, one sample after the other along axis 0.

    Attributes
    ----------
    inputs : int or None
        How many arrays the layer takes; None for any number.
    ords : tuple
        The norms in which `lipschitz` knows a constant.

    Notes
    -----
    Axis 0 of every input counts samples; what follows is one sample. The layer treats samples independently.

    A subclass implements

    ``_forward(*xs)``
        the map;
    ``_jacobians(*xs)``
        one operator per input: the Jacobian of the flattened output with respect to that flattened input, of batch
        shape ``(samples,)``, or ``()`` where it is the same for all samples. They are what :math:`J` is made of:
        products with them need no automatic differentiation;
    ``_constant(ord, region, shape)`` (one input) or ``_gains(ord, regions, shapes)`` (several)
        Lipschitz constants with respect to each input: `Bounds`, over the region or, where that is None, everywhere;
        `shape` is the shape of a sample where it is known, else None (`known_shape` asks for it);
    ``_image(regions, shapes)``
        a region that holds the outputs, by default the ball or box that the constant gives.

    Everything else is derived. Constants are numbers of the host, in double precision and rounded outward.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> class Square(lc.layers.Layer):
    ...     def _forward(self, x):
    ...         return x**2
    ...
    ...     def _jacobians(self, x):
    ...         return (lc.Diagonal(2 * x.reshape(len(x), -1)),)
    ...
    ...     def _constant(self, ord, region, shape):
    ...         if region is None:
    ...             raise self.unbounded("its slope grows; give a bounded region")
    ...         slope = 2 * float(region.magnitude.max())
    ...         return lc.Bounds(slope, slope, "rigorous", ord=ord)
    >>> Square().jacobian(np.array([[1.0, 3.0]])).to_dense()
    array([[[2., 0.],
            [0., 6.]]])
    >>> Square().lipschitz(2, lc.Box(np.zeros(2), np.ones(2))).upper
    2.0
    """

    inputs: int | None = 1
    ords: tuple[Ord, ...] = (1, 2, math.inf)

    # To be implemented -----------------------------------------------------------------------------------------------

    def _forward(self, *xs: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_forward`")

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_jacobians`")

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_constant`")

    def _gains(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> tuple[Bounds, ...]:
        return (self._constant(ord, regions[0], shapes[0]),)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        return None

    # What users call -------------------------------------------------------------------------------------------------

    def __call__(self, *xs: Array) -> Array:
        """Outputs (samples, ...) for inputs (samples, ...)."""
        self._checked(xs)
        return self._forward(*xs)

    def jacobian(self, *xs: Array) -> LinearOperator:
        """The Jacobian at a point of every sample.

        Parameters
        ----------
        *xs : array, shape (samples, *input_shape)
            The point: one array for each input.

        Returns
        -------
        LinearOperator, shape (samples, M, N)
            On flattened samples; with several inputs on their concatenation. ``apply`` takes tensors where there is
            one input.
        """
        y, parts = self.linearize(*xs)
        single = len(parts) == 1
        whole = PerSample(parts[0] if single else HStack(list(parts)), y.shape[0])
        return whole.with_shapes(tuple(xs[0].shape[1:]) if single else None, tuple(y.shape[1:]))

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output, and the Jacobian with respect to each input, as a network composes them."""
        self._checked(xs)
        return self._forward(*xs), self._jacobians(*xs)

    def lipschitz(
        self,
        ord: Ord = 2,
        region: Region | Sequence[Region | None] | None = None,
        *,
        input_shape: Shape | Sequence[Shape | None] | None = None,
    ) -> Bounds:
        r"""Enclosure of the best Lipschitz constant.

        Parameters
        ----------
        ord : {2, 1, inf}
            Norm of input and output, over all entries of a sample. Attention also knows "token", the largest Euclidean
            norm of a token.
        region : Region, or one per input, optional
            Set on which the constant is to hold; everywhere by default.
        input_shape : tuple of int, or one per input, optional
            Shape of one sample, for layers whose constant depends on it; a region says it too.

        Returns
        -------
        Bounds
            ``upper`` is a Lipschitz constant in the sense of ``kind``; ``lower`` is not above the best one.

        Raises
        ------
        UnboundedError
            A ValueError: where no finite constant exists or is known; a bounded region helps.
        ValueError
            For an unknown `ord`, a region of another shape, or a shape that is needed and not given.
        """
        regions, shapes = self.domain(ord, region, input_shape)
        bounds = self._bounds(ord, regions, shapes)
        return limited(bounds, ord, regions)

    def gains(
        self,
        ord: Ord = 2,
        region: Region | Sequence[Region | None] | None = None,
        *,
        input_shape: Shape | Sequence[Shape | None] | None = None,
    ) -> tuple[Bounds, ...]:
        """Lipschitz constants with respect to each input, the others held fixed; see `lipschitz`."""
        regions, shapes = self.domain(ord, region, input_shape)
        return tuple(limited(gain, ord, regions) for gain in self._gains(ord, regions, shapes))

    def image(
        self,
        region: Region | Sequence[Region | None] | None,
        *,
        input_shape: Shape | Sequence[Shape | None] | None = None,
    ) -> Region | None:
        """A region that holds the outputs of all inputs from `region`; None where nothing bounded is known."""
        regions, shapes = self.domain(2, region, input_shape)
        return self._image(regions, shapes)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample; the same as the input's unless the layer says otherwise."""
        return tuple(input_shapes[0])

    def constant_after(self, ord: Ord, gains: Sequence[Bounds], before: Sequence[Bounds]) -> Bounds:
        """Constant of the output when input i is itself a map with the constant ``before[i]`` of one common input.

        By the triangle inequality, the sum of the products; a layer that keeps its inputs apart does better.
        """
        return reduce(add, [gain @ earlier for gain, earlier in zip(gains, before, strict=True)])

    # Derived ---------------------------------------------------------------------------------------------------------

    def _bounds(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Bounds:
        """Constant with respect to all inputs together: the norm of the Jacobians side by side."""
        first, *others = self._gains(ord, regions, shapes)
        if not others:
            return first
        if ord == 1:
            return first.maximum(*others)
        if ord == 2:
            return first.stacked(*others)
        total = reduce(add, others, first)
        largest = first.maximum(*others)
        return replace(total, lower=largest.lower, log2_lower=largest.log2_lower)

    def domain(
        self, ord: Ord, region: Any, input_shape: Any
    ) -> tuple[tuple[Region | None, ...], tuple[Shape | None, ...]]:
        """Regions and shapes, one per input, checked."""
        if ord not in self.ords:
            known = ", ".join("inf" if o == math.inf else repr(o) for o in self.ords)
            raise ValueError(f"`ord` must be one of {known} for {type(self).__name__}, got {ord!r}")
        regions, shapes = _members(region, Region), _members(input_shape, tuple)
        count = self.inputs or max(len(regions), len(shapes), 1)
        regions, shapes = regions or (None,) * count, shapes or (None,) * count
        for name, several in (("region", regions), ("input_shape", shapes)):
            if len(several) != count:
                raise ValueError(f"`{name}` must have {count} member(s), one per input, got {len(several)}")
        for one, shape in zip(regions, shapes, strict=True):
            if one is not None and shape is not None and one.shape != shape:
                raise ValueError(f"`region` has shape {one.shape}, `input_shape` is {shape}")
        pairs = zip(regions, shapes, strict=True)
        return regions, tuple(shape if one is None else one.shape for one, shape in pairs)

    def known_shape(self, shape: Shape | None) -> Shape:
        """`shape`, or an error that asks for it."""
        if shape is None:
            raise ValueError(
                f"the constant of {type(self).__name__} depends on the sample's shape: give `input_shape` or `region`"
            )
        return tuple(shape)

    def unbounded(self, why: str) -> UnboundedError:
        """The error of a layer that has no finite constant; for ``raise self.unbounded(...)``."""
        return UnboundedError(f"{type(self).__name__} has no finite Lipschitz constant: {why}")

    def _checked(self, xs: Sequence[Array]) -> None:
        name = type(self).__name__
        if not xs or (self.inputs is not None and len(xs) != self.inputs):
            raise TypeError(f"{name} takes {self.inputs or 'at least one'} input(s), got {len(xs)}")
        xp = B.array_namespace(*xs, name="x")
        for x in xs:
            if not B.is_floating(xp, x.dtype) or B.is_complex(xp, x.dtype):
                raise TypeError(
                    f"`x` must be real floating point for {name}, got {B.dtype_name(x.dtype)}; cast it first"
                )
            if x.ndim < 1 or x.shape[0] != xs[0].shape[0]:
                raise ValueError(
                    f"`x` must have shape (samples, ...) with as many samples in each input, got "
                    f"{[tuple(x.shape) for x in xs]}"
                )


def limited(bounds: Bounds, ord: Ord, regions: Sequence[Region | None]) -> Bounds:
    """`bounds` in `ord`, no stronger than what the regions are known as."""
    for region in regions:
        if region is not None and region.kind != "rigorous":
            bounds = bounds.weakened(region.kind)
    return bounds if bounds.ord == ord else replace(bounds, ord=ord)


def ball_image(value: Any, gain: Bounds, region: Region, kind: str) -> Region:
    """The ball around `value`, the image of the region's centre, that a constant in the 2-norm gives."""
    radius = gain.upper * region.spread(2) * (1 + 1e-15)
    if not math.isfinite(radius):
        return Box(value * 0 - math.inf, value * 0 + math.inf)
    return Ball(value, radius, 2, kind=kind)


def _members(given: Any, single: type) -> tuple[Any, ...]:
    """Regions or shapes as a tuple with one member per input; empty where nothing is given."""
    if given is None:
        return ()
    if single is tuple:
        flat = all(isinstance(size, int) for size in given)
        return (tuple(given),) if flat else tuple(None if s is None else tuple(s) for s in given)
    several = (given,) if isinstance(given, single) else tuple(given)
    for region in several:
        if region is not None and not isinstance(region, Region):
            raise TypeError(f"`region` must be a Region such as Ball or Box, got {type(region).__name__}")
    return several
