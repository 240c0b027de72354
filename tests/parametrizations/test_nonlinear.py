"""Layers that are 1-Lipschitz together with their activation, made from free weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from parametrizations.construction_conformance import gradient_by_jax, gradient_by_torch, parameters

import lipcore as lc
from lipcore import parametrizations as P

EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


@dataclasses.dataclass(frozen=True)
class Nonlinear:
    """One construction with the shape of one weight."""

    function: Callable[..., Any]
    shape: tuple[int, ...]
    sample: tuple[int, ...]
    outputs: int | None = None  # of a sandwich
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        options = "".join(f"-{v}" for v in self.options.values())
        return f"{self.function.__name__}-{'x'.join(map(str, self.shape))}{options}"

    @property
    def host(self) -> bool:
        """Whether the weight is read on the host."""
        return self.function is P.cpl

    @property
    def scaled(self) -> bool:
        """Whether there are scales of the hidden channels."""
        return self.function is not P.cpl

    def __call__(self, weight: Any, bias: Any = None, **options: Any) -> lc.layers.Layer:
        first = (weight,) if self.outputs is None else (weight, self.outputs)
        return self.function(*first, bias, **self.options, **options)


CASES = [
    *(Nonlinear(f, shape, shape[1:]) for f in (P.cpl, P.sll) for shape in ((5, 3), (2, 6), (4, 4))),
    *(Nonlinear(f, (4, 2, 3, 3), (2, 4, 5)) for f in (P.cpl, P.sll)),
    *(Nonlinear(f, (2, 3, 3), (3, 5), options={"padding_mode": "circular"}) for f in (P.cpl, P.sll)),
    *(Nonlinear(P.sandwich, (hidden, 5), (3,), outputs=2) for hidden in (3, 5, 8)),
]
FEW = [CASES[0], CASES[3], CASES[7], CASES[-1]]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


@pytest.fixture(params=FEW, ids=lambda case: case.name)
def few(request):
    return request.param


def layer_holds_everywhere(case):
    """Whether one constant is known for images of every size: circular padding needs the size."""
    return case.options.get("padding_mode") != "circular"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constant_and_jacobians_are_at_most_one(case, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, *case.sample)).astype(dtype)
    bias = (0.1 * rng.standard_normal(case.shape[0])).astype(dtype)
    for name, w in parameters(case.shape, dtype):
        options = {"log_scale": rng.standard_normal(case.shape[0]).astype(dtype)} if case.scaled else {}
        layer = case(w, bias, **options)
        bounds = layer.lipschitz(input_shape=case.sample)
        assert bounds.kind == "rigorous", name
        assert bounds.upper <= 1 + 5e-6, name
        if layer_holds_everywhere(case):
            assert layer.lipschitz().upper <= 1 + 5e-6, name
        y = layer(x)
        assert y.dtype == w.dtype
        assert np.all(np.isfinite(y)), name
        J = layer.jacobian(x)
        stretch = lc.opnorm_bounds(J, rtol=1e-6)
        assert np.all(stretch.upper <= 1 + 100 * EPS[dtype] + 2e-6), name
        assert np.linalg.norm(J.to_dense().astype(float), 2, axis=(-2, -1)).max() <= 1 + 100 * EPS[dtype], name


def test_stretches_nothing_at_all_without_a_weight(case):
    x = np.random.default_rng(0).standard_normal((2, *case.sample))
    layer = case(np.zeros(case.shape))
    if case.function is not P.sandwich:  # its weight of zero is the identity, cut
        np.testing.assert_array_equal(layer(x), x)


@pytest.mark.parametrize(
    "activation", [lc.layers.Tanh(), lc.layers.Softplus(), lc.layers.ELU(), lc.layers.LeakyReLU(0.2), lc.layers.ReLU()]
)
def test_activations_that_keep_the_promise(few, activation):
    layer = few(np.random.default_rng(0).standard_normal(few.shape), activation=activation)
    assert layer.activation is activation
    assert layer.lipschitz().upper <= 1 + 5e-6


def test_other_activations_are_refused(few):
    w = np.ones(few.shape)
    for activation in (lc.layers.GELU(), lc.layers.LeakyReLU(-0.5), lc.layers.LeakyReLU(1.5), lc.layers.Abs()):
        with pytest.raises(ValueError, match="`activation` must have slopes between 0 and 1"):
            few(w, activation=activation)
    with pytest.raises(TypeError, match="`activation` must be an elementwise layer"):
        few(w, activation=np.tanh)


def test_same_on_every_backend(few, backend):
    dtype = [n for n in backend.dtypes if n.startswith("float")][-1]
    x = np.random.default_rng(0).standard_normal((2, *few.sample)).astype(dtype)
    for kind, w in parameters(few.shape, dtype):
        if kind in ("random", "zero"):
            layer = few(backend.asarray(w))
            tolerance = 2000 * EPS[dtype] if not few.host else max(2000 * EPS[dtype], 1e-5)
            np.testing.assert_allclose(backend.to_numpy(layer(backend.asarray(x))), few(w)(x), rtol=0, atol=tolerance)


# gradients exist in torch and JAX; difference quotients need double precision
@pytest.mark.backends("torch")
def test_gradient_in_torch(case, backend):
    check_gradient(case, backend, gradient_by_torch)


@pytest.mark.backends("jax-x64")
def test_gradient_in_jax(few, backend):
    check_gradient(few, backend, gradient_by_jax)


def check_gradient(case, backend, gradient):
    rng = np.random.default_rng(3)
    x, w, step = (rng.standard_normal(s) for s in ((4, *case.sample), case.shape, case.shape))
    cotangent = rng.standard_normal(case(w)(x).shape)

    def function(weight):
        there = x if isinstance(weight, np.ndarray) else backend.asarray(x)
        return case(weight, **({"rtol": 1e-9} if case.host else {}))(there)

    function.host = case.host
    found = float(np.sum(gradient(function, w, cotangent) * step))
    h = 1e-6
    quotient = float(np.sum(cotangent * (function(w + h * step) - function(w - h * step))) / (2 * h))
    assert abs(found - quotient) <= (1e-2 if case.host else 1e-6) * (1 + abs(quotient))
    assert np.all(np.isfinite(gradient(function, np.zeros(case.shape), cotangent)))


# a training loop is torch's
@pytest.mark.backends("torch")
def test_hundreds_of_random_steps(case, backend):
    import torch

    generator = torch.Generator().manual_seed(0)
    shapes = [case.shape, case.shape[:1], *([case.shape[:1]] if case.scaled else [])]
    free = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    optimizer = torch.optim.Adam(free, lr=0.05)

    def layer(parts):
        return case(parts[0], parts[1], **({"log_scale": parts[2]} if case.scaled else {}))

    for _ in range(200):
        optimizer.zero_grad()
        y = layer(free)(torch.randn((2, *case.sample), generator=generator))
        (y * torch.randn(y.shape, generator=generator)).sum().backward()
        assert all(bool(torch.isfinite(part.grad).all()) for part in free)
        optimizer.step()
    assert layer([part.detach() for part in free]).lipschitz(input_shape=case.sample).upper <= 1 + 5e-6


def test_bad_input(few):
    w = np.ones(few.shape)
    with pytest.raises(TypeError, match="float32 or float64"):
        few(w.astype(complex))
    with pytest.raises(ValueError, match="weight"):
        few(w.reshape(-1))
    with pytest.raises(ValueError, match="bias"):
        few(w, np.ones(few.shape[0] + 1))
    if few.scaled:
        with pytest.raises(ValueError, match=r"`log_scale`|`bias`"):
            few(w, log_scale=np.ones(few.shape[0] + 1))


def test_bad_options():
    with pytest.raises(ValueError, match="`padding_mode`"):
        P.cpl(np.ones((2, 2, 3)), padding_mode="reflect")
    with pytest.raises(ValueError, match="`rtol`"):
        P.cpl(np.ones((2, 2)), rtol=2.0)
    with pytest.raises(ValueError, match="for a convolution use"):
        P.sandwich(np.ones((2, 4, 3)), 2)
    for outputs in (0, 4, True, 1.5):
        with pytest.raises(ValueError, match="`outputs`"):
            P.sandwich(np.ones((2, 4)), outputs)
