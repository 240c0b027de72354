"""Block Golub-Kahan-Lanczos bidiagonalisation, with thick restart."""

from __future__ import annotations

from typing import Any

from .. import _backend as B
from .._typing import Array
from .block_lanczos import Ritz
from .orthogonalization import BREAKDOWN, combine, inner, less, norms, orthonormalize, squares
from .row_basis import FreshRows, diagonal_table, replace_rows, rows_until, set_block
from .scaling import RowProducts


class GolubKahan:
    r"""Bidiagonalisation of a map: ``A V = U B`` and ``A^H U = V B^H + V_next R E^H``.

    Parameters
    ----------
    products : RowProducts
        The (scaled) operator with m >= n.
    start : array (*batch_shape, b, n)
        Start block of right vectors, any nonzero scale.
    fresh, fresh_left : FreshRows
        Supplies of rows of length n and m for directions that run out.
    capacity : int
        Most basis rows, at most n.

    Attributes
    ----------
    size : int
        Basis rows on each side, p.
    U, V : array (*batch_shape, p, m), (*batch_shape, p, n)
        Bases, as rows.

    Notes
    -----
    Both identities hold after every `expand` and every `restart` (to rounding; to the dropped residuals where a restart
    was asked for fresh directions). B is upper triangular: block bidiagonal, with a spike of full columns after a
    restart. A step is one product with A and one with A^H on b rows, and on each side a local pass and one full pass
    (two for b > 1): 4 p (or 8 p) reads of rows. No host read. Sources: Golub and Kahan 1965; Golub, Luk and Overton
    1981 (blocks); Baglama and Reichel 2005, 2006 (thick restart).
    """

    def __init__(
        self, products: RowProducts, start: Array, fresh: FreshRows, fresh_left: FreshRows, capacity: int
    ) -> None:
        xp = products.xp
        self.products, self.fresh, self.fresh_left, self.xp = products, fresh, fresh_left, xp
        self.block, self.capacity, self.eps = start.shape[-2], capacity, products.eps
        self.size = self.steps = 0
        largest = xp.max(norms(start), axis=-2, keepdims=True)
        first = orthonormalize(None, start, BREAKDOWN * self.block * self.eps * largest, fresh.rows())
        self._V = B.set_rows(B.empty_rows(start, capacity + self.block, xp=xp), 0, first.rows, xp=xp)
        self._U = B.empty_rows(fresh_left.rows(), capacity, xp=xp)
        table = first.rows[..., :1, :1] * 0
        self._B = xp.broadcast_to(table, (*table.shape[:-2], capacity, capacity)) + table
        self._R = first.factor * 0
        self._largest = largest * 0

    @property
    def V(self) -> Array:
        """Right basis rows."""
        return self._V[..., : self.size, :]

    @property
    def U(self) -> Array:
        """Left basis rows."""
        return self._U[..., : self.size, :]

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
        names = ("_V", "_U", "_B", "_R", "_largest")
        counted = self.products.forward, self.products.backward

        def body(i: Any, state: tuple[Array, ...]) -> tuple[Array, ...]:
            for name, value in zip(names, state, strict=True):
                setattr(self, name, value)
            self._advance(start + i * self.block, first=False)
            return tuple(getattr(self, name) for name in names)

        state = B.fori_loop(steps, body, tuple(getattr(self, name) for name in names), xp=self.xp)
        for name, value in zip(names, state, strict=True):
            setattr(self, name, value)
        self.products.forward, self.products.backward = (c + steps * self.block for c in counted)

    def _advance(self, j: Any, *, first: bool) -> None:
        """Step with the right block at row j: the left block j, then the right block j + b."""
        xp, b, p = self.xp, self.block, self.products
        right = B.get_rows(self._V, j, b, xp=xp)
        W = p.matmat(right)
        # a step couples to the block before it, the first one after a restart to every row that was kept
        start = 0 if first or B.is_jax(xp) else max(0, j - b)
        local = rows_until(self._U, j, xp=xp, start=start)
        H = inner(local, W)
        W = less(W, H, local)
        self._see(H, norms(W))
        left = orthonormalize(rows_until(self._U, j, xp=xp), W, self._threshold(), self.fresh_left.rows(j))
        self._U = B.set_rows(self._U, j, left.rows, xp=xp)
        self._B = set_block(self._B, j, start, B.transpose(H), xp=xp)
        self._B = set_block(self._B, j, j, B.transpose(left.factor), xp=xp)
        Z = p.rmatmat(left.rows)
        H = inner(right, Z)
        Z = less(Z, H, right)
        self._see(H, norms(Z))
        new = orthonormalize(rows_until(self._V, j + b, xp=xp), Z, self._threshold(), self.fresh.rows(j))
        self._R = new.factor
        self._V = B.set_rows(self._V, j + b, new.rows, xp=xp)

    def _see(self, H: Array, rest: Array) -> None:
        """Keep the running estimate of the norm: the largest Frobenius norm of a block column."""
        xp = self.xp
        seen = xp.sqrt(xp.sum(squares(H), axis=(-2, -1), keepdims=True) + xp.sum(rest * rest, axis=-2, keepdims=True))
        self._largest = xp.maximum(self._largest, seen)

    def _threshold(self) -> Array:
        return BREAKDOWN * self.block * self.eps * self._largest

    def projected(self) -> Array:
        """B = U^H A V (columns convention), shape (*batch_shape, p, p)."""
        return B.transpose(self._B[..., : self.size, : self.size])

    def ritz(self, which: str) -> Ritz:
        """Singular values of B, the wanted end first; residual norms ``||A^H u - sigma v||``; coordinates (P, Q)."""
        xp = self.xp
        P, values, Qh = xp.linalg.svd(self.projected(), full_matrices=False)
        largest = values[..., :1]
        Q = B.adjoint(Qh)
        if which == "SM":  # not a sort: equal values must keep their partners
            values, P, Q = (xp.flip(x, axis=-1) for x in (values, P, Q))
        coupling = xp.matmul(self._R, P[..., self.size - self.block : self.size, :])
        return Ritz(values, xp.sqrt(xp.sum(squares(coupling), axis=-2)), (P, Q), largest, largest * 0)

    def settle(self, loss: float) -> bool:
        """Every step takes the full pass: nothing is ever undone."""
        return True

    def vectors(self, ritz: Ritz, k: int) -> tuple[Array, ...]:
        """The first k right and left Ritz vectors, as rows."""
        P, Q = ritz.coordinates
        return combine(Q[..., :k], self.V), combine(P[..., :k], self.U)

    def restart(self, ritz: Ritz, keep: int, fresh: Array | None = None) -> None:
        """Shrink to the first `keep` Ritz triplets.

        `fresh` (*batch_shape, 1, 1), boolean: members that go on from random directions instead of the residual.
        """
        xp = self.xp
        right, left = self.vectors(ritz, keep)
        after = B.get_rows(self._V, self.size, self.block, xp=xp)
        if fresh is not None:
            zero = norms(after[..., :1, :]) * 0
            other = orthonormalize(right, self.fresh.rows(), zero, self.fresh.rows()).rows
            after = xp.where(fresh, other, after)
        self._V = replace_rows(self._V, [right, after], xp=xp)
        self._U = replace_rows(self._U, [left], xp=xp)
        self._B = diagonal_table(ritz.values[..., :keep], self._B)
        self.size = keep

    def narrow(self, width: int) -> None:
        """Go on with blocks of at most the present width, from the `restart` that must follow."""
        self.block, self._R = width, self._R[..., :width, :width]
        self.fresh.narrow(width)
        self.fresh_left.narrow(width)
