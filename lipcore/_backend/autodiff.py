"""Products with Jacobians of functions written in torch or JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._typing import Array, Namespace
from .namespace import is_jax, is_torch


def supports_autodiff(xp: Namespace) -> bool:
    """Whether functions of `xp` arrays can be differentiated."""
    return bool(is_torch(xp) or is_jax(xp))


def linearize(
    f: Callable[[Array], Array], x: Array, *, xp: Namespace
) -> tuple[Array, Callable[[Array], Array], Callable[[Array], Array]]:
    """``f(x)``, and the maps ``dX -> J dX`` and ``dY -> J^T dY`` on stacks of tangents (K, *shape)."""
    if is_jax(xp):
        import jax

        y, push = jax.linearize(f, x)
        _, pull = jax.vjp(f, x)
        return y, jax.vmap(push), jax.vmap(lambda t: pull(t)[0])
    if is_torch(xp):
        import torch

        y, pull_one = torch.func.vjp(f, x)

        def push_stack(tangents: Array) -> Array:
            return _stacked(lambda t: torch.func.jvp(f, (x,), (t,))[1], tangents, torch)

        def pull_stack(cotangents: Array) -> Array:
            return _stacked(lambda t: pull_one(t)[0], cotangents, torch)

        return y, push_stack, pull_stack
    raise TypeError(f"derivatives need torch or JAX arrays, got an array of {xp.__name__}")


def _stacked(one: Callable[[Array], Array], stack: Array, torch: Any) -> Array:
    """`one` over the first axis: vectorised, or one by one where an operation has no batching rule."""
    if stack.shape[0] == 1:
        return one(stack[0])[None]
    try:
        return torch.func.vmap(one)(stack)
    except RuntimeError:
        return torch.stack([one(t) for t in stack])
