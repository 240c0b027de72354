"""Weights of interpolation along an axis, as exact fractions."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import floor

import numpy as np

from ..operators.axis_table import AxisTable, axis_table

METHODS = ("nearest", "nearest-exact", "linear", "cubic")
_CUBIC = Fraction(-3, 4)  # the parameter of Keys' kernel that torch and most image libraries use


@lru_cache(maxsize=256)
def interpolation_table(size: int, count: int, step: Fraction, method: str, align_corners: bool) -> AxisTable:
    """Matrix that interpolates `count` pixels from `size`, whose distance is `step` input pixels.

    Positions and weights are computed as fractions and rounded once. Pixels beyond the ends are the first and the last.
    """
    if align_corners:
        step = Fraction(size - 1, count - 1) if count > 1 else Fraction(0)
    rows = [_row(i, size, step, method, align_corners) for i in range(count)]
    width = max(len(row) for row in rows)
    index, weights = np.zeros((count, width), dtype=np.int64), np.zeros((count, width))
    for i, row in enumerate(rows):
        index[i] = next(iter(row))
        for j, (pixel, weight) in enumerate(row.items()):
            index[i, j], weights[i, j] = pixel, float(weight)
    return axis_table(index, weights, size)


def _row(i: int, size: int, step: Fraction, method: str, align_corners: bool) -> dict[int, Fraction]:
    """Weights of output `i` by input pixel."""
    if method.startswith("nearest"):
        place = (i + Fraction(1, 2) if method == "nearest-exact" else i) * step
        return {min(floor(place), size - 1): Fraction(1)}
    place = i * step if align_corners else (i + Fraction(1, 2)) * step - Fraction(1, 2)
    if method == "linear":
        first, weights = floor(place), _linear(place - floor(place))
    else:
        first, weights = floor(place) - 1, _cubic(place - floor(place))
    row: dict[int, Fraction] = {}
    # positions before the first pixel fall on it, as all weights there do
    for j, weight in enumerate(weights):
        pixel = min(max(first + j, 0), size - 1)
        row[pixel] = row.get(pixel, Fraction(0)) + weight
    return {pixel: weight for pixel, weight in row.items() if weight} or row


def _linear(t: Fraction) -> list[Fraction]:
    return [1 - t, t]


def _cubic(t: Fraction) -> list[Fraction]:
    """Weights of the two pixels before and the two after (Keys 1981)."""

    def near(x: Fraction) -> Fraction:
        return ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1

    def far(x: Fraction) -> Fraction:
        return ((_CUBIC * x - 5 * _CUBIC) * x + 8 * _CUBIC) * x - 4 * _CUBIC

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]
