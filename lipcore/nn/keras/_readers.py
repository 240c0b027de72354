"""Single layers of Keras as lipcore layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import layers as K
from keras import ops

from ... import layers as L
from ..._typing import Shape
from ._read_activations import activation
from ._wrapping import circular_pads
from .images import channels_first, permutations

# A layer of lipcore and the name that it goes by; None for what only changes the layout.
Part = tuple[str | None, L.Layer]


def parts_of(layer: Any, shape: Shape) -> list[Part]:
    """The layers of lipcore that one layer of Keras is, on samples of `shape`."""
    own = getattr(layer, "as_layer", None)
    if own is not None:
        made = own(shape)
        if not isinstance(made, L.Layer):
            raise TypeError(
                f"layer {layer.name!r}: `as_layer` of {type(layer).__name__} must return a layer, got {made!r}"
            )
        return _unpacked(layer.name, made)
    for kind in type(layer).__mro__:
        if kind in _READERS:
            parts = _READERS[kind](layer, shape)
            after = getattr(layer, "activation", None)
            return parts if after is None or kind is K.Activation else parts + _activated(layer, after)
    raise TypeError(
        f"layer {layer.name!r} is a {type(layer).__name__}, which certify does not know: build the network from known "
        "layers, or give the layer a method `as_layer(shape)` that returns a lipcore layer"
    )


def _unpacked(name: str, made: L.Layer) -> list[Part]:
    """A layer between two changes of layout as three."""
    inside = made.layers if isinstance(made, L.Sequential) else ()
    if len(inside) == 3 and isinstance(inside[0], L.Permute) and isinstance(inside[2], L.Permute):
        return [(None, inside[0]), (name, inside[1]), (None, inside[2])]
    return [(name, made)]


def _activated(layer: Any, function: Any) -> list[Part]:
    found = activation(function, layer.name)
    return [] if isinstance(found, L.Identity) else [(f"{layer.name}.{function.__name__}", found)]


def _numbers(value: Any) -> np.ndarray[Any, Any] | None:
    return None if value is None else np.asarray(ops.convert_to_numpy(value.value))


def _dense(layer: Any, shape: Shape) -> list[Part]:
    kernel: Any = _numbers(layer.kernel)
    return [(layer.name, L.Dense(kernel.T.copy(), _numbers(layer.bias)))]


def _convolution(layer: Any, shape: Shape) -> list[Part]:
    kernel: Any = _numbers(layer.kernel)
    spatial = shape[:-1] if layer.data_format == "channels_last" else shape[1:]
    kernel = np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1)))
    options = {"stride": layer.strides, "dilation": layer.dilation_rate, "groups": layer.groups}
    if getattr(layer, "circular", False):
        options |= {"padding": circular_pads(layer.kernel_size, layer.dilation_rate), "padding_mode": "circular"}
    else:
        options["padding"] = _pads(layer.padding, spatial, layer.kernel_size, layer.strides, layer.dilation_rate)
    return _between(layer, L.Convolution(kernel, _numbers(layer.bias), **options), len(shape))


def _transposed(layer: Any, shape: Shape) -> list[Part]:
    kernel: Any = _numbers(layer.kernel)
    kernel = np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1)))
    reach = [d * (k - 1) for k, d in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    extras = layer.output_padding or (None,) * len(reach)
    cuts = [_cuts(layer.padding, *n) for n in zip(reach, layer.strides, extras, strict=True)]
    options = {
        "stride": layer.strides,
        "dilation": layer.dilation_rate,
        "padding": [(before, max(after, 0)) for before, after in cuts],
        "output_padding": [max(-after, 0) for _, after in cuts],
    }
    return _between(layer, L.ConvolutionTranspose(kernel, _numbers(layer.bias), **options), len(shape))


def _cuts(padding: str, reach: int, stride: int, extra: int | None) -> tuple[int, int]:
    """Pixels that Keras cuts off a transposed convolution before and after; what it adds after is negative."""
    if padding == "valid":
        return 0, -max(stride - 1 - reach, 0) if extra is None else -extra
    odd = (reach + 1) % 2
    kept = stride + reach - 1 if extra is None else reach + odd - 1 + extra
    before = min(-(-kept // 2), reach)
    return reach - before, reach - (kept - before)


def _between(layer: Any, made: L.Layer, axes: int) -> list[Part]:
    """A layer that takes channels first."""
    if layer.data_format == "channels_first":
        return [(layer.name, made)]
    into, out = permutations(axes)
    return [(None, into), (layer.name, made), (None, out)]


def _pads(
    padding: str, spatial: Sequence[int], taps: Sequence[int], strides: Sequence[int], gaps: Sequence[int]
) -> list[tuple[int, int]]:
    """Zeros before and after, as Keras has them."""
    found = []
    for n, k, s, d in zip(spatial, taps, strides, gaps, strict=True):
        reach = d * (k - 1)
        total = max((-(-n // s) - 1) * s + reach + 1 - n, 0)
        found.append({"valid": (0, 0), "causal": (reach, 0)}.get(padding, (total // 2, total - total // 2)))
    return found


def _pool(kind: Callable[..., L.Layer]) -> Callable[[Any, Shape], list[Part]]:
    def reader(layer: Any, shape: Shape) -> list[Part]:
        spatial = shape[:-1] if layer.data_format == "channels_last" else shape[1:]
        pads = _pads(layer.padding, spatial, layer.pool_size, layer.strides, (1,) * len(spatial))
        if any(map(any, pads)):
            raise TypeError(
                f"layer {layer.name!r} pools with padding, which certify does not know; pad first, or use 'valid'"
            )
        return [
            (layer.name, channels_first(kind(tuple(layer.pool_size), tuple(layer.strides)), layer.data_format, shape))
        ]

    return reader


def _global(kind: Callable[..., L.Layer]) -> Callable[[Any, Shape], list[Part]]:
    def reader(layer: Any, shape: Shape) -> list[Part]:
        made = kind(keepdims=layer.keepdims)
        if layer.data_format == "channels_first":
            return [(layer.name, made)]
        into, out = permutations(len(shape))
        return [(layer.name, L.Sequential(into, made, *([out] if layer.keepdims else [])))]

    return reader


def _flatten(layer: Any, shape: Shape) -> list[Part]:
    # Keras flattens channels last in either layout
    if layer.data_format == "channels_first" and len(shape) > 1:
        return [(layer.name, L.Sequential(permutations(len(shape))[1], L.Flatten()))]
    return [(layer.name, L.Flatten())]


def _batch_norm(layer: Any, shape: Shape) -> list[Part]:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    mean, variance = _numbers(layer.moving_mean), _numbers(layer.moving_variance)
    made = L.BatchNorm(mean, variance, _numbers(layer.gamma), _numbers(layer.beta), layer.epsilon)
    if axis not in (1, -1, len(shape)):
        raise TypeError(f"layer {layer.name!r} normalises the axis {axis}, certify knows the first and the last")
    last = axis != 1 or len(shape) == 1
    return [(layer.name, channels_first(made, "channels_last" if last else "channels_first", shape))]


def _as(made: Callable[[Any], L.Layer]) -> Callable[[Any, Shape], list[Part]]:
    return lambda layer, shape: [(layer.name, made(layer))]


def _nothing(layer: Any, shape: Shape) -> list[Part]:
    return []


_READERS: dict[type, Callable[[Any, Shape], list[Part]]] = {
    K.InputLayer: _nothing,
    K.Dropout: _nothing,
    K.SpatialDropout2D: _nothing,
    K.Identity: _nothing,
    K.Dense: _dense,
    **dict.fromkeys((K.Conv1D, K.Conv2D, K.Conv3D), _convolution),
    **dict.fromkeys((K.Conv1DTranspose, K.Conv2DTranspose, K.Conv3DTranspose), _transposed),
    **dict.fromkeys((K.MaxPooling1D, K.MaxPooling2D, K.MaxPooling3D), _pool(L.MaxPool)),
    **dict.fromkeys((K.AveragePooling1D, K.AveragePooling2D, K.AveragePooling3D), _pool(L.AvgPool)),
    **dict.fromkeys((K.GlobalAveragePooling1D, K.GlobalAveragePooling2D), _global(L.GlobalAvgPool)),
    **dict.fromkeys((K.GlobalMaxPooling1D, K.GlobalMaxPooling2D), _global(L.GlobalMaxPool)),
    K.BatchNormalization: _batch_norm,
    K.Flatten: _flatten,
    K.Reshape: _as(lambda layer: L.Reshape(layer.target_shape)),
    K.Permute: _as(lambda layer: L.Permute(tuple(d - 1 for d in layer.dims))),
    K.Activation: lambda layer, shape: _activated(layer, layer.activation),
    K.LeakyReLU: _as(lambda layer: L.LeakyReLU(float(layer.negative_slope))),
    K.ELU: _as(lambda layer: L.ELU(float(layer.alpha))),
    K.Softmax: _as(lambda layer: L.Softmax(layer.axis)),
}
