"""From Keras tensors to arrays that lipcore's functions take, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
_AS_TRACED = ("spectral", "soc_convolution")


def lift(value: Any) -> Array:
    """A tensor as an array."""
    return value if keras.backend.backend() in DIRECT else Tensor(value)


def lower(array: Array) -> Any:
    """An array as a tensor."""
    return unwrap(array)


def constrained(
    weight: Any, method: str, place: Mapping[str, Any], options: Mapping[str, Any], lipschitz: float = 1.0
) -> Any:
    """A weight (out, in) or (out, in / groups, *k) as `method` makes it, in at least single precision."""
    function, fixed = construction(method, len(weight.shape) == 2)
    made = called(function, weight, **place, **{**fixed, **options})
    if lipschitz != 1.0:
        made = made * lipschitz
    return ops.cast(lower(made), weight.dtype)


def called(function: Callable[..., Any], weight: Any, **options: Any) -> Any:
    """What `function` makes of a weight, as arrays; tensors among the options become arrays too.

    Through the operations of Keras, some of which round float64 on some backends, it is made in single precision.
    """
    direct = keras.backend.backend() in DIRECT and function.__name__ not in _AS_TRACED
    wide = direct and keras.backend.standardize_dtype(weight.dtype) == "float64"

    def array(tensor: Any) -> Array:
        single = ops.cast(tensor, "float64" if wide else "float32")
        return single if direct else Tensor(single)

    given = {name: array(x) if keras.ops.is_tensor(x) else x for name, x in options.items()}
    return function(array(weight), **given)
