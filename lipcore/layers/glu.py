"""The gated linear unit: one half of the input opens or closes the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..operators import Diagonal, LinearOperator
from ..operators.algebra import ProductOperator, SumOperator
from ..operators.placement import Placement
from .activations import Sigmoid
from .base import Ord
from .composite import Composite, Known
from .images import product
from .regions import Box, Host, Region


class GLU(Composite):
    r"""Gated linear unit, :math:`y = a \circ \sigma(b)` of the two halves a and b of the input along one axis.

    Parameters
    ----------
    axis : int
        Axis of a sample that is halved, the last by default.

    Raises
    ------
    TypeError
        If `axis` is not an integer.
    ValueError
        From a call, if `axis` is not an axis of a sample or of odd length.
    UnboundedError
        From `lipschitz`, without a bounded region: the gate's slope is multiplied by a.

    See Also
    --------
    Gated : Gates with weights of their own.

    Notes
    -----
    The Jacobian is :math:`[\mathrm{diag}(\sigma(b)), \mathrm{diag}(a \sigma'(b))]`. With the largest
    :math:`s = \sigma(b_i)` and :math:`t = |a_i| \sigma'(b_i)` on the intervals of the region the constant is at most
    :math:`\max(s, t)` for ord 1, :math:`(s^2 + t^2)^{1/2}` for ord 2 (rows are orthogonal to each other) and
    :math:`s + t` for ord inf, the largest over all entries; for "token" as for ord 2 on the last axis, where the two
    halves are of one token, and as for ord inf otherwise. Analytic. Source: Dauphin et al. 2017, arXiv 1612.08083.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.GLU()(np.array([[4.0, 0.0]]))
    array([[2.]])
    >>> box = lc.Box(np.array([0.0, -1.0]), np.array([4.0, 0.0]))
    >>> round(lc.layers.GLU().lipschitz(np.inf, box).upper, 6)
    1.5
    """

    ords: tuple[Ord, ...] = (1, 2, math.inf, "token")

    def __init__(self, axis: int = -1) -> None:
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise TypeError(f"`axis` must be an integer, got {axis!r}")
        self.axis = axis
        self._gate = Sigmoid()

    def _place(self, shape: Shape) -> int:
        rank = len(shape)
        if not -rank <= self.axis < rank:
            raise ValueError(f"`axis` must be an axis of samples of shape {tuple(shape)}, got {self.axis}")
        axis = self.axis % rank
        if shape[axis] % 2:
            raise ValueError(f"`axis` {axis} of samples of shape {tuple(shape)} has an odd length: it has no halves")
        return axis

    def _halves(self, x: Array) -> tuple[Array, Array]:
        axis = self._place(tuple(x.shape[1:])) + 1
        middle = x.shape[axis] // 2
        before = (slice(None),) * axis
        return x[(*before, slice(0, middle), ...)], x[(*before, slice(middle, None), ...)]

    def _forward(self, *xs: Array) -> Array:
        a, b = self._halves(xs[0])
        return a * self._gate(b)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp = B.array_namespace(x)
        a, b = self._halves(x)
        shape, axis = tuple(a.shape[1:]), self._place(tuple(x.shape[1:]))
        s = self._gate(b)
        factors = [xp.reshape(f, (x.shape[0], math.prod(shape))) for f in (s, a * s * (1 - s))]
        home = {"dtype": x.dtype, "xp": xp, "device": B.device_of(x)}
        length = shape[axis]
        halves = [Placement(shape, axis, *zeros, **home).H for zeros in ((0, length), (length, 0))]
        return (SumOperator(*(ProductOperator(Diagonal(f), h) for f, h in zip(factors, halves, strict=True))),)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one half."""
        shape = tuple(input_shapes[0])
        axis = self._place(shape)
        return (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])

    def _through(
        self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]
    ) -> tuple[tuple[Bounds, ...], Known]:
        (region,) = regions
        if region is None or not np.all(np.isfinite(region.magnitude)):
            raise self.unbounded("the slope of the gate is multiplied by the other half; give a region such as lc.Ball")
        (low, _), (high, _) = self._split(region.lower), self._split(region.upper)
        a = np.maximum(np.abs(low), np.abs(high))
        lower, upper = self._split(region.lower)[1], self._split(region.upper)[1]
        s = self._gate.value_range(lower, upper)[1]
        t = r.mul_up(a, self._gate.slope_range(lower, upper)[1])
        if ord == 1:
            sizes = np.maximum(s, t)
        elif ord == 2 or (ord == "token" and self._place(region.shape) == len(region.shape) - 1):
            sizes = r.sqrt_up(r.sum_squares(np.stack([s, t], axis=-1))[1])
        else:
            sizes = r.add_up(s, t)
        constant = Bounds(0.0, float(np.max(sizes, initial=0.0)), "analytic", ord=ord, method="product rule")
        image = self._image(regions, shapes)
        return (constant,), (image, self.output_shape(region.shape))

    def _split(self, ends: Host) -> tuple[Host, Host]:
        first, second = np.split(ends, 2, axis=self._place(ends.shape))
        return first, second

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        (a, c), (b, d) = self._split(region.lower), self._split(region.upper)
        return Box(*product(Box(a, b), Box(*self._gate.value_range(c, d))), kind="analytic")
