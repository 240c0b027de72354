"""Images of Keras, channels last or first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from ... import layers as L
from .convolution import image_format


class Images(keras.layers.Layer):
    """A layer of images (samples, height, width, channels), or channels first."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = image_format(data_format)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    @property
    def last(self) -> bool:
        """Whether channels come last."""
        return self.data_format == "channels_last"

    @property
    def spatial(self) -> tuple[int, int]:
        """Height and width."""
        return (1, 2) if self.last else (2, 3)

    def shape_of(self, batch: Any, spatial: Sequence[Any], channels: Any) -> tuple[Any, ...]:
        """A shape in the layout of the layer."""
        return (batch, *spatial, channels) if self.last else (batch, channels, *spatial)

    def parts_of(self, shape: Any) -> tuple[list[Any], Any]:
        """Spatial sizes, and channels."""
        return [shape[axis] for axis in self.spatial], shape[-1 if self.last else 1]

    def get_config(self) -> dict[str, Any]:
        """Options."""
        return {**super().get_config(), "data_format": self.data_format}


def channels_first(layer: L.Layer, data_format: str, shape: Sequence[int]) -> L.Layer:
    """`layer`, which takes channels first, on samples of as many axes as `shape` in `data_format`."""
    if data_format == "channels_first" or len(shape) == 1:
        return layer
    into, out = permutations(len(shape))
    return L.Sequential(into, layer, out)


def permutations(axes: int) -> tuple[L.Layer, L.Layer]:
    """From channels last to channels first, and back, for samples of `axes` axes."""
    return L.Permute((axes - 1, *range(axes - 1))), L.Permute((*range(1, axes), 0))


def pair(name: str, value: Any) -> tuple[int, int]:
    """A positive number for each axis."""
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(n, int) and n > 0 for n in pair):
        raise ValueError(f"`{name}` must be a positive integer or a pair of them, got {value!r}")
    return pair
