from __future__ import annotations

import math

import numpy as np
import pytest
from layers.layer_conformance import LayerCase, LayerConformance

import lipcore as lc
from lipcore import _backend as B

RNG = np.random.default_rng(11)
WEIGHT, BIAS = RNG.standard_normal((4, 3)), RNG.standard_normal(4)


def _build(bias):
    def build(backend, dtype):
        weight, shift = (backend.asarray(a.astype(B.dtype_name(dtype))) for a in (WEIGHT, BIAS))
        return lc.layers.Dense(weight, shift if bias else None)

    return build


def _torch(bias):
    def reference(x):
        import torch

        weight, shift = (torch.from_numpy(a) for a in (WEIGHT, BIAS))
        return torch.nn.functional.linear(x, weight, shift if bias else None)

    return reference


CASES = [
    LayerCase(
        name,
        _build(bias),
        (shape,),
        reference=lambda x, bias=bias: x @ WEIGHT.T + (BIAS if bias else 0),
        torch_reference=_torch(bias),
    )
    for name, shape, bias in [("vector", (3,), True), ("tokens", (2, 3), True), ("grid of tokens", (2, 2, 3), False)]
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize("ord", [1, 2, math.inf])
@pytest.mark.parametrize("shape", [None, (3,), (5, 3)])
def test_constant_is_the_norm_of_the_matrix(ord, shape):
    bounds = lc.layers.Dense(WEIGHT, BIAS).lipschitz(ord, input_shape=shape)
    true = np.linalg.norm(WEIGHT, ord)
    assert bounds.kind == "rigorous"
    assert bounds.lower <= true * (1 + 1e-15)
    assert true <= bounds.upper * (1 + 1e-15)
    assert bounds.relative_width <= (1e-6 if ord == 2 else 1e-14)


def test_token_norm():
    rng = np.random.default_rng(0)
    layer = lc.layers.Dense(WEIGHT)
    bounds = layer.lipschitz("token")
    assert bounds.ord == "token"
    u = np.linalg.svd(WEIGHT)[2][0]
    x, move = rng.standard_normal((1, 5, 3)), np.zeros((1, 5, 3))
    move[0, 2] = u
    change = np.max(np.linalg.norm(layer(x + move) - layer(x), axis=-1))
    assert bounds.lower * (1 - 1e-12) <= change <= bounds.upper * (1 + 1e-12)
    for _ in range(20):
        move = rng.standard_normal((1, 5, 3))
        grown = np.max(np.linalg.norm(layer(x + move) - layer(x), axis=-1))
        assert grown <= bounds.upper * np.max(np.linalg.norm(move, axis=-1)) * (1 + 1e-12)


def test_unbounded_inputs_give_unbounded_outputs():
    layer = lc.layers.Dense(np.array([[1.0, 0.0], [2.0, 3.0]]))
    box = layer.image(lc.Box(np.array([0.0, 0.0]), np.array([1.0, np.inf])))
    assert -1e-12 <= box.lower[0] <= 0
    assert 1 <= box.upper[0] <= 1 + 1e-12
    assert box.upper[1] == np.inf


@pytest.mark.parametrize(
    ("weight", "bias", "error", "message"),
    [
        (np.ones(3), None, ValueError, "`weight` must have shape"),
        (np.ones((2, 3), dtype=int), None, TypeError, "`weight` must be real floating"),
        (np.ones((2, 3), dtype=complex), None, TypeError, "`weight` must be real floating"),
        (np.ones((2, 3)), np.ones(3), ValueError, "`bias` must have shape"),
        (np.ones((2, 3)), [1.0, 2.0], TypeError, "`bias` must be an array"),
    ],
)
def test_bad_input(weight, bias, error, message):
    with pytest.raises(error, match=message):
        lc.layers.Dense(weight, bias)


def test_bad_sample():
    with pytest.raises(ValueError, match=r"Dense takes samples \(..., 3\)"):
        lc.layers.Dense(WEIGHT)(np.ones((2, 4)))


class Difference(lc.layers.LinearLayer):
    """A layer of a user, whose entries no array makes and one of which is negative."""

    def _operator(self, shape, arrays, like):
        return lc.LinearOperator((1, 2), lambda x: x[:1] - x[1:], lambda y: np.concatenate([y, -y]), dtype=np.float64)


def test_images_hold_for_negative_entries_without_arrays():
    image = Difference().image(lc.Box(-np.ones(2), np.ones(2)))
    assert image.lower[0] <= -2.0
    assert 2.0 <= image.upper[0] < 2.0 + 1e-12
