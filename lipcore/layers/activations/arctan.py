"""Inverse tangent."""

from __future__ import annotations

import math

from ..._typing import Array, Namespace
from ..elementwise import Elementwise, Profile, around, corner


class Arctan(Elementwise):
    r"""Inverse tangent.

    Notes
    -----
    The slope :math:`1 / (1 + x^2)` has its maximum 1 at 0, which is the constant in every norm. The curvature is at
    most :math:`3 \sqrt 3 / 8`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Arctan()(np.array([[0.0, 1.0]]))
    array([[0.    , 0.7854]])
    """

    slopes = Profile((corner(0.0, 1.0),), (0.0, 0.0))
    values = Profile((), (-around(math.pi / 2)[1], around(math.pi / 2)[1]))
    curvature = 0.64951905283832911  # 3 sqrt(3) / 8, rounded up

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.atan(x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        size = xp.abs(x)
        far, near = 1 / xp.clip(size, 1.0, None), xp.clip(size, None, 1.0)
        return far * far / (far * far + near * near)
