from __future__ import annotations

import numpy as np
import pytest
from parametrizations.construction_conformance import CASES, RTOL, gradient_by_jax, gradient_by_torch, parameters

from lipcore import _backend as B
from lipcore import parametrizations as P

EPS = {"float32": 2.0**-23, "float64": 2.0**-52}
# jax compiles every shape anew: one dense and one strided case of each construction
SEEN: dict[str, int] = {}
FEW = [
    case
    for case in CASES
    if len(case.shape) != 3 and SEEN.setdefault(f"{case.function}{len(case.shape)}", id(case)) == id(case)
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


@pytest.fixture(params=FEW, ids=lambda case: case.name)
def few(request):
    return request.param


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norm_is_at_most_one(case, dtype):
    for name, w in parameters(case.shape, dtype):
        constrained = case(w)
        assert constrained.shape == w.shape
        assert constrained.dtype == w.dtype
        assert np.all(np.isfinite(constrained)), name
        assert case.upper(constrained) <= 1 + case.slack * EPS[dtype] + 2 * RTOL, name


def test_on_images_under_every_padding(case):
    _, w = next(parameters(case.shape, "float64"))
    constrained = case(w)
    for mode in ("zeros", "circular", "none"):
        sigma = np.linalg.svd(case.operator(constrained, mode).to_dense(), compute_uv=False)
        assert sigma[0] <= 1 + 1e-12, mode
        if case.orthogonal and mode == "circular":
            assert sigma[-1] >= 1 - 1e-6
    if w.ndim > 2:  # for every size at once
        assert case.supremum(constrained) <= 1 + 3e-3


def test_scale_has_no_effect_at_the_ends(case):
    for dtype in ("float32", "float64"):
        found = {name: case(w) for name, w in parameters(case.shape, dtype)}
        if case.orthogonal:
            for name in ("random", "huge", "tiny"):
                dense = case.operator(found[name].astype(np.float64), "circular").to_dense()
                assert np.linalg.svd(dense, compute_uv=False)[-1] >= 1 - 1e-5, name


def test_same_on_every_backend(few, backend):
    name = [n for n in backend.dtypes if n.startswith("float")][-1]
    for kind, w in parameters(few.shape, name):
        there = few(backend.asarray(w))
        assert there.dtype == backend.dtype(name)
        assert B.device_of(there) == B.device_of(backend.asarray(w))
        here, tolerance = few(w), 2000 * EPS[name]
        if few.host:
            tolerance = max(tolerance, 1e-5)
        if kind in ("random", "huge", "tiny", "zero"):
            np.testing.assert_allclose(backend.to_numpy(there), here, rtol=0, atol=tolerance)
        assert np.all(np.isfinite(backend.to_numpy(there)))


# gradients exist in torch and JAX; difference quotients need double precision
@pytest.mark.backends("torch")
def test_gradient_in_torch(case, backend):
    check_gradient(case, gradient_by_torch)


@pytest.mark.backends("jax-x64")
def test_gradient_in_jax(few, backend):
    check_gradient(few, gradient_by_jax, kinds=("zero",), dtypes=("float64",))


KINDS = ("zero", "ones", "huge", "tiny", "rank one", "zero row and column")


def check_gradient(case, gradient, kinds=KINDS, dtypes=("float32", "float64")):
    rng = np.random.default_rng(1)
    weights = dict(parameters(case.shape, "float64"))
    cotangent = rng.standard_normal(case.shape)
    w = weights["random"]
    step = rng.standard_normal(case.shape)
    found = float(np.sum(gradient(case, w, cotangent) * step))
    h = 1e-5 if not case.host else 1e-4
    quotient = float(np.sum(cotangent * (case(w + h * step) - case(w - h * step))) / (2 * h))
    assert abs(found - quotient) <= (1e-6 if not case.host else 2e-3) * (1 + abs(quotient))
    for kind in kinds:
        for dtype in dtypes:
            assert np.all(np.isfinite(gradient(case, weights[kind].astype(dtype), cotangent.astype(dtype)))), kind


# only JAX has jit
@pytest.mark.backends("jax-x64")
def test_traces_under_jit(few, backend):
    import jax

    for kind, w in parameters(few.shape, "float64"):
        if kind in ("random", "zero"):
            traced = np.asarray(jax.jit(lambda w: few(w))(backend.asarray(w)))
            np.testing.assert_allclose(traced, few(w), rtol=0, atol=0.2 if few.host else 1e-9)
            assert few.upper(traced) <= 1 + 1e-12 + 2 * RTOL


# a training loop is torch's
@pytest.mark.backends("torch")
def test_hundreds_of_random_steps(case, backend):
    import torch

    generator = torch.Generator().manual_seed(0)
    w = torch.randn(case.shape, generator=generator, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        constrained = case(w)
        (constrained * torch.randn(case.shape, generator=generator)).sum().backward()
        assert bool(torch.isfinite(w.grad).all())
        optimizer.step()
    final = case(w).detach().numpy()
    assert np.all(np.isfinite(final))
    assert case.upper(final) <= 1 + case.slack * EPS["float32"]


def test_bad_input(few):
    w = np.ones(few.shape)
    with pytest.raises(TypeError, match="float32 or float64"):
        few(w.astype(np.float16))
    with pytest.raises(TypeError, match="float32 or float64"):
        few(w.astype(complex))
    with pytest.raises(ValueError, match="weight"):
        few(w.reshape(-1))
    with pytest.raises(TypeError, match="weight"):
        few([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.backends("torch")
@pytest.mark.parametrize("dilation", [1, 3])
def test_gradient_of_spectral_at_an_angle_of_no_symmetry(backend, dilation):
    """A kernel whose symbol is largest at about 1.2: at 0 and pi, where random ones are, a wrong angle is not seen."""
    torch = pytest.importorskip("torch")
    w = np.cos(1.2 * np.arange(5)) * np.array([[[1.0]], [[0.5]]]) + 0.1 * np.random.default_rng(0).standard_normal(5)
    function = lambda w: P.spectral(w, dilation=dilation, rtol=1e-9)  # noqa: E731
    assert torch.autograd.gradcheck(function, (torch.from_numpy(w).requires_grad_(),), atol=1e-5)
