"""Rectified linear unit with a slope on the negative side."""

from __future__ import annotations

import math

from ..._typing import Array, Namespace
from ..elementwise import Elementwise, Profile, corner
from ..scalars import finite


class LeakyReLU(Elementwise):
    r"""Leaky rectifier, :math:`x` for positive and :math:`a x` for other inputs.

    Parameters
    ----------
    negative_slope : float
        The slope a, of either sign.

    Notes
    -----
    Slopes a and 1: the constant is :math:`\max(1, |a|)` in every norm. The slope at 0 is a, as in PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> leaky = lc.layers.LeakyReLU(-2.0)
    >>> leaky(np.array([[-1.0, 3.0]]))
    array([[2., 3.]])
    >>> leaky.lipschitz().upper
    2.0
    """

    slope_error = 0.0
    rigorous = True

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = a = finite(negative_slope, "negative_slope")
        self.slopes = Profile((corner(0.0, a, 1.0),), (a, 1.0))
        low = 0.0 if a == 0 else math.copysign(math.inf, -a)
        self.values = Profile((corner(0.0, 0.0),), (low, math.inf))

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x > 0, x, self.negative_slope * x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x > 0, xp.ones_like(x), xp.full_like(x, self.negative_slope))
