"""Reflections of pairs that one side of a line undergoes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from ..norms import Bounds
from ..norms import rounding as r
from ..operators import LinearOperator
from ..operators.row_maps import PairMap
from .base import Layer, Ord
from .regions import Ball, Box, Host, Intersection, Region
from .rows import checked_axis, row_layout


class Householder(Layer):
    r"""Pairs of neighbours along an axis, reflected in a line where they lie on one side of it.

    Parameters
    ----------
    theta : array, shape (pairs,) or (1,)
        Twice the angle of the line, for each pair along the axis, or one for all.
    axis : int
        Axis of the batched array, whose axis 0 counts samples; 1 is the channels.

    Raises
    ------
    ValueError
        If `theta` has not one axis or is not finite, the axis has an odd number of entries or another number of pairs,
        or `axis` is 0.

    Notes
    -----
    A pair z stays where :math:`z_1 \sin(\theta/2) > z_2 \cos(\theta/2)` and becomes

    .. math:: \begin{pmatrix} \cos\theta & \sin\theta \\ \sin\theta & -\cos\theta \end{pmatrix} z

    elsewhere, which is the same on the line between. The Jacobian of a pair is orthogonal: the constant is 1 in the
    2-norm. In the 1- and inf-norm it is the largest :math:`|\cos\theta| + |\sin\theta|`, at most :math:`\sqrt 2`
    however many entries there are, attained wherever that pair is reflected. At :math:`\theta = \pi/2` it is `MaxMin`.
    Singla, Singla and Feizi 2022 (arXiv 2108.04062).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> fold = lc.layers.Householder(np.array([np.pi / 2]))
    >>> fold(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[3., 1., 2., 0.]])
    >>> round(lc.layers.Householder(np.array([np.pi / 4])).lipschitz(np.inf).upper, 6)
    1.414214
    """

    def __init__(self, theta: Array, axis: int = 1) -> None:
        self.axis = checked_axis(axis)
        B.array_namespace(theta, name="theta")
        if theta.ndim != 1 or theta.shape[0] == 0:
            raise ValueError(f"`theta` must have shape (pairs,) or (1,), got {tuple(theta.shape)}")
        self.theta = theta
        # under tracing there are no numbers to look at, and the map needs none
        if not B.is_traced(theta) and not np.all(np.isfinite(self._host)):
            raise ValueError("`theta` must be finite, it holds NaN or infinity")
        if axis == -1:  # then pairs lie within a token
            self.ords = (1, 2, math.inf, "token")

    @cached_property
    def _host(self) -> Host:
        """The angles in double precision."""
        return np.asarray(B.to_numpy(B.stop_gradient(self.theta)), dtype=np.float64)

    def _pairs(self, shape: Shape) -> Shape:
        """A sample as (pairs, 2, inner)."""
        outer, n, inner = row_layout(self.axis, shape)
        if n % 2:
            raise ValueError(f"axis {self.axis} must have an even number of entries, got {n}")
        if self.theta.shape[0] not in (1, n // 2):
            raise ValueError(f"`theta` has {self.theta.shape[0]} entries, the axis {self.axis} has {n // 2} pairs")
        return (outer * (n // 2), 2, inner)

    def _angles(self, xp: Namespace, x: Array) -> Array:
        """Angles (pairs, 1, 1) for the samples `x`."""
        theta = B.cast(self._host if B.is_numpy(xp) else self.theta, x.dtype)
        shape = tuple(x.shape[1:])
        pairs, each = self._pairs(shape)[0], row_layout(self.axis, shape)[1] // 2
        over = xp.broadcast_to(xp.reshape(theta, (1, theta.shape[0])), (pairs // max(each, 1), each))
        return xp.reshape(over, (pairs, 1, 1))

    def _entries(self, x: Array) -> tuple[Namespace, Array, Array, Array]:
        """The pairs, and the entries a, b of their maps ((a, b), (b, d)); d is a where a pair stays, -a elsewhere."""
        xp = B.array_namespace(x)
        z = xp.reshape(x, (x.shape[0], *self._pairs(tuple(x.shape[1:]))))
        theta = self._angles(xp, x)
        stays = z[:, :, :1, :] * xp.sin(theta / 2) > z[:, :, 1:, :] * xp.cos(theta / 2)
        zero = xp.zeros_like(z[:, :, :1, :])
        a = xp.where(stays, zero + 1, xp.cos(theta) + zero)
        b = xp.where(stays, zero, xp.sin(theta) + zero)
        d = xp.where(stays, zero + 1, zero - xp.cos(theta))
        return xp, z, xp.concat([a, d], axis=-2), b

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        xp, z, diagonal, b = self._entries(x)
        return xp.reshape(diagonal * z + b * xp.flip(z, axis=-2), tuple(x.shape))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        _, _, diagonal, b = self._entries(xs[0])
        return (PairMap(diagonal, b),)

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        if shape is not None:
            self._pairs(shape)
            if math.prod(shape) == 0:
                return Bounds(0.0, 0.0, "rigorous", ord=ord, method="empty")
        if ord in (2, "token"):
            return Bounds(1.0, 1.0, "rigorous", ord=ord, method="orthogonal pairs")
        sums = np.abs(np.cos(self._host)) + np.abs(np.sin(self._host))
        top = min(float(np.max(sums)) * (1 + 4 * r.LIBM), float(r.sqrt_up(2.0)))
        # pairs that stay have a norm of 1, and those that do not at least that
        least = float(np.max(sums)) * (1 - 4 * r.LIBM) if region is None else 1.0
        return Bounds(min(max(least, 1.0), top), max(top, 1.0), "rigorous", ord=ord, method="row sums of pairs")

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        (region,) = regions
        if region is None:
            return None
        lower, upper = (x.reshape(self._pairs(region.shape)) for x in (region.lower, region.upper))
        theta = np.asarray(self._angles(np, region.lower[None]))
        c, s = np.cos(theta), np.sin(theta)
        diagonal, size = np.concatenate([c, -c], axis=1), np.maximum(np.abs(lower), np.abs(upper))
        error = 4e-15 * (size + np.flip(size, axis=1))
        with np.errstate(invalid="ignore"):
            own, other = (
                np.sort([np.where(f == 0, 0.0, f * x) for x in (lower, upper)], axis=0) for f in (diagonal, s)
            )
            low, high = own[0] + np.flip(other[0], axis=1) - error, own[1] + np.flip(other[1], axis=1) + error
        low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
        low, high = np.minimum(lower, low), np.maximum(upper, high)
        box = Box(low.reshape(region.shape), high.reshape(region.shape), kind="analytic")
        parts = region.regions if isinstance(region, Intersection) else (region,)
        balls = [self._turned(part) for part in parts if isinstance(part, Ball)]
        return Intersection(box, *balls) if balls else box

    def _turned(self, ball: Ball) -> Ball:
        center: Host = np.asarray(self._forward(ball.center[None])[0])
        error = 1e-14 * float(np.linalg.norm(ball.center))
        if ball.ord == "token" and "token" in self.ords:
            return Ball(center, r.add_up(ball.radius, error), "token", kind="analytic")
        return Ball(center, r.add_up(ball.spread(2), error), 2, kind="analytic")
