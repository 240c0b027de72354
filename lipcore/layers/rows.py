"""The rows of a sample along one axis: how they are found, and what intervals say of probabilities."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from .base import Layer
from .regions import Ball, Box, Host, Region


def checked_axis(axis: int) -> int:
    """An axis other than that of the samples."""
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise TypeError(f"`axis` must be an integer, got {type(axis).__name__}")
    if axis == 0:
        raise ValueError("`axis` must not be 0, which counts samples; the axes of a sample start at 1")
    return axis


def sample_axis(axis: int, shape: Shape) -> int:
    """`axis`, which counts the samples' axis as well, as an axis of one sample."""
    place = axis + len(shape) if axis < 0 else axis - 1
    if not 0 <= place < len(shape):
        raise ValueError(f"`axis` {axis} is not an axis of samples of shape {tuple(shape)}, nor that of the samples")
    return place


def row_layout(axis: int, shape: Shape) -> tuple[int, int, int]:
    """A sample as (outer, n, inner), its rows in the middle."""
    place = sample_axis(axis, shape)
    return math.prod(shape[:place]), shape[place], math.prod(shape[place + 1 :])


class Intervals(NamedTuple):
    """Intervals of probabilities along the last axis, and of one minus them, each accurate where it is small."""

    low: Host
    high: Host
    rest_low: Host
    rest_high: Host
    slack: float  # the relative widening


def interval_probabilities(lower: Host, upper: Host) -> Intervals:
    r"""Enclosures of softmax along the last axis over intervals of its inputs.

    A probability is least where its own input is least and all others are largest; with
    :math:`s = \log \sum_{k \ne i} e^{u_k}` it is :math:`1 / (1 + e^{s - l_i})`. Sums without one term come from running
    sums of both sides, so that nothing cancels. The result is widened by a bound of the rounding of the running sums.
    """
    least, most, slack = _log_odds(lower, upper)
    return Intervals(
        np.maximum(_logistic(least) * (1 - slack), 0.0),
        np.minimum(_logistic(most) * (1 + slack), 1.0),
        np.maximum(_logistic(-most) * (1 - slack), 0.0),
        np.minimum(_logistic(-least) * (1 + slack), 1.0),
        slack,
    )


def interval_log_probabilities(lower: Host, upper: Host) -> tuple[Host, Host]:
    """Enclosures of log-softmax along the last axis; see `interval_probabilities`."""
    least, most, slack = _log_odds(lower, upper)
    low, high = (-np.logaddexp(0.0, -x) for x in (least, most))
    return low * (1 + 1e-15) - slack, np.minimum(high * (1 - 1e-15) + slack, 0.0)


def _log_odds(lower: Host, upper: Host) -> tuple[Host, Host, float]:
    """Intervals of each input less the log-sum-exp of the others, and a bound of the rounding."""
    with np.errstate(invalid="ignore"):
        ends = (lower - _without_each(upper), upper - _without_each(lower))
    least, most = (np.where(np.isnan(x), side * np.inf, x) for side, x in zip((-1, 1), ends, strict=True))
    finite = [np.abs(x[np.isfinite(x)]) for x in (lower, upper)]
    largest = max(float(np.max(x, initial=0.0)) for x in finite)
    return least, most, (lower.shape[-1] + 16) * 2.0**-50 * (1 + largest)


def _without_each(x: Host) -> Host:
    """``log(sum(exp(x)))`` along the last axis without each entry in turn; -inf for none."""
    with np.errstate(invalid="ignore"):
        before = np.logaddexp.accumulate(x, axis=-1)
        after = np.flip(np.logaddexp.accumulate(np.flip(x, axis=-1), axis=-1), axis=-1)
    nothing = np.full((*x.shape[:-1], 1), -np.inf)
    left = np.concatenate([nothing, before[..., :-1]], axis=-1)
    right = np.concatenate([after[..., 1:], nothing], axis=-1)
    return np.asarray(np.logaddexp(left, right))


def _logistic(x: Host) -> Host:
    return np.asarray(np.exp(np.minimum(x, 0.0)) / (1 + np.exp(-np.abs(x))))


def top_of_rows(xp: Namespace, rows: Array) -> Array:
    """The largest entry of each row, a constant to differentiation: what is taken away is added again."""
    return B.stop_gradient(xp.max(rows, axis=-2, keepdims=True))


class RowLayer(Layer):
    """A function of the rows of a sample along one axis.

    Parameters
    ----------
    axis : int
        Axis of the batched array, whose axis 0 counts samples.
    """

    def __init__(self, axis: int) -> None:
        self.axis = checked_axis(axis)
        if axis == -1:  # then a row is a token
            self.ords = (1, 2, math.inf, "token")

    def _probabilities(self, x: Array) -> Array:
        """Softmax of the rows, as (samples, outer, n, inner)."""
        xp = B.array_namespace(x)
        rows = xp.reshape(x, (x.shape[0], *row_layout(self.axis, tuple(x.shape[1:]))))
        weights = xp.exp(rows - top_of_rows(xp, rows))
        return weights / xp.sum(weights, axis=-2, keepdims=True)

    def _intervals(self, region: Region, scale: float = 1.0) -> Intervals:
        """Intervals of the probabilities (rows, n) over a region."""
        place = sample_axis(self.axis, region.shape)
        ends = [np.moveaxis(end, place, -1) / scale for end in (region.lower, region.upper)]
        return interval_probabilities(*(end.reshape(-1, end.shape[-1]) for end in ends))

    def _center_rows(self, region: Region) -> Host | None:
        """Probabilities (rows, n) at a point of the region."""
        if not isinstance(region, Ball | Box):
            return None
        p = np.moveaxis(self._probabilities(region.center[None])[0], -2, -1)
        return np.asarray(p.reshape(-1, p.shape[-1]))

    def _rows_of(self, shape: Shape | None) -> int | None:
        return None if shape is None else row_layout(self.axis, shape)[1]
