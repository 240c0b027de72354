"""Modules of torch as lipcore layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from ... import layers as L
from .rearrange import Shuffle

Reader = Callable[[Any], L.Layer]


def read(model: nn.Module) -> list[tuple[str, L.Layer]]:
    """The layers of a network in evaluation mode, in order, with the names of their modules.

    Parameters
    ----------
    model : Module
        Made of `Sequential`, the modules of this package, and those of torch that have a layer in lipcore. Any module
        with a method ``as_layer()`` that returns a layer is read too.

    Returns
    -------
    list of (str, Layer)

    Raises
    ------
    TypeError
        For a module that has no layer, by name.
    """
    return list(_layers(model, ""))


def _layers(module: nn.Module, name: str) -> Iterator[tuple[str, L.Layer]]:
    if isinstance(module, nn.Sequential):
        for key, child in module.named_children():
            yield from _layers(child, f"{name}.{key}" if name else key)
        return
    yield name, as_layer(module, name)


def as_layer(module: nn.Module, name: str = "") -> L.Layer:
    """One module, or a whole Sequential, as a layer of `lipcore.layers`.

    Parameters
    ----------
    module : Module
        Plain, or with a method ``as_layer()``.
    name : str
        What errors call it.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError
        For a module that has no layer, by name.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.as_layer(torch.nn.ReLU()).lipschitz().upper
    1.0
    """
    if isinstance(module, nn.Sequential):
        parts = [layer for _, layer in _layers(module, name)]
        return L.Sequential(*parts) if parts else L.Identity()
    own = getattr(module, "as_layer", None)
    if own is not None:
        made = own()
        if not isinstance(made, L.Layer):
            raise TypeError(f"module {name!r}: `as_layer` of {type(module).__name__} must return a layer, got {made!r}")
        return made
    for kind in type(module).__mro__:
        if kind in _READERS:
            return _READERS[kind](module)
    raise TypeError(
        f"module {name!r} is a {type(module).__name__}, which certify does not know: build the network from Sequential "
        "and known modules, or give the module a method `as_layer()` that returns a lipcore layer"
    )


def _weights(module: Any) -> tuple[Any, Any]:
    bias = getattr(module, "bias", None)
    return module.weight.detach(), None if bias is None else bias.detach()


def _convolution(m: Any) -> L.Layer:
    options = {"stride": m.stride, "padding": m.padding, "dilation": m.dilation, "groups": m.groups}
    return L.Convolution(*_weights(m), **options, padding_mode=m.padding_mode)


def _transpose(m: Any) -> L.Layer:
    names = ("stride", "padding", "output_padding", "dilation", "groups")
    return L.ConvolutionTranspose(*_weights(m), **{name: getattr(m, name) for name in names})


def _max_pool(m: Any) -> L.Layer:
    return L.MaxPool(m.kernel_size, m.stride, m.padding, dilation=m.dilation, ceil_mode=m.ceil_mode)


def _avg_pool(m: Any) -> L.Layer:
    if getattr(m, "divisor_override", None) is not None:
        raise TypeError("certify does not know the option `divisor_override` of AvgPool")
    return L.AvgPool(m.kernel_size, m.stride, m.padding, ceil_mode=m.ceil_mode, count_include_pad=m.count_include_pad)


def _batch_norm(m: Any) -> L.Layer:
    if m.running_mean is None:
        raise TypeError("BatchNorm without running statistics mixes samples and has no Lipschitz constant per sample")
    return L.BatchNorm(m.running_mean, m.running_var, *_affine(m), eps=m.eps)


def _affine(m: Any) -> tuple[Any, Any]:
    return tuple(None if a is None else a.detach() for a in (m.weight, m.bias))  # type: ignore[return-value]


def _flatten(m: Any) -> L.Layer:
    return L.Flatten(m.start_dim, m.end_dim)


_READERS: dict[type, Reader] = {
    nn.Linear: lambda m: L.Dense(*_weights(m)),
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), _convolution),
    **dict.fromkeys((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), _transpose),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), _max_pool),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d), _avg_pool),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), _batch_norm),
    **dict.fromkeys(
        (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
        lambda m: L.AdaptiveAvgPool(m.output_size),
    ),
    nn.Flatten: _flatten,
    nn.Identity: lambda m: L.Identity(),
    **dict.fromkeys((nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d), lambda m: L.Identity()),
    nn.PixelShuffle: lambda m: L.PixelShuffle(m.upscale_factor),
    nn.ChannelShuffle: lambda m: Shuffle(m.groups),
    nn.PixelUnshuffle: lambda m: L.PixelUnshuffle(m.downscale_factor),
    nn.ReLU: lambda m: L.ReLU(),
    nn.ReLU6: lambda m: L.ReLU6(),
    nn.LeakyReLU: lambda m: L.LeakyReLU(m.negative_slope),
    nn.PReLU: lambda m: L.PReLU(m.weight.detach()),
    nn.ELU: lambda m: L.ELU(m.alpha),
    nn.CELU: lambda m: L.CELU(m.alpha),
    nn.SELU: lambda m: L.SELU(),
    nn.GELU: lambda m: L.GELU(m.approximate),
    nn.SiLU: lambda m: L.SiLU(),
    nn.Mish: lambda m: L.Mish(),
    nn.Sigmoid: lambda m: L.Sigmoid(),
    nn.Tanh: lambda m: L.Tanh(),
    nn.Softplus: lambda m: L.Softplus(m.beta),
    nn.Softsign: lambda m: L.Softsign(),
    nn.Hardtanh: lambda m: L.Hardtanh(m.min_val, m.max_val),
    nn.Softmax: lambda m: L.Softmax(m.dim),
}
