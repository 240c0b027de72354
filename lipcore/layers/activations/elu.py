"""Exponential linear units."""

from __future__ import annotations

import math

import numpy as np

from ..._typing import Array, Namespace
from ..elementwise import Elementwise, Profile, Turn, around, corner
from ..regions import Host
from ..scalars import finite, positive


class ELU(Elementwise):
    r"""Exponential linear unit, :math:`x` for positive and :math:`a (e^x - 1)` for other inputs.

    Parameters
    ----------
    alpha : float
        The factor a, of either sign.

    Notes
    -----
    Slopes 1 and :math:`a e^x`: the constant is :math:`\max(1, |a|)` in every norm, for a beyond 1 approached from the
    left of 0. The slope at 0 is a, as in PyTorch. Clevert, Unterthiner and Hochreiter 2016 (arXiv 1511.07289).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.ELU(2.0)(np.array([[-1.0, 3.0]]))
    array([[-1.2642,  3.    ]])
    >>> lc.layers.ELU(2.0).lipschitz().upper
    2.0
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = a = finite(alpha, "alpha")
        self.slopes = Profile((corner(0.0, a, 1.0),), (0.0, 1.0))
        self.values = Profile((corner(0.0, 0.0),), (-a, math.inf))
        self.curvature = 1.0 if a == 1 else math.inf

    def _value(self, xp: Namespace, x: Array) -> Array:
        below = xp.where(x > 0, xp.zeros_like(x), x)
        return xp.where(x > 0, x, self.alpha * xp.expm1(below))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        below = xp.where(x > 0, xp.zeros_like(x), x)
        return xp.where(x > 0, xp.ones_like(x), self.alpha * xp.exp(below))


class CELU(Elementwise):
    r"""Continuously differentiable exponential linear unit, :math:`x` for positive and :math:`a (e^{x/a} - 1)` else.

    Parameters
    ----------
    alpha : float
        The scale a, positive.

    Raises
    ------
    ValueError
        If `alpha` is not positive.

    Notes
    -----
    Slopes 1 and :math:`e^{x/a} \le 1`: the constant is 1 in every norm. Barron 2017 (arXiv 1704.07483).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.CELU(2.0)(np.array([[-2.0, 3.0]]))
    array([[-1.2642,  3.    ]])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = a = positive(alpha, "alpha")
        self.slopes = Profile((corner(0.0, 1.0),), (0.0, 1.0))
        self.values = Profile((), (-a, math.inf))
        self.curvature = math.nextafter(1 / a, math.inf)

    def _below(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x > 0, xp.zeros_like(x), xp.clip(x, -1e3 * self.alpha, None)) / self.alpha

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x > 0, x, self.alpha * xp.expm1(self._below(xp, x)))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.exp(self._below(xp, x))

    def _slope_error(self, x: Host, slope: Host) -> Host:
        # one rounding of x / a, which exp amplifies
        return np.asarray(
            super()._slope_error(x, slope) * (1 + np.minimum(np.abs(x), 1e3 * self.alpha) / self.alpha / 16)
        )


class SELU(Elementwise):
    r"""Scaled exponential linear unit, :math:`\lambda x` for positive and :math:`\lambda a (e^x - 1)` else.

    Notes
    -----
    With :math:`\lambda = 1.0507...` and :math:`a = 1.6732...`. Slopes :math:`\lambda` and :math:`\lambda a e^x`: the
    constant is :math:`\lambda a = 1.758099340847...` in every norm, approached from the left of 0; on inputs that stay
    positive it is :math:`\lambda`. Klambauer, Unterthiner, Mayr and Hochreiter 2017 (arXiv 1706.02515).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> bounds = lc.layers.SELU().lipschitz()
    >>> bounds.lower < 1.758099340847376859940217 < bounds.upper, bounds.kind
    (True, 'rigorous')
    """

    scale = 1.0507009873554804934193349852946
    alpha = 1.6732632423543772848170429916717
    # both sides of 0: scale, and scale * alpha to all digits
    slopes = Profile(
        (Turn(0.0, (around(scale), around(1.7580993408473768599402)), exact=True),), (0.0, around(scale)[1])
    )
    values = Profile((), (around(-1.7580993408473768599402)[0], math.inf))

    def _value(self, xp: Namespace, x: Array) -> Array:
        below = xp.where(x > 0, xp.zeros_like(x), x)
        return self.scale * xp.where(x > 0, x, self.alpha * xp.expm1(below))

    def _slope(self, xp: Namespace, x: Array) -> Array:
        below = xp.where(x > 0, xp.zeros_like(x), x)
        return self.scale * xp.where(x > 0, xp.ones_like(x), self.alpha * xp.exp(below))
