from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers.layer_conformance import LayerCase, LayerConformance, points_of

import lipcore as lc
from lipcore.layers.rows import interval_log_probabilities, interval_probabilities

L = lc.layers


def _softmax(x, axis, temperature=1.0):
    e = np.exp((x - x.max(axis=axis, keepdims=True)) / temperature)
    return e / e.sum(axis=axis, keepdims=True)


def _log_sum_exp(x, axis):
    top = x.max(axis=axis, keepdims=True)
    return np.squeeze(top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True)), axis=axis)


CASES = [
    case
    for axis, shape in ((-1, (5,)), (1, (3, 2)), (2, (2, 3)))
    for case in (
        LayerCase(
            f"softmax{axis}",
            lambda backend, dtype, axis=axis: L.Softmax(axis),
            (shape,),
            lambda x, axis=axis: _softmax(x, axis),
            lambda x, axis=axis: x.softmax(axis),
        ),
        LayerCase(
            f"log_softmax{axis}",
            lambda backend, dtype, axis=axis: L.LogSoftmax(axis),
            (shape,),
            lambda x, axis=axis: np.log(_softmax(x, axis)),
            lambda x, axis=axis: x.log_softmax(axis),
            tolerance=2.0,
        ),
        LayerCase(
            f"log_sum_exp{axis}",
            lambda backend, dtype, axis=axis: L.LogSumExp(axis),
            (shape,),
            lambda x, axis=axis: _log_sum_exp(x, axis),
            lambda x, axis=axis: x.logsumexp(axis),
        ),
    )
] + [
    LayerCase(
        "temperature",
        lambda backend, dtype: L.Softmax(temperature=0.25),
        ((4,),),
        lambda x: _softmax(x, -1, 0.25),
        lambda x: (x / 0.25).softmax(-1),
    )
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


TABLE = {  # the constants by norm and size
    L.Softmax: lambda n: {1: 0.5, 2: 0.5, math.inf: 0.5},
    L.LogSoftmax: lambda n: {1: n - 1.0, 2: math.sqrt(n), math.inf: 2.0},
    L.LogSumExp: lambda n: {1: 1.0, 2: 1.0, math.inf: 1.0},
}


@pytest.mark.parametrize("kind", TABLE)
@pytest.mark.parametrize("n", [2, 3, 9])
@pytest.mark.parametrize("ord", [1, 2, math.inf])
def test_constants_are_attained_and_never_exceeded(kind, n, ord):
    layer, rng = kind(), np.random.default_rng(n)
    bounds = layer.lipschitz(ord, input_shape=(n,))
    exact = TABLE[kind](n)[ord]
    assert bounds.lower <= exact * (1 + 1e-15)
    assert exact <= bounds.upper <= exact * (1 + 1e-14)
    assert bounds.upper - bounds.lower <= 1e-14 * exact
    assert bounds.kind == "rigorous"
    witness = np.full((1, n), -60.0)
    witness[0, 0] = 0.0
    if kind is L.Softmax:
        witness[0, 1] = 0.0
    x = np.concatenate([witness, np.exp(rng.uniform(-3, 4, (300, 1))) * rng.standard_normal((300, n))])
    norms = np.linalg.norm(layer.jacobian(x).to_dense(), ord, axis=(-2, -1))
    assert norms.max() <= bounds.upper * (1 + 1e-13)
    assert norms[0] >= bounds.lower * (1 - 1e-12)


def test_inf_to_one_and_one_to_inf_norms_of_softmax():
    """Not the constants of the layer, but of its Jacobian between two norms: at most 1 and 1/4."""
    rng = np.random.default_rng(0)
    x = 2 * rng.standard_normal((200, 6))
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * 6)).reshape(6, -1)
    J = L.Softmax().jacobian(x).to_dense()
    assert np.abs(J @ signs).sum(axis=1).max() <= 1 + 1e-13
    assert np.abs(J).max() <= 0.25 + 1e-15


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.floats(0.01, 30), st.floats(0.001, 3), st.integers(0, 10**6))
def test_local_constants_hold_and_are_near(n, scale, radius, seed):
    rng = np.random.default_rng(seed)
    center = scale * rng.standard_normal(n)
    ball = lc.Ball(center, radius, math.inf)
    points = points_of(ball, rng, 60)
    for layer in (L.Softmax(), L.LogSoftmax(), L.LogSumExp(), L.Softmax(temperature=0.5)):
        dense = layer.jacobian(points).to_dense()
        for ord in (1, 2, math.inf):
            bounds = layer.lipschitz(ord, ball)
            norms = np.linalg.norm(dense, ord, axis=(-2, -1))
            assert norms.max() <= bounds.upper * (1 + 1e-12) + 1e-14
            assert bounds.lower <= np.linalg.norm(dense[0], ord) * (1 + 1e-12) + 1e-14
            small = layer.lipschitz(ord, lc.Ball(center, 0.0))
            assert small.upper <= 1.42 * np.linalg.norm(dense[0], ord) + 1e-12


