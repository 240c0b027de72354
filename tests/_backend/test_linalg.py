"""Dense kernels: Gram products, Cholesky without exceptions, triangular solves, row updates and loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from _backends import Backend

from lipcore import _backend as B


def _matrix(rng: np.random.Generator, shape: tuple[int, ...], name: str) -> np.ndarray:
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if name.startswith("complex") else a).astype(name)


@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3), (300, 200)])
def test_gram_is_hermitian_and_right(backend: Backend, shape: tuple[int, ...]) -> None:
    for name in backend.dtypes:
        a = _matrix(np.random.default_rng(0), shape, name)
        g = B.to_numpy(B.gram(backend.asarray(a)))
        tolerance = 4 * shape[-2] * np.finfo(name).eps
        np.testing.assert_allclose(g, np.swapaxes(a.conj(), -1, -2) @ a, rtol=tolerance, atol=tolerance * shape[-2])
        np.testing.assert_array_equal(g, np.swapaxes(g.conj(), -1, -2))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", ["float32", "float64", "complex64", "complex128"])
def test_gram_of_large_numpy_matrices_in_both_orders(order: str, name: str) -> None:
    a = np.asarray(_matrix(np.random.default_rng(1), (250, 210), name), order=order)
    g = B.gram(a)
    np.testing.assert_allclose(g, a.conj().T @ a, atol=1000 * np.finfo(name).eps * 250)


def test_cholesky_says_which_members_failed(backend: Backend) -> None:
    rng = np.random.default_rng(2)
    for name in backend.dtypes:
        a = _matrix(rng, (3, 4, 4), name)
        g = np.swapaxes(a.conj(), -1, -2) @ a + np.eye(4)
        g[1] -= 100 * np.eye(4)
        factor, ok = B.cholesky(backend.asarray(g.astype(name)))
        np.testing.assert_array_equal(B.to_numpy(ok), [True, False, True])
        lower = np.tril(B.to_numpy(factor))
        for i in (0, 2):
            np.testing.assert_allclose(lower[i] @ lower[i].conj().T, g[i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_triangular_solve(backend: Backend, adjoint: bool, batch: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    for name in backend.dtypes:
        lower = np.tril(_matrix(rng, (*batch, 4, 4), name)) + 4 * np.eye(4, dtype=name)
        x = _matrix(rng, (*batch, 4, 2), name)
        y = B.to_numpy(B.triangular_solve(backend.asarray(lower), backend.asarray(x), adjoint=adjoint))
        matrix = np.swapaxes(lower.conj(), -1, -2) if adjoint else lower
        np.testing.assert_allclose(matrix @ y, x, rtol=1e-4, atol=1e-4)


def test_rows_are_set_and_read(backend: Backend) -> None:
    xp = backend.xp
    basis = backend.asarray(np.zeros((2, 5, 3), np.float32))
    block = backend.asarray(np.ones((2, 2, 3), np.float32))
    basis = B.set_rows(basis, 1, block, xp=xp)
    np.testing.assert_array_equal(B.to_numpy(basis).sum(axis=-1)[0], [0, 3, 3, 0, 0])
    np.testing.assert_array_equal(B.to_numpy(B.get_rows(basis, 2, 2, xp=xp))[0], [[1, 1, 1], [0, 0, 0]])


def test_loop_counts(backend: Backend) -> None:
    x = backend.asarray(np.zeros((), np.float32))
    assert B.to_float(B.fori_loop(5, lambda i, s: s + 2, x, xp=backend.xp)) == 10


@pytest.mark.backends("torch", "jax", "jax-x64")  # the libraries that differentiate
def test_linearize_agrees_with_differences(backend: Backend) -> None:
    xp = backend.xp
    x = backend.asarray(np.linspace(0.1, 0.6, 6).reshape(2, 3).astype(np.float32))
    y, push, pull = B.linearize(lambda t: xp.sum(t**2, axis=-1), x, xp=xp)
    tangents = backend.asarray(np.random.default_rng(4).standard_normal((4, 2, 3)).astype(np.float32))
    cotangents = backend.asarray(np.random.default_rng(5).standard_normal((4, 2)).astype(np.float32))
    a, t, c = B.to_numpy(x), B.to_numpy(tangents), B.to_numpy(cotangents)
    np.testing.assert_allclose(B.to_numpy(y), (a**2).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(B.to_numpy(push(tangents)), (2 * a * t).sum(-1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(B.to_numpy(pull(cotangents)), 2 * a * c[..., None], rtol=1e-4, atol=1e-5)


def test_linearize_refuses_what_cannot_differentiate() -> None:
    import array_api_compat.numpy as xp

    assert not B.supports_autodiff(xp)
    with pytest.raises(TypeError, match="derivatives need torch or JAX"):
        B.linearize(lambda t: t, np.ones(2), xp=xp)


@pytest.mark.backends("numpy", "torch", "jax", "torch-cuda")  # the libraries with half precision
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("stack", [(), (3,), (2, 2)], ids=str)
def test_multiply_add_rounds_once(backend, name, stack):
    """The sum cancels to a thousandth of its terms, and keeps the digits of the dtype."""
    if not hasattr(backend.xp, name):
        pytest.skip("the library has no such dtype")
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.standard_normal((*stack, 32, 32)))[0]
    a = backend.xp.astype(backend.asarray(q), backend.dtype(name))
    exact = backend.to_numpy(backend.xp.astype(a, backend.dtype("float32"))).astype(float)
    eye = backend.xp.astype(backend.asarray(np.eye(32)), backend.dtype(name))
    exact = 0.5 * np.swapaxes(exact, -1, -2) @ exact
    unit = B.eps(backend.xp, a.dtype)
    for c, beta, expected in ((None, 1.0, exact), (eye, -0.5, exact - 0.5 * np.eye(32))):
        found = B.multiply_add(B.adjoint(a), a, c, alpha=0.5, beta=beta)
        assert found.dtype == a.dtype
        found = backend.to_numpy(backend.xp.astype(found, backend.dtype("float32")))
        assert np.all(np.abs(found - expected) <= unit * np.abs(expected) + 1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_thin_products_in_parts(backend: Backend, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if backend.native == "torch":
        import torch

        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    elif threads > 1:
        pytest.skip("torch's threads")
    rng = np.random.default_rng(3)
    for name, long in itertools.product(backend.dtypes, (1 << 16, 70_000, 65_537)):
        V = _matrix(rng, (5, long), name)
        for rows in (1, 12):
            x, y = _matrix(rng, (rows, 5), name), _matrix(rng, (rows, long), name)
            tolerance = {"rtol": 0, "atol": 1e5 * np.finfo(name).eps}
            found = B.thin_product(backend.asarray(x), backend.asarray(V))
            np.testing.assert_allclose(B.to_numpy(found), x @ V, **tolerance)
            found = B.thin_product(backend.asarray(y), B.transpose(backend.asarray(V)))
            np.testing.assert_allclose(B.to_numpy(found), y @ V.T, **tolerance)
