"""Drives a restartable factorisation to convergence, or for a fixed number of steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace
from .block_lanczos import Ritz
from .progress import Watch
from .results import State
from .scaling import RowProducts
from .stopping import Stopping

# A set of values is believed complete when Lanczos from a random direction orthogonal to their vectors has brought its
# own first Ritz pair to the first residual, relative to the largest value, without finding anything that belongs into
# the set: below the last value of the set by more than its residual, or known to a residual of the second times the
# root of the tolerance, since errors of values are of the order of squares of residuals.
_PROBED, _KNOWN = 0.03, 0.1
# Residuals by the recurrence must be this much smaller than asked for: each verification drops those of the pairs it
# keeps.
_MARGIN = 0.3

# Columns between looks once the basis holds three times as many.
_LOOK = 16


class Factorization(Protocol):
    """What the driver needs: `BlockLanczos` and `GolubKahan` are such."""

    xp: Namespace
    products: RowProducts
    block: int
    capacity: int
    size: int

    @property
    def room(self) -> int: ...  # noqa: D102

    def expand(self, steps: int) -> None: ...  # noqa: D102

    def ritz(self, which: str) -> Ritz: ...  # noqa: D102

    def settle(self, loss: float) -> bool: ...  # noqa: D102

    def vectors(self, ritz: Ritz, k: int) -> tuple[Array, ...]: ...  # noqa: D102

    def restart(self, ritz: Ritz, keep: int, fresh: Array | None = None) -> None: ...  # noqa: D102

    def narrow(self, width: int) -> None: ...  # noqa: D102


@dataclass
class Outcome:
    """Ritz vectors (rows; right, and left where there are such), and the steps of each member.

    `largest` (*batch_shape, 1): the largest magnitude seen.
    `reached`: whether all members converged by the recurrence; `hopeless`: whether squaring has lost wanted values.
    """

    vectors: tuple[Array, ...]
    largest: Array
    steps: Any
    reached: bool = False
    hopeless: bool = False


def basis_size(n: int, k: int, block: int, itemsize: int, ncv: int | None) -> int:
    """Rows of a restarted basis: enough for quick convergence, within a gibibyte where that suffices."""
    if ncv is not None:
        if isinstance(ncv, bool) or not hasattr(ncv, "__index__") or not min(n, k + 2 * block) <= ncv <= n:
            raise ValueError(f"`ncv` must be an integer with {min(n, k + 2 * block)} <= ncv <= {n}, got {ncv!r}")
        wanted = int(ncv)
    else:
        roomy, tight = max(6 * k + 40, k + 12 * block, 60), max(2 * k + 10, k + 3 * block)
        affordable = int(2**30 / max(1, n * itemsize))
        wanted = min(n, max(tight, min(roomy, affordable)))
    return max(block, wanted // block * block)


def kept(k: int, size: int, block: int) -> int:
    """Ritz vectors to keep: beyond the wanted ones enough for the next cycle to profit from."""
    return max(min(k, size - block), min(k + (size - k) * 2 // 5, size - 2 * block))


def run_fixed(f: Factorization, k: int, which: str, steps: int) -> Outcome:
    """Exactly `steps` steps, no host read."""
    left = steps
    while True:
        made = min(left, f.room)
        f.expand(made)
        left -= made
        ritz = f.ritz(which)
        if not left:
            return Outcome(f.vectors(ritz, k), ritz.largest, steps)
        f.restart(ritz, kept(k, f.size, f.block))


class Adaptive:
    """One adaptive run: expand, read the Ritz values once, restart where the basis is full, until all members are done.

    A member claims to be done when its first k Ritz pairs have small residuals. For k > 1 the claim is then verified:
    the factorisation goes on from a random direction orthogonal to the k vectors until its next Ritz pair there has
    settled. A single vector sees one copy of a repeated value only; this finds the others. Vectors of verified members
    are frozen.

    A run that is `informed`, that is, whose start block was made of what is known of the operator, may miss any vector:
    it is verified for k = 1 too, and from the first claim on goes on with single vectors.
    """

    def __init__(
        self,
        f: Factorization,
        k: int,
        which: str,
        rule: Stopping,
        watch: Watch,
        *,
        squared: bool,
        verify: bool = True,
        informed: bool = False,
    ) -> None:
        self.f, self.k, self.which, self.rule, self.watch, self.squared = f, k, which, rule, watch, squared
        self.verify = verify and (k > 1 or informed)
        self.narrows = informed
        self.batch = f.products.A.batch_shape
        self.done = np.zeros(self.batch, dtype=bool)
        self.claimed = np.zeros(self.batch, dtype=bool)  # converged, not yet verified
        self.new_claims = np.zeros(self.batch, dtype=bool)
        self.claim = np.zeros((*self.batch, k))
        self.scale = np.ones((*self.batch, 1))
        self.stopped = np.zeros(self.batch, dtype=int)
        self.frozen: tuple[Array, ...] | None = None
        self.steps = 0
        # steps, and the worst residual of those that are not done relative to what is wanted, at the last two looks
        self.trend = ((0, math.inf), (0, math.inf))

    def run(self) -> Outcome:
        """Iterate until done, hopeless or out of steps."""
        while True:
            self._expand()
            ritz = self.f.ritz(self.which)
            values, residuals, hopeless, loss = self._read(ritz)
            if not self.f.settle(loss):
                if self.steps < self.rule.maxiter:
                    continue
                ritz = self.f.ritz(self.which)
                values, residuals, hopeless, _ = self._read(ritz)
            newly = self._judge(values, residuals)
            if newly.any():
                self._freeze(ritz, newly)
            k = self.k
            self.watch.see(State(self.steps, self._matvecs, values[..., :k], residuals[..., :k], self.done.copy()))
            if self.done.all() or hopeless or self.steps >= self.rule.maxiter:
                return self._outcome(ritz, hopeless)
            self._go_on(ritz)

    @property
    def _matvecs(self) -> int:
        return self.f.products.forward + self.f.products.backward

    def _expand(self) -> None:
        f, b = self.f, self.f.block
        if f.size < self.k + b:  # first cycle, or a large share of a small space
            steps = -(-(self.k + b + max(6, self.k // 2)) // b) - f.size // b
        else:
            fewest = 6 if b == 1 else 4  # beside a step of a block a look costs nothing
            steps = min(max(fewest, min(_LOOK, f.size // 3) // b), self._steps_left())
        steps = max(1, min(steps, f.room, self.rule.maxiter - self.steps))
        if f.size + steps * b < self.k:
            steps = min(f.room, -(-(self.k - f.size) // b))
        f.expand(steps)
        self.steps += steps

    def _steps_left(self) -> int:
        """Steps until residuals, falling as they did between the last two looks, are small enough."""
        (before, was), (now, worst) = self.trend
        if not 1 < worst < was:
            return _LOOK
        return max(4, math.ceil(math.log(worst) / math.log(was / worst) * (now - before)))

    def _read(self, ritz: Ritz) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], bool, float]:
        """First k + 1 values and relative residuals as those of A, and the loss, by the one host read of a cycle."""
        k, p = min(self.k + 1, self.f.size), self.f.products
        packed = p.xp.concat([ritz.values[..., :k], ritz.residuals[..., :k], ritz.largest, ritz.loss], axis=-1)
        host = B.to_numpy(packed).astype(np.float64)
        if not np.isfinite(host).all():
            raise ValueError(
                "`A` gave products that are not finite: its data hold NaN or inf, or its norm exceeds the range of "
                f"{B.dtype_name(p.A.dtype)}; clean or rescale it first"
            )
        values, residuals, largest = host[..., :k], host[..., k : 2 * k], host[..., 2 * k : 2 * k + 1]
        loss = float(np.max(host[..., -1]))
        hopeless = False
        if self.squared:
            values, largest = np.sqrt(np.maximum(values, 0)), np.sqrt(np.maximum(largest, 0))
            floor = np.sqrt(p.eps) * largest
            residuals = residuals / np.maximum(np.maximum(values, floor), np.finfo(float).tiny)
            # values that squaring has lost are left to the two-sided factorisation as soon as they are seen to be small
            lost = (values < 4 * largest * p.eps / self.rule.tol) & (residuals < np.maximum(0.3 * values, 10 * floor))
            hopeless = bool((lost & (largest > 0))[..., : self.k].any())
        self.scale = np.where(largest > 0, largest, 1.0)
        return p.unscale(values), residuals / self.scale, hopeless, loss

    def _judge(self, values: np.ndarray[Any, Any], residuals: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Members that are done now; claims are made, kept or withdrawn."""
        k = self.k
        worst = residuals[..., :k].max(axis=-1) / (_MARGIN * self.rule.tol)
        small: np.ndarray[Any, Any] = (worst <= 1) & ~self.done
        self.trend = (self.trend[1], (self.steps, float(np.max(worst, where=~self.done, initial=0.0))))
        if not self.verify or self._exhausted():
            newly = small
        else:
            slack = self.rule.tol * self.f.products.unscale(self.scale)
            same = small & (np.abs(values[..., :k] - self.claim) <= slack).all(axis=-1)
            newly = self.claimed & same & self._probed(values, residuals)
            self.new_claims = small & ~(self.claimed & same)
            self.claimed = small & ~newly
            self.claim = values[..., :k]
        self.done |= newly
        self.stopped[newly] = self.steps
        return newly

    def _probed(self, values: np.ndarray[Any, Any], residuals: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Members whose next Ritz pair is known well enough to tell that it does not belong to the first k."""
        k = self.k
        if values.shape[-1] <= k:
            return np.zeros(self.batch, dtype=bool)
        key = np.abs(values) if self.which in ("LM", "SM") else values
        apart = np.abs(key[..., k - 1] - key[..., k]) / self.f.products.unscale(self.scale)[..., 0]
        rest = residuals[..., k]
        return np.asarray((rest <= _PROBED) & ((rest <= apart) | (rest <= _KNOWN * math.sqrt(self.rule.tol))))

    def _exhausted(self) -> bool:
        """Whether the basis is the whole space, so that nothing can have been missed."""
        return self.f.size >= self.f.products.sizes[1]

    def _freeze(self, ritz: Ritz, newly: np.ndarray[Any, Any]) -> None:
        rows = self.f.vectors(ritz, self.k)
        if self.frozen is None:
            self.frozen = rows
            return
        xp = self.f.xp
        mask = B.from_numpy(newly, xp=xp, device=B.device_of(rows[0]))[..., None, None]
        self.frozen = tuple(xp.where(mask, new, old) for new, old in zip(rows, self.frozen, strict=True))

    def _go_on(self, ritz: Ritz) -> None:
        """Restart where a claim is new or the basis is full."""
        f, xp = self.f, self.f.xp
        keep = kept(self.k, f.size, f.block)
        if self.new_claims.any():
            fresh = B.from_numpy(self.new_claims, xp=xp, device=B.device_of(ritz.values))[..., None, None]
            # residuals are dropped here, so only those may be kept that are small
            if self.narrows:
                f.narrow(1)
            f.restart(ritz, min(self.k, keep), fresh)
        elif f.room < 1:
            f.restart(ritz, keep)

    def _outcome(self, ritz: Ritz, hopeless: bool) -> Outcome:
        if not self.done.all():
            rest = ~self.done
            self.stopped[rest] = self.steps
            self._freeze(ritz, rest)
        steps = self.stopped if self.batch else int(self.stopped)
        assert self.frozen is not None  # every member is done or has just been frozen
        return Outcome(self.frozen, ritz.largest, steps, bool(self.done.all()), hopeless)
