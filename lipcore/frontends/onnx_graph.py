"""The walk over an ONNX graph: constants, shapes, and an account of every array in the file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from .._typing import Array
from .onnx_tensors import read_tensor
from .records import LinearLayer, ModelFormatError, ModelWeights, Remainder, one_line

Shape = tuple[int | None, ...]


class NotUnderstood(Exception):
    """A node is not read; the message is the reason that the report lists."""


@dataclass(eq=False)
class Leaf:
    """One stored array and what became of it; `fate` is None until some node has used it."""

    name: str
    shape: tuple[int, ...]
    fate: str | None = None
    understood: bool = True
    weight: bool = False


@dataclass(frozen=True)
class Constant:
    """A value known from the file: a stored array, or one folded from stored arrays."""

    array: Array
    leaves: tuple[Leaf, ...]


@dataclass
class Budget:
    """Bytes stored in the file, and bytes copied while folding."""

    stored: int = 0
    copied: int = 0


@dataclass
class Scope:
    """Names visible in one graph; a branch sees its own and its parent's."""

    parent: Scope | None = None
    prefix: str = ""
    constants: dict[str, Constant] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def constant(self, name: str) -> Constant | None:
        """The constant of that name, here or further out."""
        return self.constants.get(name) or (self.parent.constant(name) if self.parent else None)

    def shape(self, name: str) -> Shape | None:
        """The shape of that name, here or further out; None inside it for unknown lengths."""
        known = self.shapes.get(name)
        return known if known is not None else (self.parent.shape(name) if self.parent else None)


@dataclass(eq=False)
class Node:
    """One node with its attributes decoded, and the scope that its names live in."""

    proto: Any
    name: str
    attributes: dict[str, Any]
    scope: Scope

    @property
    def op(self) -> str:
        """Operation, with its domain if that is not ONNX's own."""
        domain = self.proto.domain
        return str(self.proto.op_type) if domain in ("", "ai.onnx") else f"{domain}.{self.proto.op_type}"

    def input_name(self, index: int) -> str:
        """Name of an input; empty where it is left out."""
        return str(self.proto.input[index]) if index < len(self.proto.input) else ""

    def constant(self, index: int) -> Constant | None:
        """The constant at an input, if it is one."""
        name = self.input_name(index)
        return self.scope.constant(name) if name else None

    def shape(self, index: int) -> Shape | None:
        """Inferred shape of an input."""
        name = self.input_name(index)
        return self.scope.shape(name) if name else None

    def integers(self, key: str, count: int, default: int) -> tuple[int, ...]:
        """A list attribute of a fixed length."""
        value = self.attributes.get(key)
        if value is None or (isinstance(value, list) and not value):
            return (default,) * count
        if not isinstance(value, list) or len(value) != count or not all(isinstance(v, int) for v in value):
            raise NotUnderstood(f"{self.op}: its {key} {value!r} does not fit {count} integers")
        return tuple(value)

    def number(self, key: str, default: float) -> float:
        """A number attribute."""
        value = self.attributes.get(key, default)
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise NotUnderstood(f"{self.op}: its {key} {value!r} is no finite number")
        return value


