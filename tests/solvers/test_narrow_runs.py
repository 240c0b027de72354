"""Runs on a copy in narrower numbers, judged by products in the operator's own."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import lipcore as lc
from lipcore import _backend as B
from lipcore.operators.narrowed import narrowed
from lipcore.solvers.extraction import refined
from lipcore.solvers.scaling import RowProducts

SOLVER = sys.modules["lipcore.solvers.lanczos_svd"]  # the package has the function under that name
TOL = 1e-4


def matrix(dtype="float64", m=800, n=700):
    """Values 1, 0.97, 0.94, ... above a Gaussian floor."""
    rng = np.random.default_rng(0)

    def draw(*shape):
        a = rng.standard_normal(shape)
        return (a + 1j * rng.standard_normal(shape)).astype(dtype) if dtype.startswith("complex") else a

    u, v = np.linalg.qr(draw(m, 20))[0], np.linalg.qr(draw(n, 20))[0]
    return ((u * (1 - 0.03 * np.arange(20))) @ v.conj().T + 0.004 * draw(m, n)).astype(dtype)


def assert_triplets(result, a, k, tol):
    """As good as promised, in the precision of the matrix."""
    U, S, V = (B.to_numpy(x) for x in (result.U, result.S, result.Vh))
    exact = np.linalg.svd(a, compute_uv=False)
    assert U.dtype == V.dtype == a.dtype
    np.testing.assert_allclose(S, exact[:k], rtol=max(50 * tol**2, 1e-13))
    assert np.all(exact[:k] * (1 + 1e-11) >= S)  # Rayleigh quotients of orthonormal vectors
    for Q in (U.T.conj(), V):
        np.testing.assert_allclose(Q @ Q.conj().T, np.eye(k), rtol=0, atol=1e-11)  # a square of single precision's
    forward, backward = a @ V.conj().T - U * S, a.conj().T @ U - V.conj().T * S
    assert np.max(np.hypot(*(np.linalg.norm(r, axis=0) for r in (forward, backward)))) <= tol * exact[0]


def test_steps_are_narrow_and_results_are_not(backend, products):
    for dtype in ("float64", "complex128")[: 1 if backend.native == "jax" else 2]:  # JAX compiles for each
        if dtype not in backend.dtypes:
            continue
        products.clear()
        a = matrix(dtype)
        result = lc.lanczos_svd(backend.asarray(a), 4, tol=TOL, rng=0)
        assert bool(B.to_numpy(result.converged))
        assert_triplets(result, a, 4, TOL)
        narrow = {"float64": "float32", "complex128": "complex64"}[dtype]
        assert products.pop(dtype) == 16  # one step, and the two-sided residuals
        assert products[narrow] > 40
        assert result.matvecs == products[narrow] + 16


def test_one_step_takes_away_what_narrower_numbers_have_spoilt():
    a = matrix()
    exact = np.linalg.svd(a)
    noise = 1e-3 * np.random.default_rng(1).standard_normal((4, 700)) / np.sqrt(700)
    V = np.linalg.qr((exact[2][:4] + noise).T)[0].T
    products = RowProducts(lc.Dense(a))
    found, images = refined(products, V)
    assert (products.forward, products.backward) == (8, 4)
    np.testing.assert_allclose(found @ found.T, np.eye(4), atol=1e-13)
    np.testing.assert_allclose(images, found @ a.T, atol=1e-13)
    before, after = (np.linalg.norm(x @ a.T, axis=1) / exact[1][:4] - 1 for x in (V, found))
    assert np.all(np.abs(after) < 0.1 * np.abs(before))


def test_wide_and_tall_and_with_a_start(products):
    a = matrix()
    v = np.linalg.svd(a, full_matrices=False)[2]
    tall, wide = lc.lanczos_svd(a, 2, tol=TOL, rng=0), lc.lanczos_svd(a.T, 2, tol=TOL, rng=0)
    assert_triplets(wide, a.T, 2, TOL)
    products.clear()
    started = lc.lanczos_svd(a, 2, tol=TOL, rng=0, v0=v[0])
    assert_triplets(started, a, 2, TOL)
    assert set(products) == {"float32", "float64"}
    np.testing.assert_allclose(wide.S, tall.S, rtol=1e-7)


@pytest.mark.parametrize("exponent", [-38, 45])
def test_at_scales_where_single_precision_needs_scaling(exponent, products):
    a = matrix() * 2.0**exponent
    result = lc.lanczos_svd(a, 3, tol=TOL, rng=0)
    assert products["float64"] == 12
    assert_triplets(result, a, 3, TOL)


@pytest.mark.parametrize("options", [{"tol": 1e-6}, {"sides": "one"}, {"sides": "both"}, {"which": "SM", "maxiter": 3}])
def test_what_asks_for_more_stays_in_its_own_numbers(options, products):
    lc.lanczos_svd(matrix(), 2, rng=0, **{"tol": TOL, **options})
    assert set(products) == {"float64"}


def test_a_copy_that_is_too_far_off_is_found_out(monkeypatch, products):
    a = matrix()

    def off(A, accuracy):
        low = narrowed(A, accuracy)
        return low and lc.Dense(low.array + np.float32(1e-4) * np.sign(low.array))

    monkeypatch.setattr(SOLVER, "narrowed", off)
    result = lc.lanczos_svd(a, 4, tol=TOL, rng=0)
    assert result.reason == "converged"
    assert bool(result.converged)
    assert_triplets(result, a, 4, TOL)
    assert products["float32"] > 40
    assert products["float64"] > 40


def test_the_limit_of_steps_holds(products):
    result = lc.lanczos_svd(matrix(), 4, tol=TOL, rng=0, maxiter=6)
    assert result.reason == "maxiter"
    assert not result.converged
    assert products == {"float32": 13, "float64": 16}
    with pytest.raises(lc.ConvergenceError):
        lc.svds(matrix(), 4, tol=TOL, rng=0, maxiter=6)


@pytest.mark.backends("torch")
def test_bfloat16_steps_of_a_convolution(backend, monkeypatch, products):
    monkeypatch.setattr(B, "has_native_bfloat16", lambda xp, device: True)
    kernel = np.random.default_rng(1).standard_normal((64, 64, 3, 3)).astype("float32")
    A = lc.Convolution(backend.asarray(kernel), (64, 64, 64), padding=1)
    exact = lc.lanczos_svd(A, 3, tol=1e-4, rng=0)
    assert set(products) == {"float32"}
    products.clear()
    for seed in range(2):
        result = lc.lanczos_svd(A, 3, tol=3e-3, rng=seed)
        assert result.reason == "converged"
        assert np.all(B.to_numpy(result.residuals) <= 3e-3 * B.to_numpy(result.S)[0])
        np.testing.assert_allclose(B.to_numpy(result.S), B.to_numpy(exact.S), rtol=2e-5)
    assert products["bfloat16"] > 100
    assert products["float32"] == 24
