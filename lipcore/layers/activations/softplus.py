"""Smooth rectifiers made of the logistic function."""

from __future__ import annotations

import math

import numpy as np

from ..._typing import Array, Namespace
from .. import stable
from ..elementwise import Elementwise, Profile
from ..regions import Host
from ..scalars import positive


class Softplus(Elementwise):
    r"""Smooth rectifier, :math:`\log(1 + e^{b x}) / b`.

    Parameters
    ----------
    beta : float
        The sharpness b, positive.

    Raises
    ------
    ValueError
        If `beta` is not positive.

    Notes
    -----
    The slope is the logistic function of b x, between 0 and 1: the constant is 1 in every norm, approached at infinity.
    The curvature is at most b / 4. PyTorch switches to x where b x > 20, which moves the value by at most 2.1e-9 / b;
    here the function is smooth everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Softplus()(np.array([[0.0, 1000.0]]))
    array([[6.931e-01, 1.000e+03]])
    """

    slopes = Profile((), (0.0, 1.0))
    values = Profile((), (0.0, math.inf))

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = positive(beta, "beta")
        self.curvature = self.beta / 4

    def _value(self, xp: Namespace, x: Array) -> Array:
        b = self.beta
        return xp.maximum(x, xp.zeros_like(x)) + xp.log1p(xp.exp(-b * xp.clip(xp.abs(x), None, 1e3 / b))) / b

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return stable.sigmoid(xp, self.beta * xp.clip(x, -1e3 / self.beta, 1e3 / self.beta))

    def _slope_error(self, x: Host, slope: Host) -> Host:
        return super()._slope_error(x, slope) * self._amplification(x)

    def _value_error(self, x: Host, value: Host) -> Host:
        return super()._value_error(x, value) * self._amplification(x)

    def _amplification(self, x: Host) -> Host:
        """What exp makes of the rounding of b x, where it is all there is."""
        return 1 + self.beta * np.clip(-x, 0.0, 1e3 / self.beta) / 32


class LogSigmoid(Elementwise):
    r"""Logarithm of the logistic function, :math:`-\log(1 + e^{-x})`.

    Notes
    -----
    The slope falls from 1 to 0: the constant is 1 in every norm, approached at minus infinity. The curvature is at most
    1/4.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.LogSigmoid()(np.array([[0.0, -1000.0]]))
    array([[-6.931e-01, -1.000e+03]])
    """

    slopes = Profile((), (1.0, 0.0))
    values = Profile((), (-math.inf, 0.0))
    curvature = 0.25

    def _value(self, xp: Namespace, x: Array) -> Array:
        return -stable.softplus(xp, -x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return stable.sigmoid(xp, -x)