def test_a_certain_decision_has_a_tiny_constant():
    """One minus a probability that rounds to one is the sum of the others."""
    layer = L.Softmax()
    center = np.array([60.0, 0.0, -1.0])
    bounds = layer.lipschitz(2, lc.Ball(center, 0.0))
    with mpmath.workdps(60):
        e = [mpmath.exp(c) for c in center]
        p = mpmath.matrix([x / sum(e) for x in e])
        exact = max(abs(x) for x in mpmath.eigsy(mpmath.diag(list(p)) - p * p.T, eigvals_only=True))
        assert exact <= bounds.upper <= 1.1 * exact


@pytest.mark.parametrize("n", [1, 2, 5])
def test_intervals_of_probabilities(n):
    rng = np.random.default_rng(n)
    lower = 10 * rng.standard_normal((4, n))
    upper = lower + rng.random((4, n))
    p, logs = interval_probabilities(lower, upper), interval_log_probabilities(lower, upper)
    t = rng.random((500, 4, n))
    x = lower + np.where(t > 0.5, np.round(t), t) * (upper - lower)
    y = _softmax(x, -1)
    assert np.all(p.low <= y * (1 + 1e-15))
    assert np.all(y <= p.high * (1 + 1e-15))
    assert np.all(logs[0] <= np.log(y))
    assert np.all(np.log(y) <= logs[1] + 1e-15)
    for i in range(n):  # attained where the others are at their other ends
        corner = upper.copy()
        corner[:, i] = lower[:, i]
        np.testing.assert_allclose(p.low[:, i], _softmax(corner, -1)[:, i], rtol=1e-11)
        np.testing.assert_allclose(logs[0][:, i], np.log(_softmax(corner, -1)[:, i]), rtol=1e-11, atol=1e-12)


def test_unbounded_intervals():
    lower, upper = np.array([[-np.inf, 0.0, -1.0]]), np.array([[np.inf, 1.0, 0.0]])
    p = interval_probabilities(lower, upper)
    assert np.all(p.low == 0.0)
    assert p.high[0, 0] == 1.0
    assert np.all(p.high[0, 1:] < 0.9)
    box = lc.Box(lower[0], upper[0])
    assert L.Softmax().lipschitz(2, box).upper == 0.5
    assert L.LogSoftmax().image(box).lower[0] == -np.inf


def test_images():
    image = L.Softmax().image(None, input_shape=(4, 10))
    assert image.norm("token") <= 1.0 + 1e-15
    assert image.norm(2) <= 2.0 + 1e-14
    assert image.norm(1) <= 4.0 + 1e-14
    far = L.LogSoftmax().image(lc.Ball(np.array([0.0, 2000.0]), 1.0))
    assert -2005 < far.lower[0] <= far.upper[0] < -1995


def test_one_entry_has_no_slope():
    for layer in (L.Softmax(), L.LogSoftmax()):
        assert layer.lipschitz(2, input_shape=(3, 1)).upper == 0.0
    assert L.Softmax().lipschitz().upper == 0.5
    assert L.LogSumExp().output_shape((3, 4)) == (3,)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.Softmax(0), ValueError, "`axis` must not be 0"),
        (lambda: L.Softmax(1.5), TypeError, "`axis` must be an integer"),
        (lambda: L.Softmax(temperature=0), ValueError, "`temperature` must be positive"),
        (lambda: L.Softmax(2)(np.ones((2, 3))), ValueError, "`axis` 2 is not an axis of samples"),
        (lambda: L.LogSoftmax().lipschitz(), ValueError, "depends on the sample's shape"),
        (lambda: L.LogSoftmax(1).lipschitz("token", input_shape=(3,)), ValueError, "`ord` must be one of"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
