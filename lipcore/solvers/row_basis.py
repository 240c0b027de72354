"""What the block factorisations share: bases of rows, windows of random rows, the order of Ritz values."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace

# Random rows are windows into one longer random row, shifted by one each: no copy and no draw. The window at 0 is left
# out: a caller may have drawn the start from the same seed.
_WINDOWS = 64
# Columns of a basis that are combined at once: a panel of a hundred rows stays in the cache.
_PANEL = 1 << 13


class FreshRows:
    """A supply of random rows of norm about one, for directions that a Krylov space has run out of."""

    def __init__(self, rng: np.random.Generator, like: Array, count: int, *, xp: Namespace) -> None:
        n, self.count = like.shape[-1], count
        shape = (*like.shape[:-2], count, n + _WINDOWS)
        rows = B.random_normal(rng, shape, xp=xp, device=B.device_of(like), dtype=like.dtype)
        self._long, self._n, self._next, self._xp = rows / max(n, 1) ** 0.5, n, 0, xp

    def narrow(self, count: int) -> None:
        """From now on `count` rows at a time, at most as many as before."""
        self.count, self._long = count, self._long[..., :count, :]

    def rows(self, step: Any = 0) -> Array:
        """The next (..., count, n) rows; a view unless `step`, the loop counter inside a traced loop, is traced."""
        xp = self._xp
        self._next += 1
        if isinstance(step, int):
            start = 1 + self._next % (_WINDOWS - 1)
            return self._long[..., start : start + self._n]
        window = xp.arange(self._n) + 1 + (self._next + step) % (_WINDOWS - 1)
        return xp.take(self._long, window, axis=-1)


def fresh_like(rng: np.random.Generator, rows: Array, length: int, count: int, *, xp: Namespace) -> FreshRows:
    """A supply of `count` random rows of another length, for the batch of `rows`."""
    like = xp.broadcast_to(rows[..., :1, :1], (*rows.shape[:-2], 1, length))
    return FreshRows(rng, like, count, xp=xp)


def rows_until(basis: Array, stop: Any, *, xp: Namespace, start: int = 0) -> Array:
    """Rows ``start .. stop`` of `basis`; all of it on JAX, where shapes stay fixed and unused rows are zero."""
    return basis if B.is_jax(xp) else basis[..., start:stop, :]


def set_block(table: Array, row: Any, column: Any, block: Array, *, xp: Namespace) -> Array:
    """`table` (..., p, q) with `block` at (row, column); in place where arrays are mutable."""
    if B.is_jax(xp):
        rows = B.get_rows(table, row, block.shape[-2], xp=xp)
        turned = B.set_rows(B.transpose(rows), column, B.transpose(block), xp=xp)
        return B.set_rows(table, row, B.transpose(turned), xp=xp)
    table[..., row : row + block.shape[-2], column : column + block.shape[-1]] = block
    return table


def in_order(pairs: tuple[Array, Array], which: str) -> tuple[Array, Array]:
    """Eigenvalues and columns, as ``eigh`` gives them, with the wanted end first: LM, SM (by magnitude), LA, SA."""
    values, vectors = pairs
    xp = B.array_namespace(values)
    key = xp.abs(values) if which in ("LM", "SM") else values
    order = xp.argsort(key, axis=-1, descending=which in ("LM", "LA"))
    columns = xp.broadcast_to(order[..., None, :], vectors.shape)
    return xp.take_along_axis(values, order, axis=-1), xp.take_along_axis(vectors, columns, axis=-1)


def replace_rows(basis: Array, parts: list[Array], *, xp: Namespace) -> Array:
    """`basis` with its first rows replaced by `parts`; what follows is forgotten (on JAX: zero)."""
    rows = xp.concat(parts, axis=-2)
    if B.is_jax(xp):
        rest = xp.zeros_like(basis[..., rows.shape[-2] :, :])
        return xp.concat([rows, rest], axis=-2)
    return B.set_rows(basis, 0, rows, xp=xp)


def combined_rows(basis: Array, size: int, coefficients: Array, *, xp: Namespace) -> Array:
    """`basis` with its first rows replaced by combinations of its first `size`; the rest is not to be used (JAX: zero).

    `coefficients` (..., p, k), k <= size <= p. Written over panel by panel where arrays are mutable: no second basis.
    """
    C = B.transpose(coefficients)
    if B.is_jax(xp) or B.is_sharded(basis):
        return replace_rows(basis, [xp.matmul(C, basis[..., :size, :])], xp=xp)
    keep = C.shape[-2]
    for first in range(0, basis.shape[-1], _PANEL):
        panel = slice(first, min(first + _PANEL, basis.shape[-1]))
        basis[..., :keep, panel] = xp.matmul(C, basis[..., :size, panel])
    return basis


def diagonal_table(values: Array, table: Array) -> Array:
    """A square table like `table` (..., p, p), zero but for the first diagonal entries, `values` (..., k)."""
    xp = B.array_namespace(values, table)
    p, k = table.shape[-1], values.shape[-1]
    device = B.device_of(table)
    padding = xp.zeros((*values.shape[:-1], p - k), dtype=values.dtype, device=device)
    diagonal = B.cast(xp.concat([values, padding], axis=-1), table.dtype)
    return xp.eye(p, dtype=table.dtype, device=device) * diagonal[..., None, :]
