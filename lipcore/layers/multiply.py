"""Products of two inputs, entry by entry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import mul

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..norms.bounds import weakest
from ..operators import Diagonal, LinearOperator
from .base import Layer, Ord
from .images import product
from .merging import same_shapes
from .regions import Ball, Box, Host, Region


class Multiply(Layer):
    r"""Product of two inputs of one shape, :math:`y_i = x_i z_i`.

    Raises
    ------
    ValueError
        From a call, if the shapes differ.
    UnboundedError
        From `lipschitz`, without a bounded region for each input.

    See Also
    --------
    Gated : Products of two affine maps of one input.

    Notes
    -----
    The Jacobian is :math:`[\mathrm{diag}(z), \mathrm{diag}(x)]`, which no constant bounds everywhere. With
    :math:`|x_i| \le X_i` and :math:`|z_i| \le Z_i` on the region, the constant with respect to x alone is
    :math:`\max Z_i` in every norm (diagonal matrices), and with respect to both it is at most
    :math:`\max_i \max(X_i, Z_i)` for ord 1 (columns), :math:`\max_i \sqrt{X_i^2 + Z_i^2}` for ord 2 (rows that are
    orthogonal to each other) and :math:`\max_i X_i + Z_i` for ord inf (rows) and "token". For boxes these are attained
    at a corner. Rigorous.

    Where the two are maps of one common input with constants :math:`L_f` and :math:`L_g`, the product rule gives
    :math:`|f| L_g + |g| L_f`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> times = lc.layers.Multiply()
    >>> times(np.array([[2.0, 3.0]]), np.array([[5.0, -1.0]]))
    array([[10., -3.]])
    >>> unit = lc.Box(np.zeros(2), np.ones(2))
    >>> print(times.lipschitz(1, (unit, unit)))
    [1, 1] (rigorous)
    """

    inputs: int | None = 2
    ords = (1, 2, math.inf, "token")

    def _forward(self, *xs: Array) -> Array:
        same_shapes(type(self).__name__, [tuple(x.shape[1:]) for x in xs])
        return reduce(mul, xs)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        x, z = (B.array_namespace(x).reshape(x, (x.shape[0], math.prod(x.shape[1:]))) for x in xs)
        return Diagonal(z), Diagonal(x)

    def _sizes(self, regions: Sequence[Region | None]) -> list[Host]:
        sizes = [region.magnitude for region in regions if region is not None]
        if len(sizes) < len(regions) or not all(np.all(np.isfinite(size)) for size in sizes):
            raise self.unbounded("the product grows with its factors; give a bounded region for each, such as lc.Box")
        same_shapes(type(self).__name__, [size.shape for size in sizes])
        return sizes

    def _gains(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> tuple[Bounds, ...]:
        x, z = self._sizes(regions)
        reached = [attained(region) for region in regions if region is not None]
        pairs = ((z, reached[1]), (x, reached[0]))
        return tuple(
            Bounds(float(np.max(low, initial=0.0)), float(np.max(high, initial=0.0)), "rigorous", ord=ord)
            for high, low in pairs
        )

    def _bounds(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Bounds:
        sizes = np.stack(self._sizes(regions))
        reached = np.stack([attained(region) for region in regions if region is not None])
        if ord == 1:
            low, high = np.max(reached, axis=0), np.max(sizes, axis=0)
        elif ord == 2:
            low = r.sqrt_down(r.sum_squares(np.moveaxis(reached, 0, -1))[0])
            high = r.sqrt_up(r.sum_squares(np.moveaxis(sizes, 0, -1))[1])
        else:
            low, high = r.add_down(*reached), r.add_up(*sizes)
        return Bounds(float(np.max(low, initial=0.0)), float(np.max(high, initial=0.0)), "rigorous", ord=ord)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        a, b = regions
        if a is None or b is None:
            return None
        same_shapes(type(self).__name__, [a.shape, b.shape])
        return Box(*product(a, b), kind=weakest([a.kind, b.kind]))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the inputs."""
        same_shapes(type(self).__name__, list(input_shapes))
        return tuple(input_shapes[0])


def attained(region: Region) -> Host:
    """For each entry, an absolute value that some point of the region has, rounded down."""
    if isinstance(region, Box):
        return region.magnitude
    if isinstance(region, Ball):
        # a point that differs from the centre in this entry alone
        return np.asarray(r.add_down(np.abs(region.center), region.radius))
    return np.zeros(region.shape)
