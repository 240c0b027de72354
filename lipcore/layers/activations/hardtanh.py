"""Clipping to an interval."""

from __future__ import annotations

from ..._typing import Array, Namespace
from ..elementwise import Elementwise, Profile, corner
from ..scalars import finite


class Hardtanh(Elementwise):
    r"""Clipping, :math:`\min(\max(x, a), b)`.

    Parameters
    ----------
    min_val, max_val : float
        The ends a < b of the interval.

    Raises
    ------
    ValueError
        If `min_val` is not below `max_val`.

    Notes
    -----
    Slopes 0 and 1, 1 strictly between the ends: the constant is 1 in every norm.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Hardtanh(-1.0, 2.0)(np.array([[-3.0, 0.5, 7.0]]))
    array([[-1. ,  0.5,  2. ]])
    """

    slope_error = value_error = 0.0
    rigorous = True

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val, self.max_val = finite(min_val, "min_val"), finite(max_val, "max_val")
        if self.min_val >= self.max_val:
            raise ValueError(f"`min_val` must be below `max_val`, got {min_val!r} and {max_val!r}")
        self.slopes = Profile((corner(self.min_val, 0.0, 1.0), corner(self.max_val, 1.0, 0.0)), (0.0, 0.0))
        self.values = Profile((), (self.min_val, self.max_val))

    def _value(self, xp: Namespace, x: Array) -> Array:
        low, high = xp.full_like(x, self.min_val), xp.full_like(x, self.max_val)
        return xp.where(x <= low, low, xp.where(x >= high, high, x))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.where((x > self.min_val) & (x < self.max_val), xp.ones_like(x), xp.zeros_like(x))


class ReLU6(Hardtanh):
    r"""Rectified linear unit that stops at six, :math:`\min(\max(x, 0), 6)`.

    Notes
    -----
    Slopes 0 and 1, 1 strictly between 0 and 6: the constant is 1 in every norm.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.ReLU6()(np.array([[-3.0, 0.5, 7.0]]))
    array([[0. , 0.5, 6. ]])
    """

    def __init__(self) -> None:
        super().__init__(0.0, 6.0)
