"""Networks of Keras as lipcore layers."""

from __future__ import annotations

from typing import Any

import keras

from ... import layers as L
from ..._typing import Shape
from ._joins import join, on_tensor
from ._readers import Part, parts_of
from .export import is_network
from .graph import Graph, Node


def read(model: Any, shape: Shape) -> list[Part]:
    """The layers of a network in inference, in order.

    Parameters
    ----------
    model : Sequential, functional Model of one input and one output, or a layer
        Of the layers of this package, and those of Keras that have a layer in lipcore. Any layer with a method
        ``as_layer(shape)`` that returns one, for samples of `shape`, is read too. What lies between a value that
        several layers take and the layer that joins all of its branches is one `Graph`, by the name of the latter.
    shape : tuple of int
        Of one sample.

    Returns
    -------
    list of (str or None, Layer)

    Raises
    ------
    TypeError
        For a layer that has none in lipcore, by name, and for models of several inputs or outputs.
    """
    parts: list[Part] = []
    for step in _steps(model):
        found = _graph(step, shape) if isinstance(step, list) else _step(step, shape)
        for name, part in found:
            # back to the layout from which the next layer goes on
            if name is None and parts and parts[-1][0] is None and _undoes(part, parts[-1][1]):
                shape = tuple(part.output_shape(shape))
                parts.pop()
                continue
            parts.append((name, part))
            shape = tuple(part.output_shape(shape))
    return parts or [(getattr(model, "name", ""), L.Identity())]


class _Call:
    """One call of a layer or an operation in a functional model."""

    def __init__(self, operation: Any, node: Any, model: Any) -> None:
        self.operation, self.node, self.model = operation, node, model
        # numbers of the calls whose results it takes, from 1 on; 0 is the input
        self.sources: tuple[int, ...] = ()


def _steps(model: Any) -> list[Any]:
    """What a network does one after the other: layers, calls, and lists of calls that branch and join."""
    if not isinstance(model, keras.Model):
        return [model]
    if not is_network(model):
        raise TypeError(
            f"`model` {model.name!r} is a {type(model).__name__} with a `call` of its own, of unknown layers"
        )
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    return _cut(_calls(model))


def _step(step: Any, shape: Shape) -> list[Part]:
    """The parts of a layer, a network or one call of either."""
    operation = step.operation if isinstance(step, _Call) else step
    if isinstance(operation, keras.Model):
        return read(operation, shape)
    if isinstance(operation, keras.layers.Layer):
        return parts_of(operation, shape)
    return [(operation.name, on_tensor(operation, step.node, step.model))]


def _calls(model: Any) -> list[_Call]:
    """The calls of a functional model that its output depends on, in order."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise TypeError(
            f"`model` {model.name!r} has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not one"
        )
    places: dict[Any, int] = {id(model.inputs[0]): 0}
    calls: list[_Call] = []
    waiting = [model.outputs[0]]
    while waiting:
        tensor = waiting[-1]
        if id(tensor) in places:
            waiting.pop()
            continue
        history = tensor._keras_history
        call = _Call(history.operation, history.operation._inbound_nodes[history.node_index], model)
        sources = call.node.input_tensors
        if not sources or len(call.node.output_tensors) != 1:
            raise TypeError(
                f"layer {call.operation.name!r} of {model.name!r} is a {type(call.operation).__name__} of "
                f"{len(sources)} inputs and {len(call.node.output_tensors)} outputs, which certify does not know"
            )
        unknown = [source for source in sources if id(source) not in places]
        if unknown:
            waiting += unknown
            continue
        call.sources = tuple(places[id(source)] for source in sources)
        calls.append(call)
        places[id(tensor)] = len(calls)
    return calls


def _cut(calls: list[_Call]) -> list[Any]:
    """Single calls, and lists of calls between two values on which all that follows depends."""
    steps: list[Any] = []
    start = 0
    for end in range(1, len(calls) + 1):
        if min((s for call in calls[end:] for s in call.sources), default=end) < end:
            continue
        inside = calls[start:end]
        if len(inside) == 1 and len(inside[0].sources) == 1:
            steps.append(inside[0])
        else:
            for call in inside:
                call.sources = tuple(s - start for s in call.sources)
            steps.append(inside)
        start = end
    return steps


def _graph(calls: list[_Call], shape: Shape) -> list[Part]:
    """Calls that branch and join, as one layer by the name of the last."""
    nodes: list[Node] = []
    # where the value of each call is among those of the nodes, of which one call may be several or none
    places, shapes = [0], [shape]
    for call in calls:
        sources = tuple(places[s] for s in call.sources)
        given = [shapes[s] for s in call.sources]
        found = [(None, join(call.operation, given))] if len(sources) > 1 else _step(call, given[0])
        for _, layer in found:
            nodes.append(Node(layer, sources))
            sources, given = (len(nodes),), [tuple(layer.output_shape(*given))]
        places.append(sources[0])
        shapes.append(given[0])
    return [(calls[-1].operation.name, Graph(nodes))]


def _undoes(second: L.Layer, first: L.Layer) -> bool:
    pair = (second, first)
    return all(isinstance(p, L.Permute) for p in pair) and [first.axes[a] for a in second.axes] == sorted(first.axes)  # type: ignore[attr-defined]
