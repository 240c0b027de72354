"""What functional models of Keras do with tensors: layers and operations that join them, and arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import layers as L
from ..._typing import Shape

# Operations of Keras between tensors, by the names of their classes.
_SAME = {"Relu": L.ReLU, "Sigmoid": L.Sigmoid, "Tanh": L.Tanh}


def join(operation: Any, shapes: Sequence[Shape]) -> L.Layer:
    """The layer that joins several tensors."""
    kind, count = _kind(operation) or "", len(shapes)
    if kind == "Concatenate":
        return L.Concatenate(_axis(operation, len(shapes[0])))
    weights = {"Add": (1.0,) * count, "Average": (1 / count,) * count, "Subtract": (1.0, -1.0)}.get(kind)
    if weights is None or len(weights) != count:
        raise TypeError(
            f"layer {operation.name!r} is a {type(operation).__name__} of {count} inputs, which certify does not know: "
            "it knows Add, Average, Subtract and Concatenate"
        )
    if len(set(shapes)) > 1:
        raise TypeError(
            f"layer {operation.name!r} is a {type(operation).__name__} of samples of the shapes {list(shapes)}: "
            "certify knows those of one shape"
        )
    return L.Add(weights)


def on_tensor(operation: Any, node: Any, model: Any) -> L.Layer:
    """The layer that an operation on one tensor is, with numbers beside it."""
    kind, given = _kind(operation), node.arguments
    numbers = [x for x in given.args if isinstance(x, int | float) and not isinstance(x, bool)]
    if not given.kwargs and kind is not None:
        if kind == "Negative":
            return L.Add((-1.0,))
        if kind in _SAME and len(given.args) == 1:
            return _SAME[kind]()
        if kind == "Multiply" and len(numbers) == 1:
            return L.Add((float(numbers[0]),))
        # a number over a tensor is another function
        if kind == "TrueDivide" and numbers == [given.args[1]] and numbers[0]:
            return L.Add((1 / numbers[0],))
    raise TypeError(
        f"operation {operation.name!r} of {model.name!r} is a {type(operation).__name__}, which certify does not know: "
        "use a layer of Keras, or one with a method `as_layer(shape)` that returns a lipcore layer"
    )


def _kind(operation: Any) -> str | None:
    """Name of a layer or operation that is one of Keras itself."""
    return type(operation).__name__ if type(operation).__module__.startswith("keras.") else None


def _axis(operation: Any, rank: int) -> int:
    """Axis of a sample."""
    axis = int(operation.axis)
    if axis == 0 or axis < -rank:
        raise TypeError(f"layer {operation.name!r} joins samples along their own axis, which certify does not know")
    return axis - 1 if axis > 0 else axis
