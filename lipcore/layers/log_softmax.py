"""The logarithm of softmax, and of the sum of exponentials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..operators import LinearOperator
from ..operators.row_maps import LogSoftmaxJacobian, LogSumExpJacobian
from .base import Ord
from .regions import Box, Region
from .rows import RowLayer, interval_log_probabilities, row_layout, sample_axis, top_of_rows


class LogSoftmax(RowLayer):
    r"""Logarithm of softmax along an axis, :math:`x_i - \log \sum_j e^{x_j}`.

    Parameters
    ----------
    axis : int
        Axis of the batched array, whose axis 0 counts samples.

    Raises
    ------
    ValueError
        If `axis` is 0.

    Notes
    -----
    The Jacobian of a row of n entries is the projection :math:`I - 1 p^T`, and :math:`\|I - P\| = \|P\|` for a
    projection. Its 2-norm is :math:`\sqrt n \|p\|_2`, with the supremum :math:`\sqrt n`; its 1-norm is
    :math:`1 + (n - 2) \max_j p_j`, with the supremum n - 1; its inf-norm is :math:`2 (1 - \min_i p_i)`, with the
    supremum 2. All are approached as one probability tends to 1; with one entry the constant is 0. Over a region the
    formulas are evaluated for intervals of probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.LogSoftmax()
    >>> layer(np.array([[0.0, 0.0], [0.0, 1000.0]]))
    array([[-6.931e-01, -6.931e-01],
           [-1.000e+03,  0.000e+00]])
    >>> [layer.lipschitz(ord, input_shape=(9,)).upper for ord in (1, 2, np.inf)]
    [8.0, 3.0, 2.0]
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__(axis)

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        xp = B.array_namespace(x)
        rows = xp.reshape(x, (x.shape[0], *row_layout(self.axis, tuple(x.shape[1:]))))
        centered = rows - top_of_rows(xp, rows)
        total = xp.sum(xp.exp(centered), axis=-2, keepdims=True)
        return xp.reshape(centered - xp.log(total), tuple(x.shape))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return (LogSoftmaxJacobian(self._probabilities(xs[0])),)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        n = row_layout(self.axis, self.known_shape(shape))[1]
        if n < 2:
            return Bounds(0.0, 0.0, "rigorous", ord=ord, method="a single entry")
        if region is None:
            exact = {1: float(n - 1), math.inf: 2.0}
            low, high = (exact[ord],) * 2 if ord in exact else (r.sqrt_down(float(n)), _root(n))
            return Bounds(low, high, "rigorous", ord=ord, method="norm of a projection")
        p = self._intervals(region)
        most = float(np.max(p.high, initial=0.0))
        if ord == 1:
            top = min(1 + (n - 2) * most, float(n - 1))
        elif ord == math.inf:
            top = min(2 * float(np.max(p.rest_high, initial=0.0)), 2.0)
        else:
            squares = np.minimum(np.max(p.high, axis=-1), np.sum(p.high**2, axis=-1))
            top = math.sqrt(n * float(np.max(squares, initial=0.0)))
        top *= 1 + 1e-13
        return Bounds(min(self._attained(ord, region, n), top), top, "analytic", ord=ord, method="intervals")

    def _attained(self, ord: Ord, region: Region, n: int) -> float:
        p = self._center_rows(region)
        if p is None:
            return 0.0
        if ord == 1:
            low = 1 + (n - 2) * np.max(p, axis=-1)
        elif ord == math.inf:
            low = 2 * (1 - np.min(p, axis=-1))
        else:
            low = math.sqrt(n) * np.sqrt(np.sum(p * p, axis=-1))
        return float(np.max(low, initial=0.0)) * (1 - 1e-13 * n)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        place = sample_axis(self.axis, region.shape)
        rows = [np.moveaxis(end, place, -1) for end in (region.lower, region.upper)]
        low, high = (np.moveaxis(end, -1, place) for end in interval_log_probabilities(*rows))
        return Box(low, high, kind="analytic")


class LogSumExp(RowLayer):
    r"""Logarithm of the sum of exponentials along an axis.

    Parameters
    ----------
    axis : int
        Axis of the batched array, whose axis 0 counts samples; it is dropped.

    Raises
    ------
    ValueError
        If `axis` is 0.

    Notes
    -----
    The Jacobian of a row is the probability vector :math:`p^T` of softmax: its 1-norm :math:`\max_j p_j` and 2-norm
    :math:`\|p\|_2` approach 1 as one probability does, its inf-norm is 1 everywhere. The constant is 1 in every norm.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.LogSumExp()(np.array([[0.0, 0.0], [0.0, 1000.0]]))
    array([6.931e-01, 1.000e+03])
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__(axis)
        self.ords = (1, 2, math.inf)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample, the axis dropped."""
        (shape,) = input_shapes
        place = sample_axis(self.axis, shape)
        return (*shape[:place], *shape[place + 1 :])

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        xp, shape = B.array_namespace(x), tuple(x.shape[1:])
        rows = xp.reshape(x, (x.shape[0], *row_layout(self.axis, shape)))
        top = top_of_rows(xp, rows)
        value = top + xp.log(xp.sum(xp.exp(rows - top), axis=-2, keepdims=True))
        return xp.reshape(value, (x.shape[0], *self.output_shape(shape)))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return (LogSumExpJacobian(self._probabilities(xs[0])),)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        if region is None or ord == math.inf:
            return Bounds(1.0, 1.0, "rigorous", ord=ord, method="length of probability vectors")
        p = self._intervals(region)
        most = np.max(p.high, axis=-1)
        squares = most if ord == 1 else np.minimum(np.sqrt(most), np.sqrt(np.sum(p.high**2, axis=-1)))
        top = min(float(np.max(squares, initial=0.0)) * (1 + 1e-13), 1.0)
        center = self._center_rows(region)
        low = 0.0
        if center is not None:
            lengths = np.max(center, axis=-1) if ord == 1 else np.sqrt(np.sum(center * center, axis=-1))
            low = float(np.max(lengths, initial=0.0)) * (1 - 1e-13 * center.shape[-1])
        return Bounds(min(low, top), top, "analytic", ord=ord, method="intervals of probabilities")

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        ends = []
        for side, end in ((-1.0, region.lower), (1.0, region.upper)):
            finite = np.clip(end, -1e300, 1e300)
            value = np.asarray(self._forward(finite[None])[0])
            error = 1e-14 * (np.abs(value) + end.shape[sample_axis(self.axis, end.shape)])
            beyond = np.any(np.isinf(end), axis=sample_axis(self.axis, end.shape))
            ends.append(np.where(beyond, side * np.inf, value + side * error))
        return Box(ends[0], ends[1], kind="analytic")


def _root(n: int) -> float:
    exact = math.isqrt(n)
    return float(exact) if exact * exact == n else float(r.sqrt_up(float(n)))
