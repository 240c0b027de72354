"""From ONNX tensors to arrays, their data inside the file or beside it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from .._typing import Array
from .records import ModelFormatError, one_line


def read_tensor(file: Path, tensor: Any, name: str) -> Array | None:
    """Read one tensor.

    Parameters
    ----------
    file : Path
        The model, for messages and for external data.
    tensor : onnx.TensorProto
        Its dims are checked against its data.
    name : str
        For messages.

    Returns
    -------
    numpy.ndarray or None
        None for strings.

    Raises
    ------
    ModelFormatError
        Shape and data do not fit, or external data is missing or lies outside the model's folder.
    """
    if not isinstance(tensor, TensorProto):
        raise ModelFormatError(f"{file}: {name!r} should be a tensor and is none")
    shape = tuple(tensor.dims)
    if any(n < 0 for n in shape):
        raise ModelFormatError(f"{file}: tensor {name!r} has a negative length in its shape {shape}")
    if tensor.data_type == TensorProto.STRING:
        return None
    if tensor.data_location == TensorProto.EXTERNAL:
        tensor = with_external_data(file, tensor, name)
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:  # unknown types, data of the wrong length
        raise ModelFormatError(f"{file}: tensor {name!r} is damaged ({one_line(error)})") from error


def regular_file(path: Path) -> bool:
    """Whether there is such a file; names that the system refuses are none."""
    try:
        return path.is_file()
    except OSError:
        return False


def with_external_data(file: Path, tensor: Any, name: str) -> Any:
    """A copy of the tensor that holds its data, read from a file in the model's own folder and nowhere else."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = file.resolve().parent
    try:
        target = (folder / location).resolve()
        inside = bool(location) and target.is_relative_to(folder)
        offset = int(entries.get("offset", 0))
        length = int(entries["length"]) if "length" in entries else None
    except (ValueError, OSError, RuntimeError) as error:  # int() of text; NUL or loops in the path
        raise ModelFormatError(
            f"{file}: tensor {name!r} has a damaged reference to external data ({one_line(error)})"
        ) from error
    if not inside:
        raise ModelFormatError(
            f"{file}: tensor {name!r} wants external data at {location!r}, outside the model's folder: refused; "
            "put it beside the model"
        )
    if not regular_file(target):
        raise ModelFormatError(
            f"{file}: the external data {location!r} of tensor {name!r} is missing: put it beside the model"
        )
    try:
        from onnx.helper import tensor_dtype_to_np_dtype

        itemsize = tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except Exception as error:  # an unknown type
        raise ModelFormatError(f"{file}: tensor {name!r} is damaged ({one_line(error)})") from error
    size = math.prod(tensor.dims) * itemsize
    if length is None:
        length = size
    if offset < 0 or length < 0 or length > size or offset + length > target.stat().st_size:
        raise ModelFormatError(
            f"{file}: the external data {location!r} is too short for tensor {name!r}, or its extent is damaged"
        )
    with target.open("rb") as stream:
        stream.seek(offset)
        data = stream.read(length)
    inline = TensorProto()
    inline.data_type = tensor.data_type
    inline.dims.extend(tensor.dims)
    inline.raw_data = data
    return inline
