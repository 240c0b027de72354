"""Odd polynomials that take an interval as near to 1 as possible, and their compositions. Host floats only."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

#: Coefficients of x, x^3, x^5, ...
Odd: TypeAlias = tuple[float, ...]

NEWTON_SCHULZ: Odd = (1.5, -0.5)
NEWTON_SCHULZ_5: Odd = (15 / 8, -10 / 8, 3 / 8)
MUON: Odd = (3.4445, -4.7750, 2.0315)


def value(p: Odd, x: Any) -> Any:
    """p(x)."""
    total: Any = 0.0
    for coefficient in reversed(p):
        total = total * x * x + coefficient
    return total * x


def best_cubic(low: float, high: float) -> tuple[Odd, float]:
    """The odd cubic nearest to 1 on [low, high], and its largest distance from 1 there.

    Closed form (Grishina, Smirnov, Rakhuba 2025, arXiv 2506.10935, proposition 2).
    """
    q = low * low + low * high + high * high
    peak = 2.0 * (q / 3.0) ** 1.5
    ends = low * high * (low + high)
    p = (2.0 * q / (peak + ends), -2.0 / (peak + ends))
    # peak - ends cancels near a point: (high - low)^2 times a positive factor is the same number without the loss
    gap = (high - low) ** 2 * _cubic_factor(low, high)
    return p, gap / (peak + ends)


def _cubic_factor(low: float, high: float) -> float:
    """``(peak - ends) / (high - low)^2``, from ``peak^2 - ends^2 = (high - low)^2 (...)``."""
    q = low * low + low * high + high * high
    peak: float = 2.0 * (q / 3.0) ** 1.5
    ends = low * high * (low + high)
    # 4 q^3 - 27 ends^2 = (high - low)^2 (low + 2 high)^2 (2 low + high)^2, the discriminant of x^3 - q x + ends
    numerator = ((low + 2 * high) * (2 * low + high)) ** 2
    return numerator / (27.0 * (peak + ends))


@lru_cache(maxsize=4096)
def best_quintic(low: float, high: float) -> tuple[Odd, float]:
    """The odd quintic nearest to 1 on [low, high], and its largest distance from 1 there (Remez exchange)."""
    if low > (1.0 - 5e-6) * high:
        # the exchange would divide by nothing; the Taylor polynomial at the middle is as good
        middle = 0.5 * (low + high)
        p = tuple(c / middle ** (2 * k + 1) for k, c in enumerate(NEWTON_SCHULZ_5))
        half = (high - low) / (high + low)
        return p, 2.5 * half**3
    q, r = (3 * low + high) / 4, (low + 3 * high) / 4
    error = math.inf
    for _ in range(60):
        points = np.array([low, q, r, high])
        matrix = np.stack([points, points**3, points**5, np.array([1.0, -1.0, 1.0, -1.0])], axis=1)
        a, b, c, new = (float(v) for v in np.linalg.solve(matrix, np.ones(4)))
        root = math.sqrt(max(9 * b * b - 20 * a * c, 0.0))
        q = math.sqrt((-3 * b - root) / (10 * c))
        r = math.sqrt((-3 * b + root) / (10 * c))
        if abs(new - error) <= 1e-15:
            error = new
            break
        error = new
    return (a, b, c), abs(error)


def best(degree: int, low: float, high: float) -> tuple[Odd, float]:
    """`best_cubic` or `best_quintic`."""
    return best_cubic(low, high) if degree == 3 else best_quintic(low, high)


@lru_cache(maxsize=1024)
def composition(
    low: float, high: float, degrees: tuple[int, ...], cushion: float = 0.0, safety: float = 1.0
) -> tuple[tuple[Odd, ...], float, float]:
    """Best polynomials, one after the other, each for the image of the one before; and the last image.

    Greedy choice is optimal among compositions of these degrees (Amsel, Persson, Musco, Gower 2025, arXiv 2505.16932).
    With a cushion, no polynomial is made for an interval wider than ``[cushion * high, high]``: what it gains below
    would be lost to rounding above. Its argument is divided by `safety`, except in the last one.
    """
    steps: list[Odd] = []
    for k, degree in enumerate(degrees):
        start = max(low, cushion * high)
        p, error = best(degree, start, high)
        if start > low:
            # centre the image of the whole interval on 1
            centre = 0.5 * (value(p, low) + 1.0 + error)
            p = tuple(c / centre for c in p)
            low = value(p, low)
            high = (1.0 + error) / centre
        else:
            low, high = 1.0 - error, 1.0 + error
        divisor = safety if k + 1 < len(degrees) else 1.0
        steps.append(tuple(c / divisor ** (2 * j + 1) for j, c in enumerate(p)))
    return tuple(steps), low, high


@lru_cache(maxsize=1024)
def steps_needed(
    low: float, high: float, degree: int, error: float, cushion: float = 0.0, safety: float = 1.0
) -> tuple[Odd, ...]:
    """The shortest composition of polynomials of one degree that takes [low, high] into 1 -+ `error`."""
    for count in range(1, 200):
        steps, bottom, top = composition(low, high, (degree,) * count, cushion, safety)
        if max(1.0 - bottom, top - 1.0) <= error:
            return steps
    raise ValueError(f"no composition of 200 polynomials takes [{low:.3g}, {high:.3g}] into 1 -+ {error:.3g}")


@lru_cache(maxsize=4096)
def cheapest(low: float, error: float, cubic_cost: float, quintic_cost: float) -> tuple[Odd, ...]:
    """The cheapest composition, quintics before cubics, that takes [low, 1] into 1 -+ `error`."""
    found: tuple[float, tuple[Odd, ...]] = (math.inf, ())
    for quintics in range(60):
        if quintics * quintic_cost >= found[0]:
            break
        for cubics in range(60):
            cost = quintics * quintic_cost + cubics * cubic_cost
            if cost >= found[0]:
                break
            steps, bottom, top = composition(low, 1.0, (5,) * quintics + (3,) * cubics)
            if max(1.0 - bottom, top - 1.0) <= error:
                found = (cost, steps)
                break
    return found[1]


def rounded_down(low: float) -> float:
    """`low` on a grid of ratios ``2^(1/8)``, so that matrices that differ a little share a schedule."""
    return float(2.0 ** (math.floor(8.0 * math.log2(low)) / 8.0))
