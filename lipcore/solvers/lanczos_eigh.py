"""Restarted block Lanczos for eigenpairs of Hermitian operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from . import validate
from .block_lanczos import BlockLanczos
from .golub_kahan import GolubKahan
from .orthogonalization import combine, inner, norms, unit_rows
from .progress import Watch
from .results import EighResult, State
from .row_basis import FreshRows, in_order
from .scaling import RowProducts
from .stopping import stopping
from .thick_restart import Adaptive, basis_size, run_fixed


def lanczos_eigh(
    A: Any,
    k: int = 6,
    *,
    which: str = "LM",
    block_size: int = 1,
    ncv: int | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
    iterations: int | None = None,
    v0: Array | None = None,
    rng: int | np.random.Generator | None = None,
    callback: Callable[[State], Any] | None = None,
    progress: bool = False,
) -> EighResult:
    """Eigenpairs at one end of the spectrum of a Hermitian operator, by Lanczos with thick restart.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, N, N)
        Hermitian operator, or a stack of them. That it is Hermitian is not tested, but residuals will show it.
    k : int
        Pairs wanted.
    which : {"LM", "SM", "LA", "SA"}
        Largest or smallest magnitude, largest or smallest value. SM runs on ``A^2`` without inverting anything and is
        slow.
    block_size, ncv, tol, maxiter, iterations, v0, rng, callback, progress
        As in `lanczos_svd`; `tol` is relative to the largest magnitude.

    Returns
    -------
    EighResult
        Wanted end first. Look at ``converged``: nothing is raised.

    Notes
    -----
    Cost of a step: one product on b columns (SM: two) and about 2 p reads of basis rows (SM: 4 p). Memory: `ncv`
    vectors (SM: twice that). Host reads: one at the start, one a cycle, one at the end; none with `iterations`. At the
    end k products for the residuals. Repeated values are looked for as in `lanczos_svd`.

    Sources: Wu and Simon 2000 (thick restart); Golub and Underwood 1977 (blocks).

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.solvers import lanczos_eigh
    >>> A = np.diag(np.linspace(-3.0, 2.0, 501))
    >>> lanczos_eigh(A, 2, which="LA", rng=0).eigenvalues
    array([2.  , 1.99])
    """
    operator = validate.operator(A, hermitian=True)
    k, which = validate.count(operator, k), validate.end(which, hermitian=True)
    b = validate.block(operator, block_size)
    rule = stopping(operator, tol, maxiter, iterations)
    p, generator, n = RowProducts(operator), B.as_rng(rng), operator.shape[-1]
    while b > 1 and n // b * b < min(n, k + 2 * b):
        b -= 1
    capacity = basis_size(n, k, b, B.numpy_dtype(p.dtype).itemsize, ncv)
    with B.detached(operator.xp), Watch(callback, progress, rule.maxiter, "lanczos_eigh") as watch:
        start = unit_rows(validate.start_rows(p, v0, generator, rows=b, readable=not rule.fixed))
        p.prepare(start[..., :1, :], host=not rule.fixed)
        p.require_readable(rule.fixed)
        fresh = FreshRows(generator, start, b, xp=p.xp)
        f: BlockLanczos | GolubKahan
        if which == "SM":
            f = GolubKahan(p, start, fresh, FreshRows(generator, start, b, xp=p.xp), capacity)
        else:
            f = BlockLanczos(p, start, fresh, capacity, normal=False)
        if rule.iterations is not None:
            if rule.iterations * b < k:
                raise ValueError(f"`iterations` = {rule.iterations} steps of {b} columns cannot hold k = {k} vectors")
            outcome, reason = run_fixed(f, k, which, rule.iterations), "iterations"
        else:
            outcome = Adaptive(f, k, which, rule, watch, squared=False).run()
            reason = "converged" if outcome.reached else "maxiter"
        return extract_eigh(
            p,
            outcome.vectors[0],
            which,
            tol=rule.tol,
            largest=outcome.largest,
            iterations=outcome.steps,
            reason=reason,
            history=tuple(watch.history),
        )


def extract_eigh(
    p: RowProducts,
    V: Array,
    which: str,
    *,
    tol: float,
    largest: Array,
    iterations: Any,
    reason: str,
    history: tuple[State, ...] = (),
) -> EighResult:
    """Best eigenpairs in the span of the orthonormal rows `V`, with true residuals: k products, no host read."""
    xp = p.xp
    W = p.matmat(V)
    H = inner(V, W)
    values, Y = in_order(xp.linalg.eigh((H + B.adjoint(H)) / 2), which)
    X = combine(Y, V)
    residuals = norms(combine(Y, W) - B.cast(values, X.dtype)[..., None] * X)[..., 0]
    top = xp.maximum(B.cast(largest, values.dtype), xp.max(xp.abs(values), axis=-1, keepdims=True))
    return EighResult(
        eigenvalues=p.unscale_device(values),
        eigenvectors=B.transpose(X),
        residuals=p.unscale_device(residuals),
        converged=xp.all(residuals <= tol * top, axis=-1),
        iterations=iterations,
        matvecs=p.forward + p.backward,
        reason=reason,
        history=history,
    )
