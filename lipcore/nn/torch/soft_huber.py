"""Absolute values with a round bottom, as a lipcore layer."""

from __future__ import annotations

import math

from ..._typing import Array, Namespace
from ...layers.elementwise import Elementwise, Profile, corner


class SoftAbs(Elementwise):
    r"""The function :math:`\sqrt{\delta^2 + x^2} - \delta`, of slope :math:`x / \sqrt{\delta^2 + x^2}`.

    Parameters
    ----------
    delta : float
        Positive and finite.

    Notes
    -----
    The slope rises from -1 to 1: the constant is 1 in every norm. The curvature is at most :math:`1 / \delta`, at 0.
    """

    slopes = Profile((), (-1.0, 1.0))
    values = Profile((corner(0.0, 0.0),), (math.inf, math.inf))
    rigorous = True

    def __init__(self, delta: float) -> None:
        self.delta = float(delta)
        if not 0 < self.delta < math.inf:
            raise ValueError(f"`delta` must be positive and finite, got {delta!r}")
        self.curvature = 1 / self.delta * (1 + 1e-15)

    def _value(self, xp: Namespace, x: Array) -> Array:
        return x * (x / (self._length(xp, x) + self.delta))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return x / self._length(xp, x)

    def _length(self, xp: Namespace, x: Array) -> Array:
        """Root of the sum of squares, without a square that overflows."""
        size = xp.maximum(xp.abs(x), xp.full_like(x, self.delta))
        a, b = x / size, self.delta / size
        return size * xp.sqrt(a * a + b * b)
