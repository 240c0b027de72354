"""Inputs one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..norms.bounds import weakest
from ..operators import LinearOperator
from ..operators.placement import Placement
from .base import Layer, Ord
from .images import within
from .regions import Box, Region


class Concatenate(Layer):
    r"""Inputs joined along one axis of a sample.

    Parameters
    ----------
    axis : int
        Axis of a sample, which has no sample axis: 0 joins channels, -1 the last axis.

    Raises
    ------
    TypeError
        If `axis` is not an integer.
    ValueError
        From a call, if `axis` is not an axis of the samples, or their other axes differ.

    See Also
    --------
    Parallel : Branches of one input, joined.

    Notes
    -----
    With respect to all inputs the Jacobian is a permutation: the constant is 1 in every norm (for "token" and the last
    axis, where k parts of one token are joined, :math:`\sqrt k`). Rigorous.

    Where the inputs are maps of one common input with constants :math:`L_i`, their Jacobians lie on top of each other:
    the constant is :math:`\sum L_i` for ord 1, :math:`\sqrt{\sum L_i^2}` for ord 2 and :math:`\max L_i` for ord inf
    (and for "token", unless the last axis is joined: then as for ord 2). It is at least the largest of them.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> join = lc.layers.Concatenate(0)
    >>> join(np.array([[1.0, 2.0]]), np.array([[3.0]]))
    array([[1., 2., 3.]])
    >>> print(join.lipschitz(2, input_shape=((2,), (1,))))
    [1, 1] (rigorous)
    """

    inputs: int | None = None
    ords = (1, 2, math.inf, "token")

    def __init__(self, axis: int = 0) -> None:
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise TypeError(f"`axis` must be an integer, got {axis!r}")
        self.axis = axis

    def _place(self, shapes: Sequence[Shape]) -> int:
        """The axis from the front, the shapes checked."""
        rank = len(shapes[0])
        if not -rank <= self.axis < rank:
            raise ValueError(f"`axis` must be an axis of the samples of shape {tuple(shapes[0])}, got {self.axis}")
        axis = self.axis % rank
        if len({(*shape[:axis], *shape[axis + 1 :], len(shape)) for shape in shapes}) > 1:
            raise ValueError(
                f"the inputs may differ along axis {axis} alone, got samples of {list(map(tuple, shapes))}"
            )
        return axis

    def _forward(self, *xs: Array) -> Array:
        axis = self._place([tuple(x.shape[1:]) for x in xs])
        return B.array_namespace(*xs).concat(list(xs), axis=axis + 1)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self.operators([tuple(x.shape[1:]) for x in xs], xs[0])

    def operators(self, shapes: Sequence[Shape], like: Array) -> tuple[LinearOperator, ...]:
        """The Jacobian with respect to each input, the same everywhere, in the library of `like`."""
        axis = self._place(shapes)
        starts = [sum(shape[axis] for shape in shapes[:i]) for i in range(len(shapes) + 1)]
        home = {"dtype": like.dtype, "xp": B.array_namespace(like), "device": B.device_of(like)}
        return tuple(
            Placement(shape, axis, start, starts[-1] - start - shape[axis], **home)
            for shape, start in zip(shapes, starts[:-1], strict=True)
        )

    def _gains(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> tuple[Bounds, ...]:
        return (Bounds(1.0, 1.0, "rigorous", ord=ord),) * len(regions)

    def _bounds(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Bounds:
        shape = next((shape for shape in shapes if shape is not None), None)
        if ord != "token" or not self.joins_tokens(shape):
            return Bounds(1.0, 1.0, "rigorous", ord=ord)
        count = float(len(regions))
        low = r.sqrt_down(count) if self.axis == -1 or shape is not None else 1.0
        return Bounds(low, r.sqrt_up(count), "rigorous", ord=ord)

    def joins_tokens(self, shape: Shape | None = None) -> bool:
        """Whether the last axis, along which a token lies, may be the one that is joined."""
        return self.axis == -1 or (self.axis >= 0 if shape is None else self.axis % len(shape) == len(shape) - 1)

    def constant_after(self, ord: Ord, gains: Sequence[Bounds], before: Sequence[Bounds]) -> Bounds:
        """Constant where all inputs are maps of one common input; the gains are ones."""
        first, *others = before
        if not others:
            return first
        if ord == 1:
            total = reduce(add, others, first)
            largest = first.maximum(*others)
            return replace(total, lower=largest.lower, log2_lower=largest.log2_lower)
        if ord == 2 or (ord == "token" and self.joins_tokens()):
            euclidean = [replace(bounds, ord=2) for bounds in before]
            return replace(euclidean[0].stacked(*euclidean[1:]), ord=ord)
        return first.maximum(*others)

    def constant_beside(self, ord: Ord, before: Sequence[Bounds]) -> Bounds:
        """Constant where each input is a map of an input of its own: blocks on the diagonal."""
        first, *others = before
        return first.maximum(*others)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        known = [region for region in regions if region is not None]
        if len(known) < len(regions):
            return None
        axis = self._place([region.shape for region in known])
        low, high, center = (
            np.concatenate(ends, axis=axis)
            for ends in zip(*((region.lower, region.upper, region.center) for region in known), strict=True)
        )
        box = Box(low, high, kind=weakest([region.kind for region in known]))
        if all(isinstance(region, Box) for region in known):
            return box
        reach = {ord: np.asarray([region.spread(ord) for region in known]) for ord in (2, "token")}
        joined = {ord: r.sqrt_up(r.sum_squares(each)[1]) for ord, each in reach.items() if np.all(np.isfinite(each))}
        if "token" in joined and axis < low.ndim - 1:
            joined["token"] = float(np.max(reach["token"]))
        return within(box, center, joined, np.zeros(low.shape))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the joined sample."""
        axis = self._place(input_shapes)
        total = sum(shape[axis] for shape in input_shapes)
        first = input_shapes[0]
        return (*first[:axis], total, *first[axis + 1 :])
