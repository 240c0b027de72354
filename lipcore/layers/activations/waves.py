"""Sine waves, and what is known of their range over intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..._typing import Array, Namespace
from ..elementwise import ROUNDING, Elementwise, Pair, Profile
from ..regions import Host
from ..scalars import positive

_GUARD = 1e-9  # of half periods: a wave differs from its extremum by the square of that
_REACH = 1e6  # half periods, beyond which rounding exceeds the guard


@dataclass(frozen=True)
class Wave(Profile):
    """A wave ``cos(pi t)`` with ``t = rate x - shift``, scaled to run between two tails."""

    rate: float
    shift: float

    def between(
        self, function: Callable[[Host], Pair], lower: Host, upper: Host, *, outward: bool = True
    ) -> tuple[Host, Host]:
        """Range over intervals: the ends, and the crests and troughs between them."""
        bounded = np.isfinite(lower) & np.isfinite(upper)
        ends = [np.where(bounded, x, 0.0) for x in (lower, upper)]
        values = Profile((), self.tails).between(function, *ends, outward=outward)
        with np.errstate(over="ignore"):
            first, last = (self.rate * x - self.shift for x in ends)
        guard = _GUARD if outward else -_GUARD
        known = bounded & (np.abs(first) < _REACH) & (np.abs(last) < _REACH)
        first, last = np.where(known, first, 0.0) - guard, np.where(known, last, 0.0) + guard
        crest, trough = np.floor(last / 2) * 2 >= first, np.floor((last - 1) / 2) * 2 + 1 >= first
        if outward:
            crest, trough = crest | ~known, trough | ~known
        else:
            crest, trough = np.where(bounded, crest & known, True), np.where(bounded, trough & known, True)
        low, high = min(self.tails), max(self.tails)
        return np.where(trough, low, values[0]), np.where(crest, high, values[1])


class Sin(Elementwise):
    r"""Sine, :math:`\sin(w x)`.

    Parameters
    ----------
    w : float
        The angular frequency, positive; 30 in the networks of Sitzmann et al. 2020 (arXiv 2006.09661).

    Raises
    ------
    ValueError
        If `w` is not positive.

    Notes
    -----
    The slope :math:`w \cos(w x)` has the maximum w at 0, which is the constant in every norm. Over intervals the crests
    and troughs inside are counted, up to a million half periods from 0; beyond, the range is taken to be whole.
    The curvature is at most :math:`w^2`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> sine = lc.layers.Sin(2.0)
    >>> sine.lipschitz().upper
    2.0
    >>> low, high = sine.slope_range(0.1, 0.2)
    >>> round(float(low), 6), round(float(high), 6)
    (1.842122, 1.960133)
    """

    def __init__(self, w: float = 1.0) -> None:
        self.w = positive(w, "w")
        self.slopes = Wave((), (-self.w, self.w), self.w / math.pi, 0.0)
        self.values = Wave((), (-1.0, 1.0), self.w / math.pi, 0.5)
        self.curvature = math.nextafter(self.w * self.w, math.inf)

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.sin(self.w * x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return self.w * xp.cos(self.w * x)

    def _slope_error(self, x: Host, slope: Host) -> Host:
        return self.w * self._value_error(x, slope)

    def _value_error(self, x: Host, value: Host) -> Host:
        # one rounding of w x, and a few units in the last place
        return np.asarray(ROUNDING / 32 * (1 + self.w * np.minimum(np.abs(x), 1e12 / self.w)))


class Snake(Elementwise):
    r"""Snake, :math:`x + \sin^2(a x) / a`.

    Parameters
    ----------
    a : float
        The frequency, positive.

    Raises
    ------
    ValueError
        If `a` is not positive.

    Notes
    -----
    The slope :math:`1 + \sin(2 a x)` lies between 0 and 2, which is the constant in every norm. The curvature is at
    most 2 a. Ziyin, Hartwig and Ueda 2020 (arXiv 2006.08195).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Snake(2.0)(np.array([[0.0, 1.0]]))
    array([[0.    , 1.4134]])
    >>> lc.layers.Snake(2.0).lipschitz().upper
    2.0
    """

    values = Profile((), (-math.inf, math.inf))

    def __init__(self, a: float = 1.0) -> None:
        self.a = positive(a, "a")
        self.slopes = Wave((), (0.0, 2.0), 2 * self.a / math.pi, 0.5)
        self.curvature = 2 * self.a

    def _value(self, xp: Namespace, x: Array) -> Array:
        return x + xp.sin(self.a * x) ** 2 / self.a

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return 1 + xp.sin(2 * self.a * x)

    def _slope_error(self, x: Host, slope: Host) -> Host:
        return np.asarray(ROUNDING / 32 * (2 + 2 * self.a * np.minimum(np.abs(x), 1e12 / self.a)))

    def _value_error(self, x: Host, value: Host) -> Host:
        return np.asarray(ROUNDING / 16 * (1 / self.a + np.minimum(np.abs(x), 1e12 / self.a)) + 1e-15 * np.abs(value))
