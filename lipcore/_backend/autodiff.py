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

        y, pull_conjugate = torch.func.vjp(f, x)

        def pull_one(t: Array) -> Array:
            # torch's vector-Jacobian product is J^H t
            return pull_conjugate(t)[0] if not t.is_complex() else pull_conjugate(t.conj())[0].conj()

        def push_one(t: Array) -> Array:
            try:
                return torch.func.jvp(f, (x,), (t,))[1]
            except NotImplementedError:
                # an operation without a forward rule: the transpose of the transpose
                return torch.func.vjp(pull_one, torch.zeros_like(y))[1](t)[0]

        return y, lambda ts: _stacked(push_one, ts, torch), lambda ts: _stacked(pull_one, ts, torch)
    raise TypeError(f"derivatives need torch or JAX arrays, got an array of {xp.__name__}")


def _stacked(one: Callable[[Array], Array], stack: Array, torch: Any) -> Array:
    """`one` over the first axis: vectorised, or one by one where an operation has no batching rule."""
    if stack.shape[0] == 1:
        return one(stack[0])[None]
    try:
        return torch.func.vmap(one)(stack)
    except RuntimeError:
        return torch.stack([one(t) for t in stack])
