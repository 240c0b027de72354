"""Rounding that errs on the safe side: one step outward after each operation, inflation after each sum.

The array API has no directed rounding, so nothing here changes the rounding mode. Every bound rests on IEEE arithmetic
rounded to nearest: one operation is off by less than one step to the next representable number, and a sum or an inner
product of k terms, **in any order**, is off by at most ``gamma(k)`` times the sum of the absolute values (Jeannerod and
Rump, "Improved error bounds for inner products in floating-point arithmetic", SIAM J. Matrix Anal. Appl. 34, 2013;
Higham, "Accuracy and Stability of Numerical Algorithms", 2002, lemma 8.4). Operands are not negative unless said
otherwise; results of the ``_down`` functions are then never below zero.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._typing import Array

__all__ = [
    "ETA",
    "LIBM",
    "UNIT",
    "add_down",
    "add_up",
    "div_down",
    "div_up",
    "down",
    "from_operands",
    "gamma",
    "mul_down",
    "mul_up",
    "pow_down",
    "pow_up",
    "sqrt_down",
    "sqrt_up",
    "sum_down",
    "sum_squares",
    "sum_up",
    "up",
]

UNIT: dict[str, float] = {"float32": 2.0**-24, "float64": 2.0**-53}
"""Unit roundoff of each format: the relative error of one operation."""

ETA: dict[str, float] = {"float32": 2.0**-126, "float64": 2.0**-1022}
"""Absolute error of one product that underflows: the smallest normal number, so that flushing to zero is covered."""

_LARGEST = float(np.finfo(np.float64).max)
LIBM = 2.0**-48
"""Relative allowance for log2, exp2 and power, 32 units in the last place; libm and NumPy's kernels stay below 4."""


def up(x: Array) -> Array:
    """Next float64 above, elementwise: at least the exact result of the operation that was rounded to `x`.

    Parameters
    ----------
    x : float or ndarray of float64

    Returns
    -------
    float or ndarray of float64
        Of the form of the input. Infinity stays; NaN stays.

    Examples
    --------
    >>> up(1.0) - 1.0
    2.220446049250313e-16
    """
    return from_operands(_next(x, np.inf), x)


def down(x: Array) -> Array:
    """Next float64 below, elementwise; infinity (an overflow) becomes the largest finite number.

    Parameters
    ----------
    x : float or ndarray of float64

    Returns
    -------
    float or ndarray of float64

    Examples
    --------
    >>> 1.0 - down(1.0)
    1.1102230246251565e-16
    """
    return from_operands(_next(x, -np.inf), x)


def from_operands(value: Any, *operands: Any) -> Any:
    """`value` as a Python float where all operands are scalars, as a float64 array otherwise."""
    return float(value) if all(np.ndim(x) == 0 for x in operands) else np.asarray(value, dtype=np.float64)


def _clipped_down(x: Array) -> Array:
    """One step down, not below zero. Infinity came of an overflow: the exact result exceeds every finite number."""
    return np.maximum(_next(x, -np.inf), 0.0)


def _next(x: Array, towards: float) -> Array:
    """`numpy.nextafter`, which warns of an overflow that is the point of it."""
    with np.errstate(all="ignore"):
        return np.nextafter(x, towards)


def gamma(k: float, u: float = UNIT["float64"]) -> float:
    """``k u / (1 - k u)``, rounded up: the relative error of k roundings of unit `u`.

    Parameters
    ----------
    k : float
        Number of roundings, not negative.
    u : float
        Unit roundoff.

    Returns
    -------
    float
        Infinity where ``k u >= 1``: nothing can be said.

    Examples
    --------
    >>> gamma(100) >= 100 * 2.0**-53
    True
    """
    if k == 0:
        return 0.0
    ku = math.nextafter(k * u, math.inf)
    rest = math.nextafter(1.0 - ku, -math.inf)
    return math.nextafter(ku / rest, math.inf) if rest > 0 else math.inf


