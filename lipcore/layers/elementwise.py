"""Layers that act on each entry by itself, and what is known of the slope of such a function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..operators import Diagonal, LinearOperator
from .base import Layer, Ord
from .regions import Ball, Box, Host, Intersection, Region, norms_up

Pair: TypeAlias = tuple[Host, Host]

# Relative error of a formula of a few well-conditioned steps, 64 units in the last place; libm stays below 4 each.
ROUNDING = 2.0**-46
_TINY = 1e-305
_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Turn:
    """A point where a function of one variable turns or jumps, and enclosures of the values it takes there.

    An `exact` place is a float; any other is the float nearest to it.
    """

    at: float
    values: tuple[tuple[float, float], ...]
    exact: bool

    def inside(self, lower: Host, upper: Host) -> Host:
        """Whether intervals reach the point."""
        slack = 0.0 if self.exact else 4 * math.ulp(self.at)
        return np.asarray((lower <= self.at + slack) & (upper >= self.at - slack))


def corner(at: float, *values: float) -> Turn:
    """A place and values that floats hold exactly: the slopes on both sides of a kink."""
    return Turn(at, tuple((float(v), float(v)) for v in values), exact=True)


def turning(at: float, value: float) -> Turn:
    """A stationary point; both numbers are the floats nearest to the true ones."""
    return Turn(at, (around(value),), exact=False)


def around(value: float) -> tuple[float, float]:
    """The neighbours of the float nearest to a number, which lies between them."""
    return math.nextafter(value, -math.inf), math.nextafter(value, math.inf)


@dataclass(frozen=True)
class Profile:
    """A function that is monotone between its `turns`, with the limits `tails` at minus and plus infinity."""

    turns: tuple[Turn, ...]
    tails: tuple[float, float]

    def whole(self, *, outward: bool = True) -> tuple[float, float]:
        """Infimum and supremum, rounded outward, or inward."""
        ends = [end for turn in self.turns for end in turn.values] + [(tail, tail) for tail in self.tails]
        low, high = (0, 1) if outward else (1, 0)
        return min(end[low] for end in ends), max(end[high] for end in ends)

    def between(
        self, function: Callable[[Host], Pair], lower: Host, upper: Host, *, outward: bool = True
    ) -> tuple[Host, Host]:
        """Range over intervals; `function` gives values and bounds of their errors."""
        lows, highs = [], []
        for x in (lower, upper):
            low, high = _end(function, x, self.tails, outward=outward)
            lows.append(low)
            highs.append(high)
        low, high = np.minimum(*lows), np.maximum(*highs)
        first, last = (0, 1) if outward else (1, 0)
        for turn in self.turns:
            inside = turn.inside(lower, upper)
            low = np.where(inside, np.minimum(low, min(v[first] for v in turn.values)), low)
            high = np.where(inside, np.maximum(high, max(v[last] for v in turn.values)), high)
        bottom, top = self.whole()
        return np.clip(low, bottom, top), np.clip(high, bottom, top)


class Elementwise(Layer):
    r"""A function of one variable, applied to each entry.

    Attributes
    ----------
    curvature : float
        Supremum of :math:`|f''|`, by which the Jacobian moves: :math:`\|J(x) - J(y)\| \le c\, \|x - y\|_\infty`.
        Infinite where the slope jumps or grows without bound.

    Notes
    -----
    The Jacobian is diagonal with the slopes :math:`f'(x_i)`, so that the constant is the largest :math:`|f'|` that the
    intervals of the region allow, in every norm alike ("token" too), and is the best one. At kinks a slope is the one
    that PyTorch takes, and a range has the slopes of both sides.

    A subclass implements ``_value(xp, x)`` and ``_slope(xp, x)`` and gives two `Profile`: where the slope and the value
    turn, with enclosures of what they are there, and their limits. Between those places both are monotone, so that a
    range over an interval follows from its ends. Slopes at the ends are computed in double precision and widened by a
    bound of their error; where that rests on the accuracy of exp and its like the kind is "analytic", but the constant
    over all inputs, made of the stored enclosures alone, is "rigorous".

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> from lipcore.layers.elementwise import Elementwise, Profile, corner
    >>> class Hyperbola(Elementwise):
    ...     slopes = Profile((corner(0.0, 0.0),), (-1.0, 1.0))
    ...     values = Profile((corner(0.0, 1.0),), (math.inf, math.inf))
    ...
    ...     def _value(self, xp, x):
    ...         return xp.sqrt(1 + x * x)
    ...
    ...     def _slope(self, xp, x):
    ...         return x / xp.sqrt(1 + x * x)
    >>> layer = Hyperbola()
    >>> layer.lipschitz().upper
    1.0
    >>> low, high = layer.slope_range(np.array([-1.0]), np.array([0.75]))
    >>> low, high
    (array([-0.707107]), array([0.6]))
    """

    ords = (1, 2, math.inf, "token")
    curvature: float = math.inf
    slopes: Profile
    values: Profile
    slope_error = ROUNDING  # relative
    value_error = ROUNDING
    rigorous = False  # whether slopes and values are made of the four operations alone
    jumps: tuple[tuple[float, int], ...] = ()  # places where the function jumps, on the side -1 or 1 of them

    def _value(self, xp: Namespace, x: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_value`")

    def _slope(self, xp: Namespace, x: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_slope`")

    def _slope_error(self, x: Host, slope: Host) -> Host:
        """Bound of the error of a slope computed in double precision."""
        return np.asarray(self.slope_error * np.abs(slope) + (_TINY if self.slope_error else 0.0))

    def _value_error(self, x: Host, value: Host) -> Host:
        """Bound of the error of a value computed in double precision."""
        return np.asarray(self.value_error * np.abs(value) + (_TINY if self.value_error else 0.0))

    # What users call -------------------------------------------------------------------------------------------------

    def slope_range(self, lower: Any = -math.inf, upper: Any = math.inf) -> Pair:
        """Least and largest slope over intervals.

        Parameters
        ----------
        lower, upper : array_like, shape (*sample_shape)
            Ends of the intervals, which may be infinite; by default the whole line.

        Returns
        -------
        low, high : float64 NumPy array, shape (*sample_shape)
            Enclosures of the exact range, at most 1e-12 wider, relative to the terms that make up a slope.
        """
        return self._slopes_between(*_ends(lower, upper), outward=True)

    def value_range(self, lower: Any = -math.inf, upper: Any = math.inf) -> Pair:
        """Least and largest value over intervals; see `slope_range`."""
        return self._values_between(*_ends(lower, upper))

    # Derived ---------------------------------------------------------------------------------------------------------

    def _slopes_between(self, lower: Host, upper: Host, *, outward: bool) -> Pair:
        def function(x: Host) -> Pair:
            slope = self._on_host(self._slope, x)
            return slope, self._slope_error(x, slope)

        return self.slopes.between(function, lower, upper, outward=outward)

    def _values_between(self, lower: Host, upper: Host) -> Pair:
        def function(x: Host) -> Pair:
            value = self._on_host(self._value, x)
            return value, self._value_error(x, value)

        return self.values.between(function, lower, upper)

    def _on_host(self, hook: Callable[[Namespace, Array], Array], x: Host) -> Host:
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(hook(B.array_namespace(x), x[None])[0], dtype=np.float64)

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        return self._value(B.array_namespace(x), x)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp = B.array_namespace(x)
        return (Diagonal(xp.reshape(self._slope(xp, x), (x.shape[0], math.prod(x.shape[1:])))),)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        lower, upper = (np.asarray(-math.inf), np.asarray(math.inf)) if region is None else (region.lower, region.upper)
        for at, side in self.jumps:
            beyond = (lower <= at) & (upper > at) if side > 0 else (lower < at) & (upper >= at)
            if np.any(beyond):
                raise self.unbounded(f"it jumps at {at:g}; give a region on one side of that")
        whole = _size(self.slopes.whole())
        top = min(_size(self._slopes_between(lower, upper, outward=True)), whole)
        if top == math.inf:
            raise self.unbounded("its slope is not bounded there; give a bounded region such as lc.Ball")
        least = min(abs(max(self._attained(region), 0.0)), top)
        kind = "rigorous" if self.rigorous or top == whole else "analytic"
        return Bounds(least, top, kind, ord=ord, method="slope range")

    def _attained(self, region: Region | None) -> float:
        """A size of the slope that points of the region attain or approach."""
        if region is None:
            bottom, peak = self.slopes.whole(outward=False)
            return max(peak, -bottom)
        if isinstance(region, Box):
            lower, upper = region.lower, region.upper
        elif isinstance(region, Ball):
            lower, upper = region.center - region.radius, region.center + region.radius
            lower, upper = np.nextafter(lower, np.inf), np.nextafter(upper, -np.inf)
        else:
            low, high = self._slopes_between(region.lower, region.upper, outward=True)
            least = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
            return float(np.max(least, initial=0.0))
        # an end that is a kink has the slope of the inner side only
        lower, upper = np.nextafter(lower, np.inf), np.nextafter(upper, -np.inf)
        middle = region.center
        empty = lower > upper
        lower, upper = np.where(empty, middle, lower), np.where(empty, middle, upper)
        low, high = self._slopes_between(lower, upper, outward=False)
        return float(np.max(np.maximum(high, -low), initial=0.0))

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,), (shape,) = regions, shapes
        if region is None:
            bottom, top = self.values.whole()
            if shape is None or not (math.isfinite(bottom) and math.isfinite(top)):
                return None
            return Box(np.full(shape, bottom), np.full(shape, top))
        kind = region.kind if self.rigorous else "analytic"
        box = Box(*self._values_between(region.lower, region.upper), kind=kind)
        parts = region.regions if isinstance(region, Intersection) else (region,)
        balls = [ball for part in parts if isinstance(part, Ball) for ball in self._ball(part, region, kind)]
        return Intersection(box, *balls) if balls else box

    def _ball(self, ball: Ball, region: Region, kind: str) -> list[Ball]:
        """The ball around the value of the centre, where that holds more than the box does."""
        if self.jumps or ball.ord == math.inf or ball.radius == 0:
            return []
        value = self._on_host(self._value, ball.center)
        error = norms_up(self._value_error(ball.center, value), ball.ord)
        gain = _size(self._slopes_between(ball.lower, ball.upper, outward=True))
        radius = r.add_up(r.mul_up(gain, ball.radius), float(np.max(error, initial=0.0)))
        if not (math.isfinite(radius) and np.all(np.isfinite(value))):
            return []
        return [Ball(value, radius, ball.ord, kind=kind)]


def _end(function: Callable[[Host], Pair], x: Host, tails: tuple[float, float], *, outward: bool) -> Pair:
    """Enclosure of a function at one end of intervals, which may be infinite."""
    known = np.isfinite(x)
    value, error = function(np.where(known, x, 0.0))
    tail = np.where(x < 0, *tails)
    huge = np.isinf(value)  # an overflow of something finite
    with np.errstate(invalid="ignore"):
        low, high = (value - error, value + error) if outward else (value + error, value - error)
    low = np.where(huge, np.minimum(value, _LARGEST), low)
    high = np.where(huge, np.maximum(value, -_LARGEST), high)
    return np.where(known, low, tail), np.where(known, high, tail)


def _ends(lower: Any, upper: Any) -> Pair:
    low, high = np.broadcast_arrays(np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64))
    if not np.all(low <= high):
        raise ValueError("`lower` must not exceed `upper`, and neither may be NaN")
    return low, high


def _size(interval: tuple[Any, Any]) -> float:
    """Largest absolute value in intervals."""
    return float(np.max(np.maximum(np.abs(interval[0]), np.abs(interval[1])), initial=0.0))
