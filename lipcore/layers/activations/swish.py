"""Inputs gated by their own logistic function."""

from __future__ import annotations

import math

import numpy as np

from ..._typing import Array, Namespace
from .. import stable
from ..elementwise import Profile, Turn, around
from ..regions import Host
from ..scalars import positive
from .gated import SelfGated

_FAR = 800.0  # beyond, exp(-x) vanishes in double precision


class Swish(SelfGated):
    r"""Swish, :math:`x \, \sigma(b x)` with the logistic function.

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
    The slope :math:`\sigma(t) + t \sigma(t) (1 - \sigma(t))` depends on :math:`t = b x` alone, turns at
    :math:`t = \pm 2.3993573` and lies between -0.0998393201 and 1.0998393201, which is the constant in every norm,
    whatever b. The curvature is at most b / 2, at 0. Ramachandran, Zoph and Le 2017 (arXiv 1710.05941).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> round(lc.layers.Swish(3.0).lipschitz().upper, 10)
    1.0998393201
    """

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = b = positive(beta, "beta")
        at, steep = 2.399357280515467667833, (1.099839320128866916958, -0.09983932012886691695818)
        self.slopes = Profile(
            (Turn(-at / b, (around(steep[1]),), exact=False), Turn(at / b, (around(steep[0]),), exact=False)),
            (0.0, 1.0),
        )
        valley = (-0.2784645427610737951094 / b) * (1 + 1e-15)
        lowest = Turn(-1.278464542761073795109 / b, ((valley, valley * (1 - 4e-15)),), exact=False)
        self.values = Profile((lowest,), (0.0, math.inf))
        self.curvature = b / 2

    def _logit(self, xp: Namespace, x: Array) -> Array:
        return self.beta * xp.clip(x, -_FAR / self.beta, _FAR / self.beta)

    def _gate(self, xp: Namespace, x: Array) -> Array:
        return stable.sigmoid(xp, self._logit(xp, x))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        t = self._logit(xp, x)
        return stable.sigmoid(xp, t) * (1 + t * stable.sigmoid(xp, -t))

    def _exponent(self, x: Host) -> Host:
        return np.asarray(np.abs(self._logit(np, x)))


class SiLU(Swish):
    r"""Sigmoid linear unit, :math:`x \, \sigma(x)`: Swish with sharpness 1.

    Notes
    -----
    Slopes between -0.0998393201 and 1.0998393201, which is the constant in every norm.
    Elfwing, Uchibe and Doya 2017 (arXiv 1702.03118).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.SiLU()(np.array([[-1.0, 0.0, 1.0]]))
    array([[-0.2689,  0.    ,  0.7311]])
    """

    def __init__(self) -> None:
        super().__init__(1.0)


class QuickGELU(Swish):
    r"""Sigmoid approximation of GELU, :math:`x \, \sigma(1.702 x)`: Swish with sharpness 1.702.

    Notes
    -----
    Slopes between -0.0998393201 and 1.0998393201, which is the constant in every norm.
    Hendrycks and Gimpel 2016 (arXiv 1606.08415).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.QuickGELU()(np.array([[-1.0, 0.0, 1.0]]))
    array([[-0.1542,  0.    ,  0.8458]])
    """

    def __init__(self) -> None:
        super().__init__(1.702)
