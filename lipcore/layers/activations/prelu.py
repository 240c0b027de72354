"""Rectified linear unit with a slope on the negative side for each channel."""

from __future__ import annotations

import math

import numpy as np

from ... import _backend as B
from ..._typing import Array, Namespace
from ..elementwise import Elementwise, Pair, Profile, corner
from ..regions import Host


class PReLU(Elementwise):
    r"""Parametric rectifier, :math:`x` for positive and :math:`a_c x` for other inputs of channel c.

    Parameters
    ----------
    weight : array, shape (channels,) or (1,)
        The slopes a; the channel is the first axis of a sample. A single slope serves samples of every shape.

    Raises
    ------
    ValueError
        If `weight` has not one axis, or is empty or not finite.

    Notes
    -----
    Slopes :math:`a_c` and 1: the constant is :math:`\max(1, \max_c |a_c|)` in every norm. The slope at 0 is
    :math:`a_c`, as in PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> prelu = lc.layers.PReLU(np.array([0.5, -3.0]))
    >>> prelu(np.array([[-1.0, -1.0]]))
    array([[-0.5,  3. ]])
    >>> prelu.lipschitz().upper
    3.0
    """

    slope_error = 0.0
    rigorous = True
    values = Profile((), (-math.inf, math.inf))

    def __init__(self, weight: Array) -> None:
        B.array_namespace(weight, name="weight")
        if weight.ndim != 1 or weight.shape[0] == 0:
            raise ValueError(f"`weight` must have shape (channels,) or (1,), got {tuple(weight.shape)}")
        self.weight = weight
        self._host = np.asarray(B.to_numpy(weight), dtype=np.float64)
        if not np.all(np.isfinite(self._host)):
            raise ValueError("`weight` must be finite, it holds NaN or infinity")
        self.slopes = Profile((corner(0.0, *self._host, 1.0),), (1.0, 1.0))

    def _negative(self, xp: Namespace, x: Array) -> Array:
        """Slopes of the negative side, for samples along the first axis."""
        channels = self.weight.shape[0]
        if channels > 1 and (x.ndim < 2 or x.shape[1] != channels):
            raise ValueError(f"`x` must have shape (samples, {channels}, ...), got {tuple(x.shape)}")
        weight = self._host if B.is_numpy(xp) else self.weight
        return B.cast(xp.reshape(weight, (channels, *(1,) * max(x.ndim - 2, 0))), x.dtype)

    def _value(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x > 0, x, self._negative(xp, x) * x)

    def _slope(self, xp: Namespace, x: Array) -> Array:
        return xp.where(x > 0, xp.ones_like(x), self._negative(xp, x) + xp.zeros_like(x))

    def _of(self, lower: Host) -> Host:
        """Slopes of the negative side, for a sample; of all channels for the whole line."""
        return self._host if lower.ndim == 0 else np.asarray(self._negative(np, lower[None]))

    def _slopes_between(self, lower: Host, upper: Host, *, outward: bool) -> Pair:
        a = self._of(lower)
        left, right = lower <= 0, upper >= 0
        low = np.where(left, np.where(right, np.minimum(a, 1.0), a), 1.0)
        high = np.where(left, np.where(right, np.maximum(a, 1.0), a), 1.0)
        return low, high

    def _values_between(self, lower: Host, upper: Host) -> Pair:
        a = self._of(lower)
        with np.errstate(invalid="ignore", over="ignore"):
            ends = [np.where(x > 0, x, np.where(a == 0, 0.0, a * x)) for x in (lower, upper)]
        low, high = np.minimum(*ends), np.maximum(*ends)
        around = (lower <= 0) & (upper >= 0)
        low, high = np.where(around, np.minimum(low, 0.0), low), np.where(around, np.maximum(high, 0.0), high)
        return low - self._value_error(lower, low), high + self._value_error(upper, high)
