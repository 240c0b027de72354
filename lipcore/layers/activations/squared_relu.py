"""Functions whose slope grows without bound."""

from __future__ import annotations

import math

from ..._typing import Array, Namespace
from ..elementwise import Elementwise, Profile, corner


class SquaredReLU(Elementwise):
    r"""Squared rectifier, :math:`\max(0, x)^2`.

    Notes
    -----
    The slope :math:`2 \max(0, x)` has no bound: the constant is infinite everywhere, and twice the largest entry on a
    region. The curvature is at most 2. So et al. 2021 (arXiv 2109.08668).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> bounds = lc.layers.SquaredReLU().lipschitz(region=lc.Box(np.array([-1.0]), np.array([3.0])))
    >>> round(bounds.upper, 9)
    6.0
    """

    slopes = Profile((corner(0.0, 0.0),), (0.0, math.inf))
    values = Profile((), (0.0, math.inf))
    slope_error = 0.0
    rigorous = True
    curvature = 2.0

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x <= 0, xp.zeros_like(x), x) ** 2

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return 2 * xp.where(x <= 0, xp.zeros_like(x), x)


class Exp(Elementwise):
    r"""Exponential function.

    Notes
    -----
    It is its own slope, without bound: the constant is infinite everywhere, and the exponential of the largest entry on
    a region.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> bounds = lc.layers.Exp().lipschitz(region=lc.Box(np.array([-1.0]), np.array([1.0])))
    >>> round(bounds.upper, 9)
    2.718281828
    """

    slopes = Profile((), (0.0, math.inf))
    values = Profile((), (0.0, math.inf))

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.exp(x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.exp(x)
