"""Gaussian error linear unit."""

from __future__ import annotations

import math

import numpy as np

from ... import _backend as B
from ..._typing import Array, Namespace
from .. import stable
from ..elementwise import Profile, turning
from ..regions import Host
from .gated import SelfGated

_CUBIC = 0.044715
_RATE = 1.5957691216057307117597842397375  # 2 sqrt(2 / pi)
_DENSITY = 0.39894228040143267793994605993438  # 1 / sqrt(2 pi)
_FAR = 30.0  # beyond twice this, or this with the approximation, the tails vanish in double precision


class GELU(SelfGated):
    r"""Gaussian error linear unit, :math:`x \Phi(x)` with the normal distribution function.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        "tanh" is :math:`x / (1 + \exp(-2 \sqrt{2/\pi} (x + 0.044715 x^3)))`, an approximation of it.

    Raises
    ------
    ValueError
        For any other `approximate`.

    Notes
    -----
    The slope :math:`\Phi(x) + x \varphi(x)` is stationary where :math:`\varphi(x) (2 - x^2) = 0`, at
    :math:`\pm \sqrt 2`, and lies between -0.128904145185 and 1.128904145185; that of the approximation turns at
    :math:`\pm 1.418504` and lies between -0.128993068659 and 1.128993068659, a little wider. The larger is the constant
    in every norm. The curvature is at most :math:`2 / \sqrt{2 \pi}`, at 0, for both.
    Hendrycks and Gimpel 2016 (arXiv 1606.08415).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> gelu = lc.layers.GELU()
    >>> gelu(np.array([[-1.0, 0.0, 1.0]]))
    array([[-0.1587,  0.    ,  0.8413]])
    >>> round(gelu.lipschitz().upper, 9), round(lc.layers.GELU("tanh").lipschitz().upper, 9)
    (1.128904145, 1.128993069)
    """

    curvature = 0.79788456080286546  # 2 / sqrt(2 pi), rounded up

    def __init__(self, approximate: str = "none") -> None:
        if approximate == "none":
            at, top = 1.414213562373095048802, 1.128904145185154786341
            valley, bottom = -0.7517915246935644574579, -0.1699712074799036616939
        elif approximate == "tanh":
            at, top = 1.418504008790828355548, 1.128993068658771765456
            valley, bottom = -0.752461422071016258488, -0.1700407505712540506391
        else:
            raise ValueError(f'`approximate` must be "none" or "tanh", got {approximate!r}')
        self.approximate = approximate
        # the slope is 1 - slope(-x)
        least = -0.1289041451851547863407 if approximate == "none" else -0.1289930686587717654559
        self.slopes = Profile((turning(-at, least), turning(at, top)), (0.0, 1.0))
        self.values = Profile((turning(valley, bottom),), (0.0, math.inf))

    def _gate(self, xp: Namespace, x: Array) -> Array:
        if self.approximate == "none":
            return 0.5 * B.erfc(x * -math.sqrt(0.5))
        return stable.sigmoid(xp, _logit(xp.clip(x, -_FAR, _FAR)))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        if self.approximate == "none":
            near = xp.clip(x, -2 * _FAR, 2 * _FAR)
            return self._gate(xp, x) + near * (_DENSITY * xp.exp(-0.5 * near * near))
        near = xp.clip(x, -_FAR, _FAR)
        u = _logit(near)
        p = stable.sigmoid(xp, u)
        return p + near * (_RATE * (1 + 3 * _CUBIC * near * near)) * p * stable.sigmoid(xp, -u)

    def _exponent(self, x: Host) -> Host:
        near = np.minimum(np.abs(x), 2 * _FAR)
        return np.asarray(near * near / 2 if self.approximate == "none" else _logit(near))


def _logit(x: Array) -> Array:
    """Twice the argument of the hyperbolic tangent in the approximation."""
    return _RATE * (x + _CUBIC * x * x * x)
