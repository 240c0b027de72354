"""From Keras tensors to arrays that lipcore's functions take, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from ..._typing import Array
from .._constructions import construction
from ._tensor import Tensor, unwrap

# Backends whose tensors are arrays of a library that lipcore knows.
DIRECT = ("jax", "numpy", "torch")
# What reads the host where it can, and has another formula where it cannot: the latter in all cases here, so that a
# layer is one function of its weights on every backend, in a compiled step and outside.
_AS_TRACED = ("spectral",)


def lift(value: Any) -> Array:
    """A tensor as an array."""
    return value if keras.backend.backend() in DIRECT else Tensor(value)


def lower(array: Array) -> Any:
    """An array as a tensor."""
    return unwrap(array)


def constrained(
    weight: Any, method: str, place: Mapping[str, Any], options: Mapping[str, Any], lipschitz: float
) -> Any:
    """A weight (out, in) or (out, in / groups, *k) as `method` makes it, in at least single precision.

    Through the operations of Keras, some of which round float64 on some backends, it is made in single precision.
    """
    function, fixed = construction(method, len(weight.shape) == 2)
    direct = keras.backend.backend() in DIRECT and function.__name__ not in _AS_TRACED
    name = keras.backend.standardize_dtype(weight.dtype)
    single = weight if direct and name == "float64" else ops.cast(weight, "float32")
    made = function(single if direct else Tensor(single), **place, **{**fixed, **options})
    return ops.cast(lower(made * lipschitz if lipschitz != 1.0 else made), name)
