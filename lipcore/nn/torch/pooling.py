"""Pooling scaled to the constant 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn import functional

from ... import layers as L
from ..._typing import Array
from ...layers.windows import PoolOptions
from .constrained import checked_lipschitz
from .fast import lengths, root
from .scaled_layers import AdaptiveLengths, ScaledMeans, window_gain

Size = int | Sequence[int]


class _Sliding(nn.Module):
    """Windows that slide over two axes."""

    def __init__(self, kernel_size: Size, stride: Size | None = None, *, k_coef_lip: float = 1.0) -> None:
        super().__init__()
        self.kernel_size = _pair("kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else _pair("stride", stride)
        self.k_coef_lip = checked_lipschitz(k_coef_lip)
        self._pixels = math.prod(self.kernel_size)
        # the most windows that a pixel is in
        self._overlap = math.prod([-(-k // s) for k, s in zip(self.kernel_size, self.stride, strict=True)])

    def extra_repr(self) -> str:
        """Options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}"


class ScaledAvgPool2d(_Sliding):
    r"""Average pooling times the root of the window's size: torchlip's ``ScaledAvgPool2d``.

    Parameters
    ----------
    kernel_size : int or pair of int
        Sides of a window.
    stride : int or pair of int, optional
        `kernel_size` by default. Windows that overlap are divided by the root of how many hold a pixel.
    k_coef_lip : float
        Lipschitz constant.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.ScaledAvgPool2d(2)(torch.ones(1, 1, 2, 2))
    tensor([[[[2.]]]])
    """

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return ScaledMeans(PoolOptions(self.kernel_size, self.stride), self.k_coef_lip)

    def forward(self, x: Array) -> Array:
        """Scaled means."""
        scale = self.k_coef_lip * math.sqrt(self._pixels / self._overlap)
        return functional.avg_pool2d(x, self.kernel_size, self.stride) * scale


class ScaledL2NormPool2d(_Sliding):
    r"""Euclidean norms of windows: torchlip's ``ScaledL2NormPool2d``.

    Parameters
    ----------
    kernel_size : int or pair of int
        Sides of a window.
    stride : int or pair of int, optional
        `kernel_size` by default. Windows that overlap are divided by the root of how many hold a pixel.
    k_coef_lip : float
        Lipschitz constant.

    Notes
    -----
    The derivative at a window of zeros is taken to be zero; no number is added under the root.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.ScaledL2NormPool2d(2)(torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]]))
    tensor([[[[5.]]]])
    """

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        pool = L.L2NormPool(self.kernel_size, self.stride)
        return pool if self._scale == 1.0 else L.Sequential(pool, L.Add((self._scale,)))

    @property
    def _scale(self) -> float:
        return self.k_coef_lip / math.sqrt(self._overlap)

    def forward(self, x: Array) -> Array:
        """Lengths of windows."""
        if self.stride == self.kernel_size:
            y = lengths(x, self.kernel_size)
        else:
            y = root(functional.avg_pool2d(x * x, self.kernel_size, self.stride, divisor_override=1))
        return y if self._scale == 1.0 else y * self._scale


class ScaledAdaptiveAvgPool2d(nn.Module):
    r"""Adaptive average pooling times the root of the window's size: torchlip's ``ScaledAdaptiveAvgPool2d``.

    Parameters
    ----------
    output_size : int or pair of int
        Windows along each axis.
    k_coef_lip : float
        Lipschitz constant.

    Notes
    -----
    Where the output size does not divide the image windows overlap and differ in size; the factor is then the root of
    the smallest size over the number of windows that hold a pixel, along each axis.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.ScaledAdaptiveAvgPool2d(1)(torch.ones(1, 1, 2, 2))
    tensor([[[[2.]]]])
    """

    def __init__(self, output_size: Size = 1, *, k_coef_lip: float = 1.0) -> None:
        super().__init__()
        self.output_size, self.k_coef_lip = _pair("output_size", output_size), checked_lipschitz(k_coef_lip)

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return ScaledMeans(self.output_size, self.k_coef_lip)

    def forward(self, x: Array) -> Array:
        """Scaled means."""
        gains = [_adaptive_gain(n, m) for n, m in zip(x.shape[-2:], self.output_size, strict=True)]
        return functional.adaptive_avg_pool2d(x, self.output_size) * (self.k_coef_lip * math.sqrt(math.prod(gains)))

    def extra_repr(self) -> str:
        """Options."""
        return f"output_size={self.output_size}"


class ScaledAdaptativeL2NormPool2d(nn.Module):
    r"""Euclidean norms of windows that divide the image: torchlip's class of this name.

    Parameters
    ----------
    output_size : int or pair of int
        Windows along each axis, which must divide the image.

    Raises
    ------
    ValueError
        From a call, if the image is not divided.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.ScaledAdaptativeL2NormPool2d()(torch.ones(1, 1, 2, 2))
    tensor([[[[2.]]]])
    """

    def __init__(self, output_size: Size = 1) -> None:
        super().__init__()
        self.output_size = _pair("output_size", output_size)

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return AdaptiveLengths(self.output_size)

    def forward(self, x: Array) -> Array:
        """Lengths of windows."""
        sizes = list(zip(x.shape[-2:], self.output_size, strict=True))
        if any(n % m for n, m in sizes):
            raise ValueError(f"`output_size` {self.output_size} must divide the image {tuple(x.shape[-2:])}")
        return lengths(x, tuple(n // m for n, m in sizes))

    def extra_repr(self) -> str:
        """Options."""
        return f"output_size={self.output_size}"


class ScaledGlobalAvgPool2d(ScaledAdaptiveAvgPool2d):
    """Mean of each channel times the root of the number of pixels, shape (samples, channels).

    Parameters
    ----------
    k_coef_lip : float
        Lipschitz constant.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.ScaledGlobalAvgPool2d()(torch.ones(1, 1, 2, 2))
    tensor([[2.]])
    """

    def __init__(self, *, k_coef_lip: float = 1.0) -> None:
        super().__init__(1, k_coef_lip=k_coef_lip)

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return L.Sequential(super().as_layer(), L.Flatten())

    def forward(self, x: Array) -> Array:
        """Scaled means."""
        return super().forward(x).flatten(1)


class ScaledGlobalL2NormPool2d(ScaledAdaptativeL2NormPool2d):
    """Euclidean norm of each channel, shape (samples, channels).

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.ScaledGlobalL2NormPool2d()(torch.ones(1, 1, 2, 2))
    tensor([[2.]])
    """

    def __init__(self) -> None:
        super().__init__(1)

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return L.Sequential(super().as_layer(), L.Flatten())

    def forward(self, x: Array) -> Array:
        """Lengths of channels."""
        return super().forward(x).flatten(1)


def _pair(name: str, value: Any) -> tuple[int, ...]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(n, int) and n > 0 for n in pair):
        raise ValueError(f"`{name}` must be a positive integer or a pair of them, got {value!r}")
    return pair


def _adaptive_gain(size: int, count: int) -> float:
    starts = [i * size // count for i in range(count)]
    stops = [-(-(i + 1) * size // count) for i in range(count)]
    overlap = max(sum(a <= p < b for a, b in zip(starts, stops, strict=True)) for p in starts)
    return window_gain([b - a for a, b in zip(starts, stops, strict=True)], overlap)
