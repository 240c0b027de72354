"""Sums of rows that go to the same place: the adjoint of a gather."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat as compat
import numpy as np

from .._typing import Array
from .namespace import device_of, is_complex, is_cupy, is_jax, is_numpy, is_torch


def scatter_add(rows: Array, index: Array, size: int) -> Array:
    """Array (..., size, K) whose row i is the sum of the `rows` (..., M, K) at which `index` (..., M) says i.

    `index` has the leading axes of `rows` and lies between 0 and ``size - 1``.
    """
    xp = compat.array_namespace(rows, index)
    lead, (m, columns) = tuple(rows.shape[:-2]), rows.shape[-2:]
    if is_numpy(xp):
        return _scatter_numpy(rows, index, size)
    if is_torch(xp):
        out = xp.zeros((*lead, size, columns), dtype=rows.dtype, device=device_of(rows))
        return out.scatter_add(-2, index.unsqueeze(-1).expand(rows.shape), rows)
    if is_jax(xp) or is_cupy(xp):
        stack = math.prod(lead)
        flat, place = xp.reshape(rows, (stack, m, columns)), xp.reshape(index, (stack, m))
        member = xp.arange(stack)[:, None]
        out = xp.zeros((stack, size, columns), dtype=rows.dtype)
        if is_jax(xp):
            out = out.at[member, place].add(flat)
        else:
            from cupyx import scatter_add as cupy_scatter_add

            cupy_scatter_add(out, (member, place), flat)
        return xp.reshape(out, (*lead, size, columns))
    target = xp.arange(size, dtype=index.dtype, device=device_of(rows))
    meets = xp.expand_dims(index, axis=-2) == xp.expand_dims(target, axis=-1)
    return xp.matmul(xp.astype(meets, rows.dtype), rows)


def _scatter_numpy(rows: Any, index: Any, size: int) -> Any:
    """By `bincount`, which sums in double precision and is many times faster than ``add.at`` on blocks."""
    *lead, _, columns = rows.shape
    stack = math.prod(lead)
    start = np.arange(stack, dtype=np.int64).reshape(*lead, 1, 1) * (size * columns)
    place = np.ravel(start + index[..., :, None].astype(np.int64) * columns + np.arange(columns))
    length = stack * size * columns
    if is_complex(compat.array_namespace(rows), rows.dtype):
        sums: Any = 1j * np.bincount(place, np.ravel(rows.imag), length)
        sums += np.bincount(place, np.ravel(rows.real), length)
    else:
        sums = np.bincount(place, np.ravel(rows), length)
    return sums.astype(rows.dtype).reshape(*lead, size, columns)
