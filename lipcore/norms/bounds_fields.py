"""What the fields of `Bounds` may be, and how they are printed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .._typing import Array

__all__ = ["KINDS", "frozen", "number", "probability", "rounded", "text", "weakest"]

KINDS = ("rigorous", "analytic", "probabilistic", "estimate")
"""The kinds of bound, strongest first."""


def weakest(kinds: Sequence[str]) -> str:
    """The kind of a statement that rests on statements of these kinds.

    Examples
    --------
    >>> weakest(["rigorous", "probabilistic", "analytic"])
    'probabilistic'
    """
    return max(kinds, key=KINDS.index, default="rigorous")


def number(x: Array, name: str) -> Array:
    """Nonnegative float64 array from what was given as a bound."""
    if type(x) is float and x >= 0:
        return np.float64(x)
    value = np.asarray(x)
    if value.dtype.kind not in "biuf":
        raise TypeError(f"`{name}` must be a real number or an array of them, got {type(x).__name__}")
    value = value.astype(np.float64, copy=False)
    if not np.all(value >= 0):
        bad = value[~(value >= 0)].flat[0]
        raise ValueError(f"`{name}` must be nonnegative and not NaN, got {float(bad)}")
    return value


def frozen(value: Array) -> Array:
    """A Python scalar, or a read-only array."""
    if type(value) is float:
        return value
    if np.ndim(value) == 0:
        return value.item()
    value = np.array(value)
    value.flags.writeable = False
    return value


def probability(kind: str, p: float) -> float:
    """The failure probability of a bound of this kind, checked; 1 for an estimate."""
    if not 0 <= p <= 1:
        raise ValueError(f"`failure_probability` must lie between 0 and 1, got {p!r}")
    if kind == "estimate":
        return 1.0
    if (p > 0) != (kind == "probabilistic"):
        wanted = "above 0" if kind == "probabilistic" else "0"
        raise ValueError(f"`failure_probability` of a bound of kind {kind!r} must be {wanted}, got {p!r}")
    return float(p)


def text(x: Array) -> str:
    """A bound, or the bounds of a stack, to the last digit."""
    return np.array2string(x, separator=", ", threshold=20) if np.ndim(x) else repr(x)


def rounded(x: float, log2: float, sign: int) -> str:
    """Six digits, rounded outward; a power of two where no float holds the bound."""
    if (math.isinf(x) or (x > 2.0**1020 and sign < 0) or x < 2.0**-1020) and math.isfinite(log2):
        outward = math.ceil(sign * log2 * 1000) / (sign * 1000)
        return f"2^{outward:.3f}"
    text = f"{x:.6g}"
    if math.isinf(x) or (float(text) - x) * sign >= 0:
        return text
    step = 10.0 ** (math.floor(math.log10(x)) - 5)
    return f"{x + sign * step:.6g}"
