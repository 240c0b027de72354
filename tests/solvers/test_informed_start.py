"""Runs that start from what is known of the operator, and what they find beside it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import lipcore as lc
from lipcore import _backend as B
from lipcore.operators import Dense
from lipcore.solvers.scaling import RowProducts
from lipcore.solvers.start import best_combinations, leading_rows

SOLVER = sys.modules["lipcore.solvers.lanczos_svd"]  # the package has the function under that name
TOL = 2e-3


@pytest.fixture
def known(monkeypatch):
    """Calls of `leading_rows`, which knows convolutions of any size."""
    monkeypatch.setattr(sys.modules["lipcore.norms.wave_rows"], "_WORK", 0)
    calls = []

    def noted(operator, k):
        calls.append(k)
        return leading_rows(operator, k)

    monkeypatch.setattr(SOLVER, "leading_rows", noted)
    return calls


def convolution(backend=None, channels=(6, 6), dtype="float32", **options):
    kernel = np.random.default_rng(0).standard_normal((*channels, 3, 3)).astype(dtype)
    data = kernel if backend is None else backend.asarray(kernel)
    return lc.Convolution(data, (channels[1], 14, 14), **{"padding": 1, **options})


def assert_leading(result, A, k, tol=TOL):
    assert bool(B.to_numpy(result.converged))
    U, S, V = (B.to_numpy(x) for x in (result.U, result.S, result.Vh))
    dense = B.to_numpy(A.to_dense())
    exact = np.linalg.svd(dense, compute_uv=False)
    np.testing.assert_allclose(S, exact[:k], rtol=tol**2 * 20)
    assert np.max(np.linalg.norm(dense @ V.T.conj() - U * S, axis=0)) <= tol * exact[0]


@pytest.mark.parametrize("channels", [(6, 6), (4, 7), (7, 4)])
def test_the_leading_values_with_fewer_steps(backend, known, channels):
    if backend.native == "jax" and channels != (4, 7):
        pytest.skip("compilation for one shape is enough")
    A, k = convolution(backend, channels), 4
    result = lc.lanczos_svd(A, k, tol=TOL, rng=0)
    assert known == [k]
    assert_leading(result, A, k)
    if backend.native != "jax":  # compilation
        random = lc.lanczos_svd(A, k, tol=TOL, rng=0, block_size=1)
        assert result.iterations < random.iterations


@pytest.mark.parametrize("exponent", [-60, 50])
def test_at_any_scale(known, exponent):
    A = convolution()
    scaled = lc.Convolution(A.kernel * np.float32(2.0**exponent), A.input_shape, padding=1)
    result = lc.lanczos_svd(scaled, 3, tol=TOL, rng=0)
    assert known == [3]
    plain = lc.lanczos_svd(A, 3, tol=TOL, rng=0)
    np.testing.assert_allclose(result.S * 2.0**-exponent, plain.S, rtol=1e-6)


@pytest.mark.parametrize("options", [{"padding_mode": "circular"}, {"stride": 2}, {"groups": 2, "channels": (6, 3)}])
def test_other_convolutions(known, options):
    options = dict(options)
    channels = options.pop("channels", (6, 6))
    kernel = np.random.default_rng(2).standard_normal((*channels, 3, 3))
    A = lc.Convolution(kernel, (6, 14, 14), padding=1, **options)
    assert_leading(lc.lanczos_svd(A, 3, tol=TOL, rng=0), A, 3)
    assert known == [3]


@pytest.mark.parametrize("k", [1, 3])
def test_what_the_start_does_not_contain_is_found(monkeypatch, k):
    a = np.diag(np.r_[1.0, 0.97, 0.93, 0.9, np.linspace(0.5, 0, 196)])

    def misled(operator, count):
        rows = np.eye(200)[1 : count + 4] + 0.02 * np.random.default_rng(0).standard_normal((count + 3, 200))
        rows[:, 0] = 0
        return rows

    monkeypatch.setattr(SOLVER, "leading_rows", misled)
    result = lc.lanczos_svd(a, k, tol=TOL, rng=0)
    assert_leading(result, Dense(a), k)
    # and it is the random direction after the first claim that finds it
    assert result.history[0].values[0] < 0.98


@pytest.mark.parametrize(
    "options",
    [
        {"tol": 1e-3},
        {"v0": np.ones(6 * 14 * 14, dtype=np.float32)},
        {"block_size": 2},
        {"ncv": 8},
        {"sides": "one"},
        {"sides": "both"},
        {"which": "SM", "maxiter": 2},
        {"iterations": 4, "tol": None},
    ],
)
def test_what_the_caller_chooses_is_not_replaced(known, options):
    lc.lanczos_svd(convolution(), 2, rng=0, **{"tol": TOL, **options})
    assert not known


def test_best_combinations(backend):
    rng = np.random.default_rng(0)
    for name in backend.dtypes[-1:] if backend.native == "jax" else backend.dtypes:
        a = rng.standard_normal((30, 50))
        rows = rng.standard_normal((7, 50))
        rows[4:] = rows[:3] * 1e-3 + rows[1:4]  # of rank 4, and of all lengths
        if name.startswith("complex"):
            a, rows = a + 1j * rng.standard_normal((30, 50)), rows * np.exp(1j * rng.random((7, 1)))
        basis = np.linalg.svd(rows)[2][:4]
        _, S, Z = np.linalg.svd(a @ basis.T, full_matrices=False)
        for swap in (False, True):
            products = RowProducts(Dense(backend.asarray(a.astype(name))), swap=swap)
            for count, expected in ((2, 2), (6, 4)):
                best = B.to_numpy(best_combinations(products, backend.asarray(rows.astype(name)), count))
                assert best.shape == (expected, 30 if swap else 50)
                images = best if swap else best @ a.T
                found = np.linalg.norm(images, axis=1)
                np.testing.assert_allclose(found, S[:expected], rtol=1e-3)
                if not swap:
                    overlaps = np.abs(np.sum(best.conj() * (Z[:expected].conj() @ basis), axis=1))
                    np.testing.assert_allclose(overlaps, np.ones(expected), atol=1e-3)
