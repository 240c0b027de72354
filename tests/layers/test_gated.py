from __future__ import annotations

import math

import numpy as np
import pytest
from layers.attention_reference import climb
from layers.layer_conformance import LayerCase, LayerConformance

import lipcore as lc
from lipcore import _backend as B
from lipcore import layers
from lipcore.layers import GLU, Gated
from lipcore.layers.scaled_rows import ScaledRows

INF = math.inf


def weights(seed, hidden=3, features=2, bias=True):
    rng = np.random.default_rng(seed)
    drawn = {
        "weight_gate": rng.standard_normal((hidden, features)),
        "weight_value": rng.standard_normal((hidden, features)),
    }
    if bias:
        drawn |= {"bias_gate": rng.standard_normal(hidden), "bias_value": rng.standard_normal(hidden)}
    return drawn


def reference(w, activation):
    def forward(x):
        u, v = (x @ w[f"weight_{n}"].T + w.get(f"bias_{n}", 0) for n in ("gate", "value"))
        return activation(u) * v

    return forward


def case(name, make, activation, shape=(2,), bias=True):
    w = weights(4, bias=bias)

    def build(backend, dtype):
        return make(**{key: backend.asarray(x.astype(B.dtype_name(dtype))) for key, x in w.items()})

    return LayerCase(name, build, (shape,), reference=reference(w, activation), bounded=False)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def halves(x, axis=-1):
    a, b = np.split(x, 2, axis=axis)
    return a * sigmoid(b)


# JAX compiles each case anew: the first and the last stand for all
OTHERS = ("numpy", "strict", "torch", "cupy")
CASES = [
    case("swiglu", layers.SwiGLU, lambda x: x * sigmoid(x), (2, 2)),
    case("geglu", layers.GEGLU, gelu),
    case("reglu without biases", layers.ReGLU, lambda x: np.maximum(x, 0), bias=False),
    case("bilinear", layers.Bilinear, lambda x: x),
    case("with weights", lambda **w: Gated(layers.Sigmoid(), **w), sigmoid),
    LayerCase("glu of channels", lambda b, d: GLU(0), ((4, 3),), reference=lambda x: halves(x, 1), bounded=False),
    LayerCase("glu", lambda b, d: GLU(), ((2, 4),), reference=halves, bounded=False),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request, backend):
        if backend.native == "jax" and request.param not in (CASES[0], CASES[-1]):
            pytest.skip("JAX compiles each case anew: two stand for all")
        return request.param


# torch's own function
@pytest.mark.backends("torch")
def test_glu_is_torch_s(backend):
    import torch

    x = torch.randn(3, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for axis in (0, 1, -1, -2):
        ours, theirs = GLU(axis)(x), torch.nn.functional.glu(x, axis + 1 if axis >= 0 else axis)
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-15)


def norm(J, ord):
    return float(np.linalg.norm(J, ord))


@pytest.mark.parametrize("make", [layers.SwiGLU, layers.GEGLU, layers.ReGLU, layers.Bilinear])
def test_constants_hold_under_attack(make):
    rng = np.random.default_rng(0)
    best = 0.0
    for trial in range(5):
        features = int(rng.integers(1, 4))
        layer = make(**weights(trial, int(rng.integers(1, 4)), features))
        low = rng.standard_normal(features)
        box = lc.Box(low, low + 10 ** rng.uniform(-3, 0.5))
        for ord in (1, 2, INF):
            upper = layer.lipschitz(ord, box).upper
            found = climb(
                lambda x, layer=layer, ord=ord: norm(layer.jacobian(x).to_dense()[0], ord),
                rng.uniform(box.lower, box.upper)[None],
                lambda x, box=box: np.clip(x, box.lower, box.upper),
                rng,
                40,
            )
            assert found <= upper * (1 + 1e-9)
            best = max(best, found / max(upper, 1e-300))
    assert best > 0.9


