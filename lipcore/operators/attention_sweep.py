"""Loops over blocks of rows: in Python, or inside the compiled program where arrays are traced by JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .. import _backend as B
from .._typing import Array

# body(start, count, keys, carry) -> (row blocks, carry): `count` rows from `start` on meet the first `keys` keys
Body: TypeAlias = Callable[[Any, int, int, Any], tuple[tuple[Array, ...], Any]]

# A traced loop of no more blocks than this is written out.
_UNROLLED = 4


class Sweep:
    """Blocks of `block` rows, the last one shorter.

    Parameters
    ----------
    rows, keys : int
    block : int
    causal : bool
        Whether row i needs keys 0 to i only.
    arrays : sequence of arrays
        What the body works on; they tell whether the loop is traced.
    """

    def __init__(self, rows: int, keys: int, block: int, *, causal: bool, arrays: tuple[Array, ...]) -> None:
        self.rows, self.keys, self.block, self.causal = rows, keys, block, causal
        self.xp = B.array_namespace(*arrays)
        traced = B.is_jax(self.xp) and any(B.is_traced(x) for x in arrays)
        self.compiled = traced and rows > _UNROLLED * block

    def run(self, body: Body, carry: Any) -> tuple[tuple[Array, ...], Any]:
        """Row blocks put together along the second last axis, and the last carry."""
        if self.compiled:
            return self._compiled(body, carry)
        starts = range(0, self.rows, self.block)
        whole: tuple[Array, ...] | None = None
        found = []
        for start in starts:
            count = min(self.block, self.rows - start)
            keys = min(self.keys, start + count) if self.causal else self.keys
            rows, carry = body(start, count, keys, carry)
            if start == 0 and len(starts) > 1 and rows and all(map(B.overwritable, rows)):
                # small results kept between large temporaries would break up the heap
                whole = tuple(B.empty_rows(r, self.rows, xp=self.xp) for r in rows)
            if whole is None:
                found.append(rows)
            else:
                whole = tuple(B.set_rows(w, start, r, xp=self.xp) for w, r in zip(whole, rows, strict=True))
        if whole is not None:
            return whole, carry
        if len(found) == 1:
            return found[0], carry
        return tuple(self.xp.concat(list(parts), axis=-2) for parts in zip(*found, strict=True)), carry

    def _compiled(self, body: Body, carry: Any) -> tuple[tuple[Array, ...], Any]:
        """One compiled body for all full blocks but the first, which shows the shapes; then the rest."""
        xp, block = self.xp, self.block
        first, carry = body(0, block, self.keys, carry)
        whole = tuple(xp.zeros((*r.shape[:-2], self.rows, r.shape[-1]), dtype=r.dtype) for r in first)
        whole = tuple(B.set_rows(w, 0, r, xp=xp) for w, r in zip(whole, first, strict=True))
        full = self.rows // block

        def step(i: Any, state: tuple[tuple[Array, ...], Any]) -> tuple[tuple[Array, ...], Any]:
            whole, carry = state
            start = (i + 1) * block
            rows, carry = body(start, block, self.keys, carry)
            return tuple(B.set_rows(w, start, r, xp=xp) for w, r in zip(whole, rows, strict=True)), carry

        whole, carry = B.fori_loop(full - 1, step, (whole, carry), xp=xp)
        if self.rows > full * block:
            rows, carry = body(full * block, self.rows - full * block, self.keys, carry)
            whole = tuple(B.set_rows(w, full * block, r, xp=xp) for w, r in zip(whole, rows, strict=True))
        return whole, carry
