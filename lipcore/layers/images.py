"""Outward arithmetic on the intervals and balls that hold the outputs of layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..norms import rounding as r
from .regions import Ball, Box, Host, Intersection, Region, norms_up


def down(x: Any) -> Host:
    """Next number below, entry by entry."""
    return np.asarray(np.nextafter(x, -np.inf))


def up(x: Any) -> Host:
    """Next number above, entry by entry."""
    return np.asarray(np.nextafter(x, np.inf))


def scaled(x: Any, w: Any) -> Host:
    """``w x`` of ends of intervals, where zero times infinity is zero."""
    with np.errstate(invalid="ignore"):
        product = np.multiply(w, x)
    return np.where(np.isnan(product), 0.0, product)


def product(a: Region, b: Region) -> tuple[Host, Host]:
    """Interval that holds the products of the entries of two regions."""
    ends = np.stack([scaled(x, y) for x in (a.lower, a.upper) for y in (b.lower, b.upper)])
    return down(np.min(ends, axis=0)), up(np.max(ends, axis=0))


def within(box: Box, center: Host, radii: Mapping[Any, float], slack: Host) -> Region:
    """`box` cut with balls around `center`, which is off by at most `slack`; infinite balls are left out."""
    if center.ndim == 0 or not np.all(np.isfinite(center)):
        return box
    balls: list[Region] = []
    for ord, radius in radii.items():
        reach = float(r.add_up(radius, float(np.max(norms_up(slack, ord), initial=0.0))))
        if math.isfinite(reach):
            balls.append(Ball(center, reach, ord, kind=box.kind))
    return Intersection(box, *balls) if balls else box
