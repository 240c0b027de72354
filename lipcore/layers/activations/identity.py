"""Nothing, and the absolute value."""

from __future__ import annotations

import math

from ... import _backend as B
from ..._typing import Array, Namespace
from ...operators import Identity as IdentityOperator
from ...operators import LinearOperator
from ..elementwise import Elementwise, Profile, corner


class Identity(Elementwise):
    r"""The layer that hands on its input.

    Notes
    -----
    The constant is 1 in every norm.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Identity()(np.array([[1.0, -2.0]]))
    array([[ 1., -2.]])
    """

    slopes = Profile((), (1.0, 1.0))
    values = Profile((), (-math.inf, math.inf))
    slope_error = value_error = 0.0
    rigorous = True
    curvature = 0.0

    def _value(self, xp: Namespace, x: Array) -> Array:
        return x

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.ones_like(x)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp = B.array_namespace(x)
        return (IdentityOperator(math.prod(x.shape[1:]), dtype=x.dtype, xp=xp, device=B.device_of(x)),)


class Abs(Elementwise):
    r"""Absolute value.

    Notes
    -----
    Slopes -1 and 1: the constant is 1 in every norm. The slope at 0 is 0, as in PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> low, high = lc.layers.Abs().slope_range()
    >>> float(low), float(high)
    (-1.0, 1.0)
    """

    slopes = Profile((corner(0.0, -1.0, 1.0),), (-1.0, 1.0))
    values = Profile((corner(0.0, 0.0),), (math.inf, math.inf))
    slope_error = value_error = 0.0
    rigorous = True

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.abs(x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.sign(x)
