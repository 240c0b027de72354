"""Iterations of a fixed number of steps, and the polynomials behind them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orthogonal.matrices import floor, largest, matrix, polar_factor, residual

import lipcore as lc
from lipcore import _backend as B
from lipcore.orthogonal import minimax

FIXED = {
    "bjorck": lambda w: lc.bjorck(w, iterations=25),
    "bjorck order 2": lambda w: lc.bjorck(w, iterations=16, order=2),
    "bjorck order 5": lambda w: lc.bjorck(w, iterations=12, order=5),
    "cubic": lambda w: lc.newton_schulz(w, iterations=25),
    "quintic": lambda w: lc.newton_schulz(w, iterations=16, coefficients="quintic"),
    "gram": lambda w: lc.newton_schulz(w, iterations=25, form="gram"),
    "polar_express": lambda w: lc.polar_express(w, interval=(1e-2, 1.0)),
    "polar_express cubic": lambda w: lc.polar_express(w, interval=(1e-2, 1.0), degree=3),
    "polar_express gram": lambda w: lc.polar_express(w, interval=(1e-2, 1.0), form="gram"),
    "qdwh": lc.qdwh,
}


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("shape", [(9, 9), (24, 5), (2, 4, 7)], ids=str)
def test_polar_factor_without_a_read(backend, name, shape):
    w = matrix(np.random.default_rng(0), shape, "float32", 10.0)
    x = backend.asarray(w)
    before = B.host_reads.count
    q = FIXED[name](x)
    assert B.host_reads.count == before
    assert B.dtype_name(q.dtype) == "float32"
    host = backend.to_numpy(q)
    assert residual(host).max() < floor(host)
    assert np.abs(host - polar_factor(w)).max() < 1e-5


@pytest.mark.parametrize("name", FIXED)
def test_complex_batched_and_any_scale(name):
    w = matrix(np.random.default_rng(1), (2, 3, 8, 5), "complex128", 10.0)
    q = FIXED[name](w)
    assert np.abs(q - polar_factor(w)).max() < 1e-11
    assert np.abs(q[1, 2] - FIXED[name](w[1, 2])).max() < 1e-12
    for exponent in (-1000, 1000):
        assert np.array_equal(FIXED[name](np.ldexp(w.real, exponent)), FIXED[name](w.real))


@pytest.mark.parametrize("name", FIXED)
def test_zero_empty_and_nan(backend, name):
    assert np.all(backend.to_numpy(FIXED[name](backend.asarray(np.zeros((2, 3, 2), "float32")))) == 0.0)
    assert FIXED[name](backend.asarray(np.zeros((0, 3), "float32"))).shape == (0, 3)


@pytest.mark.parametrize("name", [*FIXED, "cholesky_qr"])
def test_nan_spreads(name):
    w = np.stack([np.eye(3), np.eye(3)])
    w[0, 1, 1] = np.nan
    q = FIXED.get(name, lc.cholesky_qr)(w)
    assert np.all(np.isnan(q[0])) or not np.all(np.isfinite(q[0]))
    assert np.allclose(q[1], np.eye(3))


@pytest.mark.backends("jax")
@pytest.mark.parametrize("name", [*FIXED, "cholesky_qr", "cayley", "matrix_exp"])
def test_traces(backend, name):
    import jax

    f = FIXED.get(name) or getattr(lc, name)
    w = backend.asarray(matrix(np.random.default_rng(2), (6, 6), "float32", 10.0))
    assert np.abs(np.asarray(jax.jit(f)(w)) - np.asarray(f(w))).max() < 1e-5


# --- each one -------------------------------------------------------------------------------------------------------


def test_bjorck_is_the_published_iteration():
    w = matrix(np.random.default_rng(3), (6, 4), "float64", 5.0)
    x = w
    for _ in range(7):
        x = 1.3 * x - 0.3 * x @ x.T @ x
    assert np.allclose(lc.bjorck(w, iterations=7, beta=0.3, scale=False), x)
    y, e = w, np.eye(4) - w.T @ w
    y = w @ (np.eye(4) + e / 2 + 3 / 8 * e @ e + 5 / 16 * e @ e @ e)
    assert np.allclose(lc.bjorck(w, iterations=1, order=3, scale=False), y)


def test_bjorck_converges_with_its_order():
    w = matrix(np.random.default_rng(4), (6, 6), "float64", 1.02)
    errors = [residual(lc.bjorck(w, iterations=1, order=p, scale=False)) for p in (1, 2, 3)]
    start = residual(w)
    for p, error in zip((1, 2, 3), errors, strict=True):
        assert error < start ** (p + 1)


def test_muon_coefficients_do_not_converge():
    w = np.random.default_rng(5).standard_normal((64, 32))
    values = np.linalg.svd(lc.newton_schulz(w, iterations=5, coefficients="muon"), compute_uv=False)
    assert values.min() > 0.6
    assert values.max() < 1.25
    assert np.abs(values - 1).max() > 0.05


def test_own_coefficients_repeat_the_last():
    w = matrix(np.random.default_rng(6), (5, 3), "float64", 3.0)
    mixed = lc.newton_schulz(w, iterations=6, coefficients=[(1.875, -1.25, 0.375), (1.5, -0.5)])
    step = lc.newton_schulz(w, iterations=1, coefficients="quintic")
    assert np.allclose(mixed, lc.newton_schulz(step, iterations=5, scale=False))
    doubled = lc.newton_schulz(w, iterations=2, coefficients=[(2.0,)], scale=False)
    assert np.allclose(doubled, 4 * w)


@pytest.mark.backends("torch", "jax")  # the libraries that have half precision
@pytest.mark.parametrize("name", ["bfloat16", "float16"])
@pytest.mark.parametrize("shape", [(64, 48), (200, 32)], ids=str)
def test_polar_express_in_half_precision(backend, name, shape):
    w = matrix(np.random.default_rng(7), shape, "float32", 100.0)
    x = backend.asarray(w)
    rough = lc.polar_express(x, dtype=backend.dtype(name), finish=0)
    fine = lc.polar_express(x, dtype=backend.dtype(name))
    values = np.linalg.svd(backend.to_numpy(rough), compute_uv=False)
    assert np.abs(values - 1).max() < 0.15
    q = backend.to_numpy(fine)
    assert residual(q) < 1e-4
    assert largest(q) <= 1 + 8 * np.finfo("float32").eps
    assert np.linalg.norm(q - polar_factor(w), 2) < 1.0


def test_polar_express_ends_below_one():
    w = matrix(np.random.default_rng(8), (40, 40), "float64", 1e5)
    q = lc.polar_express(w, iterations=3, interval=(1e-3, 1.0))
    assert residual(q) > 0.1
    assert largest(q) <= 1 + 8 * np.finfo(float).eps


@pytest.mark.parametrize("shape", [(8, 8), (50, 7), (7, 50), (2, 9, 4)], ids=str)
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6])
def test_cholesky_qr(backend, shape, condition):
    w = matrix(np.random.default_rng(9), shape, "float32", condition)
    q = backend.to_numpy(lc.cholesky_qr(backend.asarray(w)))
    assert residual(q).max() < floor(q)
    wide = shape[-2] < shape[-1]
    tall = (lambda a: a.swapaxes(-1, -2)) if wide else (lambda a: a)
    r = tall(q).swapaxes(-1, -2).astype(float) @ tall(w)
    assert np.abs(np.tril(r, -1)).max() < 1e-5
    assert np.all(np.diagonal(r, axis1=-2, axis2=-1) > -1e-6)
    assert np.abs(tall(q) @ r - tall(w)).max() < 1e-5


def test_cholesky_qr_of_condition_1e14():
    q = lc.cholesky_qr(matrix(np.random.default_rng(10), (60, 20), "complex128", 1e14))
    assert residual(q) < floor(q.real)


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e8, 1e14])
def test_qdwh(condition):
    w = matrix(np.random.default_rng(11), (30, 20), "complex128", condition)
    q = lc.qdwh(w)
    assert residual(q) < floor(q.real)
    assert np.abs(q - polar_factor(w)).max() < 1e3 * condition * np.finfo(float).eps


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_cayley(backend, dtype):
    rng = np.random.default_rng(12)
    s = rng.standard_normal((3, 6, 6)) + (1j * rng.standard_normal((3, 6, 6)) if dtype == "complex64" else 0)
    s = s.astype(dtype)
    q = backend.to_numpy(lc.cayley(backend.asarray(s)))
    a = (s - s.conj().swapaxes(-1, -2)) / 2
    assert residual(q).max() < 1e-5
    assert np.abs((np.eye(6) + a) @ q - (np.eye(6) - a)).max() < 1e-5
    assert lc.cayley(backend.asarray(np.zeros((0, 0), "float32"))).shape == (0, 0)


@pytest.mark.parametrize("norm", [0.0, 1e-3, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_matrix_exp(backend, norm, dtype):
    import scipy.linalg

    rng = np.random.default_rng(13)
    s = rng.standard_normal((2, 5, 5)) + (1j * rng.standard_normal((2, 5, 5)) if dtype == "complex64" else 0)
    a = (s - s.conj().swapaxes(-1, -2)) / 2
    a = (norm * a / np.linalg.norm(a, 2, axis=(-2, -1), keepdims=True)).astype(dtype)
    q = backend.to_numpy(lc.matrix_exp(backend.asarray(a)))
    assert residual(q).max() < floor(q)
    wide = a.astype(np.result_type(dtype, np.float64))
    assert np.abs(q - scipy.linalg.expm(wide)).max() < 20 * max(norm, 1.0) * np.finfo("float32").eps


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 8), st.floats(-300, 8), st.integers(0, 1000))
def test_matrix_exp_in_double_precision(n, log_norm, seed):
    import scipy.linalg

    s = 10.0**log_norm * np.random.default_rng(seed).standard_normal((n, n))
    q = lc.matrix_exp(s)
    assert residual(q) < floor(q)
    if log_norm < 4:
        exact = scipy.linalg.expm((s - s.T) / 2)
        assert np.abs(q - exact).max() < 1e-13 * max(1.0, 10.0**log_norm) * n


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: lc.bjorck(w, iterations=-1), ValueError, "`iterations` must be an integer of at least 0"),
        (lambda w: lc.bjorck(w, beta=0.6), ValueError, r"`beta` must be in \(0, 0.5\]"),
        (lambda w: lc.bjorck(w, order=2, beta=0.4), ValueError, "for order=1 only"),
        (lambda w: lc.bjorck(w, order=0), ValueError, "`order` must be an integer of at least 1"),
        (lambda w: lc.newton_schulz(w, coefficients="best"), ValueError, "one of 'cubic', 'quintic', 'muon'"),
        (lambda w: lc.newton_schulz(w, coefficients=[1.5, -0.5]), ValueError, "one tuple of numbers per step"),
        (lambda w: lc.newton_schulz(w, coefficients=[]), ValueError, "at least one step"),
        (lambda w: lc.newton_schulz(w, form="small"), ValueError, "`form` must be"),
        (lambda w: lc.polar_express(w, interval=(0.0, 1.0)), ValueError, "`interval` must be"),
        (lambda w: lc.polar_express(w, interval=3), ValueError, "`interval` must be a pair"),
        (lambda w: lc.polar_express(w, degree=7), ValueError, "`degree` must be 3 or 5"),
        (lambda w: lc.polar_express(w, cushion=1.0), ValueError, "`cushion`"),
        (lambda w: lc.polar_express(w, safety=0.9), ValueError, "`safety`"),
        (lambda w: lc.polar_express(w, dtype=np.int8), TypeError, "`dtype` must be a floating dtype"),
        (lambda w: lc.polar_express(w, dtype=np.float16, form="gram"), ValueError, "diverges in half precision"),
        (lambda w: lc.qdwh(w, low=0.0), ValueError, "`low` must be in"),
        (lambda w: lc.qdwh(w, iterations=1.5), ValueError, "`iterations`"),
        (lambda w: lc.cayley(w[:1]), ValueError, "`S` must be square"),
        (lambda w: lc.matrix_exp(w, squarings=-1), ValueError, "`squarings`"),
        (lambda w: lc.matrix_exp(np.array([[0.0, np.inf], [0.0, 0.0]])), ValueError, "`S` must be finite"),
        (lambda w: lc.cholesky_qr(np.eye(2, dtype=int)), TypeError, "real or complex floating"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(np.eye(2))


# --- the polynomials ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.floats(1e-6, 0.9999), st.floats(1e-3, 1e3), st.sampled_from([3, 5]))
def test_best_polynomials_equioscillate(ratio, high, degree):
    """At (degree + 1) / 2 + 1 points in turn above and below 1 by the same error: no polynomial does better."""
    p, error = minimax.best(degree, ratio * high, high)
    x = np.linspace(ratio * high, high, 20001)
    off = minimax.value(p, x) - 1
    tight = 1e-12 + 2e-7 * error
    assert np.abs(off).max() <= error + tight + 1e-15
    peaks = np.sign(off[np.abs(off) >= error * (1 - 1e-4) - 1e-14])
    if error > 1e-9:
        assert np.count_nonzero(np.diff(peaks)) >= (degree + 1) // 2


def test_published_coefficients():
    """Table of Amsel et al. (2025), made with their cushion for the interval from 1e-3."""
    steps, _, _ = minimax.composition(1e-3, 1.0, (5,) * 8, 0.02407327424182761)
    assert steps[0] == pytest.approx((8.28721201814563, -23.595886519098837, 17.300387312530933), rel=1e-12)
    assert steps[4] == pytest.approx((2.300652019954817, -1.6689039845747493, 0.4188073119525673), rel=1e-9)
    assert steps[7] == pytest.approx((1.875, -1.25, 0.375))


@pytest.mark.parametrize("degrees", [(3,) * 6, (5,) * 5, (5, 3, 5, 3)])
@pytest.mark.parametrize("cushion", [0.0, 0.03])
def test_composition_knows_its_image(degrees, cushion):
    steps, bottom, top = minimax.composition(1e-2, 1.0, degrees, cushion)
    x = np.geomspace(1e-2, 1.0, 100001)
    for p in steps:
        x = minimax.value(p, x)
    assert x.min() == pytest.approx(bottom, rel=1e-6)
    assert x.max() == pytest.approx(top, rel=1e-6)


@pytest.mark.parametrize(("low", "products"), [(0.5, 8), (0.1, 12), (1e-2, 16), (1e-3, 21), (1e-4, 26)])
def test_half_of_the_products_of_bjorck(low, products):
    counts = [len(minimax.steps_needed(low, 1.0, degree, 1e-6)) * (degree + 1) // 2 for degree in (3, 5)]
    assert min(counts) == products
    x, bjorck = low, 0
    while 1 - x > 1e-6:
        x, bjorck = 1.5 * x - 0.5 * x**3, bjorck + 2
    assert products <= math.ceil(0.67 * bjorck)


def test_schedules_are_computed_once():
    minimax.composition.cache_clear()
    for _ in range(3):
        lc.polar_express(np.eye(3), iterations=4)
    assert minimax.composition.cache_info().misses == 1
