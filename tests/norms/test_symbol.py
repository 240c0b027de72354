"""Symbols against convolutions that are written down, and their error terms against exact arithmetic."""

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipcore.norms.symbol import Symbol, polyphase


def circular_matrix(kernel, size, stride, dilation):
    """A circular convolution, written down one tap at a time."""
    c_out, c_in = kernel.shape[:2]
    out = [n // s for n, s in zip(size, stride, strict=True)]
    matrix = np.zeros((c_out, *out, c_in, *size), dtype=kernel.dtype)
    for p in itertools.product(*map(range, out)):
        for tap in itertools.product(*map(range, kernel.shape[2:])):
            q = tuple((s * i + d * t) % n for s, i, d, t, n in zip(stride, p, dilation, tap, size, strict=True))
            matrix[(slice(None), *p, slice(None), *q)] += kernel[(slice(None), slice(None), *tap)]
    return matrix.reshape(c_out * int(np.prod(out)), -1)


@st.composite
def problems(draw):
    dimension = draw(st.integers(1, 3))
    taps = draw(st.tuples(*[st.integers(1, 4 if dimension < 3 else 2)] * dimension))
    stride = draw(st.tuples(*[st.integers(1, 3)] * dimension))
    dilation = draw(st.tuples(*[st.integers(1, 3)] * dimension))
    blocks = draw(st.tuples(*[st.integers(1, 4 if dimension < 3 else 2)] * dimension))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = rng.standard_normal((draw(st.integers(1, 3)), draw(st.integers(1, 3)), *taps))
    if draw(st.booleans()):
        kernel = kernel + 1j * rng.standard_normal(kernel.shape)
    return kernel, stride, dilation, tuple(s * b for s, b in zip(stride, blocks, strict=True))


@settings(max_examples=60, deadline=None)
@given(problems())
def test_frequencies_of_the_symbol_are_the_singular_values_of_the_circular_convolution(problem):
    kernel, stride, dilation, size = problem
    symbol = Symbol.from_kernel(kernel, stride, 1, dilation)
    grids = [2 * np.pi * np.arange(n // s) / (n // s) for n, s in zip(size, stride, strict=True)]
    points = np.array(list(itertools.product(*grids)))[:, list(symbol.axes)] * symbol.factors
    found = np.linalg.svd(symbol.evaluate(0, points), compute_uv=False).ravel() * 2.0**symbol.exponent
    exact = np.linalg.svd(circular_matrix(kernel, size, stride, dilation), compute_uv=False)
    count = min(found.size, exact.size)
    assert np.allclose(np.sort(found)[::-1][:count], exact[:count], atol=1e-12 * exact[0])
    assert np.all(np.sort(found)[::-1][count:] <= 1e-12 * exact[0])


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (5, 1), (2, 2), (3, 2)])
def test_polyphase_moves_every_tap_and_rounds_none(stride, dilation):
    kernel = np.random.default_rng(0).standard_normal((4, 3, 3, 4))
    components, positions = polyphase(kernel, stride, 2, dilation)
    assert components.shape[0] == 2
    assert [len(p) for p in positions] == list(components.shape[3:])
    assert np.array_equal(np.sort(components[components != 0]), np.sort(kernel.ravel()))


def exact_symbol(symbol, group, angle):
    phases = [
        mpmath.expj(-mpmath.fsum(int(a) * mpmath.mpf(t) for a, t in zip(o, angle, strict=True))) for o in symbol.offsets
    ]
    taps = [mpmath.matrix(t.tolist()) for t in symbol.taps[group]]
    total = mpmath.zeros(taps[0].rows, taps[0].cols)
    for phase, tap in zip(phases, taps, strict=True):
        total += phase * tap
    return total


@pytest.mark.parametrize("seed", range(12))
def test_error_terms_hold_in_exact_arithmetic(seed):
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal((3, 2, 2 + seed % 3, 3)) * np.exp(rng.standard_normal((3, 2, 1, 1)) * 4)
    if seed % 2:
        kernel = kernel + 1j * rng.standard_normal(kernel.shape)
    symbol = Symbol.from_kernel(kernel)
    angle = rng.uniform(-2 * np.pi, 2 * np.pi, symbol.dimension)
    with mpmath.workdps(40):
        exact = exact_symbol(symbol, 0, angle)
        found = mpmath.matrix(symbol.evaluate(0, angle[None])[0].tolist())
        error = mpmath.svd_c(exact - found, compute_uv=False)[0]
        assert error <= symbol.evaluation_error(np.max(np.abs(angle)))[0]
        x = np.linalg.svd(symbol.evaluate(0, angle[None])[0])[2][0].conj()
        norm = mpmath.svd_c(exact, compute_uv=False)[0]
        lower = symbol.lower_bound(0, angle, x)
        assert lower <= norm <= lower * (1 + 1e-12)


@pytest.mark.parametrize("scale", [1e-310, 1e-300, 1.0, 1e300])
def test_scale_is_taken_out_as_a_power_of_two(scale):
    kernel = np.random.default_rng(1).standard_normal((2, 2, 3))
    symbol, plain = Symbol.from_kernel(kernel * scale), Symbol.from_kernel(kernel)
    assert 0.5 <= np.max(np.abs(symbol.taps)) <= 1
    ratio = scale * 2.0**plain.exponent / 2.0**symbol.exponent
    assert np.allclose(symbol.taps, plain.taps * ratio, rtol=1e-12, atol=1e-12)


def test_zero_taps_and_common_divisors_of_positions_are_left_out():
    kernel = np.zeros((1, 1, 5, 5))
    kernel[0, 0, 0, 2], kernel[0, 0, 4, 2] = 1.0, 2.0
    symbol = Symbol.from_kernel(kernel)
    assert symbol.axes == (0,)
    assert symbol.factors.tolist() == [4]
    assert symbol.extents.tolist() == [2]
    assert Symbol.from_kernel(np.zeros((2, 2, 3))).dimension == 0


def test_smaller_side_is_the_column_side():
    assert Symbol.from_kernel(np.ones((2, 5, 3))).taps.shape == (1, 3, 5, 2)
    assert Symbol.from_kernel(np.ones((5, 2, 3))).taps.shape == (1, 3, 5, 2)


@pytest.mark.parametrize(
    ("kernel", "options", "error", "message"),
    [
        (np.ones((2, 2)), {}, ValueError, "one to three spatial axes"),
        (np.ones((2, 2, 0)), {}, ValueError, "at least one"),
        (np.ones((2, 2, 3), dtype=int), {}, TypeError, "floating dtype"),
        (np.full((1, 1, 3), np.nan), {}, ValueError, "NaN or infinity"),
        (np.full((1, 1, 3), np.inf), {}, ValueError, "NaN or infinity"),
        (np.ones((2, 2, 3)), {"groups": 3}, ValueError, "groups=3"),
        (np.ones((2, 2, 3)), {"stride": 0}, ValueError, "stride=0"),
        (np.ones((2, 2, 3)), {"stride": (1, 2)}, ValueError, "one per spatial axis"),
        (np.ones((2, 2, 3)), {"dilation": 1.5}, ValueError, "dilation=1.5"),
    ],
)
def test_what_is_not_a_kernel_is_refused(kernel, options, error, message):
    with pytest.raises(error, match=message):
        Symbol.from_kernel(kernel, **options)
