"""Restarted block Golub-Kahan-Lanczos: the default engine for singular values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from ..operators.narrowed import narrowed
from . import validate
from .block_lanczos import BlockLanczos
from .extraction import extract, refined
from .golub_kahan import GolubKahan
from .orthogonalization import polished, unit_rows
from .progress import Watch
from .results import State, SVDResult
from .row_basis import FreshRows, fresh_like
from .scaling import RowProducts
from .start import best_combinations, leading_rows
from .stopping import Stopping, stopping
from .thick_restart import Adaptive, Outcome, basis_size, run_fixed

# Loss of orthogonality that is tolerated, relative to the residuals wanted.
_LOSS = 0.5
# Vectors of a start block beside the wanted ones, and the least tolerance for which such a block is made. For ten
# values it took 0.4 to 1.1 of the time of a single random vector at 4e-3, 0.9 to 1.5 at 1e-3 (64 to 256 channels).
_BESIDE, _INFORMED = 2, 2e-3


def lanczos_svd(
    A: Any,
    k: int = 6,
    *,
    which: str = "LM",
    block_size: int | None = None,
    ncv: int | None = None,
    sides: str = "auto",
    tol: float | None = None,
    maxiter: int | None = None,
    iterations: int | None = None,
    v0: Array | None = None,
    rng: int | np.random.Generator | None = None,
    callback: Callable[[State], Any] | None = None,
    progress: bool = False,
) -> SVDResult:
    r"""Leading (or smallest) singular triplets by restarted block Lanczos bidiagonalisation.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, M, N)
        Operator, or a stack of operators that are solved together, each stopping on its own.
    k : int
        Triplets wanted, ``1 <= k <= min(M, N)``.
    which : {"LM", "SM"}
        Largest or smallest singular values. The small end has no preconditioner here and may take long.
    block_size : int, optional
        Vectors that move together, b. One takes the fewest products; more pay where a product with a block costs little
        more than one with a vector. By default one, or ``k + 2`` where good starts for them are known: see Notes.
    ncv : int, optional
        Most basis vectors, at least ``k + 2 b``; by default ``max(6 k + 40, 60)``, less for very long vectors.
    sides : {"auto", "both", "one"}
        "both" keeps bases on both sides (Golub-Kahan); "one" only on the shorter side (Lanczos on ``A^H A``), with half
        the orthogonalisation and memory, and accurate for values above about ``eps / tol`` times the largest. "auto"
        starts with one side and turns to both where that is not enough; with ``iterations`` it uses one for ``k = 1``.
    tol : float, optional
        Residual norms wanted, relative to the largest singular value; default ``eps ** 0.75`` (see `default_tol`).
    maxiter : int, optional
        Most block steps; default ``max(100, min(10 min(M, N), 10_000))``.
    iterations : int, optional
        Exactly so many block steps and no host read, for tracing and for streams. Excludes `tol` and `maxiter`.
    v0 : array (*batch_shape, N) or (*batch_shape, N, c)
        Start, completed to a block by random columns; where M < N also (*batch_shape, M).
    rng : None, int or numpy.random.Generator
        Source of the random start.
    callback : callable, optional
        Called with a `State` at every convergence check.
    progress : bool
        Draw a progress bar (needs tqdm).

    Returns
    -------
    SVDResult
        Values descending. Look at ``converged``: nothing is raised.

    Raises
    ------
    ValueError
        If an argument is out of range, `A` is empty, or its products are not finite.

    Notes
    -----
    Cost of a step: one product with A and one with A^H on b columns. On both sides, and with `iterations`, also about
    4 p (one side: 2 p) reads of basis rows, p <= `ncv`. A run on one side to a tolerance (except on JAX arrays) reads
    the whole basis only in two of up to 16 steps: it measures how fast orthogonality is lost, tolerates half of `tol`,
    and undoes and repeats the steps since the last check where more was lost. Memory: `ncv` vectors on each side (one
    side: on the shorter one). Host reads: one at the start (scale), one a cycle, one at the end; none with
    `iterations`. At the end 2 k products for the two-sided residuals, 4 k after narrower numbers.

    A set of several values is accepted only when the run, continued from a random direction orthogonal to it, has
    settled without finding what belongs among them: a single vector otherwise sees one copy of a repeated value.
    Settled means that its next Ritz value has a residual below 3 % of the largest value, and below its distance to the
    set or ``sqrt(tol) / 10``. That costs some ten to eighty steps, and is evidence, not proof. Ritz values are lower
    bounds of the singular values of the same index, up to rounding.

    With ``sides="auto"`` and a loose `tol` the steps are made on a copy in narrower numbers: a matrix or convolution of
    double precision in single precision for ``tol >= 7.6e-6``, a large convolution of single precision in bfloat16 for
    ``tol >= 2.5e-3``, on torch and a CPU with instructions for it. Values and residuals are then those of products in
    the operator's own precision, after one step in it; where they fail the test the run is repeated in that.

    Of a large convolution, with ``tol >= 2e-3`` and none of `v0`, `block_size`, `ncv` and `sides` given, the largest
    values start from a block: the best ``k + 2`` combinations of the plane waves at the frequencies with the largest
    norms of the symbol. Once they have converged the run continues from a single random direction, as above, which
    finds what the waves did not contain.

    Sources: Golub and Kahan 1965; Baglama and Reichel 2005 (restart), 2006 (blocks); Simon and Zha 2000 (one side).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = np.diag(np.arange(1.0, 301.0))
    >>> result = lc.lanczos_svd(A, k=2, rng=0)
    >>> result.S
    array([300., 299.])
    >>> bool(result.converged), result.reason
    (True, 'converged')
    """
    operator = validate.operator(A)
    k, which = validate.count(operator, k), validate.end(which)
    b = validate.block(operator, 1 if block_size is None else block_size)
    if sides not in ("auto", "both", "one"):
        raise ValueError(f"`sides` must be 'auto', 'both' or 'one', got {sides!r}")
    rule = stopping(operator, tol, maxiter, iterations)
    one = sides == "one" or (sides == "auto" and which == "LM" and (k == 1 or not rule.fixed))
    run = partial(_Run, k=k, which=which, block=b, ncv=ncv, rule=rule, v0=v0, rng=B.as_rng(rng))
    with B.detached(operator.xp), Watch(callback, progress, rule.maxiter, "lanczos_svd") as watch:
        if rule.fixed:
            return run(operator).fixed(one_sided=one)
        if not one or sides != "auto":
            result = run(operator).adaptive(watch, one_sided=one)
        else:
            chosen = any(x is not None for x in (v0, block_size, ncv))
            informed = not chosen and which == "LM" and rule.tol >= _INFORMED
            known = leading_rows(operator, k) if informed else None
            result = _one_side_first(run, operator, known, narrowed(operator, rule.tol), watch)
    return result if result.reason != "fallback" else replace(result, reason="maxiter")


def _one_side_first(
    run: Callable[..., _Run], operator: LinearOperator, known: Array | None, low: LinearOperator | None, watch: Watch
) -> SVDResult:
    """On one side: in narrower numbers, in the operator's own; at last on both sides, from a random start."""
    if low is not None:
        result = run(low, known=known).adaptive(watch, one_sided=True, judge=operator)
        if result.reason != "fallback":
            return result
    result = run(operator, known=known).adaptive(watch, one_sided=True)
    return result if result.reason != "fallback" else run(operator).adaptive(watch, one_sided=False)


