"""Rows of length one."""

from __future__ import annotations

import math

from .._typing import Array, Namespace, Shape
from .row_normalization import RowNormalizing
from .rows import checked_axis, row_layout


class Normalize(RowNormalizing):
    r"""Division of rows by their length, :math:`x / \sqrt{\|x\|_2^2 + e}`.

    Parameters
    ----------
    axis : int
        Axis of the batched array along which rows lie; axis 0 counts samples.
    eps : float
        The stabiliser e, not negative; without one, only regions away from zero rows have a constant.

    Raises
    ------
    ValueError
        If `axis` is 0 or `eps` is negative.

    Notes
    -----
    The Jacobian of a row is :math:`(I - \hat x \hat x^T) / s`, :math:`s^2 = \|x\|^2 + e`, of the 2-norm 1/s. The
    constant is :math:`1/\sqrt e`, at zero (rigorous), or :math:`1/\sqrt{\rho^2 + e}` where rows are at least
    :math:`\rho` long (analytic); with several entries and e = 0, rows that turn on a sphere of radius :math:`\rho`
    attain it. The inf- and 1-norm are those of `RMSNorm` without factors.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> unit = lc.layers.Normalize()
    >>> unit(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    >>> round(unit.lipschitz(region=lc.Ball(np.array([3.0, 4.0]), 1.0)).upper, 9)
    0.25
    """

    centered = False
    mean_square = False

    def __init__(self, axis: int = -1, eps: float = 0.0) -> None:
        self.axis = checked_axis(axis)
        super().__init__(eps)
        if axis == -1:
            self.ords = (1, 2, math.inf, "token")

    def _layout(self, shape: Shape) -> Shape:
        return row_layout(self.axis, shape)

    def _spread(self, xp: Namespace, values: Array, layout: Shape) -> Array:
        return values
