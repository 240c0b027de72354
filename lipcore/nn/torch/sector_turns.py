"""Pairs turned or reflected by the sector that they lie in, as a function and as a lipcore layer."""

from __future__ import annotations

import math

import numpy as np

from ... import _backend as B
from ... import layers as L
from ..._typing import Array, Namespace, Shape
from ...layers.base import Ord
from ...layers.rows import checked_axis, row_layout
from ...norms import Bounds
from ...norms import rounding as r
from ...operators import Diagonal, LinearOperator
from ...operators.selection import Selection

_TURN = 2 * math.pi


def sector_entries(xp: Namespace, first: Array, second: Array, angles: Array) -> tuple[Array, Array, Array]:
    """Entries c, s and t of the map ``(c z1 - t s z2, s z1 + t c z2)`` of each pair: t is 1 for turns, -1 for mirrors.

    Parameters
    ----------
    xp : namespace
    first, second : array
        The pairs.
    angles : array, shape (3, ...)
        In [0, 2 pi], broadcastable to the pairs.
    """
    start, one, two = angles[0, ...], angles[1, ...], angles[2, ...]
    # comparisons have no derivative, so that the angle of a pair of zeros needs none
    place = xp.remainder(xp.atan2(second, first) - start / 2, _TURN)
    in_one, in_two, in_three = place < one / 2, place < (one + two) / 2, place < math.pi + two / 2
    zero = xp.zeros_like(first)
    turn = xp.where(in_one, zero, xp.where(in_two, start + one, xp.where(in_three, -two, start)) + zero)
    sign = xp.where(in_one | (in_three & ~in_two), zero + 1, zero - 1)
    return xp.cos(turn), xp.sin(turn), sign


class SectorTurns(L.Layer):
    r"""Pairs of neighbours along an axis, turned or reflected as the sector says that they lie in.

    Parameters
    ----------
    theta : array, shape (3, pairs)
        The angles, in [0, 2 pi].
    axis : int
        Axis of the batched array; 1 is the channels.

    Notes
    -----
    The Jacobian of a pair is orthogonal: the constant is 1 in the 2-norm. In the 1- and inf-norm it is the largest
    :math:`|\cos\theta| + |\sin\theta|` of the four maps of all pairs, or 1.
    """

    def __init__(self, theta: Array, axis: int = 1) -> None:
        self.axis, self.theta = checked_axis(axis), theta
        self._host = np.asarray(B.to_numpy(theta), dtype=np.float64)
        if self._host.ndim != 2 or self._host.shape[0] != 3 or np.any((self._host < 0) | (self._host > 6.2831855)):
            raise ValueError(f"`theta` must have shape (3, pairs) and lie in [0, 2 pi], got {theta!r}")

    def _pairs(self, x: Array) -> tuple[Namespace, Array, Array, Array]:
        """First and second entries (samples, outer, pairs, inner), and the angles."""
        xp = B.array_namespace(x)
        outer, n, inner = row_layout(self.axis, tuple(x.shape[1:]))
        if n != 2 * self._host.shape[1]:
            raise ValueError(f"axis {self.axis} must have {2 * self._host.shape[1]} entries, got {n}")
        z = xp.reshape(x, (x.shape[0], outer, n // 2, 2, inner))
        theta = B.cast(self._host if B.is_numpy(xp) else self.theta, x.dtype)
        return xp, z[:, :, :, 0, :], z[:, :, :, 1, :], xp.reshape(theta, (3, 1, 1, -1, 1))

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        xp, first, second, angles = self._pairs(x)
        c, s, t = sector_entries(xp, first, second, angles)
        return xp.reshape(xp.stack([c * first - t * s * second, s * first + t * c * second], axis=3), tuple(x.shape))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp, first, second, angles = self._pairs(x)
        c, s, t = sector_entries(xp, first, second, angles)
        flat = (x.shape[0], -1)
        own = xp.reshape(xp.stack([c, t * c], axis=3), flat)
        other = xp.reshape(xp.stack([-t * s, s], axis=3), flat)
        shape = tuple(int(n) for n in x.shape[1:])
        outer, n, inner = row_layout(self.axis, shape)
        numbers = np.arange(math.prod(shape)).reshape(outer, n // 2, 2, inner)[:, :, ::-1].flatten()
        index = B.from_numpy(numbers, xp=xp, device=B.device_of(x))
        swap = Selection(index, math.prod(shape), dtype=x.dtype)
        return (Diagonal(own) + Diagonal(other) @ swap,)

    def _constant(self, ord: Ord, region: L.Region | None, shape: Shape | None) -> Bounds:
        if ord == 2:
            return Bounds(1.0, 1.0, "rigorous", ord=ord, method="orthogonal pairs")
        start, one, two = self._host
        sums = [np.abs(np.cos(a)) + np.abs(np.sin(a)) for a in (start, start + one, two)]
        top = min(float(np.max(sums)) * (1 + 8 * r.LIBM), float(r.sqrt_up(2.0)))
        return Bounds(0.0, max(top, 1.0), "rigorous", ord=ord, method="row sums of pairs")

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the input."""
        return tuple(input_shapes[0])
