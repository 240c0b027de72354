"""Hyperbolic tangent, and what it takes away."""

from __future__ import annotations

import math

import numpy as np

from ..._typing import Array, Namespace
from .. import stable
from ..elementwise import ROUNDING, Elementwise, Profile, corner
from ..regions import Host

_CURVATURE = 0.76980035891950101  # 4 / (3 sqrt 3), rounded up


class Tanh(Elementwise):
    r"""Hyperbolic tangent.

    Notes
    -----
    The slope :math:`1 / \cosh^2 x` has its maximum 1 at 0, which is the constant in every norm. The curvature is at
    most :math:`4 / (3 \sqrt 3)`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> tanh = lc.layers.Tanh()
    >>> tanh(np.array([[0.0, 1.0]]))
    array([[0.    , 0.7616]])
    >>> low, high = tanh.slope_range(1.0, 2.0)
    >>> round(float(low), 6), round(float(high), 6)
    (0.070651, 0.419974)
    """

    slopes = Profile((corner(0.0, 1.0),), (0.0, 0.0))
    values = Profile((), (-1.0, 1.0))
    curvature = _CURVATURE

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.tanh(x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return stable.squared_sech(xp, x)


class Tanhshrink(Elementwise):
    r"""What the hyperbolic tangent takes away, :math:`x - \tanh x`.

    Notes
    -----
    The slope :math:`\tanh^2 x` lies between 0 and 1: the constant is 1 in every norm, approached at infinity. The
    curvature is at most :math:`4 / (3 \sqrt 3)`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Tanhshrink()(np.array([[0.0, 1.0]]))
    array([[0.    , 0.2384]])
    """

    slopes = Profile((corner(0.0, 0.0),), (1.0, 1.0))
    values = Profile((), (-math.inf, math.inf))
    curvature = _CURVATURE

    def _value(self, xp: Namespace, x: Array) -> Array:
        return x - xp.tanh(x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.tanh(x) ** 2

    def _value_error(self, x: Host, value: Host) -> Host:
        return np.asarray(ROUNDING * np.abs(x))
