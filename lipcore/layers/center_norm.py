"""Norms that only take the mean away."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..norms.row_maps import centered_norm
from ..operators import LinearOperator
from ..operators.row_maps import RowNormalization
from .base import Ord
from .layer_norm import LastAxes
from .regions import Ball, Box, Intersection, Region


class CenterNorm(LastAxes):
    r"""Centre norm, :math:`\frac{n}{n - 1}\, g \circ (x - \bar x) + b` over the last axes of n entries.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last axes of a sample, over which the mean is taken, of at least two entries together.
    weight, bias : array, shape (*normalized_shape), optional
        The factors g and the shift b.

    Raises
    ------
    ValueError
        If a shape does not fit, or there is one entry only.

    Notes
    -----
    A linear map, whose constants are norms of :math:`\frac{n}{n-1} \mathrm{diag}(g) C` with
    :math:`C = I - 1 1^T / n`: without factors :math:`n/(n-1)` in the 2-norm and 2 in the others; with them
    :math:`\frac{n}{n-1} \|\mathrm{diag}(g) C\|_2`, from a secular equation, :math:`2 \max|g|` in the inf-norm and
    :math:`\max_j (|g_j| + \frac{1}{n-1} \sum_{i \ne j} |g_i|)` in the 1-norm. Rigorous.
    Qi, Wang, Chen, Shi and Zhang 2023 (arXiv 2304.09856).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> norm = lc.layers.CenterNorm(5)
    >>> norm(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    array([[-2.5 , -1.25,  0.  ,  1.25,  2.5 ]])
    >>> round(norm.lipschitz().upper, 9)
    1.25
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], weight: Array | None = None, bias: Array | None = None
    ) -> None:
        super().__init__(normalized_shape, 0.0, weight, bias)
        if math.prod(self.normalized_shape) < 2:
            raise ValueError(f"`normalized_shape` must hold at least two entries, got {self.normalized_shape}")

    @property
    def _factor(self) -> float:
        n = math.prod(self.normalized_shape)
        return n / (n - 1)

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        xp = B.array_namespace(x)
        layout = self._layout(tuple(x.shape[1:]))
        rows = xp.reshape(x, (x.shape[0], *layout))
        y = self._factor * (rows - xp.mean(rows, axis=-2, keepdims=True))
        gain, shift = (self._parameter(xp, name, layout, x.dtype) for name in ("weight", "bias"))
        y = y if gain is None else y * gain
        return xp.reshape(y if shift is None else y + shift, tuple(x.shape))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp, device = B.array_namespace(x), B.device_of(x)
        layout = self._layout(tuple(x.shape[1:]))
        still = xp.zeros(layout, dtype=x.dtype, device=device)
        factor = xp.full((layout[0], 1, 1), self._factor, dtype=x.dtype, device=device)
        gain = self._parameter(xp, "weight", layout, x.dtype)
        return (RowNormalization(still, factor, gain, centered=True, count=1),)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        layout = self._known_layout(shape)
        n = layout[1]
        gain = self._host_rows("weight", layout)
        sizes = np.ones((1, n)) if gain is None else np.abs(gain)
        if ord == math.inf:
            top = 2 * float(np.max(sizes))
            return Bounds(top, top, "rigorous", ord=ord, method="row sums")
        if ord == 1:
            total, top = float(r.sum_up(sizes)), float(np.max(sizes))
            # |g_j| + (total - |g_j|) / (n - 1) grows with |g_j|, or does not change
            value = top + (total - top) / (n - 1)
            slack = value * r.gamma(n + 8)
            return Bounds(max(value - 2 * slack, 0.0), value + 2 * slack, "rigorous", ord=ord, method="column sums")
        low, high = (float(np.max(end)) for end in centered_norm(sizes))
        ratio = r.div_down(float(n), float(n - 1)), r.div_up(float(n), float(n - 1))
        return Bounds(
            r.mul_down(low, ratio[0]), r.mul_up(high, ratio[1]), "rigorous", ord=ord, method="secular equation"
        )

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        shape = region.shape
        layout = self._layout(shape)
        n = layout[1]
        gain, shift = (self._host_over(name, layout, shape) for name in ("weight", "bias"))
        factor = np.ones(layout) if gain is None else gain.reshape(layout)
        offset = np.zeros(layout) if shift is None else shift.reshape(layout)
        lower, upper = region.lower.reshape(layout), region.upper.reshape(layout)
        with np.errstate(invalid="ignore"):
            # an entry less the mean of the others, which is n / (n - 1) times itself less the mean of all
            ends = [x - (np.sum(y, axis=1, keepdims=True) - y) / (n - 1) for x, y in ((lower, upper), (upper, lower))]
            error = (n + 8) * 2.0**-51 * (np.max(np.maximum(np.abs(lower), np.abs(upper)), axis=1, keepdims=True))
            ends = [
                np.where(np.isnan(x), side * np.inf, x + side * error) for x, side in zip(ends, (-1, 1), strict=True)
            ]
            products = [np.where(factor == 0, 0.0, factor * x) for x in ends]
        spare = 4e-16 * (
            np.abs(offset)
            + np.where(np.isfinite(products[0] + products[1]), np.abs(products[0]) + np.abs(products[1]), 0.0)
        )
        low, high = np.minimum(*products) + offset - spare, np.maximum(*products) + offset + spare
        box = Box(low.reshape(shape), high.reshape(shape), kind=region.kind)
        if not isinstance(region, Ball) or region.ord == math.inf:
            return box
        center = np.asarray(self._forward(region.center[None])[0])
        radius = r.mul_up(self._constant(2, region, shape).upper, region.spread(2))
        error = (n + 16) * 2.0**-50 * float(np.linalg.norm(np.abs(center)) + np.max(region.magnitude) * n)
        return Intersection(box, Ball(center, r.add_up(radius, error), 2, kind="analytic"))
