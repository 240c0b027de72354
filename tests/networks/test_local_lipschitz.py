from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

import lipcore as lc
from lipcore import _backend as B
from lipcore import layers as L
from lipcore.layers.host_twin import host_twin


def _network(backend, rng, inputs=6, hidden=9, outputs=4):
    first, second = rng.standard_normal((hidden, inputs)), rng.standard_normal((outputs, hidden))
    net = L.Sequential(L.Dense(backend.asarray(first)), L.Tanh(), L.Dense(backend.asarray(second)))
    return net, lambda x: second @ (np.cosh(first @ x)[:, None] ** -2 * first)


def _image_network(backend, rng):
    kernel, matrix = rng.standard_normal((4, 2, 3, 3)), rng.standard_normal((3, 64))
    dense = L.Dense(backend.asarray(matrix), backend.asarray(np.ones(3)))
    branch = L.Residual(L.Sequential(L.AvgPool(1), L.Tanh()))
    return L.Sequential(
        L.Convolution(backend.asarray(kernel), stride=2, padding=1), L.LeakyReLU(0.1), branch, L.Flatten(), dense
    )


@pytest.mark.backends("torch", "jax-x64")  # the libraries whose arrays may lie in the host's memory
def test_layers_have_twins_on_numpy(backend):
    import array_api_compat.numpy

    numpy = type(backend)("numpy", "numpy", array_api_compat.numpy)
    x = np.random.default_rng(7).standard_normal((70, 2, 8, 8))
    here = _image_network(backend, np.random.default_rng(6))
    same = _image_network(numpy, np.random.default_rng(6))
    twin = host_twin(here, backend.asarray(x))
    np.testing.assert_allclose(twin.layer(twin.x), same(x), rtol=1e-13)
    assert isinstance(twin.layer.jacobian(twin.x[:1]).to_dense(), np.ndarray)
    bounds, expected = lc.local_lipschitz(here, backend.asarray(x)), lc.local_lipschitz(same, x)
    np.testing.assert_allclose(bounds.upper, expected.upper, rtol=1e-12)
    assert bounds.kind == expected.kind == "analytic"


@pytest.mark.parametrize("foreign", [False, True])
def test_layers_from_elsewhere_stay_in_one_thread(monkeypatch, foreign):
    class Counted(L.Tanh):
        def _value(self, xp, x):
            threads.add(threading.get_ident())
            return super()._value(xp, x)

    threads, calls = set(), []
    threaded = B.map_in_threads
    monkeypatch.setattr(B, "map_in_threads", lambda f, items: calls.append(len(items)) or threaded(f, items))
    rng = np.random.default_rng(9)
    last = L.Dense(rng.standard_normal((3, 20)))
    net = L.Sequential(Counted() if foreign else L.Tanh(), last)
    x = rng.standard_normal((70, 20))
    monkeypatch.setattr(sys.modules["lipcore.networks.local_lipschitz"], "_CACHE", 1)
    bounds = lc.local_lipschitz(net, x)
    exact = [np.linalg.norm(last.weight * np.cosh(p) ** -2, 2) for p in x]
    np.testing.assert_allclose(bounds.upper, exact, rtol=1e-10)
    assert calls == ([] if foreign else [2])
    assert threads == ({threading.get_ident()} if foreign else set())


@pytest.mark.backends("torch", "jax")
def test_what_may_call_its_own_library_has_no_twin(backend):
    class Scaled(L.Tanh):
        def _value(self, xp, x):
            assert xp.__name__ == backend.xp.__name__
            return super()._value(xp, x)

    x = backend.asarray(np.linspace(-1, 1, 140).reshape(70, 2))
    assert host_twin(L.Sequential(L.Tanh(), Scaled()), x) is None
    assert lc.local_lipschitz(L.Sequential(L.Tanh(), Scaled()), x).batch_shape == (70,)
    assert host_twin(L.Tanh(), B.cast(x, getattr(backend.xp, "bfloat16", None) or "bfloat16")) is None


@pytest.mark.parametrize("ord", [1, 2, np.inf])
@pytest.mark.parametrize("samples", [1, 3, 70])
def test_every_sample_has_the_norm_of_its_own_jacobian(backend, ord, samples):
    rng = np.random.default_rng(0)
    net, jacobian = _network(backend, rng)
    x = rng.standard_normal((samples, 6))
    bounds = lc.local_lipschitz(net, backend.asarray(x), ord=ord)
    exact = np.array([np.linalg.norm(jacobian(point), ord) for point in x])
    tolerance = 1e-5 if backend.name in ("jax", "strict-no_float64") else 1e-10
    assert bounds.batch_shape == (samples,)
    assert bounds.kind == "analytic"
    np.testing.assert_allclose(bounds.lower, exact, rtol=tolerance)
    np.testing.assert_allclose(bounds.upper, exact, rtol=tolerance)


def test_one_scalar_output_gives_the_dual_norm_of_its_gradient(backend):
    rng = np.random.default_rng(1)
    net, jacobian = _network(backend, rng, outputs=1)
    x = rng.standard_normal((2, 6))
    for ord, dual in ((1, np.inf), (2, 2), (np.inf, 1)):
        bounds = lc.local_lipschitz(net, backend.asarray(x), ord=ord)
        np.testing.assert_allclose(bounds.upper, [np.linalg.norm(jacobian(p)[0], dual) for p in x], rtol=1e-5)


