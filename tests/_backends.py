"""The array libraries that the tests run on."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lipcore import _backend as B

ALL_DTYPES = ("float32", "float64", "complex64", "complex128")
SINGLE_DTYPES = ("float32", "complex64")
_NARROW = {"float64": "float32", "complex128": "complex64"}


@dataclass(frozen=True)
class Backend:
    """One array library on one device."""

    name: str
    native: str
    xp: Any
    device: Any = None
    dtypes: tuple[str, ...] = ALL_DTYPES

    def asarray(self, array: Any) -> Any:
        """NumPy array (or list) on this backend, narrowed to 32 bits where 64 do not exist."""
        array = np.asarray(array)
        name = array.dtype.name
        if name not in self.dtypes and name in _NARROW:
            array = array.astype(_NARROW[name])
        return B.from_numpy(array, xp=self.xp, device=self.device)

    def to_numpy(self, x: Any) -> np.ndarray:
        """Array of this backend on the host."""
        return B.to_numpy(x)

    def dtype(self, name: str) -> Any:
        """This backend's dtype of that name."""
        return getattr(self.xp, name)


def _numpy() -> Backend:
    import array_api_compat.numpy as xp

    return Backend("numpy", "numpy", xp)


def _strict(device: str | None, dtypes: tuple[str, ...] = ALL_DTYPES) -> Callable[[], Backend]:
    def make() -> Backend:
        import array_api_strict as xp

        name = "strict" if device is None else f"strict-{device}"
        return Backend(name, "strict", xp, xp.Device(device or "CPU_DEVICE"), dtypes)

    return make


def _torch(device: str) -> Callable[[], Backend]:
    def make() -> Backend:
        import array_api_compat.torch as xp

        return Backend("torch" if device == "cpu" else "torch-cuda", "torch", xp, xp.empty(0, device=device).device)

    return make


def _jax(x64: bool) -> Callable[[], Backend]:
    def make() -> Backend:
        import jax.numpy as xp

        return Backend("jax-x64" if x64 else "jax", "jax", xp, None, ALL_DTYPES if x64 else SINGLE_DTYPES)

    return make


def _cupy() -> Backend:
    import array_api_compat.cupy as xp

    return Backend("cupy", "cupy", xp, xp.empty(0).device)


MAKERS: dict[str, tuple[str, Callable[[], Backend]]] = {
    "numpy": ("numpy", _numpy),
    "strict": ("array_api_strict", _strict(None)),
    "strict-device1": ("array_api_strict", _strict("device1")),
    "strict-no_float64": ("array_api_strict", _strict("no_float64", SINGLE_DTYPES)),
    "torch": ("torch", _torch("cpu")),
    "jax": ("jax", _jax(False)),
    "jax-x64": ("jax", _jax(True)),
    "torch-cuda": ("torch", _torch("cuda")),
    "cupy": ("cupy", _cupy),
}


def missing(name: str) -> str | None:
    """Why the backend cannot run here, or None."""
    library, _ = MAKERS[name]
    if importlib.util.find_spec(library) is None:
        return f"{library} is not installed"
    if name == "torch-cuda":
        import torch

        if not torch.cuda.is_available():
            return "torch sees no CUDA device"
    if name == "cupy":
        import cupy

        # importing succeeds without a GPU, but then not one array can be made
        if not cupy.is_available():
            return "CuPy sees no GPU"
    return None


@contextlib.contextmanager
def entered(name: str) -> Iterator[Backend]:
    """The backend, in the settings under which its numbers are comparable."""
    if not name.startswith("jax"):
        yield MAKERS[name][1]()
        return
    import jax

    with jax.enable_x64(name == "jax-x64"), jax.default_matmul_precision("highest"):
        yield MAKERS[name][1]()
