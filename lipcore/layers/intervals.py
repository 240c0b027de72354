"""Arithmetic of intervals of gates, rounded outward by a few units in the last place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .regions import Host

_SLACK = 1 + 1e-12


class Interval(NamedTuple):
    """Ends of a vector, entry by entry."""

    low: Host
    high: Host

    @property
    def size(self) -> Host:
        """Largest absolute values."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def nearest(self) -> Host:
        """Smallest absolute values."""
        return np.maximum(np.maximum(self.low, -self.high), 0.0)


def affine(matrix: Host, x: Interval, bias: Host) -> Interval:
    """Interval of ``matrix x + bias``, by midpoint and radius, widened for rounding."""
    if not (np.all(np.isfinite(x.low)) and np.all(np.isfinite(x.high))):
        wide = np.where(np.any(matrix != 0, axis=1), np.inf, 0.0)
        return Interval(bias - wide, bias + wide)
    middle, half = (x.low + x.high) / 2, (x.high - x.low) / 2
    center, reach = matrix @ middle + bias, np.abs(matrix) @ half
    reach = reach * _SLACK + 1e-14 * (matrix.shape[1] + 8) * (np.abs(matrix) @ x.size + np.abs(bias))
    return Interval(center - reach, center + reach)


def plus(a: Interval, b: Interval) -> Interval:
    """Interval of a sum."""
    slack = 4e-16 * (_finite(a.size) + _finite(b.size))
    return Interval(a.low + b.low - slack, a.high + b.high + slack)


def times(a: Interval, b: Interval) -> Interval:
    """Interval of a product of finite intervals."""
    ends = np.stack([a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high])
    slack = 4e-16 * np.max(np.abs(ends), axis=0)
    return Interval(np.min(ends, axis=0) - slack, np.max(ends, axis=0) + slack)


def mixed(weight: Interval, a: Interval, b: Interval) -> Interval:
    """Interval of ``(1 - w) a + w b`` for weights within [0, 1]."""
    ends = np.stack([(1 - w) * x + w * y for w in weight for x, y in ((a.low, b.low), (a.high, b.high))])
    slack = 1e-15 * (a.size + b.size)
    return Interval(np.min(ends, axis=0) - slack, np.max(ends, axis=0) + slack)


def tanh(x: Interval) -> Interval:
    """Interval of the hyperbolic tangent."""
    return Interval(np.maximum(np.tanh(x.low) - 4e-16, -1.0), np.minimum(np.tanh(x.high) + 4e-16, 1.0))


def sigmoid(x: Interval) -> Interval:
    """Interval of the logistic function."""
    low, high = (0.5 * (1 + np.tanh(end / 2)) for end in x)
    return Interval(np.maximum(low - 4e-16, 0.0), np.minimum(high + 4e-16, 1.0))


def tanh_slope(x: Interval) -> Host:
    """Largest slope of the hyperbolic tangent."""
    return np.asarray(np.minimum((1 - np.tanh(x.nearest) ** 2) * _SLACK + 4e-16, 1.0))


def sigmoid_slope(x: Interval) -> Host:
    """Largest slope of the logistic function."""
    return np.asarray(np.minimum((1 - np.tanh(x.nearest / 2) ** 2) / 4 * _SLACK + 4e-16, 0.25))


def _finite(x: Host) -> Host:
    return np.where(np.isfinite(x), x, 0.0)
