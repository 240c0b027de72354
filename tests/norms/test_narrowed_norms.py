from __future__ import annotations

import numpy as np
import pytest

import lipcore as lc
from lipcore.operators.narrowed import narrowed

SHAPES = [(900, 600), (600, 900)]


def matrix(shape, dtype="float64", scale=1.0):
    rng = np.random.default_rng(0)
    a = rng.standard_normal(shape)
    return ((a + 1j * rng.standard_normal(shape) if dtype == "complex128" else a) * scale).astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("shape", SHAPES)
def test_few_products_are_in_double_precision(products, shape, dtype):
    a = matrix(shape, dtype)
    exact = np.linalg.norm(a, 2)
    assert abs(float(lc.opnorm(a, rtol=1e-6)) / exact - 1) < 1e-6
    narrow = "float32" if dtype == "float64" else "complex64"
    assert products[narrow] > 40
    assert products[dtype] <= 8
    # the rest, where more is wanted than single precision knows, is done in double precision
    assert abs(float(lc.opnorm(a, rtol=1e-12)) / exact - 1) < 1e-12


def test_the_claim_of_a_random_start_needs_double_precision(products):
    bounds = lc.opnorm_bounds(matrix((900, 600)), kind="probabilistic", rtol=1e-2, rng=0)
    assert bounds.kind == "probabilistic"
    assert "float32" not in products


@pytest.mark.parametrize("scale", [1e-200, 1e-20, 1e20, 1e200])
def test_scales_that_single_precision_does_not_hold(products, scale):
    a = matrix((900, 600))
    assert abs(float(lc.opnorm(a * scale, rtol=1e-6)) / scale / float(lc.opnorm(a, rtol=1e-9)) - 1) < 1e-6
    assert narrowed(lc.Dense(a * scale), 1e-5) is None


def test_rows_that_sum_to_zero(products):
    a = matrix((900, 600))
    a[:, 1::2] = -a[:, ::2]
    assert abs(float(lc.opnorm(a, rtol=1e-6)) / np.linalg.norm(a, 2) - 1) < 1e-6
    assert "float32" in products
    a[:, :2] *= 1e40  # beyond single precision, and cancelling in sums over rows
    assert abs(float(lc.opnorm(a, rtol=1e-6)) / np.linalg.norm(a, 2) - 1) < 1e-6


def test_clusters_and_rank_one(products):
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.standard_normal((900, 600)))[0] for _ in range(2))
    clustered = (u[:, :600] * np.clip(1 - 1e-3 * np.arange(600), 0.3, 1)) @ v[:600].T
    exact = np.linalg.norm(clustered, 2)
    assert abs(float(lc.opnorm(clustered, rtol=1e-6)) / exact - 1) < 1e-6
    one = np.outer(u[:, 0], v[:600, 0]) * 3
    assert abs(float(lc.opnorm(one, rtol=1e-10)) - np.linalg.norm(one, 2)) < 1e-9
    assert float(lc.opnorm(np.zeros((900, 600)))) == 0.0


def test_products_count_against_maxiter():
    a = matrix((900, 600))
    with pytest.raises(lc.ConvergenceError):
        lc.opnorm(a, rtol=1e-6, maxiter=6)
    assert lc.opnorm_bounds(a, kind="estimate", rtol=1e-14, maxiter=30).matvecs <= 60


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_entries_that_are_not_finite(bad):
    a = matrix((900, 600))
    a[3, 4] = bad
    with pytest.raises(ValueError, match="finite"):
        lc.opnorm(a)


@pytest.mark.backends("torch", "jax-x64", "strict")
def test_other_libraries(backend, products):
    a = matrix((900, 600))
    assert abs(float(backend.to_numpy(lc.opnorm(backend.asarray(a), rtol=1e-6))) / np.linalg.norm(a, 2) - 1) < 1e-6
    assert "float32" in products


CONVOLUTIONS = [
    lambda k: lc.Convolution(k, (16, 50, 50), padding=1),
    lambda k: lc.Convolution(k, (16, 50, 50), padding=1, padding_mode="circular").H,
    lambda k: lc.ConvolutionTranspose(k, (16, 50, 50), stride=2),
    lambda k: lc.Convolution(k[:8, ...], (16, 64, 64)),
]


# JAX would compile every step of each
@pytest.mark.backends("numpy", "torch", "strict")
@pytest.mark.parametrize("make", CONVOLUTIONS)
def test_few_products_with_convolutions_are_in_double_precision(backend, make, products):
    if "float64" not in backend.dtypes:
        pytest.skip("no double precision")
    A = make(backend.asarray(matrix((16, 16 * 9)).reshape(16, 16, 3, 3)))
    value = float(backend.to_numpy(lc.opnorm(A, rtol=1e-6, rng=0)))
    assert products["float32"] >= 8
    assert products["float64"] <= 8
    # a start of one's own is not of the copy, and neither is a claim of a random one
    products.clear()
    v0 = backend.asarray(matrix((A.shape[-1],)))
    exact = float(backend.to_numpy(lc.opnorm(A, rtol=1e-8, rng=0, v0=v0)))
    assert set(products) == {"float64"}
    assert abs(value / exact - 1) < 1e-6


@pytest.mark.backends("torch")
def test_derivatives_are_those_of_double_precision(backend):
    import torch

    k = torch.from_numpy(matrix((16, 16 * 9)).reshape(16, 16, 3, 3)).requires_grad_()
    norm = lc.opnorm(lc.Convolution(k, (16, 50, 50), padding=1), rtol=1e-10, rng=0)
    norm.backward()
    assert k.grad.dtype == torch.float64
    assert abs(float(torch.sum(k.grad * k.detach())) / float(norm.detach()) - 1) < 1e-9  # Euler's identity for a norm
