"""What `Bounds` accept, and that their arithmetic stays true."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipcore.norms.bounds import KINDS, Bounds, weakest

ends = st.floats(0.0, 1e300) | st.floats(0.0, 1e-300) | st.floats(0.5, 2.0)


def around(low: float, high: float) -> Bounds:
    return Bounds(min(low, high), max(low, high), "rigorous")


def holds(bounds: Bounds, value: Fraction) -> bool:
    """Whether the value lies in both the floats and the logarithms."""
    if Fraction(bounds.lower) > value or (math.isfinite(bounds.upper) and Fraction(bounds.upper) < value):
        return False
    if value == 0:
        return bounds.log2_lower == -math.inf
    import mpmath

    with mpmath.workdps(50):
        exact = mpmath.log(mpmath.mpf(value.numerator), 2) - mpmath.log(mpmath.mpf(value.denominator), 2)
        return bool(mpmath.mpf(bounds.log2_lower) <= exact <= mpmath.mpf(bounds.log2_upper))


@settings(deadline=None)
@given(ends, ends, ends, ends)
def test_numbers_stay_inside_sums_products_and_powers(a: float, b: float, c: float, d: float) -> None:
    first, second = around(a, b), around(c, d)
    for x in (first.lower, first.upper):
        for y in (second.lower, second.upper):
            p, q = Fraction(x), Fraction(y)
            assert holds(first * second, p * q)
            assert holds(first + second, p + q)
            assert holds(first + second, abs(p - q))
            assert holds(first @ second, p * q)
            assert holds(first @ second, Fraction(0))
            assert holds(first.maximum(second), max(p, q))
            if second.lower > 0:
                assert holds(first / second, p / q)
        assert holds(first**3, Fraction(x) ** 3)


@settings(deadline=None)
@given(ends, ends, st.floats(-1e200, 1e200))
def test_scaling_encloses_the_exact_product(a: float, b: float, c: float) -> None:
    bounds = around(a, b)
    for end in (bounds.lower, bounds.upper):
        assert holds(c * bounds, abs(Fraction(c)) * Fraction(end))
        assert holds(bounds * np.float64(c), abs(Fraction(c)) * Fraction(end))
        if c:
            assert holds(bounds / c, Fraction(end) / abs(Fraction(c)))


@settings(deadline=None)
@given(st.lists(ends, min_size=1, max_size=4))
def test_stacked_bounds_hold_the_root_of_the_sum_of_squares(values: list[float]) -> None:
    first, *others = (Bounds(v, v, "rigorous") for v in values)
    stacked = first.stacked(*others)
    square = sum(Fraction(v) ** 2 for v in values)
    assert Fraction(stacked.lower) == max(map(Fraction, values))
    assert stacked.upper == math.inf or Fraction(stacked.upper) ** 2 >= square
    assert stacked.upper <= 1.0000001 * math.hypot(*values) + 1e-307
    length = Bounds(values[0], values[0], "rigorous", ord="fro").stacked(
        *(Bounds(v, v, "rigorous", ord="fro") for v in values[1:])
    )
    assert Fraction(length.lower) ** 2 <= square
    assert length.lower >= 0.9999999 * min(math.hypot(*values), 1e308) - 1e-307


def test_sum_of_operators_is_not_the_sum_of_lower_bounds() -> None:
    difference = Bounds(3.0, 4.0, "rigorous") - Bounds(1.0, 1.5, "rigorous")
    assert 1.5 * (1 - 1e-15) <= difference.lower <= 1.5
    assert 5.5 <= difference.upper <= 5.5 * (1 + 1e-15)
    assert (Bounds(1.0, 1.0, "rigorous") - Bounds(1.0, 1.0, "rigorous")).lower == 0.0


def test_complex_scalars_and_arrays_of_scalars() -> None:
    bounds = Bounds(1.0, 1.0, "rigorous")
    scaled = (3 + 4j) * bounds
    assert 5 * (1 - 1e-14) < scaled.lower <= 5.0 <= scaled.upper < 5 * (1 + 1e-14)
    assert (2j * bounds).lower == (2j * bounds).upper == 2.0
    both = np.array([2.0, -3.0]) * bounds
    np.testing.assert_array_equal(both.upper, [2.0, 3.0])
    assert both.batch_shape == (2,)
    assert (0 * bounds).upper == 0.0


def test_floats_that_overflow_keep_their_logarithms() -> None:
    large = Bounds(1e300, 2e300, "rigorous")
    product = large * large
    assert product.upper == math.inf
    assert product.lower == float(np.finfo(np.float64).max)
    assert 1993.1 < product.log2_lower < product.log2_upper < 1995.2
    back = product * (large.maximum() * 0 + Bounds(1e-300, 1e-300, "rigorous")) * 1e-300
    assert 0.99 < back.lower <= 1.0
    assert 4.0 <= back.upper < 4.01
    tiny = Bounds(1e-200, 1e-200, "rigorous") ** 2 * 1e200 * 1e200
    assert 0.99 < tiny.lower <= 1.0 <= tiny.upper < 1.01
    assert 0.49 < product.relative_width < 0.76


def test_the_weakest_kind_wins_and_failure_probabilities_add_up() -> None:
    strong, weak = Bounds(1.0, 2.0, "rigorous"), Bounds(1.0, 2.0, "probabilistic", 0.25)
    for joined in (strong * weak, strong + weak, strong @ weak, strong.maximum(weak), strong.stacked(weak)):
        assert (joined.kind, joined.failure_probability) == ("probabilistic", 0.25)
    both = weak * weak
    assert 0.5 <= both.failure_probability < 0.5000001
    assert (both * both * both).failure_probability == 1.0
    assert (weak * Bounds(1.0, 1.0, "estimate")).kind == "estimate"
    assert weakest(["analytic", "rigorous"]) == "analytic"
    assert KINDS[0] == "rigorous"
    assert Fraction((weak + Bounds(1, 1, "probabilistic", 1e-30)).failure_probability) >= Fraction(0.25) + Fraction(
        1e-30
    )


def test_an_estimate_claims_nothing() -> None:
    assert Bounds(1.0, 1.0, "estimate").failure_probability == 1.0


def test_weakened_bounds_keep_their_numbers() -> None:
    bounds = Bounds(1.0, 2.0, "rigorous", matvecs=3).weakened("analytic", method="products", matvecs=4)
    assert (bounds.kind, bounds.method, bounds.matvecs, bounds.upper) == ("analytic", "products", 7, 2.0)
    assert bounds.weakened("rigorous").kind == "analytic"


def test_tightened_bounds_are_the_intersection() -> None:
    both = Bounds(1.0, 3.0, "rigorous").tightened(Bounds(2.0, 4.0, "analytic"))
    assert (both.lower, both.upper, both.kind) == (2.0, 3.0, "analytic")
    with pytest.raises(ValueError, match="do not meet"):
        Bounds(1.0, 2.0, "rigorous").tightened(Bounds(3.0, 4.0, "rigorous"))


def test_stacks_of_bounds() -> None:
    bounds = Bounds([1.0, 2.0], [3.0, 2.5], "rigorous", converged=[False, True])
    assert bounds.batch_shape == (2,)
    assert bounds[1].upper == 2.5
    assert bounds[1].converged is True
    assert (bounds.max().lower, bounds.max().upper, bounds.max().converged) == (2.0, 3.0, False)
    np.testing.assert_allclose(bounds.relative_width, [2 / 3, 0.2])
    with pytest.raises(ValueError, match="read-only"):
        bounds.lower[0] = 0.0
    with pytest.raises(IndexError, match="one operator"):
        Bounds(1.0, 2.0, "rigorous")[0]
    with pytest.raises(ValueError, match="empty stack"):
        Bounds(np.zeros(0), np.zeros(0), "rigorous").max()


@pytest.mark.parametrize(
    ("lower", "upper", "error", "match"),
    [
        (2.0, 1.0, ValueError, "must not exceed"),
        (-1.0, 1.0, ValueError, "nonnegative"),
        (math.nan, 1.0, ValueError, "NaN"),
        (0.0, math.nan, ValueError, "NaN"),
        ([1.0, 3.0], [2.0, 2.0], ValueError, "3.0 > 2.0"),
        (0j, 1.0, TypeError, "real"),
        ("a", 1.0, TypeError, "real"),
    ],
)
def test_what_is_no_enclosure_is_refused(lower: object, upper: object, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        Bounds(lower, upper, "rigorous")


def test_what_does_not_fit_the_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="`kind` must be one of"):
        Bounds(1.0, 2.0, "certain")
    with pytest.raises(ValueError, match="must be 0"):
        Bounds(1.0, 2.0, "rigorous", 0.1)
    with pytest.raises(ValueError, match="above 0"):
        Bounds(1.0, 2.0, "probabilistic")
    with pytest.raises(ValueError, match="between 0 and 1"):
        Bounds(1.0, 2.0, "probabilistic", 1.5)
    with pytest.raises(ValueError, match="or neither"):
        Bounds(1.0, 2.0, "rigorous", log2_lower=0.0)


def test_operations_that_make_no_sense_are_refused() -> None:
    bounds = Bounds(1.0, 2.0, "rigorous")
    with pytest.raises(TypeError, match="two numbers"):
        float(bounds)
    with pytest.raises(ValueError, match="different norms"):
        bounds * Bounds(1.0, 2.0, "rigorous", ord=1)
    with pytest.raises(ZeroDivisionError, match="may be zero"):
        bounds / Bounds(0.0, 1.0, "rigorous")
    with pytest.raises(ZeroDivisionError):
        bounds / 0
    with pytest.raises(ValueError, match="finite"):
        bounds * math.inf
    with pytest.raises(TypeError):
        bounds * "two"
    with pytest.raises(ValueError, match="positive finite powers"):
        bounds**-1
    with pytest.raises(ValueError, match="ord 2 and 'fro'"):
        Bounds(1.0, 2.0, "rigorous", ord=1).stacked()


def test_printed_bounds_are_rounded_outward() -> None:
    bounds = Bounds(0.123456789, 0.123456789, "rigorous")
    assert str(bounds) == "[0.123456, 0.123457] (rigorous)"
    assert repr(bounds) == "Bounds(0.123456789, 0.123456789, kind='rigorous')"
    assert "fails with probability at most 1.0e-09" in str(Bounds(1.0, 2.0, "probabilistic", 1e-9))
    assert "wider than asked" in str(Bounds(1.0, 2.0, "rigorous", converged=False))
    assert str(Bounds.from_scaled(1.0, 1.0, 1100, "rigorous")) == "[2^1100.000, 2^1100.000] (rigorous)"
    assert str(Bounds.from_scaled(1.1, 1.1, 1100, "rigorous")) == "[2^1100.137, 2^1100.138] (rigorous)"
    assert str(Bounds([1.0, 2.0], [2.0, 3.0], "rigorous")) == "bounds of 2 norms in [1, 3] (rigorous)"


def test_equality_and_immutability() -> None:
    bounds = Bounds([1.0], [2.0], "rigorous")
    assert bounds == Bounds([1.0], [2.0], "rigorous")
    assert bounds != Bounds([1.0], [2.0], "analytic")
    assert pickle.loads(pickle.dumps(bounds)) == bounds
    with pytest.raises(AttributeError):
        bounds.lower = 0.0
    with pytest.raises(TypeError, match="unhashable"):
        hash(bounds)
