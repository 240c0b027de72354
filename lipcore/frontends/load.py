"""One door to all formats."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._typing import Shape
from .records import ModelFormatError, ModelOptionError, ModelWeights

READABLE = ".onnx, .safetensors, .npz, .pt or .pth"
PICKLES = (".pkl", ".pickle", ".joblib")
TORCH = (".pt", ".pth", ".ckpt", ".bin")

InputShape = Sequence[int] | Mapping[str, Sequence[int]] | None
Geometry = Mapping[str, Mapping[str, Any]] | None


def load_weights(
    path: str | os.PathLike[str], *, input_shape: InputShape = None, geometry: Geometry = None
) -> ModelWeights:
    """Read the linear layers of a weight file.

    Nothing in the file is executed: pickles are refused (torch files are read with ``weights_only=True``), archives are
    checked against what they declare before memory is taken, and external data is read only from beside the file.

    Parameters
    ----------
    path : str or path-like
        ``.onnx`` (extra ``onnx``), ``.safetensors`` (extra ``safetensors``), ``.npz``, or a torch state dict ``.pt``,
        ``.pth``, ``.ckpt``, ``.bin`` (extra ``torch``).
    input_shape : sequence of int, or mapping from name to sequence of int, optional
        For ONNX the whole shape of the graph's input (a mapping if there are several), in place of what the file leaves
        open. For the other formats, which hold no graph, a mapping from layer names to ``(C_in, *spatial)``; without
        more in `geometry` such a layer is taken with stride 1 and "same" zero padding.
    geometry : mapping from layer name to mapping, optional
        For formats without a graph: ``stride``, ``padding``, ``dilation`` (int or one per axis) and ``groups`` of
        convolutions by layer name.

    Returns
    -------
    ModelWeights
        The layers, what else was found and understood, and what was not understood.

    Raises
    ------
    ModelFormatError
        The file is damaged, unsafe, empty or of a format that is not read; its subclass ``ModelOptionError`` where
        `input_shape` or `geometry` does not fit the file.
    OSError
        There is no such file, or it cannot be opened.
    ImportError
        The package that reads this format is not installed; the message names the extra.

    Notes
    -----
    A state dict says neither stride nor padding nor grouping. Such convolutions have None there. Taken with stride 1
    and one group, the norm over all image sizes is an upper bound for every stride, zero padding, dilation and grouping
    that the network may use, and for the transposed convolution with the same array.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import lipcore as lc
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "small.npz")
    ...     np.savez(path, **{"fc.weight": np.eye(3), "fc.bias": np.zeros(3)})
    ...     weights = lc.load_weights(path)
    >>> [(layer.name, layer.kind, layer.weight.shape) for layer in weights.layers]
    [('fc', 'dense', (3, 3))]
    >>> [(part.name, part.reason) for part in weights.not_linear]
    [('fc.bias', 'bias: a shift')]
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix in PICKLES:
        raise ModelFormatError(
            f"{file}: pickled objects are not read, since loading them runs code: "
            "save the arrays as .safetensors or .npz"
        )
    if suffix == ".jit":
        raise ModelFormatError(
            f"{file}: TorchScript archives hold code and are not loaded: "
            "save the module's state_dict() as .pt, or export it to ONNX"
        )
    if suffix not in (".onnx", ".safetensors", ".npz", *TORCH):
        given = f"the suffix {suffix!r}" if suffix else "a name without suffix"
        raise ModelFormatError(f"{file}: {given} is not a known model format: give a file that ends in {READABLE}")
    check_file(file)
    if suffix == ".onnx":
        if geometry:
            raise ModelOptionError(f"{file}: geometry is for formats without a graph; an ONNX file holds its own")
        from .onnx_file import read_onnx

        return read_onnx(file, input_shape=input_shape)
    return load_state_dict(file, suffix, input_shape, geometry)


def check_file(file: Path) -> None:
    """Refuse what is no readable, non-empty regular file."""
    if file.is_dir():
        raise ModelFormatError(f"{file}: is a folder: give one file that ends in {READABLE}")
    if not file.exists():
        raise FileNotFoundError(f"{file}: there is no such file")
    if not file.is_file():
        raise ModelFormatError(f"{file}: is no regular file")
    with file.open("rb") as stream:
        if not stream.read(1):
            raise ModelFormatError(f"{file}: the file is empty")


def load_state_dict(file: Path, suffix: str, input_shape: InputShape, geometry: Geometry) -> ModelWeights:
    """Read the arrays of a format without a graph, and sort them by name and shape."""
    from .state_dict import sort_arrays

    if input_shape is not None and not isinstance(input_shape, Mapping):
        raise ModelOptionError(
            f"{file}: a {suffix} file holds no graph, so one input shape says nothing: "
            "give it by layer, as in --input-shape conv1=3,224,224"
        )
    if suffix == ".safetensors":
        from .safetensors_file import read_safetensors

        arrays, kind = read_safetensors(file), "safetensors"
    elif suffix == ".npz":
        from .npz_file import read_npz

        arrays, kind = read_npz(file), "npz"
    else:
        from .torch_file import read_torch

        arrays, kind = read_torch(file), "torch"
    shapes: Mapping[str, Shape] = {name: tuple(shape) for name, shape in (input_shape or {}).items()}
    return sort_arrays(str(file), kind, arrays, input_shapes=shapes, geometry=geometry or {})