@pytest.mark.backends("numpy", "torch")  # large enough not to be written down, which is slow to compile on JAX
def test_many_inputs_and_outputs_are_solved_together(backend):
    rng = np.random.default_rng(2)
    weight = rng.standard_normal((300, 280)) / 17
    net = L.Sequential(L.Dense(backend.asarray(weight)), L.Tanh())
    x = rng.standard_normal((3, 280))
    exact = [np.linalg.norm(np.cosh(weight @ p)[:, None] ** -2 * weight, 2) for p in x]
    bounds = lc.local_lipschitz(net, backend.asarray(x), rng=0)
    assert bounds.kind == "probabilistic"
    assert np.all(bounds.lower <= np.array(exact) * (1 + 1e-12))
    assert np.all(bounds.upper >= exact)
    estimate = lc.local_lipschitz(net, backend.asarray(x), kind="estimate", rng=0)
    np.testing.assert_allclose(estimate.lower, exact, rtol=2e-3)
    rough = lc.local_lipschitz(net, backend.asarray(x), ord=1, rng=0)
    assert rough.kind == "estimate"
    columns = [np.max(np.sum(np.abs(np.cosh(weight @ p)[:, None] ** -2 * weight), axis=0)) for p in x]
    np.testing.assert_allclose(rough.lower, columns, rtol=0.2)


def test_a_linear_layer_keeps_its_certificate(backend):
    weight = np.random.default_rng(3).standard_normal((4, 3))
    bounds = lc.local_lipschitz(L.Dense(backend.asarray(weight)), backend.asarray(np.ones((5, 3))))
    assert bounds.kind == "rigorous"
    assert bounds.batch_shape == (5,)


@pytest.mark.backends("torch", "torch-cuda", "jax", "jax-x64")  # the libraries that differentiate
def test_functions_agree_with_layers(backend):
    rng = np.random.default_rng(4)
    weight = rng.standard_normal((4, 6))
    x, w = backend.asarray(rng.standard_normal((5, 6))), backend.asarray(weight)
    expected = lc.local_lipschitz(L.Sequential(L.Dense(w), L.Tanh()), x)
    bounds = lc.local_lipschitz(lambda v: backend.xp.tanh(v @ backend.xp.permute_dims(w, (1, 0))), x)
    np.testing.assert_allclose(bounds.upper, expected.upper, rtol=1e-5)


@pytest.mark.backends("torch", "jax")
def test_a_function_that_mixes_samples_is_refused(backend):
    x = backend.asarray(np.random.default_rng(5).standard_normal((4, 3)))
    with pytest.raises(ValueError, match="mixes samples"):
        lc.local_lipschitz(lambda v: v - backend.xp.mean(v, axis=0, keepdims=True), x)
    with pytest.raises(ValueError, match="must map 4 samples"):
        lc.local_lipschitz(lambda v: v[:2], x)


@pytest.mark.backends("torch")
def test_batch_normalisation_in_training_mode_is_refused(backend):
    import torch

    linear, x = torch.nn.Linear(3, 3), torch.ones((4, 3), dtype=torch.float64) * torch.arange(4.0)[:, None]
    # torch itself refuses to differentiate one that updates its running statistics
    batch_wise = torch.nn.Sequential(linear, torch.nn.BatchNorm1d(3, track_running_stats=False)).double()
    with pytest.raises(ValueError, match="mixes samples"):
        lc.local_lipschitz(batch_wise, x)
    evaluated = torch.nn.Sequential(linear, torch.nn.BatchNorm1d(3)).double().eval()
    assert lc.local_lipschitz(evaluated, x).batch_shape == (4,)


def test_claims_that_can_fail_are_made_once_for_all_samples():
    rng = np.random.default_rng(8)
    weight = rng.standard_normal((200, 2000)) / 45  # few outputs, but too many numbers to write down for all samples
    x = rng.standard_normal((66, 2000))
    net = L.Sequential(L.Dense(weight), L.Tanh())
    bounds = lc.local_lipschitz(net, x, rtol=0.1, rng=0)
    assert bounds.kind == "probabilistic"
    assert bounds.failure_probability == 1e-9
    exact = [np.linalg.norm(np.cosh(weight @ p)[:, None] ** -2 * weight, 2) for p in x[::13]]
    assert np.all(bounds.lower[::13] <= np.array(exact) * (1 + 1e-12))
    assert np.all(bounds.upper[::13] >= exact)


def test_bad_input():
    with pytest.raises(TypeError, match="`x` must be"):
        lc.local_lipschitz(L.Tanh(), [[1.0]])
    with pytest.raises(ValueError, match="at least one sample"):
        lc.local_lipschitz(L.Tanh(), np.ones((0, 3)))
    with pytest.raises(TypeError, match="`f` must be a layer"):
        lc.local_lipschitz(3, np.ones((2, 2)))
    with pytest.raises(TypeError, match="must be a torch or JAX array"):
        lc.local_lipschitz(np.tanh, np.ones((2, 2)))
    with pytest.raises(ValueError, match="`ord` must be"):
        lc.local_lipschitz(L.Tanh(), np.ones((2, 2)), ord=3)
