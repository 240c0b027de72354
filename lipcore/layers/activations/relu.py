"""Rectified linear unit."""

from __future__ import annotations

import math

from ..._typing import Array, Namespace
from ..elementwise import Elementwise, Profile, corner


class ReLU(Elementwise):
    r"""Rectified linear unit, :math:`\max(0, x)`.

    Notes
    -----
    Slopes 0 and 1, so that the constant is 1 in every norm wherever an entry can be positive, and 0 elsewhere.
    The slope at 0 is 0, as in PyTorch; ranges that touch 0 have both.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> relu = lc.layers.ReLU()
    >>> relu(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    >>> relu.lipschitz(region=lc.Box(np.array([-3.0]), np.array([-1.0]))).upper
    0.0
    """

    slopes = Profile((corner(0.0, 0.0, 1.0),), (0.0, 1.0))
    values = Profile((), (0.0, math.inf))
    slope_error = value_error = 0.0
    rigorous = True

    def _value(self, xp: Namespace, x: Array) -> Array:
        # as a choice, not a maximum: NaN stays NaN, and automatic differentiation gives 0 at 0
        return xp.where(x <= 0, xp.zeros_like(x), x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.astype(x > 0, x.dtype)
