"""Products of stacks of matrices (b, rows, columns) with tangents (b, K, rows, columns), few and large."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array, Shape


def matmul(a: Array, b: Array) -> Array:
    """Product of stacks of equal leading axes; JAX takes a stack of one as a matrix, which it multiplies faster."""
    xp = B.array_namespace(a, b)
    lead = tuple(a.shape[:-2])
    if not lead or not B.is_jax(xp) or math.prod(lead) != 1:
        return xp.matmul(a, b)
    return xp.reshape(xp.matmul(_matrix(a), _matrix(b)), (*lead, a.shape[-2], b.shape[-1]))


def _matrix(a: Array) -> Array:
    return B.array_namespace(a).reshape(a, tuple(a.shape[-2:]))


def shared_right(a: Array, b: Array) -> Array:
    """``a[:, t] @ b`` for a (b, K, n, p) and b (b, p, m): one product of K n rows. Matrices are multiplied as such."""
    if a.ndim == 2:
        return matmul(a, b)
    xp = B.array_namespace(a, b)
    stack, tangents, n, p = a.shape
    product = matmul(xp.reshape(a, (stack, tangents * n, p)), b)
    return xp.reshape(product, (stack, tangents, n, b.shape[-1]))


def shared_left(a: Array, b: Array) -> Array:
    """``a @ b[:, t]`` for a (b, n, m) and b (b, K, m, p): one product of K p columns."""
    if a.ndim == 2:
        return matmul(a, b)
    xp = B.array_namespace(a, b)
    stack, tangents, m, p = b.shape
    if tangents == 1:
        return matmul(a, b[:, 0, :, :])[:, None, :, :]
    wide = xp.reshape(xp.permute_dims(b, (0, 2, 1, 3)), (stack, m, tangents * p))
    product = xp.reshape(matmul(a, wide), (stack, a.shape[-2], tangents, p))
    return xp.permute_dims(product, (0, 2, 1, 3))


def over_tangents(a: Array, tangents: int) -> Array:
    """`a` (b, n, p) for each of K tangents, without a copy; a matrix as it is."""
    if a.ndim == 2:
        return a
    return B.array_namespace(a).broadcast_to(a[:, None, :, :], (a.shape[0], tangents, *a.shape[1:]))


def merged(x: Array, batch: Shape) -> Array:
    """`x` (..., tokens, features) with its batch axes expanded to `batch` and merged into one."""
    xp = B.array_namespace(x)
    wide = xp.broadcast_to(x, (*batch, *x.shape[-2:]))
    return xp.reshape(wide, (math.prod(batch), *x.shape[-2:]))


def scalar(like: Array, value: float) -> Array:
    """A number as an array without axes that meets `like`."""
    return B.array_namespace(like).asarray(value, dtype=like.dtype, device=B.device_of(like))
