"""What kind of thing a module, a sparse matrix or another package's operator is."""

from __future__ import annotations

import importlib
from typing import Any

import array_api_compat as compat
import numpy as np

from .._typing import Namespace

# Whose vectors an object acts on, by the package that defines it. The compatible layers are imported only when needed.
_LAYERS = {
    "cupy": "array_api_compat.cupy",
    "cupyx": "array_api_compat.cupy",
    "torch": "array_api_compat.torch",
    "jax": "jax.numpy",
    "jaxlib": "jax.numpy",
    "numpy": "array_api_compat.numpy",
}


def standard_namespace(xp: Namespace | None) -> Namespace:
    """The array-API namespace of a library given as a module, e.g. plain ``torch``; NumPy's for None."""
    name = "numpy" if xp is None else getattr(xp, "__name__", "")
    if name in _LAYERS:
        return importlib.import_module(_LAYERS[name])
    if name.startswith(("array_api_compat.", "jax.numpy", "array_api_strict")):
        return xp
    if not callable(getattr(xp, "asarray", None)):
        raise TypeError(f"`xp` must be an array namespace such as numpy or torch, got {xp!r}")
    # SciPy and scikit-learn carry their own copies of the compatible layer; one array tells whose they are.
    try:
        return compat.array_namespace(xp.empty((0,)))  # type: ignore[union-attr]
    except TypeError:
        return xp


def foreign_namespace(thing: Any) -> Namespace:
    """Namespace of the vectors that another package's operator or sparse matrix acts on (NumPy if nothing tells)."""
    own = getattr(thing, "_xp", None)  # SciPy 1.18 and later
    if own is not None:
        return standard_namespace(own)
    for cls in type(thing).__mro__:
        root = cls.__module__.partition(".")[0]
        if root in _LAYERS:
            return importlib.import_module(_LAYERS[root])
    return importlib.import_module(_LAYERS["numpy"])


def is_sparse(thing: Any) -> bool:
    """Whether `thing` is a sparse matrix or array of SciPy, CuPy, JAX, torch or pydata, told by its attributes."""
    if compat.is_torch_array(thing):
        return str(thing.layout) != "torch.strided"
    stored = hasattr(thing, "nnz") or hasattr(thing, "nse")
    # asked of the type: some properties of JAX raise when they are read
    return stored and hasattr(thing, "shape") and hasattr(type(thing), "T") and not isinstance(thing, np.ndarray)


def sparse_transpose(matrix: Any) -> Any:
    """Transpose of a sparse matrix, without a copy where its format allows."""
    try:
        return matrix.T
    except NotImplementedError:  # JAX's BCSR
        return matrix.to_bcoo().T
