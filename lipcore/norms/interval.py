"""Interval arithmetic on nonnegative numbers that floats may not be able to hold.

An `Interval` carries each end twice: as a float64, which may have over- or underflowed (then the lower one is the
largest float, or zero, and the upper one infinity, or the smallest float: true, though useless), and as a base-2
logarithm. Operations round outward and return the better of what the two say. This is what `Bounds` computes with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array
from . import rounding as r
from . import scaling as s

__all__ = ["Interval", "absolute", "difference_or_sum", "interval", "join", "maximum", "meet", "root_sum_squares"]


class Interval(NamedTuple):
    """``lower <= x <= upper`` and ``log2_lower <= log2(x) <= log2_upper``; floats or arrays of one shape."""

    lower: Array
    upper: Array
    log2_lower: Array
    log2_upper: Array

    def times(self, other: Interval) -> Interval:
        """Enclosure of the product."""
        return interval(
            r.mul_down(self.lower, other.lower),
            r.mul_up(self.upper, other.upper),
            _log(np.add, self.log2_lower, other.log2_lower, -1),
            _log(np.add, self.log2_upper, other.log2_upper, 1),
        )

    def over(self, other: Interval) -> Interval:
        """Enclosure of the quotient; `other` excludes zero."""
        return interval(
            r.div_down(self.lower, other.upper),
            r.div_up(self.upper, other.lower),
            _log(np.subtract, self.log2_lower, other.log2_upper, -1),
            _log(np.subtract, self.log2_upper, other.log2_lower, 1),
        )

    def power(self, p: float) -> Interval:
        """Enclosure of ``x**p``, ``p > 0``."""
        return interval(
            r.pow_down(self.lower, p),
            r.pow_up(self.upper, p),
            _log(np.multiply, self.log2_lower, p, -1),
            _log(np.multiply, self.log2_upper, p, 1),
        )


def interval(lower: Array, upper: Array, log2_lower: Array = None, log2_upper: Array = None) -> Interval:
    """`Interval` whose floats and logarithms agree; logarithms that are not given come from the floats."""
    log2_lower = s.log2_down(lower) if log2_lower is None else log2_lower
    log2_upper = s.log2_up(upper) if log2_upper is None else log2_upper
    # After an overflow or underflow somewhere before, the logarithm knows more; otherwise it is less sharp by 1e-13.
    lower, upper = np.maximum(lower, s.exp2_down(log2_lower)), np.minimum(upper, s.exp2_up(log2_upper))
    return Interval(np.minimum(lower, s.LARGEST), upper, log2_lower, log2_upper)


def _log(operation: Callable[[Any, Any], Any], a: Array, b: Array, sign: int) -> Array:
    """``operation(a, b)`` on logarithms, moved outward; a zero (minus infinity) wins over an infinite bound."""
    with np.errstate(all="ignore"):
        value = np.asarray(operation(a, b), dtype=np.float64)
        zero = np.equal(a, -np.inf) | np.isnan(value)
        value = np.where(zero, -np.inf, value)
        exact = (np.equal(a, np.rint(a)) & np.equal(b, np.rint(b)) & (np.abs(value) < 2.0**53)) | np.isinf(value)
        return np.where(exact, value, np.nextafter(value, sign * np.inf))


def absolute(c: Any) -> Interval:
    """Enclosure of ``|c|`` for a finite number or array, real or complex.

    Raises
    ------
    TypeError
        If `c` is not numeric.
    ValueError
        If `c` is not finite.
    """
    value = np.asarray(c)
    if value.dtype.kind not in "biufc":
        raise TypeError(f"bounds can be scaled by numbers and NumPy arrays, got {type(c).__name__}")
    if not np.all(np.isfinite(value)):
        raise ValueError(f"bounds can only be scaled by finite numbers, got {c!r}")
    if value.dtype.kind != "c":
        size = np.abs(value.astype(np.float64))
        # Integers beyond 2^53 and long doubles may have been rounded.
        inexact = np.any(size > 2.0**53) if value.dtype.kind in "iu" else value.dtype.itemsize > 8
        return interval(r.down(size), r.up(size)) if inexact else interval(size, size)
    parts = np.stack([np.abs(value.real), np.abs(value.imag)]).astype(np.float64)
    if np.any(np.min(parts, axis=0) > 0):
        return root_sum_squares([interval(part, part) for part in parts], lower_adds=True)
    size = np.max(parts, axis=0)
    return interval(size, size)


def join(every: Sequence[Interval], operation: Callable[[Any, Any], Any]) -> Interval:
    """Each of the four numbers reduced by `operation`."""
    return Interval(*(reduce(operation, column) for column in zip(*every, strict=True)))


def maximum(every: Sequence[Interval]) -> Interval:
    """Enclosure of the largest."""
    return join(every, np.maximum)


def meet(a: Interval, b: Interval) -> Interval:
    """The intersection, possibly empty."""
    low, high = join([a, b], np.maximum), join([a, b], np.minimum)
    return Interval(low.lower, high.upper, low.log2_lower, high.log2_upper)


def difference_or_sum(a: Interval, b: Interval) -> Interval:
    """``[max(0, a - b, b - a), a + b]``: where the norm of a sum of two operators of these norms may lie."""
    low = np.maximum(r.add_down(a.lower, np.negative(b.upper)), r.add_down(b.lower, np.negative(a.upper)))
    return interval(low, r.add_up(a.upper, b.upper), None, _log_sum([a.log2_upper, b.log2_upper], 1))


def root_sum_squares(every: Sequence[Interval], *, lower_adds: bool) -> Interval:
    """``[max lower, root of the sum of squares of upper]``; below, too, the root of the sum with `lower_adds`."""
    # Squares overflow beyond 2^512: work relative to the largest.
    with np.errstate(invalid="ignore"):
        top = reduce(np.maximum, [x.upper for x in every])
        e = s.exponent(np.where(np.isfinite(top), top, 0.0))
        squares = [np.where(np.equal(x.upper, 0), 0.0, r.up(np.square(s.ldexp_up(x.upper, -e)))) for x in every]
        high = s.ldexp_up(r.sqrt_up(reduce(r.add_up, squares)), e)
    log_high = np.divide(_log_sum([np.multiply(2.0, x.log2_upper) for x in every], 1), 2.0)
    # Nothing to add up where all but one are zero.
    alone = np.sum([np.greater(x.upper, 0) for x in every], axis=0) <= 1
    high = np.where(alone | np.isinf(top), top, high)
    largest = maximum(every)
    if not lower_adds:
        return interval(largest.lower, high, largest.log2_lower, log_high)
    below = [np.square(s.ldexp_down(x.lower, -e)) for x in every]
    low = s.ldexp_down(r.sqrt_down(reduce(r.add_down, [np.maximum(r.down(q), 0.0) for q in below])), e)
    log_low = np.divide(_log_sum([np.multiply(2.0, x.log2_lower) for x in every], -1), 2.0)
    return interval(np.maximum(low, largest.lower), high, log_low, log_high)


def _log_sum(logs: Sequence[Array], sign: int) -> Array:
    """``log2(sum of 2^x)``, moved outward."""
    with np.errstate(all="ignore"):
        value = np.asarray(reduce(np.logaddexp2, logs), dtype=np.float64)
        moved = value + sign * r.LIBM * len(logs) * np.maximum(1.0, np.abs(value))
        return np.where(np.isfinite(value), moved, value)
