"""Pooling by the Euclidean norm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..operators import Diagonal, LinearOperator
from ..operators.separable import Separable
from .base import Layer, Ord
from .regions import Ball, Box, Intersection, Region
from .separable import sum_table
from .windows import PoolOptions, Windows, spatial_axes


class L2NormPool(Layer):
    r"""Euclidean norms of windows: torch's ``LPPool1d`` to ``LPPool3d`` with ``norm_type=2``.

    Parameters
    ----------
    kernel_size : int or tuple of int
        Pixels of a window; one number, or one for each of 1 to 3 spatial axes.
    stride : int or tuple of int, optional
        Step between windows; `kernel_size` by default.
    eps : float, optional
        Added to the sum of squares, nonnegative.

    Raises
    ------
    ValueError
        If an option is out of range, or does not fit the image.

    Notes
    -----
    .. math:: y_o = \sqrt{\varepsilon + \sum_{i \in o} x_i^2}, \qquad \partial y_o / \partial x_i = x_i / y_o .

    Where :math:`y_o = 0` (a window of zeros, without eps) the derivative is taken to be zero; the constants hold there
    as well. A row of the Jacobian is at most of length one. With c the largest number of windows that an input is in,
    and k the most pixels in a window, the best constants are

    - 2: :math:`\sqrt c`, since :math:`\|J v\|^2 \le \sum_o \sum_{i \in o} v_i^2 \le c \|v\|^2`; at an image with one
      peak all of its windows have that derivative;
    - 1: c, at the same image;
    - inf: :math:`\sqrt k`, at a constant image.

    With eps they are approached as the image grows. On a region whose windows have at most s for the sum of squares
    each is :math:`\sqrt{s / (s + \varepsilon)}` times that. Squares are formed as they are, so pixels below the root of
    the smallest number count as zero. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.L2NormPool(2)
    >>> layer(np.array([[[3.0, 4.0, 0.0, 0.0]]]))
    array([[[5., 0.]]])
    >>> layer.jacobian(np.array([[[3.0, 4.0, 0.0, 0.0]]])).to_dense()
    array([[[0.6, 0.8, 0. , 0. ],
            [0. , 0. , 0. , 0. ]]])
    >>> layer.lipschitz(2, input_shape=(1, 4))
    Bounds(1.0, 1.0, kind='rigorous')
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        eps: float = 0.0,
    ) -> None:
        self.options = PoolOptions(kernel_size, stride)
        self.eps = float(eps)
        if not 0 <= self.eps < math.inf:
            raise ValueError(f"`eps` must be nonnegative and finite, got {eps!r}")

    def _windows(self, shape: Shape) -> list[Windows]:
        return self.options.windows(spatial_axes(shape, "L2NormPool"))

    def _sums(self, shape: Shape, like: Array) -> Separable:
        tables = [None, *map(sum_table, self._windows(shape))]
        return Separable(tables, shape, dtype=like.dtype, xp=B.array_namespace(like), device=B.device_of(like))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        (shape,) = input_shapes
        return (shape[0], *(len(w.index) for w in self._windows(tuple(shape))))

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        return self._lengths(x, self._sums(tuple(x.shape[1:]), x))[0]

    def _lengths(self, x: Array, sums: Separable) -> tuple[Array, Array]:
        """Outputs, and their inverses, zero where an output is."""
        xp = B.array_namespace(x)
        squares = sums.apply(x * x) + self.eps
        nothing = squares <= 0
        # the root of zero has no derivative, which autograd would carry on
        y = xp.sqrt(xp.where(nothing, xp.ones_like(squares), squares))
        zero = xp.zeros_like(squares)
        return xp.where(nothing, zero, y), xp.where(nothing, zero, 1 / y)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp, shape, samples = B.array_namespace(x), tuple(x.shape[1:]), x.shape[0]
        sums = self._sums(shape, x)
        _, inverse = self._lengths(x, sums)
        left = Diagonal(xp.reshape(inverse, (samples, sums.shape[0])))
        right = Diagonal(xp.reshape(x, (samples, sums.shape[1])))
        return ((left @ sums @ right).with_shapes(shape, tuple(inverse.shape[1:])),)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        windows = self._windows(self.known_shape(shape))
        overlap = math.prod(int(np.max(w.counts)) for w in windows)
        count = float(math.prod(w.longest for w in windows) if ord == math.inf else overlap)
        low, high = (count, count) if ord == 1 else (float(r.sqrt_down(count)), float(r.sqrt_up(count)))
        if region is not None:
            low, high = 0.0, float(r.mul_up(high, self._damping(region)))
        return Bounds(low, high, "rigorous", ord=ord, method="overlap of windows")

    def _damping(self, region: Region) -> float:
        """Largest length of a row of the Jacobian on a region, rounded up."""
        if self.eps == 0:
            return 1.0
        with np.errstate(over="ignore"):
            squares = np.nextafter(np.square(region.magnitude), np.inf)
        sums = self._sums(region.shape, squares)
        s = float(np.max(sums.apply(np.where(np.isfinite(squares), squares, 0.0)), initial=0.0))
        if not np.all(np.isfinite(squares)):
            return 1.0
        s = s * (1 + 2 * r.gamma(math.prod(w.longest for w in self._windows(region.shape)) + 2))
        return min(1.0, float(r.sqrt_up(r.div_up(s, r.add_down(s, self.eps)))))

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        sums = self._sums(region.shape, region.lower)
        slack = 2 * r.gamma(sums.shape[1] + 8)
        least = np.where(
            (region.lower <= 0) & (region.upper >= 0), 0.0, np.minimum(abs(region.lower), abs(region.upper))
        )
        most = region.magnitude
        endless = ~np.isfinite(most)
        with np.errstate(over="ignore"):
            low, high = (sums.apply(np.square(m)) + self.eps for m in (least, np.where(endless, 0.0, most)))
        low = np.sqrt(low) * (1 - slack)
        high = np.where(sums.apply(np.where(endless, 1.0, 0.0)) > 0, np.inf, np.sqrt(high) * (1 + slack) + 1e-150)
        box = Box(np.maximum(low - 1e-150, 0.0), high, kind=region.kind)
        if not isinstance(region, Ball) or region.ord == math.inf:
            return box
        gain = self.lipschitz(2, region)
        centre = self._forward(region.center[None])[0]
        lost = float(np.linalg.norm(centre)) * slack + 1e-150
        radius = float(r.add_up(r.mul_up(gain.upper, region.spread(2)), lost))
        return Intersection(box, Ball(centre, radius, 2, kind=region.kind)) if math.isfinite(radius) else box
