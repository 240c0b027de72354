"""Reader of .safetensors files: checked by the safetensors package, then mapped into memory without a copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .._typing import Array
from .records import ModelFormatError, one_line

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "C64": "<c8", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read_safetensors(file: Path) -> dict[str, Array | str]:
    """Read every tensor of the file.

    Parameters
    ----------
    file : Path
        The file.

    Returns
    -------
    dict of str to numpy.ndarray or str
        In the order of the data; bfloat16 widened to float32, which is exact. A tensor of a type that NumPy has not
        (the 8-bit floats) is given as a line that says so.

    Raises
    ------
    ModelFormatError
        The safetensors package refuses the file (wrong lengths, gaps, overlaps, no header), or it names a tensor twice.
    ImportError
        The package is not installed.
    """
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise ImportError(
            f"{file}: .safetensors files need the safetensors package: pip install lipcore[safetensors]"
        ) from error
    try:
        with safe_open(file, framework="numpy"):  # parses and checks the whole header: offsets, shapes, types, gaps
            pass
    except Exception as error:  # the package's own error type, and the errors of the file system beneath it
        raise ModelFormatError(f"{file}: damaged, or no .safetensors file ({one_line(error)})") from error
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length), object_pairs_hook=without_doubles)
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"{file}: damaged header ({one_line(error)})") from error
    header.pop("__metadata__", None)
    if not header:
        raise ModelFormatError(f"{file}: the file holds no tensors")
    ordered = sorted(header.items(), key=lambda item: (item[1]["data_offsets"], item[0]))
    return {name: read_tensor(file, 8 + length, entry) for name, entry in ordered}


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build one JSON object, refusing a key that comes twice (parsers disagree on which one counts)."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names {double!r} twice")
    return result


def read_tensor(file: Path, start: int, entry: dict[str, Any]) -> Array | str:
    """One tensor as a read-only map of the file."""
    kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    stored = "<u2" if kind == "BF16" else DTYPES.get(kind)
    if stored is None:
        return f"type {kind} is not read"
    if begin == end:
        return np.zeros(shape, dtype=np.float32 if kind == "BF16" else stored)
    array = np.memmap(file, dtype=stored, mode="r", offset=start + begin, shape=shape)
    if kind == "BF16":  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array
