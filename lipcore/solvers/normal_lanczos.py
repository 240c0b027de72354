"""Single-vector Lanczos factorisation of ``A^H A``, the engine of norms of long vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from .orthogonalization import BREAKDOWN, combine, norms, reciprocal
from .scaling import RowProducts
from .tridiagonal import RitzPairs, largest_pairs


class NormalLanczos:
    r"""Lanczos factorisation of the normal operator, grown step by step.

    Parameters
    ----------
    A : LinearOperator, shape (*batch_shape, M, N)
        Operator, or stack of operators that are treated together.
    v0 : array (*batch_shape, N)
        Start, not necessarily normalised.
    capacity : int
        Steps for which memory is reserved; the basis grows by half whenever it is full.
    hermitian : bool
        Factor ``A`` itself, which the caller knows to be Hermitian, instead of ``A^H A``.
    reorthogonalize : {"full", "none"}
        One pass against the whole basis after the three-term recurrence, or none. Without it the Ritz values remain
        valid but copies of converged ones appear, and Ritz vectors are only those of short runs.
    keep : bool
        Keep the basis, for `vector` and `V`. A run without reorthogonalisation needs two vectors only.
    near_unit : bool
        The norm of `v0` is known to be about one, which spares passes over it.
    owned : bool
        `v0` may be written over, which spares fresh memory.
    host_scale : bool
        Read one number at the start to choose the scaling, or none.

    Attributes
    ----------
    steps : int
        Steps made, k.
    alpha, beta : array (*batch_shape, k)
        The tridiagonal matrix T; ``beta[..., j]`` couples j and j + 1.
    V : array (*batch_shape, k, N)
        Basis, as rows.
    products : RowProducts
        The scaled operator, with counts of its products.

    Raises
    ------
    ValueError
        If the start is zero or not finite, an option is unknown, or the operator gives products that are not finite.

    Notes
    -----
    With ``M = (cA)^H (cA)`` and `c` the power of two in ``products`` (1 unless A's scale is extreme), after k steps

    .. math:: M V_k = V_k T_k + \beta_k v_{k+1} e_k^T .

    ``alpha_j = ||c A v_j||^2`` needs no product of its own. Where ``beta_j`` falls to a few roundings of the norm the
    space is invariant: that beta and everything after it are zero, rows of the basis included, and `ritz` knows.

    Cost of one step: one product with A and one with A^H; with "none" about nine passes over a vector and no fresh
    memory but that of the basis; with "full" 2 j more in step j. Memory: ``capacity + 1`` vectors, two with
    ``keep=False``. No host read in `expand`; one in the constructor unless ``host_scale=False``; one in `ritz`. The
    recurrence is Lanczos (1950); one full pass after the local one amounts to twice is enough (Giraud et al. 2005).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.solvers.normal_lanczos import NormalLanczos
    >>> run = NormalLanczos(lc.Dense(np.diag([3.0, 2.0, 1.0])), np.ones(3), capacity=3)
    >>> run.expand(3)
    >>> np.sqrt(run.ritz(count=3).theta)
    array([3., 2., 1.])
    """

    def __init__(
        self,
        A: LinearOperator,
        v0: Array,
        *,
        capacity: int = 30,
        hermitian: bool = False,
        reorthogonalize: str = "full",
        keep: bool = True,
        near_unit: bool = False,
        owned: bool = False,
        host_scale: bool = True,
    ) -> None:
        if reorthogonalize not in ("full", "none"):
            raise ValueError(f"`reorthogonalize` must be 'full' or 'none', got {reorthogonalize!r}")
        self.products = RowProducts(A)
        self.xp, self.hermitian, self.full = A.xp, hermitian, reorthogonalize == "full"
        self.keep = keep or self.full
        self.capacity, self.steps = max(1, capacity), 0
        with B.detached(self.xp):
            v = self._prepared(B.stop_gradient(B.cast(v0, self.products.dtype))[..., None, :], near_unit, owned)
            self._pending = self.products.prepare(v, host=host_scale)
            # one row in the host's memory: its numbers are read at no cost, and Python's are faster than arrays of one
            self._plain = B.is_plain_row(v)
            self._T: Any = np.empty((self.capacity, 2)) if self._plain else None
            self._beta: Any = 0.0
            if not self._plain:
                real = self.products.real
                column = self.xp.real(v[..., :1]) if B.is_complex(self.xp, v.dtype) else v[..., :1]
                pair = B.cast(self.xp.concat([column, column], axis=-1), real)
                self._T = B.empty_rows(pair, self.capacity, xp=self.xp)
                self._beta = B.cast(column * 0, real)
            self._size = self._beta
        self._v: Array = v
        self._before: Array | None = None

    def _prepared(self, v: Array, near_unit: bool, owned: bool) -> Array:
        """The start, scaled to norm 1 from any scale, and with a basis to keep, its first row."""
        xp, batch, n = self.xp, self.products.A.shape[:-2], self.products.A.shape[-1]
        if tuple(v.shape) != (*batch, 1, n):
            raise ValueError(f"`v0` must have shape {(*batch, n)}, got {(*v.shape[:-2], v.shape[-1])}")
        self._V: Any = B.empty_rows(v, self.capacity + 1, xp=xp) if self.keep else None
        v = v if near_unit else _of_moderate_size(v)
        size = norms(v)
        room, factor = self._room(0), B.cast(reciprocal(size, size > 0), v.dtype)
        if room is None and owned:
            return self._kept(0, B.overwrite(xp.multiply, v, factor), None)
        return self._kept(0, B.into(room, xp.multiply, v, factor), room)

    def _room(self, j: Any) -> Array | None:
        """Where v_j is to be written, if kernels can: its row of the basis, or the memory of v_{j-2}."""
        if self.keep:
            return B.writable_rows(self._V, j, xp=self.xp)
        if isinstance(j, int) and j == 0:
            return None
        room = B.empty_rows(self._v, 1, xp=self.xp) if self._before is None else self._before
        return B.writable_rows(room, 0, xp=self.xp)

    def _kept(self, j: Any, v: Array, room: Array | None) -> Array:
        """`v`, set as row j of the basis if it was not written there."""
        if self.keep and room is None:
            self._V = B.set_rows(self._V, j, v, xp=self.xp)
        return v

    def expand(self, steps: int) -> None:
        """Make `steps` more steps; no host read."""
        self._reserve(self.steps + steps)
        with B.detached(self.xp):
            if B.is_jax(self.xp) and B.is_traced(self._pending if self._pending is not None else self._v) and steps > 1:
                self._expand_traced(steps)
            else:
                for _ in range(steps):
                    self._advance(self.steps)
                    self.steps += 1

    def _expand_traced(self, steps: int) -> None:
        """The same as one compiled loop body."""
        self._advance(self.steps)
        names = ("_V", "_v", "_before", "_T", "_beta", "_size")
        first, counted = self.steps + 1, (self.products.forward, self.products.backward)

        def body(i: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
            for name, value in zip(names, state, strict=True):
                setattr(self, name, value)
            self._advance(first + i)
            return tuple(getattr(self, name) for name in names)

        state = B.fori_loop(steps - 1, body, tuple(getattr(self, name) for name in names), xp=self.xp)
        for name, value in zip(names, state, strict=True):
            setattr(self, name, value)
        self.products.forward = counted[0] + steps - 1
        self.products.backward = counted[1] + (0 if self.hermitian else steps - 1)
        self.steps += steps

    def _reserve(self, steps: int) -> None:
        if steps > self.capacity:
            extra = max(steps - self.capacity, self.capacity // 2)
            if self.keep:
                self._V = self.xp.concat([self._V, B.empty_rows(self._V, extra, xp=self.xp)], axis=-2)
            T, xp = self._T, B.array_namespace(self._T)
            self._T = xp.concat([T, B.empty_rows(T, extra, xp=xp)], axis=-2)
            self.capacity += extra

    def _advance(self, j: Any) -> None:
        """Step j: uses v_j and beta_{j-1}, sets alpha_j, beta_j and v_{j+1}."""
        p, v, room = self.products, self._v, self._room(j + 1)
        W, square = (p.matmat(v), None) if self._pending is None else (self._pending, p.square)
        self._pending = None
        squares = B.squares_of_plain_row if self._plain else B.sum_squares
        alpha = _real_dot(v, W, plain=self._plain) if self.hermitian else squares(W) if square is None else square
        W = W if self.hermitian else p.rmatmat(W)
        W, noted = self._recurrence(j, W, alpha, room), self._noted if self._plain else self._noted_array
        factor = noted(j, alpha, squares(W))
        self._before, self._v = v, self._kept(j + 1, B.scaled_rows(W, factor, room), room)

    def _noted(self, j: int, alpha: float, square: float) -> float:
        """Set row j of T from alpha_j and the square of beta_j; what makes the next vector of norm 1."""
        size = math.sqrt(square)
        # a running estimate of the norm: row sums of |T|, never below the true scale by more than rounding
        self._size = max(self._size, abs(alpha) + size + self._beta)
        keep = size > BREAKDOWN * self.products.eps * self._size
        self._beta = size if keep else 0.0
        self._T[j] = alpha, self._beta
        return 1.0 / size if keep else 0.0

    def _noted_array(self, j: Any, alpha: Array, square: Array) -> Array:
        """The same for stacks, devices and tracers, without a host read."""
        xp = self.xp
        size = xp.sqrt(square)
        self._size = xp.maximum(self._size, xp.abs(alpha) + size + self._beta)
        keep = size > BREAKDOWN * self.products.eps * self._size
        self._beta = xp.where(keep, size, xp.zeros_like(size))
        self._T = B.set_rows(self._T, j, xp.concat([alpha, self._beta], axis=-1), xp=xp)
        return reciprocal(size, keep)

    def _recurrence(self, j: Any, W: Array, alpha: Any, room: Array | None) -> Array:
        """``W - alpha v_j - beta v_{j-1}``, in the place of v_{j+1}, then the pass against the whole basis."""
        # the result of a product is never written over: an operator may answer with its input or memory of its own
        W = B.three_term(W, alpha, self._v, self._beta, self._before, room)
        if self.full:
            basis = self._V if B.is_jax(self.xp) else self._V[..., : j + 1, :]  # fixed shapes under tracing
            W = B.orthogonalized(W, basis, owned=room is not None)
        return W

    @property
    def alpha(self) -> Array:
        """Diagonal of the tridiagonal matrix."""
        return self._coefficients()[..., 0]

    @property
    def beta(self) -> Array:
        """Couplings; the last one belongs to the next vector."""
        return self._coefficients()[..., 1]

    def _coefficients(self) -> Array:
        T, like = self._T[..., : self.steps, :], {"xp": self.xp, "device": B.device_of(self._v)}
        return B.from_numpy(T, **like, dtype=self.products.real) if self._plain else T

    @property
    def V(self) -> Array:
        """Basis rows; there are none with ``keep=False``."""
        return self._V[..., : self.steps, :]

    @property
    def matvecs(self) -> int:
        """Products with A and A^H together."""
        return self.products.forward + self.products.backward

    def ritz(self, count: int = 1) -> RitzPairs:
        """The `count` largest Ritz pairs, by one host read of `alpha` and `beta`.

        Raises
        ------
        ValueError
            If the recurrence is not finite: the operator's data hold NaN or inf.
        """
        T = B.to_numpy(self._T[..., : self.steps, :]).astype(np.float64, copy=False)
        if not np.isfinite(T).all():
            raise ValueError("`A` gave products that are not finite: its data hold NaN or inf; clean it first")
        alpha, beta = T[..., 0], T[..., 1]
        batch, count = T.shape[:-2], min(count, self.steps)
        if not batch:
            return RitzPairs(*largest_pairs(alpha, beta, count), alpha, beta)
        theta, residual = np.zeros((*batch, count)), np.zeros((*batch, count))
        y = np.zeros((*batch, self.steps, count))
        for i in np.ndindex(batch):
            theta[i], residual[i], y[i] = largest_pairs(alpha[i], beta[i], count)
        return RitzPairs(theta, residual, y, alpha, beta)

    def vector(self, y: np.ndarray[Any, Any]) -> Array:
        """Unit vectors (*batch_shape, [count,] N) from coordinates (*batch_shape, k[, count])."""
        if not self.keep:
            raise ValueError("the basis was not kept; give `keep=True` for vectors")
        single, xp = y.ndim == len(self.products.A.batch_shape) + 1, self.xp
        host = y[..., None] if single else y
        c = B.from_numpy(host, xp=xp, device=B.device_of(self._v), dtype=self.products.dtype)
        with B.detached(xp):
            rows = combine(c, self._V[..., : host.shape[-2], :])
            size = norms(rows)
            rows = rows * B.cast(reciprocal(size, size > 0), rows.dtype)
        return rows[..., 0, :] if single else rows


def _of_moderate_size(v: Array) -> Array:
    """Rows with a largest entry of one: the squares of the others neither overflow nor vanish."""
    xp, largest = B.array_namespace(v), B.largest_entry(v)
    # a division: the reciprocal of a denormal number overflows
    return v / B.cast(xp.where(largest > 0, largest, xp.ones_like(largest)), v.dtype)


def _real_dot(V: Array, W: Array, *, plain: bool) -> Any:
    """Re <v, w> of two single rows, (..., 1, 1), or as a number."""
    xp = B.array_namespace(V)
    product = xp.linalg.vecdot(V, W)
    product = (xp.real(product) if B.is_complex(xp, V.dtype) else product)[..., None]
    return float(product[0, 0]) if plain else product
