"""Power method and subspace iteration on ``A^H A``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from . import validate
from .extraction import extract
from .orthogonalization import BREAKDOWN, combine, inner, norms, orthonormalize, unit_rows
from .progress import Watch
from .results import State, SVDResult
from .row_basis import FreshRows, fresh_like
from .scaling import RowProducts
from .stopping import stopping

_CHECK = 8  # iterations between host reads


def power_method(
    A: Any,
    k: int = 1,
    *,
    tol: float | None = None,
    maxiter: int | None = None,
    iterations: int | None = None,
    v0: Array | None = None,
    rng: int | np.random.Generator | None = None,
    callback: Callable[[State], Any] | None = None,
    progress: bool = False,
) -> SVDResult:
    r"""Leading singular triplets by the power method, for k > 1 subspace iteration.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, M, N)
        Operator, or a stack of operators.
    k : int
        Triplets, and columns of the iterated block.
    tol, maxiter, iterations
        As in `lanczos_svd`; residuals are looked at every eight iterations.
    v0 : array (*batch_shape, N) or (*batch_shape, N, c)
        Warm start; pass ``result.Vh`` of the last call, conjugate transposed.
    rng : None, int or numpy.random.Generator
        Source of the random start.
    callback, progress
        As in `lanczos_svd`.

    Returns
    -------
    SVDResult
        Look at ``converged``: nothing is raised.

    Notes
    -----
    :math:`X \leftarrow \mathrm{orth}(A^H A X)`. The angle to the leading space shrinks by
    :math:`(\sigma_{k+1} / \sigma_j)^2` an iteration; without a gap the value is within a factor ``1 - ln(n) / i`` or so
    after i iterations. `lanczos_svd` needs far fewer products; this method needs two blocks of memory, no basis, and
    profits fully from a warm start. A single random start may miss nothing but what is orthogonal to it; a *warm* start
    may.

    Cost of an iteration: one product with A and one with A^H on k columns, and a Gram product. Host reads: one at the
    start, one every eight iterations, one at the end; none with `iterations`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = np.diag([4.0, 1.0, 0.5])
    >>> first = lc.power_method(A, rng=0)
    >>> first.S
    array([4.])
    >>> again = lc.power_method(A + 1e-3, v0=first.Vh[0], iterations=2)
    >>> again.S
    array([4.001])
    """
    operator = validate.operator(A)
    k = validate.count(operator, k)
    rule = stopping(operator, tol, maxiter, iterations)
    generator = B.as_rng(rng)
    p = RowProducts(operator, swap=operator.shape[-2] < operator.shape[-1])
    with B.detached(operator.xp), Watch(callback, progress, rule.maxiter, "power_method") as watch:
        start = unit_rows(validate.start_rows(p, v0, generator, rows=k, readable=not rule.fixed))
        p.prepare(start[..., :1, :], host=not rule.fixed)
        p.require_readable(rule.fixed)
        run = _Subspace(p, start, FreshRows(generator, start, k, xp=p.xp))
        left = fresh_like(generator, start, p.sizes[0], k, xp=p.xp)
        if rule.iterations is not None:
            run.iterate(rule.iterations)
            return extract(p, run.X, left, tol=rule.tol, iterations=rule.iterations, reason="iterations")
        steps, done = run.converge(rule.tol, rule.maxiter, watch)
        reason = "converged" if done else "maxiter"
        return extract(p, run.X, left, tol=rule.tol, iterations=steps, reason=reason, history=tuple(watch.history))


class _Subspace:
    """The iterated block, as orthonormal rows."""

    def __init__(self, products: RowProducts, start: Array, fresh: FreshRows) -> None:
        self.p, self.fresh, self.xp = products, fresh, products.xp
        self.X = self._orthonormal(start, 0)

    def _orthonormal(self, Z: Array, step: Any) -> Array:
        b = Z.shape[-2]
        threshold = BREAKDOWN * b * self.p.eps * self.xp.max(norms(Z), axis=-2, keepdims=True)
        return orthonormalize(None, Z, threshold, self.fresh.rows(step)).rows

    def iterate(self, steps: int) -> None:
        """Plain iterations."""
        p = self.p
        counted = p.forward, p.backward

        def body(i: Any, X: Array) -> Array:
            return self._orthonormal(p.rmatmat(p.matmat(X)), i)

        if B.is_jax(self.xp) and not B.is_traced(self._probe()):
            for i in range(steps):
                self.X = body(i, self.X)
        else:
            self.X = B.fori_loop(steps, body, self.X, xp=self.xp)
        made = steps * self.X.shape[-2]
        p.forward, p.backward = counted[0] + made, counted[1] + made

    def _probe(self) -> Array:
        return self.X if self.p.half is None else self.p.half

    def converge(self, tol: float, maxiter: int, watch: Watch) -> tuple[Any, bool]:
        """Iterate until all members' residuals are small; members that are done stay as they are."""
        xp, p = self.xp, self.p
        batch = p.A.batch_shape
        done, stopped, steps = np.zeros(batch, dtype=bool), np.zeros(batch, dtype=int), 0
        while True:
            plain = min(_CHECK, maxiter - steps) - 1
            before = self.X
            self.iterate(plain)
            if done.any():
                frozen = B.from_numpy(done, xp=xp, device=B.device_of(before))[..., None, None]
                self.X = xp.where(frozen, before, self.X)
            Z = p.rmatmat(p.matmat(self.X))
            steps += plain + 1
            values, residuals = self._read(Z)
            newly = (residuals <= 0.5 * tol).all(axis=-1) & ~done
            done |= newly
            stopped[newly] = steps
            watch.see(State(steps, p.forward + p.backward, values, residuals, done.copy()))
            if done.all() or steps >= maxiter:
                stopped[~done] = steps
                return (stopped if batch else int(stopped)), bool(done.all())
            frozen = B.from_numpy(done, xp=xp, device=B.device_of(Z))[..., None, None]
            self.X = xp.where(frozen, self.X, self._orthonormal(Z, 0))

    def _read(self, Z: Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Values and relative residuals of the block, given ``Z = A^H A X``: one host read."""
        xp, p, k = self.xp, self.p, self.X.shape[-2]
        H = inner(self.X, Z)
        theta, Y = xp.linalg.eigh((H + B.adjoint(H)) / 2)
        rest = norms(combine(Y, Z) - B.cast(theta, Y.dtype)[..., None] * combine(Y, self.X))[..., 0]
        host = B.to_numpy(xp.concat([theta, rest], axis=-1)).astype(np.float64)
        if not np.isfinite(host).all():
            raise ValueError("`A` gave products that are not finite: its data hold NaN or inf; clean it first")
        values = np.sqrt(np.maximum(host[..., k - 1 :: -1] if k > 1 else host[..., :1], 0))
        largest = np.where(values[..., :1] > 0, values[..., :1], 1.0)
        floor = np.sqrt(p.eps) * largest
        residuals = host[..., k:][..., ::-1] / np.maximum(values, floor) / largest
        return p.unscale(values), residuals
