"""Layers of Keras as lipcore layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers as K
from keras import ops

from ... import layers as L
from ..._typing import Shape
from ._read_activations import activation
from .export import is_network
from .images import channels_first, permutations

# A layer of lipcore and the name that it goes by; None for what only changes the layout.
Part = tuple[str | None, L.Layer]


def read(model: Any, shape: Shape) -> list[Part]:
    """The layers of a network in inference, in order.

    Parameters
    ----------
    model : Sequential, functional Model of layers in a row, or a layer
        Of the layers of this package, and those of Keras that have a layer in lipcore. Any layer with a method
        ``as_layer(shape)`` that returns one, for samples of `shape`, is read too.
    shape : tuple of int
        Of one sample.

    Returns
    -------
    list of (str or None, Layer)

    Raises
    ------
    TypeError
        For a layer that has none in lipcore, by name, and for models that are not in a row.
    """
    parts: list[Part] = []
    for layer in _in_a_row(model):
        for name, part in _parts(layer, shape):
            # back to the layout from which the next layer goes on
            if name is None and parts and parts[-1][0] is None and _undoes(part, parts[-1][1]):
                shape = tuple(part.output_shape(shape))
                parts.pop()
                continue
            parts.append((name, part))
            shape = tuple(part.output_shape(shape))
    return parts or [(getattr(model, "name", ""), L.Identity())]


def _in_a_row(model: Any) -> Iterator[Any]:
    if not isinstance(model, keras.Model):
        yield model
        return
    if not is_network(model):
        raise TypeError(
            f"`model` {model.name!r} is a {type(model).__name__} with a `call` of its own, of unknown layers"
        )
    for layer in model.layers if isinstance(model, keras.Sequential) else _chain(model):
        yield from _in_a_row(layer)


def _chain(model: Any) -> list[Any]:
    """The layers of a functional model from its output back to its input."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise TypeError(
            f"`model` {model.name!r} has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not one"
        )
    found, tensor = [], model.outputs[0]
    while tensor is not model.inputs[0]:
        history = tensor._keras_history
        layer, sources = history.operation, history.operation._inbound_nodes[history.node_index].input_tensors
        if len(sources) != 1 or not isinstance(layer, K.Layer):
            raise TypeError(
                f"layer {layer.name!r} of {model.name!r} is a {type(layer).__name__} of {len(sources)} inputs: certify "
                "knows layers in a row"
            )
        found.append(layer)
        tensor = sources[0]
    return found[::-1]


def _undoes(second: L.Layer, first: L.Layer) -> bool:
    pair = (second, first)
    return all(isinstance(p, L.Permute) for p in pair) and [first.axes[a] for a in second.axes] == sorted(first.axes)  # type: ignore[attr-defined]


def _parts(layer: Any, shape: Shape) -> list[Part]:
    own = getattr(layer, "as_layer", None)
    if own is not None:
        made = own(shape)
        if not isinstance(made, L.Layer):
            raise TypeError(
                f"layer {layer.name!r}: `as_layer` of {type(layer).__name__} must return a layer, got {made!r}"
            )
        return [(layer.name, made)]
    for kind in type(layer).__mro__:
        if kind in _READERS:
            parts = _READERS[kind](layer, shape)
            after = getattr(layer, "activation", None)
            return parts if after is None or kind is K.Activation else parts + _activated(layer, after)
    raise TypeError(
        f"layer {layer.name!r} is a {type(layer).__name__}, which certify does not know: build the network from known "
        "layers, or give the layer a method `as_layer(shape)` that returns a lipcore layer"
    )


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
    pads = _pads(layer.padding, spatial, layer.kernel_size, layer.strides, layer.dilation_rate)
    made = L.Convolution(kernel, _numbers(layer.bias), padding=pads, **options)
    return _between(layer, made, len(shape))


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
