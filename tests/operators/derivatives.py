"""Derivatives of a loss on torch and JAX, and arrays with gaps in memory, for the shared suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lipcore import _backend as B


def with_gaps(array: Any) -> Any:
    """The same values with gaps between them in memory."""
    if array.ndim == 0:
        return array
    xp = B.array_namespace(array)
    wide = xp.stack([array, array], axis=-1)
    return xp.reshape(wide, (*array.shape[:-1], 2 * array.shape[-1]))[..., ::2]


def inner(a: Any, b: Any) -> float:
    return float(np.sum(np.real(np.conj(B.to_numpy(a)) * B.to_numpy(b))))


def gradients(loss: Callable[[dict[str, Any]], Any], point: dict[str, Any], native: str) -> dict[str, Any]:
    """Gradient with the real inner product ``Re(conj(g) d)``, as torch has it; JAX returns its conjugate."""
    if native == "jax":
        import jax

        return {key: g.conj() for key, g in jax.grad(loss)(point).items()}
    leaves = {key: value.clone().requires_grad_() for key, value in point.items()}
    loss(leaves).backward()
    return {key: leaf.grad for key, leaf in leaves.items()}
