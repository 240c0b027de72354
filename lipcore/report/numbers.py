"""Numbers as text, rounded outward: what is printed is still a bound."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal


def outward(value: float, log2: float, *, up: bool, digits: int = 6) -> str:
    """Write a bound with few digits, not below an upper one and not above a lower one.

    Parameters
    ----------
    value : float
        The bound, nonnegative.
    log2 : float
        Its base-2 logarithm, used where the float over- or underflowed.
    up : bool
        Whether it is an upper bound.
    digits : int
        Significant digits.

    Returns
    -------
    str
        At most `digits` + 6 characters; a power of two near and beyond the ends of the range of floats.

    Examples
    --------
    >>> outward(1 / 3, 0.0, up=False), outward(1 / 3, 0.0, up=True)
    ('0.333333', '0.333334')
    >>> outward(2.0, 1.0, up=True), outward(0.0, -math.inf, up=False)
    ('2', '0')
    >>> outward(math.inf, 1234.56789, up=True)
    '2^1234.57'
    """
    lost = value > 2.0**1020 or (value < 2.0**-1000 and math.isfinite(log2))
    if lost and math.isfinite(log2):
        places = Decimal(log2).quantize(Decimal("0.01"), rounding=ROUND_CEILING if up else ROUND_FLOOR)
        return f"2^{places}"
    if value == 0 or math.isinf(value):
        return "0" if value == 0 else "inf"
    exact = Decimal(value)
    unit = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    rounded = exact.quantize(unit, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    plain = -4 <= rounded.adjusted() < digits
    text = f"{rounded:f}" if plain else f"{rounded:.{digits - 1}e}"
    mantissa, _, exponent = text.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent):+03d}" if exponent else mantissa


def power_of_ten(log2: float) -> str:
    """A number given by its base-2 logarithm, with three digits, rounded up.

    Examples
    --------
    >>> power_of_ten(10.0), power_of_ten(5000.0)
    ('1.03e+03', '1.42e+1505')
    """
    if math.isinf(log2):
        return "0" if log2 < 0 else "inf"
    log10 = log2 * math.log10(2)
    exponent = math.floor(log10)
    mantissa = math.ceil(10 ** (log10 - exponent) * (1 + 1e-9) * 100 - 1e-6) / 100
    if mantissa >= 10:
        mantissa, exponent = mantissa / 10, exponent + 1
    return f"{mantissa:.2f}e{exponent:+03d}"


def seconds(value: float) -> str:
    """A duration in five characters or so.

    Examples
    --------
    >>> [seconds(x) for x in (0.0004, 0.25, 12.34, 754.0)]
    ['0 ms', '250 ms', '12.3 s', '754 s']
    """
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s" if value < 99.95 else f"{value:.0f} s"
