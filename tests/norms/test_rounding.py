"""Directed operations against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipcore.norms import rounding as r
from lipcore.norms import scaling as s

LARGEST = float(np.finfo(np.float64).max)
# Nonnegative numbers, denormal ones and those near overflow among them.
positive = st.floats(0.0, LARGEST, allow_subnormal=True) | st.floats(0.0, 1e-300) | st.floats(1e150, 1e160)
exponents = st.integers(-1200, 1200)


def below(low: float, exact: Fraction, high: float) -> bool:
    return Fraction(low) <= exact and (high == math.inf or exact <= Fraction(high))


def tight(low: float, exact: Fraction, high: float) -> bool:
    """Within a few units in the last place, in the normal range."""
    if not Fraction(2.0**-1000) < exact < Fraction(LARGEST):
        return True
    return Fraction(high) - Fraction(low) <= exact / 2**50


@settings(deadline=None)
@given(positive, positive)
def test_operations_enclose_the_exact_result(a: float, b: float) -> None:
    x, y = Fraction(a), Fraction(b)
    for low, exact, high in (
        (r.add_down(a, b), x + y, r.add_up(a, b)),
        (r.mul_down(a, b), x * y, r.mul_up(a, b)),
        *([(r.div_down(a, b), x / y, r.div_up(a, b))] if b > 0 else []),
    ):
        assert below(low, exact, high)
        assert tight(low, exact, high)


@settings(deadline=None)
@given(positive)
def test_square_root_encloses_the_exact_one(a: float) -> None:
    low, high = r.sqrt_down(a), r.sqrt_up(a)
    assert Fraction(low) ** 2 <= Fraction(a) <= Fraction(high) ** 2
    assert high - low <= 4 * math.ulp(high)


@settings(deadline=None)
@given(positive, st.integers(1, 5))
def test_powers_enclose_the_exact_ones(a: float, p: int) -> None:
    assert below(r.pow_down(a, p), Fraction(a) ** p, r.pow_up(a, p))


def test_a_difference_that_is_negative_is_bounded_by_zero() -> None:
    assert r.add_down(1.0, -2.0) == 0.0
    assert 0 < Fraction(r.add_down(1.0, -0.999)) <= 1 - Fraction(0.999)


def test_zero_and_one_are_exact() -> None:
    assert r.mul_up(0.0, math.inf) == r.mul_down(0.0, math.inf) == r.div_up(0.0, 0.5) == 0.0
    assert r.mul_up(1.0, 0.1) == r.mul_down(1.0, 0.1) == 0.1
    assert r.mul_up(0.25, 0.1) == r.mul_down(0.25, 0.1) == 0.025
    assert r.add_up(0.1, 0.0) == 0.1
    assert r.sqrt_up(1.0) == r.sqrt_down(1.0) == 1.0


def test_overflow_is_bounded_by_infinity_and_the_largest_float() -> None:
    assert (r.mul_down(1e200, 1e200), r.mul_up(1e200, 1e200)) == (LARGEST, math.inf)
    assert r.down(math.inf) == LARGEST
    assert r.up(LARGEST) == math.inf


def test_underflow_is_bounded_away_from_zero_above() -> None:
    assert r.mul_up(1e-200, 1e-200) > 0.0
    assert r.mul_down(1e-200, 1e-200) == 0.0


def test_arrays_and_floats_agree_in_form() -> None:
    assert type(r.up(1.0)) is float
    assert type(r.mul_up(1.0, np.float64(0.3))) is float
    np.testing.assert_array_equal(r.up(np.ones(2)), [r.up(1.0)] * 2)


@settings(deadline=None)
@given(st.lists(positive, min_size=1, max_size=40))
def test_sums_enclose_the_exact_sum(terms: list[float]) -> None:
    exact = sum(map(Fraction, terms))
    assert below(r.sum_down(np.array(terms)), exact, r.sum_up(np.array(terms)))


@pytest.mark.parametrize("terms", [3, 1000, 100_000])
def test_sums_of_many_equal_terms(terms: int) -> None:
    x = np.full(terms, 0.1)
    assert below(r.sum_down(x), terms * Fraction(0.1), r.sum_up(x))


@settings(deadline=None)
@given(st.lists(st.floats(-1e120, 1e120), min_size=1, max_size=20), st.booleans())
def test_sums_of_squares_enclose_the_exact_sum(parts: list[float], is_complex: bool) -> None:
    x = np.array(parts) * (1 - 1j) if is_complex else np.array(parts)
    exact = sum(Fraction(float(y)) ** 2 for y in np.concatenate([x.real, x.imag]))
    low, high = r.sum_squares(x)
    assert below(low, exact, high)
    if exact == 0:
        assert high == 0.0


def test_sums_of_squares_over_two_axes() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    low, high = r.sum_squares(x, axes=2)
    exact = np.sum(x**2, axis=(1, 2))
    assert low.shape == (2,)
    assert np.all(low < exact)
    assert np.all(exact < high)
    assert np.all(high - low < 1e-10)


def test_gamma_is_rounded_up_and_gives_up() -> None:
    k, u = 1000, Fraction(1, 2**53)
    assert Fraction(r.gamma(k)) >= k * u / (1 - k * u)
    assert r.gamma(k) < 1.0001 * k * float(u)
    assert r.gamma(0) == 0.0
    assert r.gamma(2**24, r.UNIT["float32"]) == math.inf


@settings(deadline=None)
@given(positive, exponents)
def test_scaled_numbers_enclose_the_exact_one(x: float, e: int) -> None:
    exact = Fraction(x) * Fraction(2) ** e
    low, high = s.ldexp_down(x, e), s.ldexp_up(x, e)
    assert below(low, exact, high)
    if Fraction(5e-324) <= exact <= Fraction(LARGEST) and exact == Fraction(math.ldexp(x, e)):
        assert low == high


@settings(deadline=None)
@given(positive, exponents)
def test_logarithms_enclose_the_exact_one(x: float, e: int) -> None:
    low, high = s.log2_down(x, e), s.log2_up(x, e)
    if x == 0:
        assert low == high == -math.inf
        return
    import mpmath

    with mpmath.workdps(40):
        exact = mpmath.log(mpmath.mpf(x), 2) + e
        assert mpmath.mpf(low) <= exact <= mpmath.mpf(high)
    assert high - low <= 2e-11
    assert s.log2_down(np.array([x]), np.array([e]))[0] == low


@settings(deadline=None)
@given(st.floats(-1100, 1100))
def test_powers_of_two_enclose_the_exact_one(x: float) -> None:
    import mpmath

    with mpmath.workdps(40):
        exact = mpmath.mpf(2) ** mpmath.mpf(x)
        assert mpmath.mpf(s.exp2_down(x)) <= exact
        assert s.exp2_up(x) == math.inf or exact <= mpmath.mpf(s.exp2_up(x))


@pytest.mark.parametrize("e", [-1070, -500, -3, 0, 3, 500, 1070])
def test_matrices_are_scaled_exactly_unless_they_underflow(e: int) -> None:
    a = np.array([[1.5, -0.75], [3.0, 1.0 + 2.0**-50]]) * 2.0 ** (-e // 2 if e < 0 else -(e // 2))
    scaled = s.scale_by_power(a, e)
    for x, y in zip(a.flat, scaled.flat, strict=True):
        exact = Fraction(float(x)) * Fraction(2) ** e
        assert abs(Fraction(float(y)) - exact) <= (
            0 if e >= 0 or exact > Fraction(2.0**-960) else 2 * Fraction(2.0**-1022)
        )


def test_largest_sees_both_parts_signs_and_nan() -> None:
    assert s.largest(np.array([[1.0, -7.0], [2.0, 3.0]])) == 7.0
    assert s.largest(np.array([[1.0 - 7.0j]])) == 7.0
    assert np.isnan(s.largest(np.array([[1.0, np.nan]])))
    np.testing.assert_array_equal(s.exponent([0.0, 0.5, 1.0, 5e-324]), [0, 0, 1, -1073])
