"""Reader of torch state dicts, with ``weights_only=True`` and nothing else."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._typing import Array
from .records import ModelFormatError, one_line

TORCHSCRIPT = (
    "is a TorchScript archive: it holds code and is not loaded: "
    "save the module's state_dict() as .pt, or export it to ONNX"
)


def read_torch(file: Path) -> dict[str, Array | str]:
    """Read every tensor of a state dict, or of a checkpoint that nests state dicts.

    Parameters
    ----------
    file : Path
        Written by ``torch.save``, in its zip format or the older one.

    Returns
    -------
    dict of str to numpy.ndarray or str
        Nested names joined by dots; one outer name such as "state_dict" is left away where nothing else carries
        tensors. 16-bit floats are widened to float32. What is no dense tensor is given as a line that says what it is.

    Raises
    ------
    ModelFormatError
        Damaged, TorchScript, holding other pickled objects, or without any tensor.
    ImportError
        torch is not installed.
    """
    check_archive(file)
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"{file}: torch state dicts need torch: pip install lipcore[torch]") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling damaged bytes raises nearly anything
        text = one_line(error)
        if "weights_only" in str(error).lower() or "Unsupported global" in text or "Unsupported operand" in text:
            raise ModelFormatError(
                f"{file}: damaged, or holds pickled Python objects, which are not read, since loading them runs code: "
                "save model.state_dict() instead of the model"
            ) from error
        raise ModelFormatError(f"{file}: damaged, or no torch file ({text})") from error
    found: dict[str, Array | str] = {}
    try:
        flatten(file, loaded, "", found)
    except RecursionError as error:
        raise ModelFormatError(f"{file}: nested too deeply") from error
    if not any(isinstance(value, np.ndarray) for value in found.values()):
        raise ModelFormatError(f"{file}: holds no tensors: save model.state_dict()")
    return strip_outer(found)


def check_archive(file: Path) -> None:
    """Refuse TorchScript, and archives with compressed members: torch writes none, so they can only be bombs."""
    with file.open("rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            return
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, OverflowError, NotImplementedError) as error:
        raise ModelFormatError(f"{file}: damaged torch archive ({one_line(error)})") from error
    names = [member.filename for member in members]
    if any(name.partition("/")[2] == "constants.pkl" or "/code/" in name for name in names):
        raise ModelFormatError(f"{file}: {TORCHSCRIPT}")
    if len(set(names)) != len(names):
        raise ModelFormatError(f"{file}: the archive holds {next(n for n in names if names.count(n) > 1)!r} twice")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ModelFormatError(
            f"{file}: the archive is compressed, which torch never does: refused as a possible zip bomb"
        )


def flatten(file: Path, value: Any, prefix: str, found: dict[str, Array | str]) -> None:
    """Collect tensors below `value` under dotted names."""
    import torch

    if isinstance(value, Mapping):
        for key, item in value.items():
            flatten(file, item, f"{prefix}.{key}" if prefix else str(key), found)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            flatten(file, item, f"{prefix}.{index}" if prefix else str(index), found)
    elif isinstance(value, torch.Tensor):
        name = prefix or "tensor"
        if name in found:
            raise ModelFormatError(f"{file}: holds {name!r} twice")
        found[name] = to_numpy(value)


def to_numpy(tensor: Any) -> Array | str:
    """One tensor as an array, or a line on what it is instead."""
    import torch

    tensor = tensor.detach()
    if tensor.layout != torch.strided:
        return f"a tensor of layout {str(tensor.layout).removeprefix('torch.')} is not read"
    if tensor.is_quantized:
        return "a quantised tensor is not read"
    if tensor.device.type != "cpu":
        return f"a tensor on {tensor.device} holds no values"
    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.float()
    try:
        return np.asarray(tensor.resolve_conj().resolve_neg().numpy())
    except (TypeError, RuntimeError) as error:
        return f"type {str(tensor.dtype).removeprefix('torch.')} is not read ({one_line(error, 60)})"


def strip_outer(found: dict[str, Array | str]) -> dict[str, Array | str]:
    """Leave away one outer name that says nothing, where all the tensors share it, apart from an optimiser's."""
    outer = {name.partition(".")[0] for name in found if not is_optimiser(name)}
    if len(outer) != 1 or next(iter(outer)) not in (
        "state_dict",
        "model_state_dict",
        "model_state",
        "model",
        "net",
        "params",
    ):
        return found
    prefix = f"{next(iter(outer))}."
    stripped = {name.removeprefix(prefix): value for name, value in found.items()}
    return stripped if len(stripped) == len(found) else found


def is_optimiser(name: str) -> bool:
    """Whether a dotted name lies in an optimiser's state."""
    return name.partition(".")[0].lower().startswith(("optim", "opt_state", "lr_scheduler", "scheduler"))
