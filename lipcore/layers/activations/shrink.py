"""Small inputs set to zero."""

from __future__ import annotations

import math

from ..._typing import Array, Namespace
from ..elementwise import Elementwise, Profile, corner
from ..scalars import finite, nonnegative


class Softshrink(Elementwise):
    r"""Soft threshold, :math:`\mathrm{sign}(x) \max(|x| - \lambda, 0)`.

    Parameters
    ----------
    lambd : float
        The threshold, not negative.

    Raises
    ------
    ValueError
        If `lambd` is negative.

    Notes
    -----
    Slopes 0 and 1: the constant is 1 in every norm.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Softshrink(1.0)(np.array([[-3.0, 0.5, 2.0]]))
    array([[-2.,  0.,  1.]])
    """

    slope_error = 0.0
    rigorous = True
    values = Profile((), (-math.inf, math.inf))

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = nonnegative(lambd, "lambd")
        self.slopes = Profile((corner(-self.lambd, 1.0, 0.0), corner(self.lambd, 0.0, 1.0)), (1.0, 1.0))

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(xp.abs(x) <= self.lambd, xp.zeros_like(x), x - self.lambd * xp.sign(x))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.where(xp.abs(x) <= self.lambd, xp.zeros_like(x), xp.ones_like(x))


class Hardshrink(Elementwise):
    r"""Hard threshold, x where :math:`|x| > \lambda` and 0 elsewhere.

    Parameters
    ----------
    lambd : float
        The threshold, not negative.

    Raises
    ------
    ValueError
        If `lambd` is negative.

    Notes
    -----
    It jumps by :math:`\lambda` at both thresholds, so that no constant is finite on a region that holds one of the
    jumps; on other regions it is 0 or 1.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> hard = lc.layers.Hardshrink(1.0)
    >>> hard(np.array([[-3.0, 0.5, 2.0]]))
    array([[-3.,  0.,  2.]])
    >>> hard.lipschitz(region=lc.Box(np.array([1.5]), np.array([3.0]))).upper
    1.0
    """

    slope_error = value_error = 0.0
    rigorous = True
    values = Profile((), (-math.inf, math.inf))

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = nonnegative(lambd, "lambd")
        self.slopes = Profile((corner(0.0, 0.0),), (1.0, 1.0))
        self.jumps = ((-self.lambd, -1), (self.lambd, 1)) if lambd else ()

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(xp.abs(x) <= self.lambd, xp.zeros_like(x), x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.where(xp.abs(x) <= self.lambd, xp.zeros_like(x), xp.ones_like(x))


class Threshold(Elementwise):
    r"""Small inputs replaced, x where :math:`x > t` and v elsewhere.

    Parameters
    ----------
    threshold, value : float
        The threshold t and the value v.

    Notes
    -----
    Slopes 0 and 1. It jumps at t unless v is t, and then no constant is finite on a region that holds t and something
    above it.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Threshold(1.0, -7.0)(np.array([[0.5, 2.0]]))
    array([[-7.,  2.]])
    """

    slope_error = value_error = 0.0
    rigorous = True

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold, self.value = t, v = finite(threshold, "threshold"), finite(value, "value")
        self.slopes = Profile((corner(t, 0.0, 1.0),), (0.0, 1.0))
        self.values = Profile((corner(t, t, v),), (v, math.inf))
        self.jumps = ((t, 1),) if t != v else ()

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x <= self.threshold, xp.full_like(x, self.value), x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x <= self.threshold, xp.zeros_like(x), xp.ones_like(x))
