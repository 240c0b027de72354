"""Activation functions of Keras as lipcore layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import layers as L

_ACTIVATIONS: dict[str, Callable[[], L.Layer]] = {
    "linear": L.Identity,
    "relu": L.ReLU,
    "relu6": L.ReLU6,
    "leaky_relu": lambda: L.LeakyReLU(0.2),
    "elu": L.ELU,
    "selu": L.SELU,
    "gelu": L.GELU,
    "silu": L.SiLU,
    "mish": L.Mish,
    "sigmoid": L.Sigmoid,
    "tanh": L.Tanh,
    "softplus": L.Softplus,
    "softsign": L.Softsign,
    "softmax": lambda: L.Softmax(-1),
}


def activation(function: Any, layer: str) -> L.Layer:
    """The layer that a function of ``keras.activations`` is, for the layer of that name."""
    name = getattr(function, "__name__", str(function))
    known = getattr(function, "__module__", "").startswith("keras.")
    if not known or name not in _ACTIVATIONS:
        raise TypeError(
            f"layer {layer!r} has the activation {name!r}, which certify does not know: it knows those of Keras called "
            f"{', '.join(_ACTIVATIONS)}"
        )
    return _ACTIVATIONS[name]()
