r"""How much a normalisation of rows can stretch, in closed form or by certified search over one variable.

With :math:`s^2 = v + e` (v the mean square of a row, e the stabiliser) and :math:`\theta = 1 - e / s^2` the Jacobian of
a row is :math:`\mathrm{diag}(g) (C - \hat x \hat x^T / n) / s` with :math:`\|\hat x\|^2 = n \theta` and
:math:`1 / s = \sqrt{(1 - \theta) / e}`. Its column and row sums are largest, for a given :math:`\theta`, where all
other entries of the row weigh the same; what they are then, E, grows with :math:`\theta`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .regions import Host

_CELLS = 64
_ROUNDS = 12


class Gain(NamedTuple):
    """What the sums depend on: the largest factor and the root of the mean square of those that are summed up."""

    largest: float
    spread: float
    size: int


def plain_sums(gain: Gain) -> Callable[[Host], Host]:
    r"""E for rows that are not centred.

    With :math:`b = \hat x_i^2 / n` and N the Euclidean norm of the other factors the sum is at most
    :math:`g (1 - b) + N \sqrt{b (\theta - b)}` (Cauchy-Schwarz, attained), and the best b gives
    :math:`g + \theta (\sqrt{g^2 + N^2} - g) / 2`.
    """
    total = gain.spread * math.sqrt(gain.size)
    return lambda theta: gain.largest + theta * (max(total - gain.largest, 0.0) / 2)


def centered_sums(gain: Gain) -> Callable[[Host], Host]:
    r"""An upper bound of E for centred rows.

    With :math:`k = 1 - 1/n` the sum is at most :math:`g (k - b) + N \sqrt{Q / n}`,
    :math:`Q = k + (n \theta - 2) b - n b^2`, by Cauchy-Schwarz for
    :math:`\sum_{j \ne i} |1 + \hat x_i \hat x_j|`. That is concave in b, and its maximum over the ellipse
    :math:`y^2 = Q` is
    :math:`g (k - t/n) + r \sqrt{k + t^2/n}` with :math:`t = n \theta / 2 - 1` and r the root of the mean square of all
    factors; where it would lie at negative b, it is the value at b = 0.
    """
    g, n = gain.largest, gain.size
    k = 1 - 1 / n
    rest = math.sqrt(max(n * gain.spread**2 - g * g, 0.0) / n)

    def sums(theta: Host) -> Host:
        t = n * theta / 2 - 1
        length = np.sqrt(k + t * t / n)
        hypotenuse = max(math.sqrt(g * g / n + rest * rest), 1e-300)
        inside = t > g * length / hypotenuse
        return np.where(inside, g * (k - t / n) + length * hypotenuse, g * k + rest * math.sqrt(k))

    return sums


def largest_product(sums: Callable[[Host], Host], eps: float, floor: float) -> tuple[float, float]:
    r"""Largest :math:`E(\theta) / s` over all :math:`s^2 \ge e + v_0`, and a value that is attained.

    Parameters
    ----------
    sums : callable
        E, which grows with :math:`\theta`.
    eps, floor : float
        The stabiliser e and the least mean square :math:`v_0`, not both zero.

    Notes
    -----
    Branch and bound over :math:`\theta`: between a and b the product is at most :math:`E(b) \sqrt{(1 - a) / e}`.
    """
    if eps == 0:
        top = float(sums(np.asarray(1.0))) / math.sqrt(floor)
        return top * (1 - 1e-13), top * (1 + 1e-13)
    start = floor / (floor + eps)
    edges = np.linspace(start, 1.0, _CELLS + 1)
    low, high = edges[:-1], edges[1:]
    best, bound = 0.0, math.inf
    for _ in range(_ROUNDS):
        best = max(best, float(np.max(sums(low) * np.sqrt(1 - low))))
        bounds = sums(high) * np.sqrt(1 - low)
        bound = float(np.max(bounds))
        kept = bounds > best
        if not np.any(kept) or bound <= best * (1 + 1e-9):
            break
        edges = np.linspace(low[kept], high[kept], 9, axis=-1)
        low, high = np.ravel(edges[:, :-1]), np.ravel(edges[:, 1:])
    scale = 1 / math.sqrt(eps)
    return best * scale * (1 - 1e-13), max(bound, best) * scale * (1 + 1e-13)
