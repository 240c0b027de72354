"""Orthogonal convolutions that are made for the size of the image that arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from ... import _backend as B
from ... import layers as L
from ... import parametrizations
from ..._typing import Array, Shape
from ...operators import LinearOperator
from .initialise import orthogonal_

Construction = Callable[..., LinearOperator]


class ImageConvolution(L.LinearLayer):
    """A convolution that a construction makes for the image at hand, and a shift of each channel.

    Parameters
    ----------
    construction : callable
        ``construction(weight, input_shape, **options)`` of `lipcore.parametrizations`.
    weight : array, shape (out, in, *k)
    bias : array, shape (out,), optional
    **options
        Of the construction.
    """

    def __init__(self, construction: Construction, weight: Array, bias: Array | None = None, **options: Any) -> None:
        self.construction, self.weight, self.bias, self.options = construction, weight, bias, options

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        # entries are not a function of those of the weight one by one, so that the weight is none of `arrays`
        weight = B.from_numpy(
            B.to_numpy(self.weight), xp=B.array_namespace(like), device=B.device_of(like), dtype=like.dtype
        )
        return self.construction(weight, shape, **self.options)

    def _offset(self, shape: Shape) -> Array | None:
        if self.bias is None:
            return None
        return B.array_namespace(self.bias).reshape(self.bias, (-1,) + (1,) * (len(shape) - 1))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        return (int(self.weight.shape[0]), *input_shapes[0][1:])


class _ImageConv2d(nn.Module):
    """A free weight, of which each call makes the convolution for its images."""

    construction: ClassVar[Construction]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] = 3,
        bias: bool = True,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        taps = (kernel_size,) * 2 if isinstance(kernel_size, int) else tuple(kernel_size)
        factory = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty((out_channels, in_channels, *taps), **factory))
        self.bias = nn.Parameter(torch.zeros(out_channels, **factory)) if bias else None
        orthogonal_(self.weight)

    def _options(self) -> dict[str, Any]:
        return {}

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        bias = None if self.bias is None else self.bias.detach()
        return ImageConvolution(type(self).construction, self.weight.detach(), bias, **self._options())

    def forward(self, x: Array) -> Array:
        """Images (samples, out, h, w)."""
        with torch.autocast(device_type=x.device.type, enabled=False):
            double = torch.float64 in (x.dtype, self.weight.dtype)
            dtype = torch.float64 if double else torch.float32
            made = type(self).construction(self.weight.to(dtype), tuple(x.shape[1:]), **self._options())
            y = made.apply(x.to(dtype)).to(x.dtype)
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]

    def extra_repr(self) -> str:
        """Shape and options."""
        shown = [f"{k}={v!r}" for k, v in self._options().items()]
        return ", ".join([str(tuple(self.weight.shape)), *shown])


class SOCConv2d(_ImageConv2d):
    r"""Skew orthogonal convolution, orthogonal under zero and circular padding: the exponential of a skew one.

    Parameters
    ----------
    in_channels, out_channels : int
        As for ``torch.nn.Conv2d``.
    kernel_size : int or pair of int
        Odd.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.
    padding_mode : {"zeros", "circular"}
        What is around an image.

    Raises
    ------
    ValueError
        For another `padding_mode`; from a call, if `kernel_size` is even.

    See Also
    --------
    lipcore.parametrizations.soc_convolution : The construction, its cost and its guarantee.

    Notes
    -----
    Each call makes the convolution for the images that it gets, and costs some 20 plain ones; `export` leaves the
    module as it is. orthogonium's ``AdaptiveSOCConv2d`` makes one explicit kernel and takes strides.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.SOCConv2d(2, 2, bias=False)
    >>> x = torch.ones(1, 2, 5, 5)
    >>> bool(abs(layer(x).norm() / x.norm() - 1) < 1e-4)
    True
    """

    construction: ClassVar[Construction] = staticmethod(parametrizations.soc_convolution)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] = 3,
        bias: bool = True,
        *,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias, device=device, dtype=dtype)
        if padding_mode not in ("zeros", "circular"):
            raise ValueError(f"`padding_mode` must be 'zeros' or 'circular', got {padding_mode!r}")
        self.padding_mode = padding_mode

    def _options(self) -> dict[str, Any]:
        return {"padding_mode": self.padding_mode}


class CayleyConv2d(_ImageConv2d):
    """Orthogonal circular convolution by the Cayley transform at every frequency of the image.

    Parameters
    ----------
    in_channels, out_channels : int
        As for ``torch.nn.Conv2d``.
    kernel_size : int or pair of int
        Taps along each axis.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.cayley_convolution : The construction, its cost and its guarantee.

    Notes
    -----
    The kernel is as large as the image, and made anew for every call; `export` leaves the module as it is.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.CayleyConv2d(2, 2, bias=False)
    >>> x = torch.ones(1, 2, 6, 6)
    >>> bool(abs(layer(x).norm() / x.norm() - 1) < 1e-4)
    True
    """

    construction: ClassVar[Construction] = staticmethod(parametrizations.cayley_convolution)


class LOTConv2d(_ImageConv2d):
    """Orthogonal circular convolution by the polar factor at every frequency of the image.

    Parameters
    ----------
    in_channels, out_channels : int
        As for ``torch.nn.Conv2d``.
    kernel_size : int or pair of int
        Taps along each axis.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.lot_convolution : The construction, its cost and its guarantee.

    Notes
    -----
    The kernel is as large as the image, and made anew for every call; `export` leaves the module as it is.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.LOTConv2d(2, 2, bias=False)
    >>> x = torch.ones(1, 2, 6, 6)
    >>> bool(abs(layer(x).norm() / x.norm() - 1) < 1e-4)
    True
    """

    construction: ClassVar[Construction] = staticmethod(parametrizations.lot_convolution)


class ECOConv2d(_ImageConv2d):
    """Orthogonal circular convolution with taps as far apart as the image is long over their number.

    Parameters
    ----------
    in_channels, out_channels : int
        As for ``torch.nn.Conv2d``.
    kernel_size : int or pair of int
        Must divide the image; from a call, a ValueError if it does not.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.eco : The construction, its cost and its guarantee.

    Notes
    -----
    The kernel is made anew for every call; `export` leaves the module as it is.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.ECOConv2d(2, 2, bias=False)
    >>> x = torch.ones(1, 2, 6, 6)
    >>> bool(abs(layer(x).norm() / x.norm() - 1) < 1e-4)
    True
    """

    construction: ClassVar[Construction] = staticmethod(parametrizations.eco)
