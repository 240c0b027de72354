"""Loops that run in Python, and inside the compiled program under JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .._typing import Array, Namespace
from .namespace import is_jax

State = TypeVar("State")


def fori_loop(n: int, body: Callable[[Any, State], State], state: State, *, xp: Namespace) -> State:
    """``for i in range(n): state = body(i, state)``; one compiled body on JAX, so shapes must stay fixed."""
    if is_jax(xp):
        from jax.lax import fori_loop as jax_fori_loop

        return jax_fori_loop(0, n, body, state)  # type: ignore[no-any-return]
    for i in range(n):
        state = body(i, state)
    return state


def set_rows(basis: Array, start: Any, block: Array, *, xp: Namespace) -> Array:
    """`basis` (..., p, n) with rows from `start` on replaced by `block`; in place where arrays are mutable.

    `start` may be traced on JAX. The caller must use the returned array and forget the argument.
    """
    if is_jax(xp):
        from jax.lax import dynamic_update_slice_in_dim

        return dynamic_update_slice_in_dim(basis, block.astype(basis.dtype), start, axis=basis.ndim - 2)
    basis[..., start : start + block.shape[-2], :] = block
    return basis


def get_rows(basis: Array, start: Any, count: int, *, xp: Namespace) -> Array:
    """Rows ``start .. start + count`` of `basis` (..., p, n); `start` may be traced on JAX."""
    if is_jax(xp):
        from jax.lax import dynamic_slice_in_dim

        return dynamic_slice_in_dim(basis, start, count, axis=basis.ndim - 2)
    return basis[..., start : start + count, :]
