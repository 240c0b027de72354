"""Layers of lipcore for pooling that is scaled to the constant 1, and for centring."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import _backend as B
from ... import layers as L
from ..._typing import Array, Shape
from ...layers.base import Ord
from ...layers.linear import LinearLayer
from ...layers.separable import SeparableLayer, mean_table
from ...layers.windows import PoolOptions, Windows, adaptive_windows, spatial_axes
from ...norms import Bounds
from ...operators import Identity, LinearOperator
from ...operators.axis_table import AxisTable
from ...operators.separable import Separable


class ScaledMeans(SeparableLayer):
    """Means over windows times the root of their size over the number of windows that a pixel is in.

    Parameters
    ----------
    pool : PoolOptions or tuple of int
        Windows that slide, or how many of them divide each axis.
    scale : float
        Factor of the result.
    """

    def __init__(self, pool: Any, scale: float = 1.0) -> None:
        self.pool, self.scale = pool, float(scale)

    def _tables(self, shape: Shape) -> Sequence[AxisTable | None]:
        spatial = spatial_axes(shape, "ScaledAvgPool")
        if isinstance(self.pool, PoolOptions):
            windows = self.pool.windows(spatial)
            # what any image has, as the module cannot know which it will meet
            gains = [k * -((-k // s) ** -1.0) for k, s, *_ in self.pool.per_axis(len(spatial))]
        else:
            windows = _dividing(spatial, self.pool)
            gains = [window_gain([int(n) for n in w.span], int(np.max(w.counts))) for w in windows]
        factors = [math.sqrt(gain) * self.scale ** (1 / len(windows)) for gain in gains]
        return [None, *(mean_table(w, np.asarray(w.span) / f) for w, f in zip(windows, factors, strict=True))]


class AdaptiveLengths(L.L2NormPool):
    """Euclidean norms of windows that divide each axis.

    Parameters
    ----------
    output_size : tuple of int
        Windows of each axis.
    """

    def __init__(self, output_size: Sequence[int]) -> None:
        super().__init__(1)
        self.output_size = tuple(output_size)

    def _windows(self, shape: Shape) -> list[Windows]:
        return _dividing(spatial_axes(shape, "ScaledL2NormPool"), self.output_size)


class Centring(LinearLayer):
    r"""Differences from the mean over the last axes of a sample.

    Parameters
    ----------
    axes : int
        How many axes the mean runs over.
    bias : array, shape (channels,), optional
        Added to each channel, the first axis of a sample.

    Notes
    -----
    An orthogonal projection: the constant in the 2-norm is 1, or 0 where there is one entry. In the 1- and inf-norm
    :math:`2 - 2/n` for n entries.
    """

    def __init__(self, axes: int, bias: Array | None = None) -> None:
        self.axes, self.bias = axes, bias

    def _count(self, shape: Shape) -> int:
        if len(shape) < self.axes:
            raise ValueError(f"Centring takes samples with at least {self.axes} axes, got the shape {shape}")
        return math.prod(shape[len(shape) - self.axes :])

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        return self._less(shape, like, -1.0)

    def _sizes(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        # no less than sums of absolute entries, which are 1 - 1/n on the diagonal and 1/n beside it
        return self._less(shape, like, 1.0)

    def _less(self, shape: Shape, like: Array, sign: float) -> LinearOperator:
        """The identity and `sign` times the mean, as what the mean is repeated to."""
        kept = len(shape) - self.axes
        means = [None] * kept + [mean_table(w, w.span) for w in (adaptive_windows(n, 1) for n in shape[kept:])]
        place: dict[str, Any] = {"dtype": like.dtype, "xp": B.array_namespace(like), "device": B.device_of(like)}
        mean = Separable(means, shape, **place)
        both: LinearOperator = Identity(math.prod(shape), **place) + sign * self._count(shape) * (mean.H @ mean)
        return both.with_shapes(shape, shape)

    def _offset(self, shape: Shape) -> Array | None:
        if self.bias is None:
            return None
        return B.array_namespace(self.bias).reshape(self.bias, (-1,) + (1,) * (len(shape) - 1))

    def _constant(self, ord: Ord, region: L.Region | None, shape: Shape | None) -> Bounds:
        count = self._count(self.known_shape(shape))
        if count == 1:
            return Bounds(0.0, 0.0, "rigorous", ord=ord)
        exact = 1.0 if ord == 2 else 2.0 - 2.0 / count
        return Bounds(exact * (1 - 2e-16), exact if ord == 2 else exact * (1 + 4e-16), "rigorous", ord=ord)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the input."""
        return tuple(input_shapes[0])


def _dividing(spatial: Shape, counts: Any) -> list[Windows]:
    if len(spatial) != len(counts):
        raise ValueError(f"`output_size` {counts} does not fit images of {len(spatial)} spatial axes {spatial}")
    return [adaptive_windows(n, m) for n, m in zip(spatial, counts, strict=True)]


def window_gain(sizes: Sequence[int], overlap: int) -> float:
    """Smallest size of a window over the number of windows that a pixel is in.

    Means over windows of k_o pixels have ``||A x||^2 <= sum_o sum_{i in o} x_i^2 / k_o <= c / min(k) ||x||^2``.
    """
    return min(sizes) / overlap
