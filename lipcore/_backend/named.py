"""Backends and devices by name, for what has no arrays to take a namespace from: files and the command line."""

from __future__ import annotations

import importlib
from typing import Any

from .._typing import Namespace

BACKENDS = ("numpy", "torch", "jax", "cupy")


class BackendError(ValueError):
    """The backend or the device that was asked for cannot be had."""


def namespace_named(backend: str) -> Namespace:
    """Import the array-API namespace of a backend.

    Parameters
    ----------
    backend : {"numpy", "torch", "jax", "cupy"}
        Its name.

    Returns
    -------
    module
        The namespace.

    Raises
    ------
    BackendError
        It is not installed, or has no device to run on.
    """
    if backend not in BACKENDS:
        raise BackendError(f"backend {backend!r} is not known: choose one of {', '.join(BACKENDS)}")
    try:
        xp = importlib.import_module("jax.numpy" if backend == "jax" else f"array_api_compat.{backend}")
    except ImportError as error:
        raise BackendError(f"backend {backend!r} is not installed: pip install lipcore[{backend}]") from error
    if backend == "cupy" and not xp.is_available():
        raise BackendError("backend 'cupy' finds no GPU")
    return xp


def device_named(backend: str, device: str | None) -> Any:
    """Turn a device's name into what the backend calls a device; None for its default."""
    if device is None or (backend == "numpy" and device == "cpu"):
        return None
    try:
        if backend == "torch":
            return importlib.import_module("torch").device(device)
        kind, _, index = device.partition(":")
        if backend == "jax":
            return importlib.import_module("jax").devices(kind)[int(index or 0)]
        if backend == "cupy" and kind in ("cuda", "gpu"):
            return importlib.import_module("cupy").cuda.Device(int(index or 0))
    except (RuntimeError, ValueError, IndexError) as error:
        text = " ".join(str(error).split())[:120]
        raise BackendError(f"backend {backend!r} has no device {device!r} ({text})") from error
    raise BackendError(f"backend {backend!r} has no device {device!r}")
