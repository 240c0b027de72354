"""Softmax along an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..norms.row_maps import softmax_norm
from ..operators import LinearOperator
from ..operators.row_maps import SoftmaxJacobian
from .base import Ord
from .regions import Ball, Box, Intersection, Region
from .rows import Intervals, RowLayer, row_layout, sample_axis
from .scalars import positive


class Softmax(RowLayer):
    r"""Softmax along an axis, :math:`p_i = e^{x_i/T} / \sum_j e^{x_j/T}`.

    Parameters
    ----------
    axis : int
        Axis of the batched array, whose axis 0 counts samples.
    temperature : float
        The temperature T, positive.

    Raises
    ------
    ValueError
        If `axis` is 0 or `temperature` is not positive.

    Notes
    -----
    The Jacobian of a row is :math:`(\mathrm{diag}(p) - p p^T)/T`. Its 1- and inf-norm are
    :math:`2 p_i (1 - p_i)/T` for the worst i, its 2-norm is at most :math:`p_{(1)} (1 - p_{(1)} + p_{(2)})/T` with the
    two largest probabilities (from the secular equation, where :math:`t - p_{(i)} \ge t - p_{(2)}`). The constant is
    :math:`1/(2 T)` in all three, attained at :math:`(1/2, 1/2)` and approached from there with more entries (Nair 2025,
    arXiv 2510.23012). With one entry it is 0. Over a region the same formulas are evaluated for intervals of
    probabilities, where :math:`1 - p_i` is the sum of the others.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> softmax = lc.layers.Softmax()
    >>> softmax(np.array([[0.0, 0.0], [0.0, 1000.0]]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    >>> softmax.lipschitz(input_shape=(10,)).upper
    0.5
    >>> softmax.lipschitz(region=lc.Ball(np.array([8.0, 0.0, 0.0]), 1.0)).upper < 0.01
    True
    """

    def __init__(self, axis: int = -1, temperature: float = 1.0) -> None:
        super().__init__(axis)
        self.temperature = positive(temperature, "temperature")

    def _scaled(self, x: Array) -> Array:
        return x if self.temperature == 1 else x / self.temperature

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        return B.array_namespace(x).reshape(self._probabilities(self._scaled(x)), tuple(x.shape))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        J: LinearOperator = SoftmaxJacobian(self._probabilities(self._scaled(xs[0])))
        return (J if self.temperature == 1 else (1 / self.temperature) * J,)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        n = self._rows_of(shape)
        if n is not None and n < 2:
            return Bounds(0.0, 0.0, "rigorous", ord=ord, method="a single probability")
        whole = r.div_up(0.5, self.temperature)
        if region is None:
            return Bounds(0.0 if n is None else r.div_down(0.5, self.temperature), whole, "rigorous", ord=ord)
        intervals = self._intervals(region, self.temperature)
        pairs = _largest_product(intervals)
        if ord in (2, "token"):
            pairs = min(pairs, _largest_spread(intervals))
        top = min(float(r.div_up(pairs * (1 + 1e-14 + 4 * intervals.slack), self.temperature)), whole)
        kind = "rigorous" if top == whole else "analytic"
        return Bounds(min(self._attained(ord, region), top), top, kind, ord=ord, method="intervals of probabilities")

    def _attained(self, ord: Ord, region: Region) -> float:
        """The norm at the centre."""
        twin = region if self.temperature == 1 else Ball(region.center / self.temperature, 0.0)
        p = self._center_rows(twin) if isinstance(region, Ball | Box) else None
        if p is None:
            return 0.0
        low = softmax_norm(p)[0] if ord in (2, "token") else np.max(2 * p * (1 - p), axis=-1)
        return max(float(np.max(low, initial=0.0)) / self.temperature * (1 - 1e-13) - 1e-15 / self.temperature, 0.0)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,), (shape,) = regions, shapes
        if shape is None:
            return None
        outer, n, inner = row_layout(self.axis, shape)
        kind = "rigorous"
        low, high = np.zeros(shape), np.ones(shape)
        if region is not None:
            p = self._intervals(region, self.temperature)
            place = sample_axis(self.axis, shape)
            moved = (*shape[:place], *shape[place + 1 :], n)
            low, high = (np.moveaxis(end.reshape(moved), -1, place) for end in (p.low, p.high))
            kind = "analytic"
        # probabilities add up to one, so that their squares do to no more
        zeros, rows = np.zeros(shape), outer * inner
        parts: list[Region] = [Ball(zeros, r.up(float(rows)), 1), Ball(zeros, float(r.sqrt_up(float(rows))), 2)]
        if self.axis == -1:
            parts.append(Ball(zeros, 1.0, "token"))
        if isinstance(region, Ball):
            gain = self._constant(2, region, shape).upper
            center = np.asarray(self._forward(region.center[None])[0])
            radius = r.add_up(r.mul_up(gain, region.spread(2)), 1e-14 * (n + 8) * math.sqrt(rows))
            parts.append(Ball(center, radius, 2, kind="analytic"))
        return Intersection(Box(low, high, kind=kind), *parts)


def _largest_product(p: Intervals) -> float:
    """Largest ``2 p (1 - p)`` that the intervals allow: 1/2 around 1/2, else at the end next to it."""
    high, low = 2 * p.high * p.rest_low, 2 * p.low * p.rest_high
    value: Any = np.where(p.high < 0.5, high, np.where(p.rest_high < 0.5, low, 0.5))
    return float(np.max(value, initial=0.0))


def _largest_spread(p: Intervals) -> float:
    """Largest ``p (1 - p + m)`` that the intervals allow, p the largest probability and m the second."""
    ordered = np.sort(p.high, axis=-1)
    others = np.where(p.high == ordered[..., -1:], ordered[..., -2:-1], ordered[..., -1:])
    second = np.minimum(others, p.rest_high)
    peak = (1 + second) / 2  # where p (1 - p + m) turns
    before, after = p.high * (p.rest_low + second), p.low * (p.rest_high + second)
    value = np.where(p.high < peak, before, np.where(p.low > peak, after, peak * peak))
    return float(np.max(value, initial=0.0))