def add_up(a: Array, b: Array) -> Array:
    """Upper bound of ``a + b``; exact where one of the two is zero.

    Examples
    --------
    >>> add_up(1.0, 2.0**-60) > 1.0, add_up(1.0, 0.0) == 1.0
    (True, True)
    """
    with np.errstate(all="ignore"):
        total = np.add(a, b)
        return from_operands(np.where(np.equal(a, 0) | np.equal(b, 0), total, _next(total, np.inf)), a, b)


def add_down(a: Array, b: Array) -> Array:
    """Lower bound of ``a + b``, not below zero; exact where one of the two is zero. `b` may be negative."""
    with np.errstate(all="ignore"):
        total = np.add(a, b)
        exact = np.equal(a, 0) | np.equal(b, 0)
        return from_operands(np.where(exact, np.maximum(total, 0.0), _clipped_down(total)), a, b)


def mul_up(a: Array, b: Array) -> Array:
    """Upper bound of ``a * b``; zero times anything is zero (an infinite bound bounds a finite number).

    Exact where one of the two is zero or a power of two and nothing under- or overflows.

    Examples
    --------
    >>> mul_up(0.0, float("inf")), mul_up(1.0, 0.1) == 0.1, mul_up(1e-200, 1e-200) > 0
    (0.0, True, True)
    """
    with np.errstate(all="ignore"):
        product = np.multiply(a, b)
        product = np.where(_exact_product(a, b, product), product, _next(product, np.inf))
        return from_operands(np.where(np.equal(a, 0) | np.equal(b, 0), 0.0, product), a, b)


def mul_down(a: Array, b: Array) -> Array:
    """Lower bound of ``a * b``, not below zero; exact where `mul_up` is."""
    with np.errstate(all="ignore"):
        product = np.multiply(a, b)
        product = np.where(_exact_product(a, b, product), product, _clipped_down(product))
        return from_operands(np.where(np.equal(a, 0) | np.equal(b, 0), 0.0, product), a, b)


def _exact_product(a: Array, b: Array, product: Array) -> Array:
    """Whether the product was not rounded, since one factor is a power of two."""
    power = np.equal(np.frexp(a)[0], 0.5) | np.equal(np.frexp(b)[0], 0.5)
    return power & np.greater_equal(product, 2.0**-1022) & np.isfinite(product)


def div_up(a: Array, b: Array) -> Array:
    """Upper bound of ``a / b``; zero where `a` is zero, infinity where only `b` is."""
    with np.errstate(all="ignore"):
        quotient = np.where(np.equal(b, 1), a, _next(np.divide(a, b), np.inf))
        return from_operands(np.where(np.equal(a, 0), 0.0, quotient), a, b)


def div_down(a: Array, b: Array) -> Array:
    """Lower bound of ``a / b``, not below zero; `b` is positive, and infinite only as a bound of something finite."""
    with np.errstate(all="ignore"):
        quotient = np.where(np.equal(b, 1), a, _clipped_down(np.divide(a, b)))
        return from_operands(np.where(np.equal(a, 0) | np.isinf(b), 0.0, quotient), a, b)


def sqrt_up(x: Array) -> Array:
    """Upper bound of the square root (which IEEE rounds correctly); exact at zero and one."""
    root = np.sqrt(x)
    return from_operands(np.where(np.equal(x, 0) | np.equal(x, 1), root, _next(root, np.inf)), x)


def sqrt_down(x: Array) -> Array:
    """Lower bound of the square root of `x`; exact at zero and one."""
    root = np.sqrt(np.maximum(x, 0.0))
    return from_operands(np.where(np.equal(x, 0) | np.equal(x, 1), root, _clipped_down(root)), x)


def pow_up(x: Array, p: float) -> Array:
    """Upper bound of ``x**p`` for ``p > 0``; exact at zero and one and for ``p = 1``."""
    return x if p == 1 else _power(x, p, up_=True)


