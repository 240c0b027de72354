"""Logistic function, and its piecewise linear stand-in."""

from __future__ import annotations

import numpy as np

from ..._typing import Array, Namespace
from .. import stable
from ..elementwise import ROUNDING, Elementwise, Profile, Turn, corner
from ..regions import Host
from ..scalars import positive


class Sigmoid(Elementwise):
    r"""Logistic function, :math:`1 / (1 + e^{-x})`.

    Notes
    -----
    The slope :math:`s (1 - s)` has its maximum 1/4 at 0, which is the constant in every norm. The curvature is at most
    :math:`1 / (6 \sqrt 3)`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Sigmoid()(np.array([[0.0, -1000.0]]))
    array([[0.5, 0. ]])
    >>> lc.layers.Sigmoid().lipschitz().upper
    0.25
    """

    slopes = Profile((corner(0.0, 0.25),), (0.0, 0.0))
    values = Profile((), (0.0, 1.0))
    curvature = 0.09622504486493764  # 1 / (6 sqrt 3), rounded up

    def _value(self, xp: Namespace, x: Array) -> Array:
        return stable.sigmoid(xp, x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return stable.sigmoid(xp, x) * stable.sigmoid(xp, -x)


class HardSigmoid(Elementwise):
    r"""Piecewise linear sigmoid, :math:`\min(\max(m x + 1/2, 0), 1)`.

    Parameters
    ----------
    slope : float
        The slope m, positive: 1/6 in PyTorch, ONNX's HardSwish and Keras 3, 0.2 in Keras 2 and by default in ONNX.

    Raises
    ------
    ValueError
        If `slope` is not positive.

    Notes
    -----
    Slopes 0 and m: the constant is m in every norm.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.HardSigmoid(0.2)(np.array([[-3.0, 0.0, 1.0]]))
    array([[0. , 0.5, 0.7]])
    >>> lc.layers.HardSigmoid(0.2).lipschitz().upper
    0.2
    """

    slope_error = 0.0
    rigorous = True
    values = Profile((), (0.0, 1.0))

    def __init__(self, slope: float = 1 / 6) -> None:
        self.slope = m = positive(slope, "slope")
        ends = tuple(Turn(at, ((0.0, 0.0), (m, m)), exact=False) for at in (-0.5 / m, 0.5 / m))
        self.slopes = Profile(ends, (0.0, 0.0))

    def _value(self, xp: Namespace, x: Array) -> Array:
        low, high = xp.zeros_like(x), xp.ones_like(x)
        end = 0.5 / self.slope
        return xp.where(x <= -end, low, xp.where(x >= end, high, self.slope * xp.clip(x, -end, end) + 0.5))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        end = 0.5 / self.slope
        return xp.where((x > -end) & (x < end), xp.full_like(x, self.slope), xp.zeros_like(x))

    def _value_error(self, x: Host, value: Host) -> Host:
        # m x + 1/2 cancels near the left end; beyond the ends nothing is rounded
        return np.where(np.abs(x) >= 0.5 / self.slope * (1 + 1e-15), 0.0, ROUNDING)
