"""Random starts: drawn on the host, so that one seed gives one run on every backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import Array, Namespace
from .host import from_numpy
from .namespace import compute_dtype, dtype_name, is_complex


def as_rng(rng: int | np.random.Generator | None) -> np.random.Generator:
    """Generator from what SPEC 7 allows."""
    if rng is not None and not isinstance(rng, int | np.integer | np.random.Generator | np.random.SeedSequence):
        raise TypeError(f"`rng` must be None, an int or a numpy.random.Generator, got {type(rng).__name__}")
    return np.random.default_rng(rng)


def random_normal(
    rng: np.random.Generator, shape: tuple[int, ...], *, xp: Namespace, device: Any = None, dtype: Any
) -> Array:
    """Standard Gaussian array (complex: both parts standard Gaussian) in at least float32."""
    dtype = compute_dtype(xp, dtype)
    single = dtype_name(dtype) in ("float32", "complex64")
    # long single-precision starts are drawn in single precision: half the time and memory
    draw = np.float32 if single else np.float64
    values = rng.standard_normal(shape, dtype=draw)
    if is_complex(xp, dtype):
        values = values + 1j * rng.standard_normal(shape, dtype=draw)
    return from_numpy(values, xp=xp, device=device, dtype=dtype, shared=True)
