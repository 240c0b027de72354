from __future__ import annotations

import numpy as np
import pytest
from layers.layer_conformance import LayerCase, LayerConformance

import lipcore as lc
from lipcore import parametrizations as P

RNG = np.random.default_rng(0)
TALL, WIDE = 0.3 * RNG.standard_normal((5, 3)), 0.3 * RNG.standard_normal((2, 4))
KERNEL, LINE = 0.3 * RNG.standard_normal((3, 2, 3, 3)), 0.3 * RNG.standard_normal((2, 2, 2))
BIAS = RNG.standard_normal(5)
A, B = RNG.standard_normal((4, 2)) / 2, RNG.standard_normal((4, 3)) / 2
SCALES = RNG.standard_normal(4)


def step(weight, bias=None, slope=0.0):
    bias = np.zeros(len(weight)) if bias is None else bias

    def reference(x):
        hidden = x @ weight.T + bias
        return x - 2 * np.where(hidden > 0, hidden, slope * hidden) @ weight

    return reference


def image_step(kernel, **options):
    def reference(x):
        V = lc.Convolution(kernel, x.shape[1:], padding="same", **options)
        return x - 2 * V.apply_adjoint(np.maximum(V.apply(x), 0))

    return reference


def sandwich(x):
    hidden = np.maximum(np.sqrt(2) * np.exp(-SCALES) * (x @ B.T) + BIAS[:4], 0)
    return np.sqrt(2) * (hidden * np.exp(SCALES)) @ A


def on(backend, dtype, *arrays):
    return [backend.asarray(a.astype(lc._backend.dtype_name(dtype))) for a in arrays]


CASES = [
    LayerCase("tall", lambda b, d: lc.layers.ConvexPotential(*on(b, d, TALL, BIAS)), ((3,),), step(TALL, BIAS)),
    LayerCase("wide", lambda b, d: lc.layers.ConvexPotential(*on(b, d, WIDE)), ((4,),), step(WIDE)),
    LayerCase(
        "leaky",
        lambda b, d: lc.layers.ConvexPotential(*on(b, d, TALL), activation=lc.layers.LeakyReLU(-0.5)),
        ((3,),),
        step(TALL, slope=-0.5),
    ),
    LayerCase("image", lambda b, d: lc.layers.ConvexPotential(*on(b, d, KERNEL)), ((2, 3, 4),), image_step(KERNEL)),
    LayerCase(
        "circular",
        lambda b, d: lc.layers.ConvexPotential(*on(b, d, LINE), padding_mode="circular"),
        ((2, 5),),
        image_step(LINE, padding_mode="circular"),
    ),
    LayerCase("sandwich", lambda b, d: lc.layers.Sandwich(*on(b, d, A, B, BIAS[:4], SCALES)), ((3,),), sandwich),
    LayerCase(
        "smooth sandwich",
        lambda b, d: lc.layers.Sandwich(*on(b, d, A, B), activation=lc.layers.GELU()),
        ((3,),),
    ),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def test_constant_is_attained_where_the_step_is_too_long():
    """One neuron, norm 2: active, the map is multiplied by 1 - 8."""
    layer = lc.layers.ConvexPotential(np.array([[2.0]]))
    bounds = layer.lipschitz()
    assert 7.0 <= bounds.upper <= 7.0001
    x = np.array([[1.0], [2.0]])
    assert abs(np.diff(layer(x), axis=0)).item() == 7.0
    # where it is off, nothing is stretched
    off = layer.lipschitz(region=lc.Box(np.array([-3.0]), np.array([-1.0])))
    assert off.upper == 1.0


def test_a_direction_that_the_weight_does_not_see():
    assert lc.layers.ConvexPotential(np.array([[0.6, 0.8]])).lipschitz().lower == 1.0
    assert lc.layers.ConvexPotential(np.array([[1.0]])).lipschitz().lower == 0.0


@pytest.mark.parametrize("weight", [P.cpl_weight, P.sll_weight])
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3, 3), (2, 4, 3)])
def test_constructed_weights_make_it_one(weight, shape):
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e30, 1e-30, 0.0):
        for dtype in ("float32", "float64"):
            layer = lc.layers.ConvexPotential(weight((scale * rng.standard_normal(shape)).astype(dtype)))
            bounds = layer.lipschitz()
            assert bounds.kind == "rigorous"
            assert bounds.upper <= 1 + 5e-6
    constrained = weight(np.ones(shape))
    J = lc.layers.ConvexPotential(constrained).jacobian(rng.standard_normal((2, *shape[1:2], *(4 for _ in shape[2:]))))
    assert np.max(np.linalg.norm(J.to_dense(), 2, axis=(-2, -1))) <= 1 + 1e-12


def test_scales_of_the_rows():
    rng = np.random.default_rng(0)
    w, log_scale = rng.standard_normal((4, 6)), rng.standard_normal(4)
    q = np.exp(log_scale)
    T = np.sum(np.abs(w @ w.T) * q[None, :] / q[:, None], axis=1)
    np.testing.assert_allclose(P.sll_weight(w, log_scale=log_scale), w / np.sqrt(T)[:, None], rtol=1e-12)
    kernel = rng.standard_normal((4, 2, 3))
    V = P.sll_weight(kernel, log_scale=10 * log_scale)
    assert lc.norms.convolution_supremum(V).upper <= 1 + 1e-5
    with pytest.raises(ValueError, match="`log_scale` must have shape"):
        P.sll_weight(w, log_scale=log_scale[:2])


@pytest.mark.parametrize("activation", [None, lc.layers.Tanh(), lc.layers.GELU(), lc.layers.LeakyReLU(-0.5)])
def test_sandwich_constant_is_never_violated(activation):
    rng = np.random.default_rng(0)
    for shape in [(3, 5), (6, 5), (5, 5)]:
        for build in (lambda w: P.sandwich_weights(w, 2), lambda w: (w[:, :2], w[:, 2:])):
            layer = lc.layers.Sandwich(*build(rng.standard_normal(shape)), activation=activation)
            worst = np.linalg.norm(layer.jacobian(3 * rng.standard_normal((200, 3))).to_dense(), 2, axis=(-2, -1)).max()
            assert worst <= layer.lipschitz().upper
    layer = lc.layers.Sandwich(*P.sandwich_weights(rng.standard_normal((3, 5)), 2))
    assert layer.lipschitz().upper <= 1 + 1e-5
    half = np.sqrt(0.5) * np.eye(2)
    assert np.linalg.norm(lc.layers.Sandwich(half, half).jacobian(np.ones((1, 2))).to_dense()[0], 2) > 1 - 1e-12


def test_bad_input():
    ones = np.ones((2, 3))
    with pytest.raises(TypeError, match="activation"):
        lc.layers.ConvexPotential(ones, activation=np.tanh)
    with pytest.raises(ValueError, match="padding_mode"):
        lc.layers.ConvexPotential(np.ones((2, 3, 3)), padding_mode="reflect")
    with pytest.raises(ValueError, match="bias"):
        lc.layers.ConvexPotential(ones, np.ones(3))
    with pytest.raises(ValueError, match="as many rows"):
        lc.layers.Sandwich(ones, np.ones((3, 3)))
    with pytest.raises(TypeError, match="activation"):
        lc.layers.Sandwich(ones, ones, activation=np.tanh)
    with pytest.raises(ValueError, match="Sandwich takes samples"):
        lc.layers.Sandwich(ones, ones)(np.ones((1, 4)))
    with pytest.raises(ValueError, match="`outputs`"):
        P.sandwich_weights(ones, 3)
