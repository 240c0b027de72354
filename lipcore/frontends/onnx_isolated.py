"""ONNX's C++ passes, run in a process of their own: on some damaged graphs they abort, and would take ours along."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from onnx import ModelProto

SECONDS = 120
LARGE = 1024

CHILD = """
import sys, onnx, onnx.inliner, onnx.shape_inference
model = onnx.ModelProto()
model.ParseFromString(sys.stdin.buffer.read())
if sys.argv[1] == "inline":
    model = onnx.inliner.inline_local_functions(model)
else:
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
sys.stdout.buffer.write(model.SerializeToString())
"""


def run(task: str, model: Any) -> Any | None:
    """Do one pass in a child process.

    Parameters
    ----------
    task : {"inline", "infer"}
        Inline local functions, or infer shapes.
    model : onnx.ModelProto
        Sent as it is.

    Returns
    -------
    onnx.ModelProto or None
        None where the pass fails, crashes or takes too long.
    """
    if not sys.executable:
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", CHILD, task],
            input=model.SerializeToString(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            return None
        result = ModelProto()
        result.ParseFromString(done.stdout)
    except Exception:  # no process to be had, too slow, over protobuf's limit: the caller does without
        return None
    return result


def infer_shapes(model: Any) -> None:
    """Write inferred shapes into the model's graphs; leave it as it is where inference fails.

    Notes
    -----
    Large weights stay here: inference looks at their shapes only.
    """
    light = ModelProto()
    light.CopyFrom(model)
    for graph in graphs(light.graph):
        tensors = [*graph.initializer, *(a.t for node in graph.node for a in node.attribute if a.HasField("t"))]
        for tensor in tensors:
            for name in ("raw_data", "float_data", "double_data", "int32_data", "int64_data", "uint64_data"):
                if len(getattr(tensor, name)) > LARGE:
                    tensor.ClearField(name)
    inferred = run("infer", light)
    if inferred is None:
        return
    for ours, theirs in zip(graphs(model.graph), graphs(inferred.graph), strict=True):
        for name in ("value_info", "output"):
            ours.ClearField(name)
            getattr(ours, name).extend(getattr(theirs, name))


def graphs(graph: Any) -> Iterator[Any]:
    """A graph and all graphs in its nodes' attributes, in order."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from graphs(inner)
