"""Weighted sums of several inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..norms.bounds import weakest
from ..operators import LinearOperator
from .base import Layer, Ord
from .images import down, scaled, up, within
from .merging import identity_on, number, same_shapes
from .regions import Box, Region


class Add(Layer):
    r"""Sum of inputs of one shape, :math:`y = \sum_i w_i x_i`.

    Parameters
    ----------
    weights : sequence of float, optional
        One finite number for each input; ones for any number of inputs by default. ``Add((1, -1))`` subtracts,
        ``Add((1 / k,) * k)`` averages.

    Raises
    ------
    TypeError
        If a weight is not a number.
    ValueError
        If `weights` is empty or a weight is not finite; from a call, if the shapes differ.

    See Also
    --------
    Residual : A sum of a layer and its input.
    Concatenate : Inputs one after the other.

    Notes
    -----
    The Jacobian is :math:`[w_1 I, \dots, w_k I]`. Its norm is :math:`\max |w_i|` for ord 1, :math:`\sqrt{\sum w_i^2}`
    for ord 2 and :math:`\sum |w_i|` for ord inf and "token" (where the norm of several inputs is that of the largest
    token of all), each attained by inputs that are multiples of one vector. Rigorous.

    Where the inputs are maps of one common input with constants :math:`L_i`, the sum has the constant
    :math:`\sum |w_i| L_i`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> minus = lc.layers.Add((1, -1))
    >>> minus(np.array([[3.0, 4.0]]), np.array([[1.0, 1.0]]))
    array([[2., 3.]])
    >>> print(minus.lipschitz(1))
    [1, 1] (rigorous)
    """

    inputs: int | None = None
    ords = (1, 2, math.inf, "token")

    def __init__(self, weights: Sequence[float] | None = None) -> None:
        self.weights = None if weights is None else tuple(number(w, "weights") for w in weights)
        if self.weights is not None:
            if not self.weights:
                raise ValueError("`weights` must hold at least one number, got none")
            self.inputs = len(self.weights)

    def _scales(self, count: int) -> tuple[float, ...]:
        return (1.0,) * count if self.weights is None else self.weights

    def _forward(self, *xs: Array) -> Array:
        same_shapes(type(self).__name__, [tuple(x.shape[1:]) for x in xs])
        terms = [x if w == 1 else w * x for w, x in zip(self._scales(len(xs)), xs, strict=True)]
        return reduce(add, terms) if len(terms) > 1 else B.copied(terms[0])

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self.operators([tuple(x.shape[1:]) for x in xs], xs[0])

    def operators(self, shapes: Sequence[Shape], like: Array) -> tuple[LinearOperator, ...]:
        """The Jacobian with respect to each input, the same everywhere, in the library of `like`."""
        same = identity_on(like, tuple(shapes[0]))
        return tuple(same if w == 1 else w * same for w in self._scales(len(shapes)))

    def _gains(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> tuple[Bounds, ...]:
        return tuple(Bounds(abs(w), abs(w), "rigorous", ord=ord) for w in self._scales(len(regions)))

    def _bounds(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Bounds:
        sizes = np.abs(self._scales(len(regions)))
        if ord == 1:
            return Bounds(float(np.max(sizes)), float(np.max(sizes)), "rigorous", ord=ord)
        if ord == 2:
            low, high = r.sum_squares(sizes)
            return Bounds(r.sqrt_down(low), r.sqrt_up(high), "rigorous")
        return Bounds(r.sum_down(sizes), r.sum_up(sizes), "rigorous", ord=ord)

    def constant_after(self, ord: Ord, gains: Sequence[Bounds], before: Sequence[Bounds]) -> Bounds:
        """Constant where all inputs are maps of one common input: the weighted sum of theirs.

        A weight is a multiple of the identity, so that its product with an earlier constant is exact on both sides.
        """
        return reduce(add, [earlier * w for w, earlier in zip(self._scales(len(before)), before, strict=True)])

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        known = [region for region in regions if region is not None]
        if len(known) < len(regions):
            return None
        same_shapes(type(self).__name__, [region.shape for region in known])
        scales = self._scales(len(known))
        low, high, center, size = (np.zeros(known[0].shape) for _ in range(4))
        for w, region in zip(scales, known, strict=True):
            ends = np.stack([scaled(region.lower, w), scaled(region.upper, w)])
            low = down(low + down(np.min(ends, axis=0)))
            high = up(high + up(np.max(ends, axis=0)))
            center = center + w * region.center
            size = size + np.abs(w * region.center)
        box = Box(low, high, kind=weakest([region.kind for region in known]))
        if all(isinstance(region, Box) for region in known):
            return box
        slack = (r.gamma(2 * len(known) + 2) * size) + 1e-300
        radii = {
            ord: r.sum_up(r.mul_up(np.abs(scales), np.asarray([region.spread(ord) for region in known])))
            for ord in (2, "token")
        }
        return within(box, center, radii, slack)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the inputs."""
        same_shapes(type(self).__name__, list(input_shapes))
        return tuple(input_shapes[0])
