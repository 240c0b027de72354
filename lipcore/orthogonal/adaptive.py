"""The polar factor of a stack of matrices, by steps chosen from what their Gram matrices show."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from .half_precision import corrected
from .inputs import identity
from .minimax import NEWTON_SCHULZ, NEWTON_SCHULZ_5, Odd, cheapest, rounded_down, value
from .spectrum import lanczos_numbers, ritz_interval
from .steps import (
    GRAM_ASPECT,
    accumulated,
    cubic_step,
    gram,
    halley,
    halley_weights,
    multiplier,
    rational_step,
    shifted,
)

_MAX_CYCLES = 24
_LANCZOS_STEPS = (20, 8)
# Below this the smallest singular value is raised by a rational step, where factorisations are cheap.
_RATIONAL_BELOW = 0.1
# Where it is not known well it may be this much smaller, but polynomials are made for no less than the second number;
# and steps are made only until it would have come this near to 1: then look again.
_DOUBT, _LEAST, _NEAR = 0.125, 1e-3, 0.65
# The Gram form loses eps / low^2.
_GRAM_FROM = 0.1
# An estimated norm is exceeded by little, if at all; the polynomials bear that much.
_MARGIN = 1.005


Image = Callable[[Any], Any]


@dataclass
class Work:
    """Multiplications and additions, in units of one m x n by n x n product (m >= n)."""

    m: int
    n: int
    total: float = 0.0

    def large(self, count: float = 1.0) -> None:
        """Products m x n by n x n."""
        self.total += count

    def small(self, count: float = 1.0) -> None:
        """Products n x n by n x n."""
        self.total += count * self.n / self.m

    def rational(self) -> None:
        """A rational step, its Gram matrix apart."""
        self.small(1 / 6 + 1 / 2 + 1)  # L, L^-1 as a triangular solve, L^-H L^-1
        self.large()


@dataclass
class Look:
    """What the host knows of a Gram matrix: per matrix, flat."""

    low: np.ndarray[Any, Any]
    high: np.ndarray[Any, Any]
    distance: np.ndarray[Any, Any]
    sure: np.ndarray[Any, Any]
    zero: np.ndarray[Any, Any]

    @property
    def deviation(self) -> float:
        """Largest ``|sigma^2 - 1|``, estimated."""
        return float(np.max(np.maximum(self.high**2 - 1.0, 1.0 - self.low**2), initial=0.0))


@dataclass
class Run:
    """One adaptive iteration: its options and its running state. Arrays of the host are flat over the batch.

    With a dtype `half`, steps in that precision have led near the end already.
    """

    tol: float
    rational: bool
    rng: np.random.Generator
    work: Work
    eps: float
    half: Any = None
    steps: list[str] = field(default_factory=list)
    cycles: int = 0

    @property
    def begun(self) -> bool:
        """Whether singular values are near 1 because steps have brought them there."""
        return self.half is not None or self.cycles > 0

    def polar_factor(self, x: Array) -> tuple[Array, np.ndarray[Any, Any]]:
        """Iterate; and tell which matrices are left without full rank."""
        count = math.prod(x.shape[:-2])
        # where the steps so far take singular values that are rounding errors, relative to the largest
        reach = np.zeros(count)
        deficient = np.zeros(count, dtype=bool)
        for self.cycles in range(_MAX_CYCLES):
            g = gram(x)
            self.work.large()
            look = self.look(g)
            if self.cycles == 0:
                deficient |= look.zero
                reach = math.sqrt(x.shape[-2]) * self.eps * look.high
            deficient |= np.maximum(look.low, math.sqrt(self.eps)) < reach
            look.low = np.where(deficient, look.high, look.low)
            look.distance = np.where(deficient, 0.0, look.distance)
            if np.all(deficient):
                return x, deficient
            sure = bool(np.all(look.sure | deficient))
            if (self.begun or sure) and 0.75 * look.deviation * np.max(look.distance) <= self.tol:
                return self.last_cubic(x, g, look.deviation), deficient
            high = np.where(deficient, 1.0, look.high * _MARGIN)
            if (self.begun or sure) and look.deviation < 0.05:
                enough = 0.75 * look.deviation**2 <= self.last_deviation(x.shape[-1])
                x = self.polynomials(x, g, (NEWTON_SCHULZ if enough else NEWTON_SCHULZ_5,))
            else:
                x, image = self.advance(x, g, float(np.min(look.low / high)), high, sure)
                reach = lower_end(image, reach / high)
        return x, np.ones(count, dtype=bool)

    def last_deviation(self, n: int) -> float:
        """``|sigma^2 - 1|`` from which the plain cubic reaches the tolerance, if all singular values have it."""
        return math.sqrt(self.tol / (0.75 * math.sqrt(n)))

    def look(self, g: Array) -> Look:
        """Interval of singular values and distance from orthonormality: one read by the host."""
        xp = B.array_namespace(g)
        rest = g - identity(g, g.shape[-1])
        distance = xp.sqrt(xp.sum(xp.abs(rest) ** 2, axis=(-2, -1), keepdims=True))
        alphas, betas = lanczos_numbers(g, _LANCZOS_STEPS[self.begun], self.rng)
        numbers = xp.concat([*alphas, *betas, xp.astype(distance, alphas[0].dtype, copy=False)], axis=-1)
        host = B.to_numpy(numbers).astype(np.float64).reshape(-1, 2 * len(alphas) + 1)
        k = len(alphas)
        lowest, below, highest, above = ritz_interval(host[:, :k], host[:, k : 2 * k])
        zero = (highest <= 0) & (host[:, 1] == 0)
        # too high an estimate is found out later, too low a one costs steps
        low = np.sqrt(np.maximum(np.maximum(lowest - below, 0.25 * lowest), 0.0))
        high = np.where(zero, 1.0, np.sqrt(np.maximum(highest + above, np.finfo(float).tiny)))
        sure = (lowest - below >= 0.25 * lowest) & (lowest > 100 * self.eps * highest)
        return Look(low, high, host[:, -1], sure, zero)

    def advance(self, x: Array, g: Array, low: float, high: np.ndarray[Any, Any], sure: bool) -> tuple[Array, Image]:
        """The next steps, for singular values in ``high * [low, 1]``; and what they do to a relative one."""
        xp = B.array_namespace(x)
        s = B.from_numpy(high.reshape((*x.shape[:-2], 1, 1)), xp=xp, device=B.device_of(x), dtype=_real(xp, x))
        if self.rational and (low if sure else _DOUBT * low) < _RATIONAL_BELOW:
            # the Cholesky form loses c eps, the problem itself eps / low
            weights = halley_weights(max(low, 1e-8), min(max(1e3, 1.0 / max(low, 1e-8)), 1e3 * _wide(self.eps)))
            self.work.rational()
            self.steps.append("rational")
            return rational_step(x, g, weights, s), lambda t: halley(t, weights)
        error = 0.4 * self.last_deviation(x.shape[-1])
        m, n = x.shape[-2:]
        on_gram = m >= GRAM_ASPECT * n and low >= _GRAM_FROM
        if low < _LEAST or (not self.begun and not sure):
            low, error = max(_DOUBT * low, _LEAST), _NEAR
        costs = (3.0, 4.0) if on_gram else (2.0, 3.0)
        steps = cheapest(rounded_down(low), min(error, _NEAR), *costs)
        x = self.polynomials(x, g, steps, s, on_gram=on_gram)
        return x, lambda t: functools.reduce(lambda y, p: value(p, y), steps, t)

    def last_cubic(self, x: Array, g: Array, deviation: float) -> Array:
        """The plain cubic; its product in half precision where the errors of that are rounding errors of X."""
        if self.half is None or deviation * B.eps(B.array_namespace(x), self.half) > 4 * self.eps:
            return self.polynomials(x, g, (NEWTON_SCHULZ,))
        self.steps.append("degree 3")
        self.work.large()
        return corrected(x, B.cast(x, self.half), shifted(g, -1.0))

    def polynomials(
        self, x: Array, g: Array, steps: tuple[Odd, ...], s: Array = None, *, on_gram: bool = False
    ) -> Array:
        """Odd polynomials of ``X / s``, the first one from the Gram matrix at hand."""
        self.steps += [f"degree {2 * len(p) - 1}" for p in steps]
        if on_gram:
            self.work.small(sum(len(p) - 2 for p in steps) + 3 * (len(steps) - 1))
            self.work.large()
            z = accumulated(g if s is None else g / (s * s), steps)
            return B.matmul(x, z if s is None else z / s)
        for k, p in enumerate(steps):
            if k:
                g = gram(x)
                self.work.large()
            self.work.small(len(p) - 2)
            self.work.large()
            if s is None and p == NEWTON_SCHULZ:
                x = cubic_step(x, g)
                continue
            x = B.matmul(x, multiplier(g, p, s if k == 0 else None))
        return x


def lower_end(image: Image, low: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Least value of `image` on [low, 1], for each low, less a fifth."""
    grid = np.maximum(low, 1e-300)[:, None] ** np.linspace(1.0, 0.0, 129)
    return np.asarray(0.8 * np.min(image(grid), axis=-1))


def _wide(eps: float) -> float:
    """How much larger weights may be in double precision."""
    return 100.0 if eps < 1e-10 else 1.0


def _real(xp: Any, x: Array) -> Any:
    return B.real_dtype(xp, x.dtype)
