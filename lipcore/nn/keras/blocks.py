"""Blocks of pixels gathered in channels, and spread again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from ... import layers as L
from ._layer import registered
from .images import Images, channels_first, pair

Size = int | Sequence[int]


class _Blocks(Images):
    """Blocks of pixels and channels."""

    def __init__(self, pool_size: Size = 2, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.pool_size = pair("pool_size", pool_size)
        if self.pool_size[0] != self.pool_size[1]:
            raise ValueError(f"`pool_size` must be the same for both axes, got {pool_size!r}")

    def get_config(self) -> dict[str, Any]:
        """Options."""
        return {**super().get_config(), "pool_size": self.pool_size}


@registered
class InvertibleDownSampling(_Blocks):
    """Blocks of pixels gathered in channels, an isometry: deel-lip's ``InvertibleDownSampling``.

    Parameters
    ----------
    pool_size : int or pair of int
        Side of a block, which divides the image.
    data_format : str, optional
        As for ``keras.layers.AveragePooling2D``.
    **kwargs
        As for ``keras.layers.Layer``.

    Raises
    ------
    ValueError
        From a call, if the blocks do not divide the image.

    Notes
    -----
    The pixels of a channel become neighbouring channels, row by row.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.InvertibleDownSampling(2).compute_output_shape((None, 6, 4, 3))
    (None, 3, 2, 12)
    """

    def call(self, inputs: Any) -> Any:
        """Gathered pixels."""
        (high, wide), c = self.parts_of(self._checked(tuple(inputs.shape)))
        k = self.pool_size[0]
        if self.last:
            x = ops.reshape(inputs, (-1, high // k, k, wide // k, k, c))
            return ops.reshape(ops.transpose(x, (0, 1, 3, 5, 2, 4)), (-1, high // k, wide // k, c * k * k))
        x = ops.reshape(inputs, (-1, c, high // k, k, wide // k, k))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 5, 2, 4)), (-1, c * k * k, high // k, wide // k))

    def _checked(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        sizes, _ = self.parts_of(shape)
        if any(n is not None and n % k for n, k in zip(sizes, self.pool_size, strict=True)):
            raise ValueError(f"`pool_size` {self.pool_size} must divide the image {tuple(sizes)}")
        return shape

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Shape of the output."""
        sizes, c = self.parts_of(self._checked(tuple(input_shape)))
        k = self.pool_size[0]
        return self.shape_of(input_shape[0], [None if n is None else n // k for n in sizes], c * k * k)

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        return channels_first(L.PixelUnshuffle(self.pool_size[0]), self.data_format, shape)


@registered
class InvertibleUpSampling(_Blocks):
    """Channels spread over blocks of pixels, the inverse of `InvertibleDownSampling`: deel-lip's class of this name.

    Parameters
    ----------
    pool_size : int or pair of int
        Side of a block, whose square divides the channels.
    data_format : str, optional
        As for ``keras.layers.AveragePooling2D``.
    **kwargs
        As for ``keras.layers.Layer``.

    Raises
    ------
    ValueError
        From a call, if the pixels of a block do not divide the channels.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.InvertibleUpSampling(2).compute_output_shape((None, 3, 2, 12))
    (None, 6, 4, 3)
    """

    def call(self, inputs: Any) -> Any:
        """Spread channels."""
        (high, wide), c = self.parts_of(self._checked(tuple(inputs.shape)))
        k = self.pool_size[0]
        c = c // (k * k)
        if self.last:
            x = ops.transpose(ops.reshape(inputs, (-1, high, wide, c, k, k)), (0, 1, 4, 2, 5, 3))
            return ops.reshape(x, (-1, high * k, wide * k, c))
        x = ops.transpose(ops.reshape(inputs, (-1, c, k, k, high, wide)), (0, 1, 4, 2, 5, 3))
        return ops.reshape(x, (-1, c, high * k, wide * k))

    def _checked(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        _, channels = self.parts_of(shape)
        if channels % math.prod(self.pool_size):
            raise ValueError(f"`pool_size` {self.pool_size} must divide the {channels} channels, pixel by pixel")
        return shape

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Shape of the output."""
        sizes, c = self.parts_of(self._checked(tuple(input_shape)))
        k = self.pool_size[0]
        return self.shape_of(input_shape[0], [None if n is None else n * k for n in sizes], c // (k * k))

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        return channels_first(L.PixelShuffle(self.pool_size[0]), self.data_format, shape)
