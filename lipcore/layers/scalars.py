"""Checks of the numbers that layers are made with."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any, name: str) -> float:
    """`value` as a float, or an error that says why not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"`{name}` must be a real number, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite, got {value!r}")
    return float(value)


def positive(value: Any, name: str) -> float:
    """`value` as a float above zero."""
    number = finite(value, name)
    if number <= 0:
        raise ValueError(f"`{name}` must be positive, got {value!r}")
    return number


def nonnegative(value: Any, name: str) -> float:
    """`value` as a float that is not negative."""
    number = finite(value, name)
    if number < 0:
        raise ValueError(f"`{name}` must not be negative, got {value!r}")
    return number


def count(value: Any, name: str) -> int:
    """`value` as an integer above zero."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"`{name}` must be an integer, got {type(value).__name__}")
    if value < 1:
        raise ValueError(f"`{name}` must be positive, got {value!r}")
    return value