class _Run:
    """One call: start, scale, factorisation, extraction."""

    def __init__(
        self,
        A: LinearOperator,
        k: int,
        which: str,
        block: int,
        ncv: int | None,
        rule: Stopping,
        v0: Array | None,
        rng: np.random.Generator,
        known: Array | None = None,
    ) -> None:
        m, n = A.shape[-2:]
        self.A, self.k, self.which, self.rule, self.rng = A, k, which, rule, rng
        self.products = p = RowProducts(A, swap=m < n)
        short, self.informed = p.sizes[1], known is not None
        best = None if known is None else best_combinations(p, known, k + _BESIDE)
        block = block if best is None else best.shape[0]
        # a block that does not divide a small space would leave directions out of reach
        while block > 1 and short // block * block < min(short, k + 2 * block):
            block -= 1
        itemsize = B.numpy_dtype(p.dtype).itemsize
        self.block, self.capacity = block, basis_size(short, k, block, itemsize, ncv)
        if best is None:
            best = validate.start_rows(p, v0, rng, rows=block, readable=not rule.fixed)
        self.start = best[..., :block, :]
        self.fresh = FreshRows(rng, self.start, max(block, 1), xp=p.xp)

    def _factorization(self, *, one_sided: bool) -> BlockLanczos | GolubKahan:
        p = self.products
        start = unit_rows(self.start)
        p.prepare(start[..., :1, :], host=not self.rule.fixed)
        p.require_readable(self.rule.fixed)
        if one_sided:
            tolerated = 0.0 if self.rule.fixed else _LOSS * self.rule.tol
            return BlockLanczos(p, start, self.fresh, self.capacity, normal=True, tolerated=tolerated)
        return GolubKahan(p, start, self.fresh, self._left_fresh(self.block), self.capacity)

    def _left_fresh(self, count: int) -> FreshRows:
        return fresh_like(self.rng, self.start, self.products.sizes[0], count, xp=self.products.xp)

    def fixed(self, *, one_sided: bool) -> SVDResult:
        """Exactly `iterations` steps."""
        steps = self.rule.iterations or 1
        f = self._factorization(one_sided=one_sided)
        if steps * self.block < self.k:
            raise ValueError(
                f"`iterations` = {steps} steps of {self.block} columns cannot hold k = {self.k} vectors; "
                f"give at least {-(-self.k // self.block)}"
            )
        outcome = run_fixed(f, self.k, self.which, steps)
        return self._extract(outcome, "iterations", (), one_sided)

    def adaptive(self, watch: Watch, *, one_sided: bool, judge: LinearOperator | None = None) -> SVDResult:
        """To the tolerance; reason "fallback" where one side, or the precision, is not enough.

        `judge` is the operator in its own precision, where the run is on a copy: values and residuals are its.
        """
        if B.memory_is_lazy(self.products.xp, self.A.device):
            B.keep_freed_memory()
        f = self._factorization(one_sided=one_sided)
        outcome = Adaptive(f, self.k, self.which, self.rule, watch, squared=one_sided, informed=self.informed).run()
        reason = "converged" if outcome.reached else "maxiter"
        if judge is not None:
            self._go_over_to(judge)
        result = self._extract(outcome, reason, tuple(watch.history), one_sided, judged=judge is not None)
        if not outcome.hopeless and (not outcome.reached or bool(np.all(B.to_numpy(result.converged)))):
            return result
        return replace(result, reason="fallback")

    def _go_over_to(self, operator: LinearOperator) -> None:
        """From here on products, and new rows, are those of `operator`, at the scale of the run."""
        low, self.A = self.products, operator
        self.products = p = RowProducts(operator, swap=low.swap)
        p.forward, p.backward, p.log2_scale = low.forward, low.backward, low.log2_scale
        p.half = None if low.half is None else B.cast(low.half, p.dtype)
        self.start = B.cast(self.start, p.dtype)

    def _extract(
        self, outcome: Outcome, reason: str, history: tuple[State, ...], one_sided: bool, *, judged: bool = False
    ) -> SVDResult:
        largest = self.products.xp.sqrt(outcome.largest) if one_sided else outcome.largest
        right, images = outcome.vectors[0], None
        if judged:  # orthonormal in the precision of the run
            right = polished(B.cast(right, self.products.dtype))
            right, images = refined(self.products, right)
        return extract(
            self.products,
            right,
            outcome.vectors[1] if len(outcome.vectors) > 1 else self._left_fresh(self.k),
            tol=self.rule.tol,
            largest=largest,
            iterations=outcome.steps,
            reason=reason,
            history=history,
            images=images,
        )
