"""Numbers that people give."""

from __future__ import annotations

from typing import Any


def positive(name: str, value: Any) -> int:
    """A positive integer."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer, got {value!r}")
    return value


def per_axis(name: str, value: Any, rank: int) -> tuple[int, ...]:
    """A positive integer for each axis."""
    found = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(found) != rank or not all(isinstance(n, int) and n > 0 for n in found):
        raise ValueError(f"`{name}` must be a positive integer or {rank} of them, got {value!r}")
    return found


def odd_per_axis(name: str, value: Any, rank: int) -> tuple[int, ...]:
    """An odd one for each axis."""
    found = per_axis(name, value, rank)
    if any(n % 2 == 0 for n in found):
        raise ValueError(f"`{name}` must be odd, got {value!r}")
    return found
