"""Checks of the arrays that attention meets."""

from __future__ import annotations

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape

LETTERS = ("q", "k", "v")


def checked_batch(q: Array, k: Array, v: Array, mask: Array | None, bias: Array | None) -> Shape:
    """Common batch shape of the arrays, which are checked."""
    for name, x in zip(LETTERS, (q, k, v), strict=True):
        xp = B.array_namespace(q, x, name=name)
        if not B.is_floating(xp, x.dtype) or B.is_complex(xp, x.dtype):
            raise TypeError(f"`{name}` must be real floating point, got dtype {B.dtype_name(x.dtype)}; cast it first")
        if x.ndim < 2 or 0 in x.shape[-2:]:
            raise ValueError(f"`{name}` must have shape (..., tokens, features), neither zero, got {tuple(x.shape)}")
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"`q` and `k` must have as many features, got {q.shape[-1]} and {k.shape[-1]}")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"`k` and `v` must have as many tokens, got {k.shape[-2]} and {v.shape[-2]}")
    try:
        batch = np.broadcast_shapes(*(tuple(x.shape[:-2]) for x in (q, k, v)))
    except ValueError:
        shapes = ", ".join(str(tuple(x.shape)) for x in (q, k, v))
        raise ValueError(f"batch axes of `q`, `k` and `v` do not broadcast: {shapes}") from None
    scores = (*batch, q.shape[-2], k.shape[-2])
    for name, x in (("mask", mask), ("bias", bias)):
        if x is not None:
            _check_mask(name, x, q, scores)
    return batch


def _check_mask(name: str, x: Array, q: Array, scores: Shape) -> None:
    xp = B.array_namespace(q, x, name=name)
    floating = B.is_floating(xp, x.dtype) and not B.is_complex(xp, x.dtype)
    if not floating and (name == "bias" or x.dtype != xp.bool):
        kinds = "floating" if name == "bias" else "boolean or floating"
        raise TypeError(f"`{name}` must be {kinds}, got dtype {B.dtype_name(x.dtype)}")
    try:
        fits = x.ndim >= 2 and np.broadcast_shapes(tuple(x.shape), scores) == scores
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"`{name}` must broadcast to the scores {scores}, got shape {tuple(x.shape)}")
