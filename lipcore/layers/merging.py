"""What layers of several inputs share: checks of shapes and numbers, and the identity on a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import _backend as B
from .._typing import Array, Shape
from ..operators import Identity, LinearOperator


def number(value: Any, name: str) -> float:
    """A finite Python number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"`{name}` must be a number or made of numbers, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite, got {value!r}")
    return float(value)


def same_shapes(layer: str, shapes: Sequence[Shape]) -> None:
    """Raise an error unless all samples have one shape."""
    if len({tuple(shape) for shape in shapes}) > 1:
        raise ValueError(f"the inputs of {layer} must have one shape, got samples of {[tuple(s) for s in shapes]}")


def identity_on(x: Array, shape: Shape) -> LinearOperator:
    """The identity on samples of `shape` in the library of `x`."""
    same = Identity(math.prod(shape), x.dtype, xp=B.array_namespace(x), device=B.device_of(x))
    return same.with_shapes(shape, shape)
