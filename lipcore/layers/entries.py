"""Layers whose outputs are inputs, each at most once: permutations and parts of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .._typing import Shape
from ..norms import Bounds
from .base import Ord
from .linear import LinearLayer
from .regions import Ball, Box, Host, Intersection, Region


class EntryLayer(LinearLayer):
    """Every output is one input, and no input occurs twice.

    Notes
    -----
    The constant is 1 in every norm, at every shape. Regions go through exactly: boxes and balls stay what they are,
    except that balls in the norm "token", whose tokens do not stay together, become boxes and Euclidean balls.
    """

    nonnegative = True

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        some = 0.0 if shape is not None and math.prod(self.output_shape(shape)) == 0 else 1.0
        return Bounds(some, some, "rigorous", ord=ord, method="permutation")

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        return None if region is None else self._moved(region)

    def _moved(self, region: Region) -> Region:
        if isinstance(region, Intersection):
            return Intersection(*(self._moved(part) for part in region.regions))
        box = Box(self._entries(region.lower), self._entries(region.upper), kind=region.kind)
        if not isinstance(region, Ball):
            return box
        center = self._entries(region.center)
        if region.ord == "token":
            return Intersection(box, Ball(center, region.spread(2), 2, kind=region.kind))
        return Ball(center, region.radius, region.ord, kind=region.kind)

    def _entries(self, x: Host) -> Host:
        """The map itself on a host array of one sample, which may hold infinities."""
        return np.asarray(self._forward(x[None])[0])