def pow_down(x: Array, p: float) -> Array:
    """Lower bound of ``x**p`` for ``p > 0``, not below zero; exact at zero and one and for ``p = 1``."""
    return x if p == 1 else _power(x, p, up_=False)


def _power(x: Array, p: float, *, up_: bool) -> Array:
    with np.errstate(all="ignore"):
        value = np.power(np.asarray(x, dtype=np.float64), p)
        moved = _next(value * (1 + LIBM), np.inf) if up_ else _clipped_down(np.minimum(value, _LARGEST) * (1 - LIBM))
        return from_operands(np.where(np.equal(x, 0) | np.equal(x, 1), value, moved), x)


def sum_up(x: Array, axis: Any = None) -> Array:
    """Upper bound of the exact sum of nonnegative float64 numbers, summed in whatever order NumPy likes.

    Parameters
    ----------
    x : ndarray of float64
        Not negative.
    axis : int, tuple of int or None
        As in `numpy.sum`.

    Returns
    -------
    float or ndarray of float64

    Notes
    -----
    A sum of k terms is off by at most ``gamma(k - 1)`` of itself; ``s <= fl / (1 - gamma)`` is bounded by
    ``fl (1 + 2 gamma(k))``. Additions do not underflow.

    Examples
    --------
    >>> import numpy as np
    >>> from fractions import Fraction
    >>> x = np.full(1000, 0.1)
    >>> Fraction(sum_up(x)) >= 1000 * Fraction(0.1)
    True
    """
    total, terms = _sum(x, axis)
    with np.errstate(over="ignore"):
        moved = _next(total * (1 + 2 * gamma(terms)), np.inf)
    return _scalar(np.where((total == 0) | (terms <= 1), total, moved))


def sum_down(x: Array, axis: Any = None) -> Array:
    """Lower bound of the exact sum of nonnegative float64 numbers; see `sum_up`."""
    total, terms = _sum(x, axis)
    moved = _clipped_down(np.minimum(total, _LARGEST) * (1 - 2 * gamma(terms)))
    return _scalar(np.where((total == 0) | (terms <= 1), total, moved))


def _sum(x: Array, axis: Any) -> tuple[Any, int]:
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(over="ignore"):
        total = np.sum(x, axis=axis)
    return total, x.size // max(np.size(total), 1)


def _scalar(x: Array) -> Array:
    return float(x) if np.ndim(x) == 0 else x


def sum_squares(x: Array, axes: int = 1) -> tuple[Array, Array]:
    """Lower and upper bound of the sum of ``|x|^2`` over the last one or two axes.

    Parameters
    ----------
    x : ndarray of float64 or complex128
        Entries at most 2^400 in size.
    axes : {1, 2}
        How many axes to sum over.

    Returns
    -------
    lower, upper : float or ndarray of float64

    Notes
    -----
    k real squares (2 k of them for complex entries), one rounding each, and a sum of them; each square may lose `ETA`
    to underflow. Zeros sum to an exact zero.

    Examples
    --------
    >>> import numpy as np
    >>> lower, upper = sum_squares(np.array([3.0, 4.0]))
    >>> lower < 25.0 < upper
    True
    """
    parts = [x.real, x.imag] if np.iscomplexobj(x) else [x]
    subscripts = "...i,...i->..." if axes == 1 else "...ij,...ij->..."
    total = sum((np.einsum(subscripts, part, part) for part in parts[1:]), np.einsum(subscripts, parts[0], parts[0]))
    terms = len(parts) * math.prod(x.shape[-axes:])
    slack, lost = 2 * gamma(terms + 2), 2 * terms * ETA["float64"]
    lower, upper = np.maximum(total * (1 - slack) - lost, 0.0), total * (1 + slack) + lost
    if not np.all(total):
        zero = ~np.any(x, axis=tuple(range(-axes, 0)))
        upper = np.where(zero, 0.0, upper)
    return _scalar(lower), _scalar(upper)
