"""Locally optimal block preconditioned conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from . import validate
from .lanczos_eigh import extract_eigh
from .orthogonalization import BREAKDOWN, combine, inner, norms, orthonormalize, project_out, squares, unit_rows
from .progress import Watch
from .results import EighResult, State
from .row_basis import in_order
from .scaling import RowProducts
from .stopping import Stopping, stopping

_CHECK = 5  # iterations between host reads


def lobpcg(
    A: Any,
    X: Array,
    *,
    preconditioner: Any = None,
    largest: bool = True,
    constraints: Array | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
    iterations: int | None = None,
    callback: Callable[[State], Any] | None = None,
    progress: bool = False,
) -> EighResult:
    r"""Eigenpairs at one end of the spectrum of a Hermitian operator, with a preconditioner.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, N, N)
        Hermitian operator, or a stack of them.
    X : array (*batch_shape, N, k)
        Start block of full rank; ``3 k`` and the constraints must fit into N. Random columns, unless something better
        is known.
    preconditioner : operator, array or callable, optional
        Approximate inverse of A (of ``A - lambda I``), Hermitian positive definite, applied to blocks
        (*batch_shape, N, k).
    largest : bool
        Largest or smallest eigenvalues.
    constraints : array (*batch_shape, N, c), optional
        Columns to which the eigenvectors must be orthogonal: pairs known already.
    tol : float, optional
        Residual norms wanted, relative to the largest magnitude seen; default ``eps ** 0.75``.
    maxiter, iterations, callback, progress
        As in `lanczos_svd`; residuals are looked at every five iterations.

    Returns
    -------
    EighResult
        Wanted end first. Look at ``converged``: nothing is raised.

    Notes
    -----
    Rayleigh-Ritz on span [X, T R, P], an orthonormal basis of which is kept (Hetmaniuk and Lehoucq 2006), so that
    products with A are needed for the preconditioned residuals only (Knyazev 2001). The small end of ``A^H A`` gives
    small singular values ``sqrt(lambda)``, with an absolute error of about ``sqrt(eps)`` times the largest.

    Cost of an iteration: one product on k columns, one with the preconditioner, about 20 reads of blocks. Memory: 7
    blocks. Host reads: one at the start, one every five iterations, one at the end; none with `iterations`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> d = np.arange(1.0, 101.0)
    >>> X = np.random.default_rng(0).standard_normal((100, 2))
    >>> result = lc.lobpcg(np.diag(d), X, preconditioner=np.diag(1 / d), largest=False)
    >>> result.eigenvalues
    array([1., 2.])
    """
    operator = validate.operator(A, hermitian=True)
    rule = stopping(operator, tol, maxiter, iterations)
    p = RowProducts(operator)
    start, locked = _blocks(operator, p, X, constraints)
    with B.detached(operator.xp), Watch(callback, progress, rule.maxiter, "lobpcg") as watch:
        p.prepare(unit_rows(start)[..., :1, :], host=not rule.fixed)
        p.require_readable(rule.fixed)
        run = _Run(p, start, locked, _preconditioner(preconditioner), "LA" if largest else "SA")
        steps, reason = run.go(rule, watch)
        return extract_eigh(
            p,
            run.state.X,
            run.which,
            tol=rule.tol,
            largest=run.state.largest,
            iterations=steps,
            reason=reason,
            history=tuple(watch.history),
        )


def _blocks(A: LinearOperator, p: RowProducts, X: Array, constraints: Array | None) -> tuple[Array, Array | None]:
    """Start and constraints as rows, checked."""
    batch, n = A.batch_shape, A.shape[-1]
    rows: list[Array | None] = []
    for name, block in (("X", X), ("constraints", constraints)):
        if block is None:
            rows.append(None)
            continue
        if B.array_namespace(block, name=name).__name__ != A.xp.__name__:
            raise TypeError(f"`{name}` must be an array of {A.xp.__name__}, like the operator; convert it first")
        if block.ndim != len(batch) + 2 or tuple(block.shape[:-1]) != (*batch, n) or block.shape[-1] < 1:
            raise ValueError(f"`{name}` must have shape {(*batch, n, 'k')}, got {tuple(block.shape)}")
        rows.append(B.stop_gradient(B.cast(B.transpose(block), p.dtype)))
    k, c = X.shape[-1], 0 if constraints is None else constraints.shape[-1]
    if 3 * k + c > n:
        raise ValueError(
            f"`X` with k = {k} columns and {c} constraints is too wide for N = {n}: 3 k + constraints must not "
            "exceed N; use eigsh"
        )
    return rows[0], rows[1]


def _preconditioner(given: Any) -> Callable[[Array], Array] | None:
    if given is None or (callable(given) and not isinstance(given, LinearOperator)):
        return given
    operator = validate.operator(given, hermitian=True)
    return operator.matmat


class _State(NamedTuple):
    """Orthonormal rows of [X, P] and their products; Ritz values and residual rows of X."""

    X: Array
    AX: Array
    P: Array
    AP: Array
    values: Array
    residual: Array
    largest: Array


class _Run:
    def __init__(
        self,
        p: RowProducts,
        start: Array,
        locked: Array | None,
        preconditioner: Callable[[Array], Array] | None,
        which: str,
    ) -> None:
        self.p, self.xp, self.which, self.precondition = p, p.xp, which, preconditioner
        self.locked = None if locked is None else self._orthonormal(None, locked)
        X = start if self.locked is None else project_out(self.locked, unit_rows(start))[0]
        X = self._orthonormal(self.locked, X)
        self.state = self._first(X, p.matmat(X))

    def _orthonormal(self, V: Array | None, W: Array) -> Array:
        W = unit_rows(W)
        zero = norms(W[..., :1, :]) * 0
        return orthonormalize(V, W, zero + BREAKDOWN * W.shape[-2] * self.p.eps).rows

    def _first(self, X: Array, AX: Array) -> _State:
        values, Y, largest = self._rayleigh_ritz(X, AX)
        X, AX = combine(Y, X), combine(Y, AX)
        zero = X * 0
        return _State(X, AX, zero, zero, values, self._residual(X, AX, values), largest)

    def _residual(self, X: Array, AX: Array, values: Array) -> Array:
        return AX - B.cast(values, X.dtype)[..., None] * X

    def _rayleigh_ritz(self, S: Array, AS: Array) -> tuple[Array, Array, Array]:
        """Ritz values of orthonormal rows, the wanted end first, and the largest Rayleigh quotient of a row.

        Rows that are zero must not count as eigenvalue 0: they are moved beyond the other end.
        """
        xp = self.xp
        H = inner(S, AS)
        H = (H + B.adjoint(H)) / 2
        dead = B.cast(norms(S)[..., 0] < 0.5, B.real_dtype(xp, H.dtype))
        eye = xp.eye(H.shape[-1], dtype=H.dtype, device=B.device_of(H))
        seen = xp.max(xp.abs(H * eye), axis=(-2, -1))[..., None]
        bound = xp.sqrt(xp.sum(squares(H), axis=(-2, -1)))[..., None]
        away = -2 * (bound + 1) if self.which == "LA" else 2 * (bound + 1)
        values, Y = in_order(xp.linalg.eigh(H + eye * B.cast(dead * away, H.dtype)[..., None, :]), self.which)
        return values, Y, seen

    def step(self, s: _State) -> _State:
        """One iteration."""
        xp, k = self.xp, s.X.shape[-2]
        W = s.residual
        if self.precondition is not None:
            W = B.stop_gradient(B.cast(B.transpose(self.precondition(B.transpose(W))), W.dtype))
            # orthogonalisation would take NaN for rows without a direction; this carries it to the next read
            s = s._replace(largest=s.largest + xp.sum(norms(W) * 0, axis=-2))
        basis = [s.X, s.P] if self.locked is None else [self.locked, s.X, s.P]
        V = xp.concat(basis, axis=-2)
        # preconditioned residuals may lie almost inside the basis: they are brought to length one between two passes
        W, _ = project_out(V, unit_rows(W))
        W = self._orthonormal(V, W)
        S = xp.concat([s.X, W, s.P], axis=-2)
        AS = xp.concat([s.AX, self.p.matmat(W), s.AP], axis=-2)
        values, Y, seen = self._rayleigh_ritz(S, AS)
        C = Y[..., :k]
        # the new direction is what leaves span X, made orthogonal to the new X by its coordinates alone
        D = xp.concat([xp.zeros_like(C[..., :k, :]), C[..., k:, :]], axis=-2)
        D = B.transpose(self._orthonormal(B.transpose(C), project_out(B.transpose(C), B.transpose(D))[0]))
        X, AX = combine(C, S), combine(C, AS)
        largest = xp.maximum(s.largest, seen)
        return _State(
            X, AX, combine(D, S), combine(D, AS), values[..., :k], self._residual(X, AX, values[..., :k]), largest
        )

    def go(self, rule: Stopping, watch: Watch) -> tuple[Any, str]:
        """Iterate; members that are done keep their block."""
        if rule.iterations is not None:
            for _ in range(rule.iterations):
                self.state = self.step(self.state)
            return rule.iterations, "iterations"
        batch = self.p.A.batch_shape
        done, stopped, steps = np.zeros(batch, dtype=bool), np.zeros(batch, dtype=int), 0
        while True:
            frozen = self.state
            values, residuals = self._read(frozen)
            newly = (residuals <= 0.5 * rule.tol).all(axis=-1) & ~done
            done |= newly
            stopped[newly] = steps
            watch.see(State(steps, self.p.forward + self.p.backward, values, residuals, done.copy()))
            if done.all() or steps >= rule.maxiter:
                stopped[~done] = steps
                return (stopped if batch else int(stopped)), "converged" if done.all() else "maxiter"
            count = min(_CHECK, rule.maxiter - steps)
            for _ in range(count):
                self.state = self.step(self.state)
            steps += count
            if done.any():
                self.state = _State(*(self._keep(done, *pair) for pair in zip(frozen, self.state, strict=True)))

    def _keep(self, done: np.ndarray[Any, Any], old: Array, new: Array) -> Array:
        mask = B.from_numpy(done, xp=self.xp, device=B.device_of(new))
        return self.xp.where(mask[(..., *[None] * (new.ndim - done.ndim))], old, new)

    def _read(self, s: _State) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Values and relative residuals, by one host read."""
        k = s.X.shape[-2]
        host = B.to_numpy(self.xp.concat([s.values, norms(s.residual)[..., 0], s.largest], axis=-1)).astype(np.float64)
        if not np.isfinite(host).all():
            raise ValueError(
                "`A` or `preconditioner` gave products that are not finite: their data hold NaN or inf; "
                "clean them first"
            )
        largest = np.where(host[..., 2 * k :] > 0, host[..., 2 * k :], 1.0)
        return self.p.unscale(host[..., :k]), host[..., k : 2 * k] / largest
