"""Exact scaling by powers of two, and what floats cannot hold: logarithms of numbers that over- or underflow."""

from __future__ import annotations

import math

import numpy as np

from .._typing import Array
from .rounding import LIBM, from_operands

__all__ = [
    "LARGEST",
    "exp2_down",
    "exp2_up",
    "exponent",
    "largest",
    "ldexp_down",
    "ldexp_up",
    "log2_down",
    "log2_up",
    "scale_by_power",
]

LARGEST = float(np.finfo(np.float64).max)
"""The largest finite float64: the lower bound of whatever overflowed."""


def largest(a: Array) -> Array:
    """Largest absolute value of the real and imaginary parts over the last two axes, without a temporary; NaN if any.

    Parameters
    ----------
    a : ndarray, shape (..., m, n)
        Not empty, any real or complex floating dtype.

    Returns
    -------
    ndarray of float64, shape (...)
    """
    if a.dtype.kind == "c":
        return np.maximum(largest(a.real), largest(a.imag))
    low, high = np.min(a, axis=(-2, -1)), np.max(a, axis=(-2, -1))
    return np.asarray(np.maximum(np.negative(low), high), dtype=np.float64)


def exponent(x: Array) -> Array:
    """Integer e with ``2^(e-1) <= x < 2^e``; 0 where x is 0."""
    return np.where(np.equal(x, 0), 0, np.frexp(x)[1]).astype(np.int64)


def scale_by_power(a: Array, e: Array) -> Array:
    """``a * 2^e``, exact but for underflow, where each entry is off by less than ``2 ETA``.

    Parameters
    ----------
    a : ndarray, shape (..., m, n)
        float64 or complex128.
    e : int or ndarray of int, shape (...)
        At most 1100 in size.

    Returns
    -------
    ndarray, shape (..., m, n)
        `a` itself where every e is zero.
    """
    e = np.asarray(e, dtype=np.int64)
    if not e.any():
        return a
    # Two factors, since 2^e alone may not be representable; up is exact, down rounds only below ETA.
    half = e // 2
    first, second = np.ldexp(1.0, half)[..., None, None], np.ldexp(1.0, e - half)[..., None, None]
    return a * (first * second) if np.all(np.abs(e) < 1000) else (a * first) * second


def ldexp_up(x: Array, e: Array) -> Array:
    """Upper bound of ``x 2^e`` for x not negative: exact where representable, infinity on overflow."""
    if type(x) is float and type(e) is int and e == 0:
        return x
    with np.errstate(all="ignore"):
        value = np.ldexp(np.asarray(x, dtype=np.float64), e)
        exact = np.ldexp(value, np.negative(e)) == x
        return from_operands(np.where(exact, value, np.nextafter(value, np.inf)), x, e)


def ldexp_down(x: Array, e: Array) -> Array:
    """Lower bound of ``x 2^e`` for x not negative: exact where representable, the largest finite number on overflow."""
    if type(x) is float and type(e) is int and e == 0:
        return min(x, LARGEST)
    with np.errstate(all="ignore"):
        raw = np.ldexp(np.asarray(x, dtype=np.float64), e)
        value = np.minimum(raw, LARGEST)
        exact = (np.ldexp(value, np.negative(e)) == x) | np.isinf(raw)
        return from_operands(np.where(exact, value, np.maximum(np.nextafter(value, -np.inf), 0.0)), x, e)


def log2_up(x: Array, e: Array = 0) -> Array:
    """Upper bound of ``log2(x) + e``; minus infinity at zero."""
    return _log2(x, e, 1.0)


def log2_down(x: Array, e: Array = 0) -> Array:
    """Lower bound of ``log2(x) + e``; minus infinity at zero."""
    return _log2(x, e, -1.0)


def _log2(x: Array, e: Array, sign: float) -> Array:
    if type(x) is float and type(e) is int and 0 < x < math.inf:  # the common case, without arrays
        return _log2_of_float(x, e, sign)
    with np.errstate(all="ignore"):
        fraction, power = np.frexp(np.asarray(x, dtype=np.float64))
        whole = power + np.asarray(e, dtype=np.float64)
        value = np.log2(fraction) + whole
        # A power of two is exact: log2(1/2) = -1 is returned as such by every libm.
        moved = np.where(fraction == 0.5, whole - 1.0, value + sign * LIBM * np.maximum(1.0, np.abs(value)))
        infinite = np.where(np.isinf(x), np.inf, -np.inf)
        return from_operands(np.where((fraction == 0) | np.isinf(x), infinite, moved), x, e)


def exp2_up(x: Array) -> Array:
    """Upper bound of ``2^x``, infinity on overflow."""
    with np.errstate(all="ignore"):
        return from_operands(np.nextafter(np.exp2(np.asarray(x, dtype=np.float64)) * (1 + LIBM), np.inf), x)


def exp2_down(x: Array) -> Array:
    """Lower bound of ``2^x``, not below zero; the largest finite number on overflow."""
    with np.errstate(all="ignore"):
        value = np.minimum(np.exp2(np.asarray(x, dtype=np.float64)), LARGEST) * (1 - LIBM)
        return from_operands(np.maximum(np.nextafter(value, -np.inf), 0.0), x)


def _log2_of_float(x: float, e: int, sign: float) -> float:
    fraction, power = math.frexp(x)
    if fraction == 0.5:
        return float(power + e - 1)
    value = math.log2(fraction) + (power + e)
    return value + sign * LIBM * max(1.0, abs(value))
