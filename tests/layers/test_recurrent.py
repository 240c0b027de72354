from __future__ import annotations

import math

import numpy as np
import pytest
from layers.attention_reference import climb
from layers.layer_conformance import LayerCase, LayerConformance, autodiff_jacobian

import lipcore as lc
from lipcore import _backend as B
from lipcore.layers import GRU, LSTM, RNN
from lipcore.layers.recurrent import Step, sequence_norm

INF = math.inf
TIME, FEATURES, HIDDEN = 4, 2, 3
KINDS = {"rnn": (RNN, 1), "relu": (RNN, 1), "lstm": (LSTM, 4), "gru": (GRU, 3)}


def weights(kind, seed, hidden=HIDDEN, features=FEATURES, size=1.0, bias=True, states=False):
    rng = np.random.default_rng(seed)
    rows = KINDS[kind][1] * hidden
    drawn = {
        "weight_ih": size * rng.standard_normal((rows, features)),
        "weight_hh": size * rng.standard_normal((rows, hidden)),
    }
    if bias:
        drawn |= {"bias_ih": rng.standard_normal(rows), "bias_hh": rng.standard_normal(rows)}
    if states:
        drawn |= {"initial_hidden": rng.standard_normal(hidden)}
        if kind == "lstm":
            drawn |= {"initial_cell": rng.standard_normal(hidden)}
    return drawn


def layer(kind, arrays):
    options = {"nonlinearity": "relu"} if kind == "relu" else {}
    return KINDS[kind][0](**arrays, **options)


def reference(kind, w):
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def forward(x):
        h = np.zeros((x.shape[0], HIDDEN)) + w.get("initial_hidden", 0)
        c = np.zeros((x.shape[0], HIDDEN)) + w.get("initial_cell", 0)
        found = []
        for t in range(x.shape[1]):
            a = np.split(x[:, t] @ w["weight_ih"].T + w.get("bias_ih", 0), KINDS[kind][1], axis=1)
            b = np.split(h @ w["weight_hh"].T + w.get("bias_hh", 0), KINDS[kind][1], axis=1)
            if kind == "gru":
                r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
                h = (1 - z) * np.tanh(a[2] + r * b[2]) + z * h
            elif kind == "lstm":
                i, f, g, o = (p + q for p, q in zip(a, b, strict=True))
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
            else:
                h = np.tanh(a[0] + b[0]) if kind == "rnn" else np.maximum(a[0] + b[0], 0)
            found.append(h)
        return np.stack(found, axis=1)

    return forward


def case(kind, name, natives=("numpy", "strict", "torch", "jax", "cupy"), **options):
    w = weights(kind, 3, **options)

    def build(backend, dtype):
        return layer(kind, {key: backend.asarray(x.astype(B.dtype_name(dtype))) for key, x in w.items()})

    return LayerCase(name, build, ((TIME, FEATURES),), reference=reference(kind, w), natives=natives)


