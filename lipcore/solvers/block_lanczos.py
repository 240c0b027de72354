"""Block Lanczos factorisation of a Hermitian map, with thick restart."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .. import _backend as B
from .._typing import Array
from .orthogonalization import BREAKDOWN, combine, inner, less, norms, orthonormalize, polished, squares
from .row_basis import FreshRows, combined_rows, diagonal_table, in_order, rows_until, set_block
from .scaling import RowProducts

# A loss of so many roundings in a step means that nothing amplifies it yet.
_QUIET = 64.0
# Most steps of which two take the full pass.
_LONGEST = 16


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
    loss: Array
    """(*batch_shape, 1): the largest loss of orthogonality seen since the last `settle`."""


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
    tolerated : float
        Loss of orthogonality with which the caller is content; 0 (or a few roundings) takes the full pass in every
        step. With more, whoever expands must call `settle` with the loss that `ritz` tells before expanding again.

    Attributes
    ----------
    size : int
        Basis rows now, p.
    period : int
        Two of so many steps take the full pass, and the last two of every `expand`.
    V : array (*batch_shape, p, n)
        Basis. The block that comes next follows it in ``_V``.

    Notes
    -----
    The identity holds after every `expand` and every `restart` (to rounding; to the dropped residuals where a restart
    was asked for fresh directions, and to the loss that is tolerated). Only the upper triangle of T is computed,
    ``t_ij = <v_i, M v_j>``. A step is one product with a block of b rows, a local pass against two blocks, and one pass
    (two for b > 1) against the whole basis: 2 p (or 4 p) reads of rows. No host read.

    Where a loss is tolerated most steps take the second pass against two blocks, too. What the full passes find is the
    loss; where it is small they become rarer, where it is too large the steps since the last `settle` are undone.
    A loss of sqrt(eps) does not show in T (Simon 1984).

    Sources: Golub and Underwood 1977; thick restart: Wu and Simon 2000; partial reorthogonalisation: Simon 1984.
    """

    def __init__(
        self,
        products: RowProducts,
        start: Array,
        fresh: FreshRows,
        capacity: int,
        *,
        normal: bool,
        tolerated: float = 0.0,
    ) -> None:
        xp = products.xp
        self.products, self.normal, self.fresh, self.xp = products, normal, fresh, xp
        self.block, self.capacity, self.eps = start.shape[-2], capacity, products.eps
        self.size = self.steps = 0
        largest = xp.max(norms(start), axis=-2, keepdims=True)
        first = orthonormalize(None, start, BREAKDOWN * self.block * self.eps * largest, fresh.rows())
        self._V = B.set_rows(B.empty_rows(start, capacity + self.block, xp=xp), 0, first.rows, xp=xp)
        table = first.rows[..., :1, :1] * 0
        self._T = xp.broadcast_to(table, (*table.shape[:-2], capacity, capacity)) + table
        self._R = first.factor * 0
        self._largest = self._threshold = largest * 0
        # where rows beyond `size` must be zero, steps cannot be undone
        self._tolerated = tolerated if tolerated > _QUIET * self.eps and not B.is_jax(xp) else 0.0
        self.period, self._longest, self._local = 1, 1, False
        self._coupled = False  # the kept rows of a restart are coupled to the next block, by the step to come
        self._loss = self._largest
        # products in half precision lose so much in every step, whatever was lost before
        self._noise = B.eps(xp, products.A.dtype) / 32
        self._set_period()
        self._spent = 0.0  # losses that the kept rows have taken in since they were polished
        self._settled = (0, self._R, False)

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
            self._advance(self.size)
            self._expand_traced(self.size + self.block, steps - 1)
        else:
            for i in range(steps):
                self._local = i % self.period < self.period - 2 and i < steps - 2
                self._advance(self.size + i * self.block)
        self.size += steps * self.block
        self.steps += steps

    def settle(self, loss: float) -> bool:
        """Choose the period by the loss since the last call, as `ritz` told it; False where those steps are undone."""
        fine = self.period == 1 or loss <= self._tolerated
        if fine:
            quiet = _QUIET * self.eps if self.period == 1 else math.sqrt(self.eps * self._tolerated)
            if loss <= max(quiet, self._noise):
                self.period = min(max(4, 2 * self.period), self._longest)
            elif loss > self._tolerated / 4:
                self.period = max(self.period // 2, 1)
            self._spent += loss if self._tolerated else 0.0
        else:
            self.size, self._R, self._coupled = self._settled
            self._longest, self.period = self.period // 2, 1
        self._settled, self._loss = (self.size, self._R, self._coupled), self._loss * 0
        return fine

    def _set_period(self) -> None:
        """Blocks that start near an invariant space magnify the noise of products in half precision at once."""
        self._thorough = self.block > 1 and self._noise > math.sqrt(self.eps * self._tolerated) > 0
        self._longest = _LONGEST if self._tolerated and not self._thorough else 1

    def _expand_traced(self, start: int, steps: int) -> None:
        names = ("_V", "_T", "_R", "_largest")
        counted = self.products.forward, self.products.backward

        def body(i: Any, state: tuple[Array, ...]) -> tuple[Array, ...]:
            for name, value in zip(names, state, strict=True):
                setattr(self, name, value)
            self._advance(start + i * self.block)
            return tuple(getattr(self, name) for name in names)

        state = B.fori_loop(steps, body, tuple(getattr(self, name) for name in names), xp=self.xp)
        for name, value in zip(names, state, strict=True):
            setattr(self, name, value)
        made = steps * self.block
        self.products.forward, self.products.backward = counted[0] + made, counted[1] + made * self.normal

    def _advance(self, j: Any) -> None:
        """Step with the block at row j."""
        xp, b = self.xp, self.block
        block = B.get_rows(self._V, j, b, xp=xp)
        W = self.products.matmat(block)
        if self.normal:
            W = self.products.rmatmat(W)
        # a step couples to the block before it, the first one after a restart to every row that was kept; the full pass
        # comes after that, or at once where hardly a second one will be needed
        start = 0 if self._coupled or self._thorough or B.is_jax(xp) else max(0, j - b)
        self._coupled = False
        local = rows_until(self._V, j + b, xp=xp, start=start)
        H = inner(local, W)
        W = less(W, H, local)
        rest = norms(W)
        if self._local:  # a step that finds nothing new is undone
            new = orthonormalize(local, W, self._threshold, lengths=rest)
            lost = xp.max(B.cast(~new.kept, rest.dtype), axis=-1)[..., None, None]
            self._loss = xp.maximum(self._loss, lost)
        else:
            self._see_norm(H, rest)
            basis = rows_until(self._V, j + b, xp=xp)
            content = self._tolerated / 4 if self._thorough else 0.0
            new = orthonormalize(basis, W, self._threshold, self.fresh.rows(j), lengths=rest, tolerated=content)
            if self._tolerated and start > 0 and new.along is not None:
                lost = xp.max(xp.abs(new.along[..., :start, :]), axis=(-2, -1), keepdims=True)
                self._loss = xp.maximum(self._loss, lost)
        width = self.capacity if B.is_jax(xp) else H.shape[-2]
        self._T = set_block(self._T, j, start, B.transpose(H)[..., :width], xp=xp)
        self._R = new.factor
        self._V = B.set_rows(self._V, j + b, new.rows, xp=xp)

    def _see_norm(self, H: Array, rest: Array) -> None:
        """Keep the running estimate of the norm: the largest Frobenius norm of a block column."""
        xp = self.xp
        seen = xp.sqrt(xp.sum(squares(H), axis=(-2, -1), keepdims=True) + xp.sum(rest * rest, axis=-2, keepdims=True))
        self._largest = xp.maximum(self._largest, seen)
        self._threshold = BREAKDOWN * self.block * self.eps * self._largest

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
        return Ritz(values, residuals, (Y,), xp.max(xp.abs(values), axis=-1, keepdims=True), self._loss[..., 0])

    def vectors(self, ritz: Ritz, k: int) -> tuple[Array, ...]:
        """The first k Ritz vectors, as rows."""
        rows = combine(ritz.coordinates[0][..., :k], self.V)
        return (polished(rows) if self._tolerated else rows,)

    def restart(self, ritz: Ritz, keep: int, fresh: Array | None = None) -> None:
        """Shrink to the first `keep` Ritz vectors.

        `fresh` (*batch_shape, 1, 1), boolean: members that go on from random directions instead of the residual.
        """
        xp, b = self.xp, self.block
        after = B.get_rows(self._V, self.size, b, xp=xp) + 0
        self._V = combined_rows(self._V, self.size, ritz.coordinates[0][..., :keep], xp=xp)
        rows = rows_until(self._V, keep, xp=xp)
        if self._spent > self._tolerated:
            self._V, self._spent = B.set_rows(self._V, 0, polished(rows), xp=xp), 0.0
        if fresh is not None:
            zero = norms(after[..., :1, :]) * 0
            other = orthonormalize(rows, self.fresh.rows(), zero, self.fresh.rows()).rows
            after = xp.where(fresh, other, after)
        self._V = B.set_rows(self._V, keep, after, xp=xp)
        self._T = diagonal_table(ritz.values[..., :keep], self._T)
        self.size, self._coupled = keep, True
        self.period = min(self.period, 4) if fresh is not None else self.period
        self._settled = (keep, self._R, True)

    def narrow(self, width: int) -> None:
        """Go on with blocks of at most the present width, from the `restart` that must follow."""
        self.block, self._R = width, self._R[..., :width, :width]
        self.fresh.narrow(width)
        self._set_period()
