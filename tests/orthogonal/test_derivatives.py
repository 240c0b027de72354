"""Derivatives of the polar factor against differences and the formula in the SVD's basis; those of the iterations."""

from __future__ import annotations

import numpy as np
import pytest
from orthogonal.matrices import matrix, polar_factor

import lipcore as lc
from lipcore import _backend as B

SHAPES = [(5, 5), (7, 3), (3, 7), (2, 4, 3), (1, 4, 3)]
pytestmark = pytest.mark.backends("torch", "jax-x64")  # the libraries that differentiate, in double precision


def gradient(backend, f, w, weights):
    """Of ``Re sum(conj(weights) f(w))``, as torch has it: the conjugate one."""
    if backend.native == "torch":
        x = backend.asarray(w).requires_grad_()
        (f(x) * backend.asarray(weights.conj())).real.sum().backward()
        return x.grad.numpy()
    import jax

    g = jax.grad(lambda x: (f(x) * weights.conj()).real.sum())(backend.asarray(w))
    return np.asarray(g).conj()


def by_differences(f, w, weights, step=1e-6):
    """Central differences of the same function of NumPy arrays."""
    result = np.zeros_like(w)
    for index in np.ndindex(w.shape):
        for direction in [1.0, 1j] if np.iscomplexobj(w) else [1.0]:
            d = np.zeros_like(w)
            d[index] = step * direction
            change = (weights.conj() * (f(w + d) - f(w - d))).real.sum() / (2 * step)
            result[index] += direction * change
    return result


def random_like(rng, shape, dtype):
    a = rng.standard_normal(shape)
    return a + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else a


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_adjoint_against_differences_of_the_svd(backend, shape, dtype):
    rng = np.random.default_rng(0)
    w = matrix(rng, shape, dtype, 5.0)
    weights = random_like(rng, shape, dtype)
    g = gradient(backend, lambda x: lc.orthogonalize(x, rng=0), w, weights)
    assert np.abs(g - by_differences(polar_factor, w, weights)).max() < 1e-7


def test_equal_singular_values(backend):
    """Where the SVD itself has no derivative, the polar factor has one."""
    rng = np.random.default_rng(1)
    w, weights = 2.0 * matrix(rng, (4, 4), "float64", 1.0), rng.standard_normal((4, 4))
    g = gradient(backend, lambda x: lc.orthogonalize(x, rng=0), w, weights)
    q = w / 2.0
    assert np.abs(g - q @ (q.T @ weights - weights.T @ q) / 4.0).max() < 1e-9


def test_scale_carries_through(backend):
    """Q does not depend on the scale of W, so its gradient is inverse to it."""
    rng = np.random.default_rng(2)
    w, weights = matrix(rng, (5, 3), "float64"), rng.standard_normal((5, 3))
    one = gradient(backend, lambda x: lc.orthogonalize(x, rng=0), w, weights)
    far = gradient(backend, lambda x: lc.orthogonalize(x, rng=0), 1e100 * w, weights)
    assert np.allclose(1e100 * far, one, rtol=1e-9, atol=1e-12)


def test_without_full_rank(backend):
    """No derivative exists, but nothing that is not a number comes out."""
    w = np.zeros((2, 4, 3))
    w[1, :, :2] = np.random.default_rng(3).standard_normal((4, 2))
    g = gradient(backend, lambda x: lc.orthogonalize(x, rng=0), w, np.ones((2, 4, 3)))
    assert np.all(np.isfinite(g))


@pytest.mark.parametrize("shape", [(4, 4), (5, 3)], ids=str)
def test_forward_mode_is_the_transpose(backend, shape):
    rng = np.random.default_rng(4)
    w, dw, weights = matrix(rng, shape, "float64"), rng.standard_normal(shape), rng.standard_normal(shape)
    f = lambda x: lc.orthogonalize(x, rng=0)  # noqa: E731
    if backend.native == "torch":
        import torch

        dq = torch.func.jvp(f, (backend.asarray(w),), (backend.asarray(dw),))[1]
    else:
        import jax

        dq = jax.jvp(f, (backend.asarray(w),), (backend.asarray(dw),))[1]
    pulled = gradient(backend, f, w, weights)
    assert np.sum(backend.to_numpy(dq) * weights) == pytest.approx(np.sum(dw * pulled), rel=1e-10)


def test_polar_h_carries_derivatives(backend):
    rng = np.random.default_rng(5)
    w, weights = matrix(rng, (5, 3), "float64"), rng.standard_normal((3, 3))
    weights = weights + weights.T

    def exact(x):
        _, s, vh = np.linalg.svd(x, full_matrices=False)
        return (vh.T * s) @ vh

    g = gradient(backend, lambda x: lc.polar(x, rng=0).H, w, weights)
    assert np.abs(g - by_differences(exact, w, weights)).max() < 1e-7


