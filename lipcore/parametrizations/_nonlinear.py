"""What the constructions of nonlinear layers share."""

from __future__ import annotations

import numpy as np

from ..layers.elementwise import Elementwise


def check_activation(activation: Elementwise | None) -> Elementwise | None:
    """`activation` where it keeps the promise that the constructions make: no slope below 0 or above 1."""
    if activation is None:
        return None
    if not isinstance(activation, Elementwise):
        raise TypeError(f"`activation` must be an elementwise layer, got {type(activation).__name__}")
    low, high = (float(f(end)) for f, end in zip((np.min, np.max), activation.slope_range(), strict=True))
    if low < 0 or high > 1:
        raise ValueError(
            f"`activation` must have slopes between 0 and 1 for a 1-Lipschitz layer, got {type(activation).__name__} "
            f"with [{low:.6g}, {high:.6g}]; make the layer from `lipcore.layers`, whose constant counts them"
        )
    return activation
