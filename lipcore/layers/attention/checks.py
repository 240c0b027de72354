"""Checks of the arrays and numbers that attention layers are made of."""

from __future__ import annotations

import math
from typing import Any

from ... import _backend as B
from ..._typing import Array


def check_weights(**weights: Array | None) -> None:
    """All given weights are real floating matrices of one library, dtypes free."""
    given = {name: w for name, w in weights.items() if w is not None}
    for name, w in given.items():
        xp = B.array_namespace(w, name=name)
        if not B.is_floating(xp, w.dtype) or B.is_complex(xp, w.dtype):
            raise TypeError(f"`{name}` must be real floating point, got {B.dtype_name(w.dtype)}; cast it first")
        if w.ndim != 2:
            raise ValueError(f"`{name}` must have shape (out_features, in_features), got {tuple(w.shape)}")
    B.array_namespace(*given.values(), name=", ".join(given))


def check_vector(name: str, value: Array | None, size: int, like: Array) -> None:
    """`value`, if given, is a real floating vector of `size` in the library of `like`."""
    if value is None:
        return
    xp = B.array_namespace(value, like, name=name)
    if not B.is_floating(xp, value.dtype) or B.is_complex(xp, value.dtype):
        raise TypeError(f"`{name}` must be real floating point, got {B.dtype_name(value.dtype)}; cast it first")
    if tuple(value.shape) != (size,):
        raise ValueError(f"`{name}` must have shape ({size},), got {tuple(value.shape)}")


def check_heads(name: str, rows: int, heads: int) -> int:
    """Features per head."""
    if rows % heads:
        raise ValueError(f"`{name}` has {rows} rows, which do not divide among {heads} heads")
    return rows // heads


def check_count(name: str, value: Any) -> int:
    """A positive integer."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer, got {value!r}")
    return value


def check_positive(name: str, value: Any) -> float:
    """A positive finite number of the host."""
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError(f"`{name}` must be positive and finite, got {value!r}")
    return number


def check_mask(name: str, mask: Array | None, like: Array, *, kinds: str) -> None:
    """A mask is boolean, a bias real floating; both have at least two axes."""
    if mask is None:
        return
    xp = B.array_namespace(mask, like, name=name)
    boolean = mask.dtype == xp.bool
    floating = B.is_floating(xp, mask.dtype) and not B.is_complex(xp, mask.dtype)
    if not ((boolean and "boolean" in kinds) or (floating and "floating" in kinds)):
        raise TypeError(f"`{name}` must be {kinds}, got dtype {B.dtype_name(mask.dtype)}")
    if not 2 <= mask.ndim <= 4:
        raise ValueError(
            f"`{name}` must broadcast to (samples, num_heads, queries, keys) and have at least the last two axes, "
            f"got shape {tuple(mask.shape)}"
        )