ITERATIONS = {
    "bjorck": lambda x: lc.bjorck(x, iterations=4, order=2),
    "newton_schulz": lambda x: lc.newton_schulz(x, iterations=3, coefficients="muon"),
    "newton_schulz gram": lambda x: lc.newton_schulz(x, iterations=5, form="gram"),
    "polar_express": lambda x: lc.polar_express(x, iterations=2, interval=(0.1, 1.0)),
    "cholesky_qr": lc.cholesky_qr,
    "qdwh": lambda x: lc.qdwh(x, iterations=2, low=0.2),
}


@pytest.mark.parametrize("name", ITERATIONS)
@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6)], ids=str)
def test_through_the_iteration(backend, name, shape):
    """Derivatives of what is computed, converged or not."""
    rng = np.random.default_rng(6)
    w, weights = matrix(rng, shape, "float64", 4.0), rng.standard_normal(shape)
    g = gradient(backend, ITERATIONS[name], w, weights)
    assert np.abs(g - by_differences(ITERATIONS[name], w, weights)).max() < 1e-7


def test_through_the_iteration_is_exact_once_converged(backend):
    rng = np.random.default_rng(7)
    w, weights = matrix(rng, (6, 4), "float64", 4.0), rng.standard_normal((6, 4))
    exact = gradient(backend, lambda x: lc.orthogonalize(x, rng=0), w, weights)
    through = gradient(backend, lambda x: lc.polar_express(x, interval=(0.05, 1.0)), w, weights)
    assert np.abs(exact - through).max() < 1e-9


@pytest.mark.parametrize("name", ["cayley", "matrix_exp"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_of_skew_matrices(backend, name, dtype):
    f = getattr(lc, name)
    rng = np.random.default_rng(8)
    s, weights = 0.8 * random_like(rng, (4, 4), dtype), random_like(rng, (4, 4), dtype)
    g = gradient(backend, f, s, weights)
    assert np.abs(g - by_differences(f, s, weights)).max() < 1e-7


@pytest.mark.backends("jax-x64")
def test_zero_has_finite_gradients_through_iterations(backend):
    for f in (lc.bjorck, lc.polar_express):
        assert np.all(np.isfinite(gradient(backend, f, np.zeros((3, 2)), np.ones((3, 2)))))


@pytest.mark.backends("torch")  # torch's own checks
def test_torch_second_derivative_vmap_and_jacobian(backend):
    import torch

    w = backend.asarray(matrix(np.random.default_rng(9), (4, 3), "float64", 3.0)).requires_grad_()
    f = lambda x: lc.orthogonalize(x, rng=0)  # noqa: E731
    assert torch.autograd.gradcheck(f, (w,))
    assert torch.autograd.gradgradcheck(f, (w,))
    jacobian = torch.func.jacrev(f)(w.detach())
    assert torch.allclose(jacobian, torch.autograd.functional.jacobian(f, w.detach()))
    stack = torch.stack([w.detach(), 2 * w.detach()])
    assert torch.allclose(torch.func.vmap(f)(stack), f(stack))
    # of one matrix, where neither a batch of cotangents nor a graph of the derivative can go to NumPy
    inner = torch.func.grad(lambda x: f(x).sin().sum())
    x = w.detach().requires_grad_()
    (expected,) = torch.autograd.grad(f(x).sin().sum(), x)
    assert torch.allclose(inner(w.detach()), expected)
    assert torch.allclose(torch.func.vmap(inner)(stack)[0], expected)


@pytest.mark.backends("jax-x64")
def test_jax_jit_vmap_and_jacobian(backend):
    import jax

    w = backend.asarray(matrix(np.random.default_rng(10), (4, 3), "float64", 3.0))
    f = lambda x: lc.orthogonalize(x, rng=0)  # noqa: E731
    eager = jax.jacrev(f)(w)
    assert np.allclose(eager, jax.jacfwd(f)(w), atol=1e-9)
    assert np.allclose(eager, jax.jit(jax.jacrev(f))(w), atol=1e-6)
    stack = w[None] * np.array([1.0, 2.0])[:, None, None]
    assert np.allclose(jax.vmap(f)(stack), f(stack), atol=1e-6)


def test_where_nothing_is_differentiated(backend):
    x = backend.asarray(np.eye(3))
    assert not B.is_differentiated(lc.orthogonalize(x))