NO_JAX = ("numpy", "strict", "torch", "cupy")  # JAX compiles each step of each case anew: one stands for all
CASES = [
    case("rnn", "rnn", NO_JAX),
    case("relu", "relu rnn without biases", NO_JAX, bias=False),
    case("rnn", "rnn that starts somewhere", NO_JAX, states=True),
    case("lstm", "lstm", NO_JAX),
    case("lstm", "lstm that starts somewhere", NO_JAX, states=True),
    case("gru", "gru"),
    case("gru", "gru without biases that starts somewhere", NO_JAX, bias=False, states=True),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


# torch's layers are the judges
@pytest.mark.backends("torch")
@pytest.mark.parametrize("kind", KINDS)
def test_equals_torch(kind, backend):
    import torch

    torch.manual_seed(0)
    options = {"nonlinearity": "relu"} if kind == "relu" else {}
    made = {"rnn": torch.nn.RNN, "relu": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind]
    theirs = made(FEATURES, HIDDEN, batch_first=True, dtype=torch.float64, **options)
    w = {name.removesuffix("_l0"): p.detach() for name, p in theirs.named_parameters()}
    ours = layer(kind, w)
    x = torch.randn(3, TIME, FEATURES, dtype=torch.float64)
    np.testing.assert_allclose(B.to_numpy(ours(x)), B.to_numpy(theirs(x)[0]), rtol=0, atol=1e-13)
    with torch.no_grad():
        dense = B.to_numpy(ours.jacobian(x).to_dense())
    np.testing.assert_allclose(dense, autodiff_jacobian(ours, [x]), rtol=0, atol=1e-13)


def norm(J, ord):
    return float(np.linalg.norm(J, ord))


@pytest.mark.parametrize("kind", KINDS)
def test_constants_hold_under_attack(kind):
    rng = np.random.default_rng(0)
    best = 0.0
    for trial in range(10):
        hidden, features, time = (int(rng.integers(1, high)) for high in (4, 4, 6))
        w = weights(
            kind, trial, hidden, features, size=10 ** rng.uniform(-1, 0.5), bias=bool(trial % 2), states=trial % 3 == 0
        )
        net, shape = layer(kind, w), (time, features)
        ball = lc.Ball(rng.standard_normal(shape), 10 ** rng.uniform(-3, 0.5))
        for ord in (1, 2, INF):
            everywhere, local = net.lipschitz(ord, input_shape=shape).upper, net.lipschitz(ord, ball).upper
            assert local <= everywhere * (1 + 1e-6)

            def size(x, net=net, ord=ord):
                return norm(net.jacobian(x[None]).to_dense()[0], ord)

            def inside(x, ball=ball):
                step = x - ball.center
                return ball.center + step * min(1, ball.radius * (1 - 1e-12) / max(np.linalg.norm(step), 1e-300))

            found = climb(size, rng.standard_normal(shape), lambda x: x, rng, 30)
            assert found <= everywhere * (1 + 1e-9)
            best = max(best, found / everywhere)
            assert climb(size, ball.center + rng.standard_normal(shape), inside, rng, 30) <= local * (1 + 1e-9)
    assert best > {"lstm": 0.15}.get(kind, 0.5)


def test_each_gate_of_an_lstm_counts():
    # one gate moves alone: the others stand at zero
    for gate in range(4):
        w = np.zeros((4, 1))
        w[gate] = 3.0
        bias = np.array([0.0, 0.0, 0.5, 0.0])
        net = LSTM(w, np.zeros((4, 1)), bias, initial_cell=np.array([0.7]))
        for x in (np.zeros((1, 1)), np.full((1, 1), 0.2)):
            at = norm(net.jacobian(x[None]).to_dense()[0], 2)
            assert 0 < at <= net.lipschitz(2, lc.Ball(x, 1e-6)).upper <= 1.001 * at
            assert at <= net.lipschitz(2, input_shape=(1, 1)).upper


def test_one_step_is_a_dense_layer():
    w, u = np.array([[3.0, 4.0]]), np.array([[7.0]])
    for ord, exact in ((1, 4.0), (2, 5.0), (INF, 7.0)):
        bounds = RNN(w, u).lipschitz(ord, input_shape=(1, 2))
        assert exact <= bounds.upper <= exact * 1.001


def test_linear_recurrence_is_exact():
    # positive numbers: every slope is one, and the matrix of gains is the Jacobian
    net = RNN(np.array([[2.0]]), np.array([[0.7]]), nonlinearity="relu")
    J = net.jacobian(np.ones((1, 6, 1))).to_dense()[0]
    for ord in (1, 2, INF):
        bounds = net.lipschitz(ord, lc.Ball(np.ones((6, 1)), 0.1))
        assert norm(J, ord) * (1 - 1e-9) <= bounds.upper <= norm(J, ord) * 1.001
        assert bounds.lower == pytest.approx(norm(J, ord), rel=1e-2)


def test_sums_of_gains():
    steps = [Step(1.5, 0.5)] * 5
    G = np.array([[1.5 * 0.5 ** (t - s) if t >= s else 0.0 for s in range(5)] for t in range(5)])
    for ord in (1, 2, INF):
        upper, log2 = sequence_norm(steps, ord)
        assert norm(G, ord) <= upper <= norm(G, ord) * (1 + 1e-5)
        assert 2**log2 == pytest.approx(upper)
    long, _ = sequence_norm([Step(1.5, 0.5)] * 3000, 2)
    assert 3.0 * (1 - 1e-6) <= long <= 3.0 * (1 + 1e-6)
    assert sequence_norm([Step(0.0, 0.5)] * 3, 2) == (0.0, -INF)
    # a cell: what is stored comes back one by one
    upper, _ = sequence_norm([Step(0.0, 0.0, 1.0, 1.0, 0.0, 1.0)] * 4, INF)
    assert upper == pytest.approx(4.0)


def test_what_overflows_is_known_by_its_logarithm():
    net = LSTM(50 * np.ones((8, 3)), 50 * np.ones((8, 2)))
    bounds = net.lipschitz(2, input_shape=(200, 3))
    assert bounds.upper == INF
    assert 1024 < bounds.log2_upper < 1e6


def test_images_are_bounded_everywhere():
    for kind in ("rnn", "lstm", "gru"):
        image = layer(kind, weights(kind, 0)).image(None, input_shape=(3, FEATURES))
        assert image.shape == (3, HIDDEN)
        assert np.all(image.magnitude <= 1 + 1e-14)
    assert layer("relu", weights("relu", 0)).image(None, input_shape=(3, FEATURES)) is None


def test_stacks_of_cells():
    w = weights("gru", 1, features=HIDDEN)
    net = lc.layers.Sequential(layer("lstm", weights("lstm", 0)), GRU(**w))
    ball = lc.Ball(np.zeros((3, FEATURES)), 0.5)
    rng = np.random.default_rng(0)
    x = 0.2 * rng.uniform(-1, 1, (20, 3, FEATURES))
    bounds = net.lipschitz(2, ball)
    assert max(norm(J, 2) for J in net.jacobian(x).to_dense()) <= bounds.upper
    assert 0 < bounds.lower <= bounds.upper


W = np.ones((2, 3))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RNN(W, np.ones((2, 3))), ValueError, "`weight_hh` must have shape"),
        (lambda: RNN(np.ones((3, 3)), np.ones((2, 2))), ValueError, "`weight_ih` must have shape"),
        (lambda: RNN(W, np.ones((2, 2)), np.ones(3)), ValueError, "`bias_ih` must have shape"),
        (lambda: RNN(W, np.ones((2, 2)), nonlinearity="sine"), ValueError, "`nonlinearity` must be"),
        (lambda: LSTM(np.ones((8, 3)), np.ones((8, 2)), initial_cell=np.ones(3)), ValueError, "`initial_cell` must"),
        (lambda: GRU(np.ones((8, 3)), np.ones((8, 2))), ValueError, r"`weight_hh` must have shape \(3 \* hidden"),
        (lambda: GRU(np.ones((6, 3), dtype=int), np.ones((6, 2))), TypeError, "`weight_ih` must be real floating"),
        (lambda: RNN(W, np.ones((2, 2)))(np.ones((1, 2, 2))), ValueError, "`x` must have shape"),
        (lambda: RNN(W, np.ones((2, 2))).lipschitz(2), ValueError, "input_shape"),
        (lambda: RNN(W, np.ones((2, 2))).lipschitz(2, input_shape=(4, 2)), ValueError, "have shape"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
