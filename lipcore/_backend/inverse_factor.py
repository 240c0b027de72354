"""Inverses of Cholesky factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import Array
from .linalg import cholesky, triangular_solve
from .namespace import array_namespace, device_of, is_numpy

# Blocks of this order are left to LAPACK.
_LEAF = 96


def inverse_factor(g: Array) -> Array:
    """``L^-1`` of stacks of Hermitian positive definite ``G = L L^H``; garbage where they are not.

    NumPy has no triangular solve. SciPy's is slow beside NumPy's products, since the idle threads of either BLAS spin
    on the cores of the other, so one large matrix is taken apart by blocks, into products.
    """
    xp = array_namespace(g)
    n = g.shape[-1]
    if is_numpy(xp) and g.ndim == 2 and n > _LEAF:
        out = np.zeros_like(g)
        _by_blocks(g, out)
        return out
    eye = xp.broadcast_to(xp.eye(n, dtype=g.dtype, device=device_of(g)), g.shape)
    return triangular_solve(cholesky(g)[0], eye)


def _by_blocks(g: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
    """Write the inverse factor into the lower triangle of `out`."""
    n = g.shape[0]
    if n <= _LEAF:
        out[...] = np.tril(np.linalg.inv(cholesky(g)[0]))
        return
    h = n // 2
    _by_blocks(g[:h, :h], out[:h, :h])
    first = out[:h, :h]
    below = g[h:, :h] @ first.conj().T
    _by_blocks(g[h:, h:] - below @ below.conj().T, out[h:, h:])
    out[h:, :h] = -(out[h:, h:] @ (below @ first))
