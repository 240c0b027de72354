"""Sorting within groups of entries."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from ..norms import Bounds
from ..operators import LinearOperator
from ..operators.selection import Selection
from .base import Layer, Ord
from .regions import Ball, Box, Host, Intersection, Region
from .rows import checked_axis, row_layout
from .scalars import count


class GroupSort(Layer):
    r"""Entries sorted in ascending order within groups of neighbours along an axis.

    Parameters
    ----------
    group_size : int
        Entries of a group, which divides the axis.
    axis : int
        Axis of the batched array, whose axis 0 counts samples; 1 is the channels.

    Raises
    ------
    ValueError
        If `group_size` is not positive or does not divide the axis, or `axis` is 0.

    Notes
    -----
    The Jacobian is a permutation, by which the entries are moved (equal ones keep their order). Sorting is nonexpansive
    in every norm, and its constant is 1 in each, attained everywhere. Anil, Lucas and Grosse 2019 (arXiv 1811.05381).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> sort = lc.layers.GroupSort(2)
    >>> sort(np.array([[3.0, 1.0, 0.0, 2.0]]))
    array([[1., 3., 0., 2.]])
    >>> sort.lipschitz(np.inf).upper
    1.0
    """

    descending = False

    def __init__(self, group_size: int = 2, axis: int = 1) -> None:
        self.group_size, self.axis = count(group_size, "group_size"), checked_axis(axis)
        if axis == -1:  # then groups lie within a token
            self.ords = (1, 2, math.inf, "token")

    def _groups(self, shape: Shape) -> Shape:
        """A sample as (groups, group_size, inner)."""
        outer, n, inner = row_layout(self.axis, shape)
        size = self.group_size
        if n % size:
            raise ValueError(f"`group_size` {size} must divide the axis {self.axis}, which has {n} entries")
        return (outer * (n // size), size, inner)

    def _sorted(self, xp: Namespace, rows: Array) -> Array:
        return xp.sort(rows, axis=-2, descending=self.descending, stable=True)

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        xp = B.array_namespace(x)
        rows = xp.reshape(x, (x.shape[0], *self._groups(tuple(x.shape[1:]))))
        return xp.reshape(self._sorted(xp, rows), tuple(x.shape))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp, shape = B.array_namespace(x), tuple(x.shape[1:])
        groups, size, inner = self._groups(shape)
        rows = xp.reshape(B.stop_gradient(x), (x.shape[0], groups, size, inner))
        order = xp.argsort(rows, axis=-2, descending=self.descending, stable=True)
        options = {"dtype": order.dtype, "device": B.device_of(order)}
        start = xp.reshape(xp.arange(groups, **options) * (size * inner), (groups, 1, 1))
        index = start + order * inner + xp.reshape(xp.arange(inner, **options), (1, 1, inner))
        n = math.prod(shape)
        return (Selection(xp.reshape(index, (x.shape[0], n)), n, dtype=x.dtype),)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        if shape is not None:
            self._groups(shape)
        one = 0.0 if shape is not None and math.prod(shape) == 0 else 1.0
        return Bounds(one, one, "rigorous", ord=ord, method="permutation")

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        return None if region is None else self._moved(region)

    def _moved(self, region: Region) -> Region:
        """Exactly: the k-th entry lies between the k-th lower and the k-th upper ends, balls stay balls."""
        if isinstance(region, Intersection):
            return Intersection(*(self._moved(part) for part in region.regions))
        box = Box(self._on_host(region.lower), self._on_host(region.upper), kind=region.kind)
        if not isinstance(region, Ball) or region.ord == math.inf:
            return box
        center = self._on_host(region.center)
        if region.ord == "token" and "token" not in self.ords:
            return Intersection(box, Ball(center, region.spread(2), 2, kind=region.kind))
        return Intersection(box, Ball(center, region.radius, region.ord, kind=region.kind))

    def _on_host(self, x: Host) -> Host:
        rows = np.sort(x.reshape(self._groups(x.shape)), axis=-2)
        return np.array(np.flip(rows, axis=-2) if self.descending else rows).reshape(x.shape)


class MaxMin(GroupSort):
    r"""The larger and the smaller of each pair of neighbours along an axis.

    Parameters
    ----------
    axis : int
        Axis of the batched array, whose axis 0 counts samples; 1 is the channels.

    Raises
    ------
    ValueError
        If the axis has an odd number of entries, or `axis` is 0.

    Notes
    -----
    Sorting in descending order within pairs; the constant is 1 in every norm. Anil, Lucas and Grosse 2019
    (arXiv 1811.05381).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.MaxMin()(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[3., 1., 2., 0.]])
    """

    descending = True

    def __init__(self, axis: int = 1) -> None:
        super().__init__(2, axis)


class FullSort(GroupSort):
    r"""All entries along an axis sorted in ascending order.

    Parameters
    ----------
    axis : int
        Axis of the batched array, whose axis 0 counts samples; 1 is the channels.

    Raises
    ------
    ValueError
        If `axis` is 0.

    Notes
    -----
    A single group; the constant is 1 in every norm.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.FullSort()(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[0., 1., 2., 3.]])
    """

    def __init__(self, axis: int = 1) -> None:
        super().__init__(1, axis)

    def _groups(self, shape: Shape) -> Shape:
        return row_layout(self.axis, shape)
