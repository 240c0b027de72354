"""Pooling scaled to the constant 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from ... import layers as L
from ._layer import checked_lipschitz, registered
from .images import Images, channels_first, pair, permutations

Size = int | Sequence[int]


class _Sliding(Images):
    """Windows that slide over two axes."""

    def __init__(
        self,
        pool_size: Size = 2,
        strides: Size | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        k_coef_lip: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        if padding != "valid":
            raise ValueError(
                f"`padding` must be 'valid', got {padding!r}: what lies beyond the last window is left out"
            )
        self.padding = padding
        self.pool_size = pair("pool_size", pool_size)
        self.strides = self.pool_size if strides is None else pair("strides", strides)
        self.k_coef_lip = checked_lipschitz(k_coef_lip)

    @property
    def _overlap(self) -> int:
        """The most windows that a pixel is in."""
        return math.prod(-(-k // s) for k, s in zip(self.pool_size, self.strides, strict=True))

    def _means(self, x: Any) -> Any:
        return ops.average_pool(x, self.pool_size, self.strides, padding="valid", data_format=self.data_format)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Shape of the output."""
        sizes, channels = self.parts_of(input_shape)
        numbers = zip(sizes, self.pool_size, self.strides, strict=True)
        found = [None if n is None else (n - k) // s + 1 for n, k, s in numbers]
        return self.shape_of(input_shape[0], found, channels)

    def get_config(self) -> dict[str, Any]:
        """Options."""
        names = ("pool_size", "strides", "padding", "k_coef_lip")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@registered
class ScaledAveragePooling2D(_Sliding):
    r"""Average pooling times the root of the window's size: deel-lip's ``ScaledAveragePooling2D``.

    Parameters
    ----------
    pool_size, strides, padding, data_format
        As for ``keras.layers.AveragePooling2D``; `padding` is ``"valid"``. Windows that overlap are divided by the root
        of how many hold a pixel.
    k_coef_lip : float
        Lipschitz constant.
    **kwargs
        As for ``keras.layers.Layer``.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.ScaledAveragePooling2D(2)(np.ones((1, 2, 2, 1), dtype="float32"))[0, 0, 0, 0])
    2.0
    """

    @property
    def _scale(self) -> float:
        return self.k_coef_lip * math.sqrt(math.prod(self.pool_size) / self._overlap)

    def call(self, inputs: Any) -> Any:
        """Scaled means."""
        return self._means(inputs) * self._scale

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        pool = L.AvgPool(self.pool_size, self.strides)
        return channels_first(L.Sequential(pool, L.Add((self._scale,))), self.data_format, shape)


@registered
class ScaledL2NormPooling2D(_Sliding):
    r"""Euclidean norms of windows: deel-lip's ``ScaledL2NormPooling2D``.

    Parameters
    ----------
    pool_size, strides, padding, data_format
        As for ``keras.layers.AveragePooling2D``; `padding` is ``"valid"``. Windows that overlap are divided by the root
        of how many hold a pixel.
    k_coef_lip : float
        Lipschitz constant.
    **kwargs
        As for ``keras.layers.Layer``.

    Raises
    ------
    ValueError
        If an option is out of range.

    Notes
    -----
    The derivative at a window of zeros is taken to be zero; no number is added under the root.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> x = np.array([3.0, 4.0, 0.0, 0.0], dtype="float32").reshape(1, 2, 2, 1)
    >>> float(lk.ScaledL2NormPooling2D(2)(x)[0, 0, 0, 0])
    5.0
    """

    @property
    def _scale(self) -> float:
        return self.k_coef_lip / math.sqrt(self._overlap)

    def call(self, inputs: Any) -> Any:
        """Lengths of windows."""
        return _root(self._means(inputs * inputs) * math.prod(self.pool_size)) * self._scale

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        pool = L.L2NormPool(self.pool_size, self.strides)
        return channels_first(L.Sequential(pool, L.Add((self._scale,))), self.data_format, shape)


class _Global(Images):
    """One number for each channel."""

    def __init__(self, data_format: str | None = None, k_coef_lip: float = 1.0, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.k_coef_lip = checked_lipschitz(k_coef_lip)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Shape of the output."""
        return (input_shape[0], self.parts_of(input_shape)[1])

    def get_config(self) -> dict[str, Any]:
        """Options."""
        return {**super().get_config(), "k_coef_lip": self.k_coef_lip}


@registered
class ScaledGlobalAveragePooling2D(_Global):
    r"""Mean of each channel times the root of the number of pixels, shape (samples, channels): deel-lip's class.

    Parameters
    ----------
    data_format : str, optional
        As for ``keras.layers.GlobalAveragePooling2D``.
    k_coef_lip : float
        Lipschitz constant.
    **kwargs
        As for ``keras.layers.Layer``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.ScaledGlobalAveragePooling2D()(np.ones((1, 2, 2, 1), dtype="float32"))[0, 0])
    2.0
    """

    def call(self, inputs: Any) -> Any:
        """Scaled means."""
        sizes, _ = self.parts_of(inputs.shape)
        if None in sizes:
            raise ValueError(f"`inputs` must have a known height and width, got shape {tuple(inputs.shape)}")
        return ops.mean(inputs, axis=self.spatial) * (math.sqrt(math.prod(sizes)) * self.k_coef_lip)

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is, for samples of `shape`."""
        sizes, _ = self.parts_of((None, *shape))
        scale = L.Add((math.sqrt(math.prod(sizes)) * self.k_coef_lip,))
        pool = L.Sequential(L.AvgPool(tuple(sizes)), scale, L.Flatten())
        return _from_last(pool, self.data_format)


@registered
class ScaledGlobalL2NormPooling2D(_Global):
    r"""Euclidean norm of each channel, shape (samples, channels): deel-lip's ``ScaledGlobalL2NormPooling2D``.

    Parameters
    ----------
    data_format : str, optional
        As for ``keras.layers.GlobalAveragePooling2D``.
    k_coef_lip : float
        Lipschitz constant.
    **kwargs
        As for ``keras.layers.Layer``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.ScaledGlobalL2NormPooling2D()(np.ones((1, 2, 2, 1), dtype="float32"))[0, 0])
    2.0
    """

    def call(self, inputs: Any) -> Any:
        """Lengths of channels."""
        return _root(ops.sum(inputs * inputs, axis=self.spatial)) * self.k_coef_lip

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is, for samples of `shape`."""
        sizes, _ = self.parts_of((None, *shape))
        pool = L.Sequential(L.L2NormPool(tuple(sizes)), L.Add((self.k_coef_lip,)), L.Flatten())
        return _from_last(pool, self.data_format)


def _from_last(layer: L.Layer, data_format: str) -> L.Layer:
    """The same where the result has channels only."""
    return L.Sequential(permutations(3)[0], layer) if data_format == "channels_last" else layer


def _root(squares: Any) -> Any:
    """Root whose derivative at zero is zero."""
    there = squares > 0
    return ops.where(there, ops.sqrt(ops.where(there, squares, ops.ones_like(squares))), ops.zeros_like(squares))
