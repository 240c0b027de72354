"""Reader of ONNX files: parse, fix the input shape, infer the others, walk the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .records import ModelFormatError, ModelOptionError, ModelWeights, one_line

PROTOBUF_LIMIT = 2**31 - 1


def read_onnx(file: Path, *, input_shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None) -> ModelWeights:
    """Read the linear layers of an ONNX graph, its branches and loop bodies included.

    Parameters
    ----------
    file : Path
        The model.
    input_shape : sequence of int, or mapping, optional
        As in `lc.load_weights`.

    Returns
    -------
    ModelWeights
        Weights from initializers and from Constant nodes, also through transposes, reshapes, casts and dequantisation.

    Raises
    ------
    ModelFormatError
        No ONNX model, damaged, or with external data outside its folder.
    ModelOptionError
        `input_shape` names no input, or does not fit the one it names.
    ImportError
        The onnx package is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(f"{file}: .onnx files need the onnx package: pip install lipcore[onnx]") from error
    from .onnx_graph import Walk
    from .onnx_isolated import graphs, infer_shapes, run

    size = file.stat().st_size
    if size > PROTOBUF_LIMIT:
        raise ModelFormatError(
            f"{file}: {size:,} bytes are more than an ONNX file can hold (2 GiB): keep the weights as external data"
        )
    try:
        model = onnx.load_model(str(file), load_external_data=False)
    except Exception as error:  # protobuf's own error types
        raise ModelFormatError(f"{file}: damaged, or no ONNX model ({one_line(error)})") from error
    if not model.HasField("graph") or not (model.graph.node or model.graph.initializer):
        raise ModelFormatError(f"{file}: no ONNX model: it holds no graph")
    if model.functions:
        inlined = run("inline", model)
        if inlined is None:
            raise ModelFormatError(f"{file}: its local functions cannot be inlined: it is damaged, or refers to itself")
        model = inlined
    if input_shape is not None:
        set_input_shape(file, model, input_shape)
    # Only these look at shapes; the child process costs some tenths of a second.
    if any(
        node.op_type in ("Conv", "ConvTranspose", "Mul", "Div") for graph in graphs(model.graph) for node in graph.node
    ):
        infer_shapes(model)
    walk = Walk(file)
    walk.graph(model.graph)
    return walk.result()


def set_input_shape(file: Path, model: Any, given: Sequence[int] | Mapping[str, Sequence[int]]) -> None:
    """Write the caller's shape into the graph's inputs, and forget all shapes derived from the old one."""
    from .onnx_isolated import graphs

    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = {value.name: value for value in model.graph.input if value.name not in constants}
    names = ", ".join(inputs) or "none"
    if not isinstance(given, Mapping):
        if len(inputs) != 1:
            raise ModelOptionError(
                f"{file}: the graph has {len(inputs)} inputs ({names}): give the input shape by name"
            )
        given = {next(iter(inputs)): given}
    for name, shape in given.items():
        if name not in inputs:
            raise ModelOptionError(f"{file}: the graph has no input {name!r}; it has: {names}")
        tensor = inputs[name].type.tensor_type
        stored = [d.dim_value or d.dim_param or "?" for d in tensor.shape.dim] if tensor.HasField("shape") else None
        lengths = tuple(int(n) for n in shape)
        if any(n < 1 for n in lengths) or (stored is not None and len(stored) != len(lengths)):
            expected = f"({', '.join(str(n) for n in stored)})" if stored is not None else "positive lengths"
            raise ModelOptionError(
                f"{file}: the shape {lengths} does not fit the input {name!r}: the file says {expected}"
            )
        del tensor.shape.dim[:]
        for n in lengths:
            tensor.shape.dim.add().dim_value = n
    for graph in graphs(model.graph):  # shapes derived from the old one; inference starts from the inputs
        del graph.value_info[:]
        for value in graph.output:
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
