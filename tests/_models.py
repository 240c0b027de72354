"""Small model files, and damage to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lipcore.frontends import ModelFormatError, load_weights


def node_model(
    op: str, inputs: list[Any], shape: list[Any], *, opset: int = 17, rank: int | None = None, **attributes: Any
) -> Any:
    """A model of one node; `inputs` holds arrays for constants and None for the graph's input "x"."""
    names = ["x" if value is None else f"c{i}" for i, value in enumerate(inputs)]
    node = helper.make_node(op, names, ["y"], name="the_node", **attributes)
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, f"c{i}") for i, value in enumerate(inputs) if value is not None],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def graph_model(nodes: list[Any], constants: dict[str, np.ndarray], shape: list[Any], **fields: Any) -> Any:
    """A model of several nodes from "x" to "y"."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
        **fields,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def saved(model: Any, folder: Path, name: str = "model.onnx") -> Path:
    path = folder / name
    onnx.save(model, str(path))
    return path


def normal(*shape: int, seed: int = 0, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def damaged(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Variants of a file: cut off, single bits and bytes changed, pieces swapped, lengthened, doubled."""
    rng = np.random.default_rng(seed)
    yield from (b"", b"\x00", b"not a model\n", data + b"\x00", data + data, data[::-1])
    for step in range(count):
        changed = bytearray(data)
        kind = step % 4
        if kind == 0:
            changed = changed[: int(rng.integers(len(data)))]
        elif kind == 1:
            for at in rng.integers(len(data), size=int(rng.integers(1, 4))):
                changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            at = int(rng.integers(len(data)))
            changed[at : at + 8] = rng.integers(256, size=8, dtype=np.uint8).tobytes()
        else:
            first, second = sorted(int(v) for v in rng.integers(len(data), size=2))
            changed = changed[:first] + changed[second:]
        yield bytes(changed)


def refusals(path: Path, variants: Iterable[bytes]) -> list[str]:
    """Load every variant from `path`, and collect the messages of those that are refused; other errors come through."""
    messages = []
    for variant in variants:
        path.write_bytes(variant)
        try:
            load_weights(path)
        except ModelFormatError as error:
            messages.append(str(error))
    return messages
