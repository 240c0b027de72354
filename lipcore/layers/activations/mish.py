"""Inputs gated by hyperbolic tangents."""

from __future__ import annotations

import math

from ..._typing import Array, Namespace
from .. import stable
from ..elementwise import Profile, turning
from .gated import SelfGated


class Mish(SelfGated):
    r"""Mish, :math:`x \tanh(\log(1 + e^x))`.

    Notes
    -----
    With :math:`p = \sigma(x), q = \sigma(-x)` the gate is :math:`p (1 + q) / (1 + q^2)` and the slope
    :math:`p (1 + q) / (1 + q^2) + 4 x p q^2 / (1 + q^2)^2`. It turns at -2.2563764 and 1.4905712 and lies between
    -0.112526122 and 1.088498161, which is the constant in every norm. The curvature is at most 0.6442046, at
    -0.0879344. Misra 2019 (arXiv 1908.08681).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Mish()(np.array([[-1.0, 0.0, 1.0]]))
    array([[-0.3034,  0.    ,  0.8651]])
    >>> round(lc.layers.Mish().lipschitz().upper, 9)
    1.088498161
    """

    slopes = Profile(
        (
            turning(-2.256376396360793120006, -0.1125261223894625564073),
            turning(1.490571179485428459294, 1.088498161251727861228),
        ),
        (0.0, 1.0),
    )
    values = Profile((turning(-1.192431214515495212138, -0.3088434130172504066288),), (0.0, math.inf))
    curvature = 0.64420463723697253

    def _gate(self, xp: Namespace, x: Array) -> Array:
        p, q = stable.sigmoid(xp, x), stable.sigmoid(xp, -x)
        return p * (1 + q) / (1 + q * q)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        p, q = stable.sigmoid(xp, x), stable.sigmoid(xp, -x)
        near, s = xp.clip(x, -1e3, 1e3), 1 + q * q
        return p * ((1 + q) / s + near * (2 * q / s) ** 2)


class TanhExp(SelfGated):
    r"""TanhExp, :math:`x \tanh(e^x)`.

    Notes
    -----
    The slope :math:`\tanh(e^x) + x e^x / \cosh^2(e^x)` turns at -2.0659719 and 0.6965640 and lies between
    -0.131570036 and 1.061975309, which is the constant in every norm. The curvature is at
    most 0.9021624, at -0.1925161. Liu and Di 2020 (arXiv 2003.09855).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.TanhExp()(np.array([[-1.0, 0.0, 1.0]]))
    array([[-0.3521,  0.    ,  0.9913]])
    >>> round(lc.layers.TanhExp().lipschitz().upper, 9)
    1.061975309
    """

    slopes = Profile(
        (
            turning(-2.0659718961567498441, -0.1315700361897158155434),
            turning(0.6965639603951723840297, 1.061975308717915969232),
        ),
        (0.0, 1.0),
    )
    values = Profile((turning(-1.078860058464624056651, -0.3532857778482112709874),), (0.0, math.inf))
    curvature = 0.90216234170072142

    def _gate(self, xp: Namespace, x: Array) -> Array:
        return xp.tanh(xp.exp(xp.clip(x, None, 10.0)))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        near = xp.clip(x, -1e3, 10.0)
        e = xp.exp(near)
        return xp.tanh(e) + near * (e * stable.squared_sech(xp, e))
