"""Inputs times a gate that they open themselves."""

from __future__ import annotations

import numpy as np

from ..._typing import Array, Namespace
from ..elementwise import ROUNDING, Elementwise
from ..regions import Host


class SelfGated(Elementwise):
    r"""A function :math:`x g(x)` with a gate g between 0 and 1.

    Notes
    -----
    A subclass implements ``_gate(xp, x)``, ``_slope(xp, x)``, and ``_exponent(x)``, the size of the exponents of the
    left tail that carry a rounding, which exp amplifies. Errors of the slope :math:`g + x g'` are relative to
    :math:`|g| + |x g'| \le |f'| + 2 g`.
    """

    def _gate(self, xp: Namespace, x: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_gate`")

    def _exponent(self, x: Host) -> Host:
        return np.zeros_like(x)

    def _value(self, xp: Namespace, x: Array) -> Array:
        return x * self._gate(xp, x)

    def _slope_error(self, x: Host, slope: Host) -> Host:
        size = np.abs(slope) + 2 * self._on_host(self._gate, x)
        return np.asarray(ROUNDING * (1 + self._exponent(np.minimum(x, 0.0)) / 16) * size + 1e-300)

    def _value_error(self, x: Host, value: Host) -> Host:
        return np.asarray(ROUNDING * (1 + self._exponent(np.minimum(x, 0.0)) / 16) * np.abs(value) + 1e-300)
