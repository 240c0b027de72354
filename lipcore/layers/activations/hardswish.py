"""Inputs gated by a piecewise linear sigmoid."""

from __future__ import annotations

import math

import numpy as np

from ..._typing import Array, Namespace
from ..elementwise import ROUNDING, Elementwise, Profile, corner
from ..regions import Host


class HardSwish(Elementwise):
    r"""HardSwish, :math:`x \min(\max(x + 3, 0), 6) / 6`.

    Notes
    -----
    The slope is :math:`(2 x + 3) / 6` between -3 and 3, 0 below and 1 above: it lies between -1/2 and 3/2, approached
    from within at the two ends. The constant is 3/2 in every norm. Howard et al. 2019 (arXiv 1905.02244).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.HardSwish()(np.array([[-4.0, -1.5, 3.0]]))
    array([[-0.   , -0.375,  3.   ]])
    >>> lc.layers.HardSwish().lipschitz().upper
    1.5
    """

    slopes = Profile((corner(-3.0, 0.0, -0.5), corner(3.0, 1.5, 1.0)), (0.0, 1.0))
    values = Profile((corner(-1.5, -0.375), corner(-3.0, 0.0)), (0.0, math.inf))
    rigorous = True

    def _value(self, xp: Namespace, x: Array) -> Array:
        return x * (xp.clip(x + 3, 0.0, 6.0) / 6)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        middle = xp.clip(x, -3.0, 3.0) / 3 + 0.5
        return xp.where(x <= -3, xp.zeros_like(x), xp.where(x >= 3, xp.ones_like(x), middle))

    def _slope_error(self, x: Host, slope: Host) -> Host:
        return np.asarray(np.where(np.abs(x) < 3, ROUNDING, 0.0))

    def _value_error(self, x: Host, value: Host) -> Host:
        return np.asarray(np.where(x <= -3, 0.0, ROUNDING * np.abs(x)))
