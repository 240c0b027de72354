"""Softsign."""

from __future__ import annotations

from ..._typing import Array, Namespace
from ..elementwise import Elementwise, Profile, corner


class Softsign(Elementwise):
    r"""Softsign, :math:`x / (1 + |x|)`.

    Notes
    -----
    The slope :math:`1 / (1 + |x|)^2` has its maximum 1 at 0, which is the constant in every norm. The curvature is at
    most 2.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Softsign()(np.array([[-1.0, 3.0]]))
    array([[-0.5 ,  0.75]])
    """

    slopes = Profile((corner(0.0, 1.0),), (0.0, 0.0))
    values = Profile((), (-1.0, 1.0))
    curvature = 2.0
    rigorous = True

    def _value(self, xp: Namespace, x: Array) -> Array:
        return x / (1 + xp.abs(x))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return (1 / (1 + xp.abs(x))) ** 2
