from __future__ import annotations

import sys

import numpy as np
import pytest

import lipcore as lc
from lipcore import _backend as B
from lipcore.operators.host_twin import host_twin, may_be_differentiated

SHAPES = {"wq": (8, 5), "wk": (4, 5), "wv": (4, 5), "wo": (5, 8)}


def layers(backend, dtype="float32"):
    """Layers whose Jacobians between them are made of every operator that has a twin."""
    rng = np.random.default_rng(0)
    w = {name: backend.asarray(rng.standard_normal(shape).astype(dtype)) for name, shape in SHAPES.items()}
    gain = backend.asarray(np.linspace(0.5, 1.5, 4).astype(dtype))
    norm = lc.layers.QKNorm("rms", 0.1, gain, None)
    yield lc.layers.MultiHeadAttention(**w, num_heads=2, num_kv_heads=1, causal=True)
    yield lc.layers.MultiHeadAttention(**w, num_heads=2, num_kv_heads=1, qk_norm=norm, rotary=lc.layers.Rotary())
    yield lc.layers.MultiHeadAttention(**w, num_heads=2, num_kv_heads=1, softcap=1.0, block_size=2)
    yield lc.layers.L2Attention(w["wk"], w["wv"], num_heads=2)
    yield lc.layers.CosineAttention(w["wk"], w["wk"], w["wv"], num_heads=2, nu=2.0)


def tokens(backend, dtype="float32"):
    return backend.asarray(np.random.default_rng(1).standard_normal((2, 6, 5)).astype(dtype))


# the libraries whose arrays may lie in the host's memory
@pytest.mark.backends("torch", "jax")
def test_products_are_the_same(backend):
    x = tokens(backend)
    several = layers(backend)
    for layer in [next(several)] if backend.native == "jax" else several:  # JAX compiles each step of each anew
        J = layer.jacobian(x)
        twin, differentiated = host_twin(J)
        assert not differentiated
        assert (twin.shape, B.dtype_name(twin.dtype)) == (J.shape, "float32")
        for n, name in ((J.shape[-1], "matvec"), (J.shape[-2], "rmatvec")):
            v = np.random.default_rng(2).standard_normal((2, n)).astype(np.float32)
            found = getattr(twin, name)(v)
            assert isinstance(found, np.ndarray)
            expected = B.to_numpy(getattr(J, name)(backend.asarray(v)))
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.max(np.abs(expected)))


# as above
@pytest.mark.backends("torch", "jax")
def test_norms_run_on_the_twin_and_come_back(backend, monkeypatch):
    x, layer = tokens(backend), next(layers(backend))
    seen = []
    module = sys.modules["lipcore.norms.opnorm"]  # the package has the function under that name
    run = module.leading_run
    monkeypatch.setattr(module, "leading_run", lambda A, **options: seen.append(A.xp) or run(A, **options))
    norms = lc.opnorm(layer.jacobian(x), rng=0)
    assert [B.is_numpy(xp) for xp in seen] == [True]
    assert norms.dtype == x.dtype
    assert B.device_of(norms) == B.device_of(x)
    dense = B.to_numpy(layer.jacobian(x).to_dense())
    np.testing.assert_allclose(B.to_numpy(norms), np.linalg.norm(dense, 2, axis=(1, 2)), rtol=1e-5)


# torch can say what is differentiated without tracing
@pytest.mark.backends("torch")
def test_derivatives_go_through_the_original(backend):
    x = tokens(backend, "float64")
    layer = next(layers(backend, "float64"))
    leaf = x.clone().requires_grad_()
    J = layer.jacobian(leaf)
    assert host_twin(J).differentiated
    lc.opnorm(J, rtol=1e-12, rng=0).sum().backward()
    step = backend.asarray(np.random.default_rng(3).standard_normal(x.shape))
    ends = [lc.opnorm(layer.jacobian(x + t * step), rtol=1e-12, rng=0).sum() for t in (1e-5, -1e-5)]
    quotient = float(ends[0] - ends[1]) / 2e-5
    assert float((leaf.grad * step).sum()) == pytest.approx(quotient, rel=1e-5)


def test_no_twin_where_nothing_is_gained(backend):
    x = tokens(backend)
    J = next(layers(backend)).jacobian(x)
    if backend.native in ("numpy", "strict"):
        assert host_twin(J) is None
    assert host_twin(lc.Diagonal(x)) is None
    inner = lc.Identity(J.shape[-1], dtype=J.dtype, xp=J.xp, device=J.device)
    unknown = lc.LinearOperator(inner.shape, lambda v: v, lambda v: v, dtype=J.dtype, xp=J.xp, device=J.device)
    assert host_twin(J @ unknown) is None


# the formats that NumPy lacks, and arrays without values
@pytest.mark.backends("torch")
def test_no_twin_of_half_precision(backend):
    q = backend.xp.astype(tokens(backend), backend.xp.bfloat16)
    assert host_twin(lc.AttentionJacobian(q, q, q)) is None
    kernel = backend.xp.ones((2, 1, 3, 3), dtype=backend.xp.bfloat16)
    conv = lc.Convolution(kernel, (1, 6, 6))
    assert host_twin(conv) is None
    assert abs(float(lc.opnorm(conv)) / float(lc.opnorm(lc.Convolution(np.ones((2, 1, 3, 3)), (1, 6, 6)))) - 1) < 1e-2


# only JAX has jit
@pytest.mark.backends("jax")
def test_no_twin_of_traced_arrays(backend):
    import jax

    found = []
    jax.jit(lambda q: found.append(host_twin(lc.AttentionJacobian(q, q, q))) or q)(tokens(backend))
    assert found == [None]


# torch can say what is differentiated without tracing
@pytest.mark.backends("torch")
def test_operators_that_may_be_differentiated(backend):
    import torch

    kernel = backend.asarray(np.ones((2, 2, 3), dtype=np.float32))
    seen = []

    def norm(k):
        operator = lc.Convolution(k, (2, 9), padding=1)
        seen.append(may_be_differentiated(2.0 * operator.adjoint() @ operator))
        return torch.sum(k)

    norm(kernel)
    norm(kernel.clone().requires_grad_())
    with torch.no_grad():
        norm(kernel.clone().requires_grad_())
    torch.func.grad(norm)(kernel)
    torch.func.jvp(norm, (kernel,), (kernel,))
    with torch.autograd.forward_ad.dual_level():
        norm(torch.autograd.forward_ad.make_dual(kernel, kernel))
    assert seen == [False, True, False, True, True, True]
    own = lc.LinearOperator((3, 3), lambda x: x, lambda x: x, dtype=kernel.dtype, xp=lc.Convolution(kernel, (2, 9)).xp)
    assert may_be_differentiated(own)  # nobody can see what its functions use