def test_square_is_exact():
    unit = layers.Bilinear(np.array([[1.0]]), np.array([[1.0]]))
    for ord in (1, 2, INF, "token"):
        assert unit.lipschitz(ord, lc.Box(np.array([-1.0]), np.array([3.0]))).upper == pytest.approx(6.0)


def test_product_rule_of_swiglu():
    # the bound in words: largest gate times the norm of one matrix, largest slope times value of the other
    rng = np.random.default_rng(1)
    w1, w2 = rng.standard_normal((2, 5, 3))
    radius = 2.0
    rows = [np.max(np.linalg.norm(w, axis=1)) * radius for w in (w1, w2)]
    silu = rows[0] / (1 + math.exp(-rows[0]))
    rule = silu * norm(w2, 2) + 1.0998393201289 * rows[1] * norm(w1, 2)
    assert layers.SwiGLU(w1, w2).lipschitz(2, lc.Ball(np.zeros(3), radius)).upper <= rule * 1.001


def test_tokens_do_not_meet():
    w = weights(0)
    layer = layers.SwiGLU(**w)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2))
    for ord in (1, 2, INF):
        whole = layer.lipschitz(ord, lc.Ball(x, 0.1, INF)).upper
        alone = max(layer.lipschitz(ord, lc.Ball(token, 0.1, INF)).upper for token in x)
        assert whole == pytest.approx(alone, rel=1e-6)
    many = np.broadcast_to(x[:1], (100, 2))
    assert layer.lipschitz(2, lc.Ball(many, 0.1, INF)).upper == pytest.approx(
        layer.lipschitz(2, lc.Ball(x[0], 0.1, INF)).upper, rel=1e-6
    )


def test_lower_bound_is_found_inside():
    layer = layers.SwiGLU(**weights(0))
    ball = lc.Ball(np.ones(2), 0.01)
    bounds = layer.lipschitz(2, ball)
    assert bounds.lower == pytest.approx(norm(layer.jacobian(np.ones((1, 2))).to_dense()[0], 2), rel=0.05)
    assert bounds.upper <= 2 * bounds.lower


@pytest.mark.parametrize("ord", [1, 2, INF])
def test_scaled_rows(ord):
    rng = np.random.default_rng(0)
    matrices, sizes = rng.standard_normal((3, 4, 2)), rng.random((3, 4))
    upper = ScaledRows(list(matrices), ord).of(list(sizes), closely=True)
    loose = ScaledRows(list(matrices), ord).of(list(sizes), closely=False)
    assert upper <= loose * (1 + 1e-9)
    for _ in range(500):
        d = sizes * np.where(rng.random((3, 4)) < 0.5, np.sign(rng.standard_normal((3, 4))), rng.uniform(-1, 1, (3, 4)))
        assert norm(np.einsum("gi,gij->ij", d, matrices), ord) <= upper
    if ord != 2:
        assert upper == pytest.approx(norm(np.einsum("gi,gij->ij", sizes, np.abs(matrices)), ord))


W = np.ones((2, 3))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Gated(layers.Softmax(), W, W), TypeError, "`activation` must act on each entry"),
        (lambda: Gated(np.tanh, W, W), TypeError, "`activation` must be a layer"),
        (lambda: layers.SwiGLU(W, W.T), ValueError, "`weight_value` must be a matrix"),
        (lambda: layers.SwiGLU(W[0], W[0]), ValueError, "`weight_gate` must be a matrix"),
        (lambda: layers.SwiGLU(W, W, np.ones(3)), ValueError, "`bias` must have shape"),
        (lambda: layers.SwiGLU(W, W).lipschitz(2), layers.UnboundedError, "region"),
        (lambda: GLU().lipschitz(2, input_shape=(4,)), layers.UnboundedError, "region"),
        (lambda: GLU("last"), TypeError, "`axis` must be an integer"),
        (lambda: GLU(1)(np.ones((1, 2))), ValueError, "`axis` must be an axis"),
        (lambda: GLU()(np.ones((1, 3))), ValueError, "odd length"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
