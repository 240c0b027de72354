"""Block Lanczos factorisation of a Hermitian map, with thick restart."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import _backend as B
from .._typing import Array
from .orthogonalization import BREAKDOWN, combine, inner, norms, orthonormalize, squares
from .row_basis import FreshRows, diagonal_table, in_order, replace_rows, rows_until, set_block
from .scaling import RowProducts


class Ritz(NamedTuple):
    """Ritz values, wanted end first, their residual norms by the recurrence, and their coordinates."""

    values: Array
    """(*batch_shape, p)."""
    residuals: Array
    """(*batch_shape, p)."""
    coordinates: tuple[Array, ...]
    """One (*batch_shape, p, p) array of columns per basis."""
    largest: Array
    """(*batch_shape, 1): the largest magnitude, a lower estimate of the norm."""


class BlockLanczos:
    r"""Krylov factorisation of a Hermitian map: ``M V = V T + V_next R E^H``.

    Parameters
    ----------
    products : RowProducts
        The (scaled) operator A.
    normal : bool
        Factor ``M = A^H A``; otherwise ``M = A``, which the caller knows to be Hermitian.
    start : array (*batch_shape, b, n)
        Start block, any nonzero scale.
    fresh : FreshRows
        Supply of rows for directions that run out.
    capacity : int
        Most basis rows, at most n; a multiple of the block size is best.

    Attributes
    ----------
    size : int
        Basis rows now, p.
    V : array (*batch_shape, p, n)
        Basis. The block that comes next follows it in ``_V``.

    Notes
    -----
    The identity holds after every `expand` and every `restart` (to rounding; to the dropped residuals where a restart
    was asked for fresh directions). Only the upper triangle of T is computed, ``t_ij = <v_i, M v_j>``. A step is one
    product with a block of b rows, a local pass against two blocks, and one pass (two for b > 1) against the whole
    basis: 2 p (or 4 p) reads of rows. No host read. Sources: Golub and Underwood 1977; thick restart: Wu and Simon
    2000.
    """

    def __init__(self, products: RowProducts, start: Array, fresh: FreshRows, capacity: int, *, normal: bool) -> None:
        xp = products.xp
        self.products, self.normal, self.fresh, self.xp = products, normal, fresh, xp
        self.block, self.capacity = start.shape[-2], capacity
        self.eps = products.eps
        self.size = self.steps = 0
        largest = xp.max(norms(start), axis=-2, keepdims=True)
        first = orthonormalize(None, start, BREAKDOWN * self.block * self.eps * largest, fresh.rows())
        self._V = B.set_rows(B.empty_rows(start, capacity + self.block, xp=xp), 0, first.rows, xp=xp)
        table = first.rows[..., :1, :1] * 0
        self._T = xp.broadcast_to(table, (*table.shape[:-2], capacity, capacity)) + table
        self._R = first.factor * 0
        self._largest = largest * 0

    @property
    def V(self) -> Array:
        """Basis rows."""
        return self._V[..., : self.size, :]

    @property
    def room(self) -> int:
        """Steps until the basis is full."""
        return int((self.capacity - self.size) // self.block)

    def expand(self, steps: int) -> None:
        """Make `steps` steps, at most `room`."""
        if B.is_jax(self.xp) and B.is_traced(self._V) and steps > 2:
            self._advance(self.size, first=True)
            self._expand_traced(self.size + self.block, steps - 1)
        else:
            for i in range(steps):
                self._advance(self.size + i * self.block, first=i == 0)
        self.size += steps * self.block
        self.steps += steps

    def _expand_traced(self, start: int, steps: int) -> None:
        names = ("_V", "_T", "_R", "_largest")
        counted = self.products.forward, self.products.backward

        def body(i: Any, state: tuple[Array, ...]) -> tuple[Array, ...]:
            for name, value in zip(names, state, strict=True):
                setattr(self, name, value)
            self._advance(start + i * self.block, first=False)
            return tuple(getattr(self, name) for name in names)

        state = B.fori_loop(steps, body, tuple(getattr(self, name) for name in names), xp=self.xp)
        for name, value in zip(names, state, strict=True):
            setattr(self, name, value)
        made = steps * self.block
        self.products.forward, self.products.backward = counted[0] + made, counted[1] + made * self.normal

    def _advance(self, j: Any, *, first: bool) -> None:
        """Step with the block at row j."""
        xp, b = self.xp, self.block
        block = B.get_rows(self._V, j, b, xp=xp)
        W = self.products.matmat(block)
        if self.normal:
            W = self.products.rmatmat(W)
        # a step couples to the block before it, the first one after a restart to every row that was kept
        start = 0 if first or B.is_jax(xp) else max(0, j - b)
        local = rows_until(self._V, j + b, xp=xp, start=start)
        H = inner(local, W)
        W = W - combine(H, local)
        rest = norms(W)
        seen = xp.sqrt(xp.sum(squares(H), axis=(-2, -1), keepdims=True) + xp.sum(rest * rest, axis=-2, keepdims=True))
        self._largest = xp.maximum(self._largest, seen)
        threshold = BREAKDOWN * b * self.eps * self._largest
        new = orthonormalize(rows_until(self._V, j + b, xp=xp), W, threshold, self.fresh.rows(j))
        width = self.capacity if B.is_jax(xp) else H.shape[-2]
        self._T = set_block(self._T, j, start, B.transpose(H)[..., :width], xp=xp)
        self._R = new.factor
        self._V = B.set_rows(self._V, j + b, new.rows, xp=xp)

    def projected(self) -> Array:
        """T = V^H M V (columns convention), exactly Hermitian, shape (*batch_shape, p, p)."""
        xp, p = self.xp, self.size
        columns = B.transpose(self._T[..., :p, :p])
        strict = xp.triu(columns, k=1)
        eye = xp.eye(p, dtype=columns.dtype, device=B.device_of(columns))
        diagonal = columns * eye
        # diagonal blocks hold both triangles, of which one is enough
        return strict + B.adjoint(strict) + (diagonal + B.conj(diagonal)) / 2

    def ritz(self, which: str) -> Ritz:
        """Ritz values of the basis, the wanted end first."""
        xp = self.xp
        values, Y = in_order(xp.linalg.eigh(self.projected()), which)
        coupling = xp.matmul(self._R, Y[..., self.size - self.block : self.size, :])
        residuals = xp.sqrt(xp.sum(squares(coupling), axis=-2))
        return Ritz(values, residuals, (Y,), xp.max(xp.abs(values), axis=-1, keepdims=True))

    def vectors(self, ritz: Ritz, k: int) -> tuple[Array, ...]:
        """The first k Ritz vectors, as rows."""
        return (combine(ritz.coordinates[0][..., :k], self.V),)

    def restart(self, ritz: Ritz, keep: int, fresh: Array | None = None) -> None:
        """Shrink to the first `keep` Ritz vectors.

        `fresh` (*batch_shape, 1, 1), boolean: members that go on from random directions instead of the residual.
        """
        xp, p, b = self.xp, self.size, self.block
        (rows,) = self.vectors(ritz, keep)
        after = B.get_rows(self._V, p, b, xp=xp)
        if fresh is not None:
            zero = norms(after[..., :1, :]) * 0
            other = orthonormalize(rows, self.fresh.rows(), zero, self.fresh.rows()).rows
            after = xp.where(fresh, other, after)
        self._V = replace_rows(self._V, [rows, after], xp=xp)
        self._T = diagonal_table(ritz.values[..., :keep], self._T)
        self.size = keep