class Walk:
    """Collects layers and remainders; `graph` may call itself for branches."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.layers: list[LinearLayer] = []
        self.nodes: list[Remainder] = []
        self.leaves: list[Leaf] = []
        self.operations: Counter[str] = Counter()
        self.names: set[str] = set()
        self.budget = Budget()

    def graph(self, graph: Any, parent: Scope | None = None, prefix: str = "") -> None:
        """Walk one graph in its own order, which ONNX requires to be topological."""
        scope = Scope(parent, prefix)
        self.require_text(v.name for v in (*graph.input, *graph.output, *graph.value_info, *graph.initializer))
        for value in (*graph.input, *graph.output, *graph.value_info):
            shape = declared_shape(value)
            if shape is not None:
                scope.shapes[value.name] = shape
        for tensor in graph.initializer:
            if tensor.name in scope.constants:
                raise ModelFormatError(f"{self.file}: holds the tensor {tensor.name!r} twice")
            self.store(scope, tensor.name, read_tensor(self.file, tensor, tensor.name))
        for sparse in graph.sparse_initializer:
            leaf = Leaf(
                f"{prefix}{sparse.values.name}", tuple(sparse.dims), "a sparse tensor is not read", understood=False
            )
            self.leaves.append(leaf)
        for proto in graph.node:
            self.node(proto, scope)

    def require_text(self, names: Iterable[Any]) -> None:
        """Refuse names that are no text: protobuf hands damaged ones out as bytes."""
        for name in names:
            if not isinstance(name, str):
                raise ModelFormatError(f"{self.file}: damaged: the name {name!r} is no text")

    def store(self, scope: Scope, name: str, array: Array | None) -> None:
        """Enter a stored array; strings have no place in an account of weights."""
        if array is None:
            return
        # Short integers may be quantised weights; long ones are shapes, indices and counters.
        weight = array.dtype.kind not in "iub" or (array.dtype.itemsize == 1 and array.dtype.kind != "b")
        leaf = Leaf(f"{scope.prefix}{name}", array.shape, weight=weight)
        self.leaves.append(leaf)
        self.budget.stored += array.nbytes
        scope.constants[name] = Constant(array, (leaf,))
        scope.shapes.setdefault(name, array.shape)

    def node(self, proto: Any, scope: Scope) -> None:
        """Treat one node: a constant, something folded, a layer, an operation, a control structure."""
        from .onnx_fold import fold
        from .onnx_nodes import HANDLERS, plain_operation

        self.require_text((proto.op_type, proto.domain, proto.name, *proto.input, *proto.output))
        self.require_text(a.name for a in proto.attribute)
        try:
            attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
        except Exception as error:  # references and types that the file leaves undefined
            raise ModelFormatError(
                f"{self.file}: node {proto.name!r} has a damaged attribute ({one_line(error)})"
            ) from error
        label = proto.name or (proto.output[0] if proto.output else proto.op_type)
        node = Node(proto, f"{scope.prefix}{label}", attributes, scope)
        if node.op == "Constant":
            self.constant_node(node)
            return
        folded = fold(node, self.budget)
        if folded is not None:
            scope.constants[proto.output[0]] = folded
            return
        before = len(self.layers)
        try:
            HANDLERS.get(node.op, plain_operation)(self, node)
        except NotUnderstood as error:
            del self.layers[before:]
            self.nodes.append(Remainder(node.name, str(error)))
            self.use(node, str(error), understood=False)
        for attribute in proto.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                self.graph(inner, scope, f"{node.name}/{attribute.name}/")

    def constant_node(self, node: Node) -> None:
        """A Constant node in any of its spellings."""
        name = node.proto.output[0] if node.proto.output else ""
        if not name or len(node.attributes) != 1:
            raise ModelFormatError(f"{self.file}: Constant node {node.name!r} is damaged")
        key, value = next(iter(node.attributes.items()))
        if key == "value":
            self.store(node.scope, name, read_tensor(self.file, value, name))
        elif key in ("value_float", "value_floats", "value_int", "value_ints"):
            numbers = value if isinstance(value, list) else [value]
            if not all(isinstance(v, int | float) for v in numbers):
                raise ModelFormatError(f"{self.file}: Constant node {node.name!r} holds no numbers")
            dtype = np.float32 if "float" in key else np.int64
            self.store(node.scope, name, np.asarray(value, dtype=dtype))
        elif key == "sparse_value":
            self.leaves.append(
                Leaf(f"{node.scope.prefix}{name}", (), "a sparse tensor is not read", False, weight=True)
            )

    def layer(self, name: str, **fields: Any) -> None:
        """Append a layer under a name that is unique in the model."""
        unique = name
        count = 1
        while unique in self.names:
            count += 1
            unique = f"{name}#{count}"
        self.names.add(unique)
        self.layers.append(LinearLayer(name=unique, **fields))

    def claim(self, constant: Constant | None, fate: str = "") -> None:
        """Note what became of the arrays behind a constant: a layer's weight (no fate), or something understood."""
        for leaf in constant.leaves if constant else ():
            if not fate:
                leaf.fate, leaf.understood = "", True
            elif leaf.fate is None or not leaf.understood:
                leaf.fate, leaf.understood = fate, True

    def use(self, node: Node, fate: str, *, understood: bool = True) -> None:
        """Note the same fate for all constants of a node that have none yet."""
        for index in range(len(node.proto.input)):
            constant = node.constant(index)
            for leaf in constant.leaves if constant else ():
                if leaf.fate is None:
                    leaf.fate, leaf.understood = fate, understood

    def result(self) -> ModelWeights:
        """Sort what is left: every floating array is a layer's, or listed."""
        not_linear: list[Remainder] = []
        not_understood = list(self.nodes)
        for leaf in self.leaves:
            if leaf.fate == "" or not leaf.weight:
                continue
            reason = leaf.fate if leaf.fate is not None else "used by no node"
            (not_linear if leaf.understood else not_understood).append(Remainder(leaf.name, reason, leaf.shape))
        return ModelWeights(
            path=str(self.file),
            format="onnx",
            layers=tuple(self.layers),
            not_linear=tuple(not_linear),
            not_understood=tuple(not_understood),
            operations=dict(self.operations.most_common()),
        )


def declared_shape(value: Any) -> Shape | None:
    """Shape of a value, None inside it for unknown lengths, None for an unknown shape."""
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in value.type.tensor_type.shape.dim
    )
