"""Activations with parameters that do not stretch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ... import layers as L
from ._kept import Kept, joined, pairs_of
from ._layer import registered
from .images import channels_first


@registered
class Householder(Kept):
    r"""Pairs of neighbouring channels, reflected in a learned line where they lie on one side of it.

    Parameters
    ----------
    axis : int
        Axis of an even number of channels.
    theta_initializer : initializer, optional
        Of the angles of the lines; by default :math:`\pi/2`, which is `MaxMin`.
    **kwargs
        As for ``keras.layers.Layer``.

    Raises
    ------
    ValueError
        When the layer is built, if the axis is odd.

    See Also
    --------
    lipcore.layers.Householder : The layer, its Jacobian and its constants.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> keras.ops.convert_to_numpy(lk.Householder()(np.array([[3.0, 4.0]], dtype="float32"))).round(3)
    array([[4., 3.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, theta_initializer: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = int(axis)
        start = keras.initializers.Constant(math.pi / 2) if theta_initializer is None else theta_initializer
        self.theta_initializer = keras.initializers.get(start)

    def build(self, input_shape: Any) -> None:
        """Make the angles."""
        size = input_shape[self.axis]
        if size is None or size % 2:
            raise ValueError(
                f"`axis` {self.axis} of the input {tuple(input_shape)} must hold an even number of channels"
            )
        self.theta = self.add_weight(name="theta", shape=(size // 2,), initializer=self.theta_initializer)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Pairs, reflected or not."""
        axis = self.axis % len(inputs.shape)
        first, second = pairs_of(inputs, axis)
        shape = [1] * len(inputs.shape)
        shape[axis] = -1
        theta = ops.reshape(ops.convert_to_tensor(self.theta), shape)
        c, s = ops.cos(theta), ops.sin(theta)
        stays = first * ops.sin(theta / 2) > second * ops.cos(theta / 2)
        one = ops.where(stays, first, c * first + s * second)
        two = ops.where(stays, second, s * first - c * second)
        return joined((one, two), axis, tuple(inputs.shape))

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        return L.Householder(ops.convert_to_numpy(self.theta.value), self.axis)

    def get_config(self) -> dict[str, Any]:
        """Options."""
        start = keras.initializers.serialize(self.theta_initializer)
        return {**super().get_config(), "axis": self.axis, "theta_initializer": start}


@registered
class PReLUlip(Kept):
    r"""Rectifier with learned slopes that are kept in [-k, k]: deel-lip's ``PReLUlip``.

    Parameters
    ----------
    k_coef_lip : float
        Largest slope; the positive side has the slope 1, so that the constant is 1 where it is less.
    alpha_initializer : initializer, optional
        Of the slopes of the negative side, one for each entry of the last axis.
    **kwargs
        As for ``keras.layers.Layer``.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> keras.ops.convert_to_numpy(lk.PReLUlip(alpha_initializer="ones")(np.array([[-3.0, 4.0]], dtype="float32")))
    array([[-3.,  4.]], dtype=float32)
    """

    def __init__(self, k_coef_lip: float = 1.0, alpha_initializer: Any = "zeros", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < float(k_coef_lip) < math.inf:
            raise ValueError(f"`k_coef_lip` must be positive and finite, got {k_coef_lip!r}")
        self.k_coef_lip = float(k_coef_lip)
        self.alpha_initializer = keras.initializers.get(alpha_initializer)

    def build(self, input_shape: Any) -> None:
        """Make the slopes."""
        self.alpha = self.add_weight(name="alpha", shape=(input_shape[-1],), initializer=self.alpha_initializer)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Rectified values."""
        slopes = ops.clip(ops.convert_to_tensor(self.alpha), -self.k_coef_lip, self.k_coef_lip)
        return ops.where(inputs > 0, inputs, slopes * inputs)

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        slopes = np.clip(ops.convert_to_numpy(self.alpha.value), -self.k_coef_lip, self.k_coef_lip)
        return channels_first(L.PReLU(slopes), "channels_last", shape)

    def get_config(self) -> dict[str, Any]:
        """Options."""
        start = keras.initializers.serialize(self.alpha_initializer)
        return {**super().get_config(), "k_coef_lip": self.k_coef_lip, "alpha_initializer": start}
