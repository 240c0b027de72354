from __future__ import annotations

import math

import numpy as np
import pytest
from layers.layer_conformance import LayerCase, LayerConformance

import lipcore as lc

L = lc.layers
NOT_COMPILED = ("numpy", "strict", "torch", "cupy")  # JAX compiles each case anew: a few will do

CASES = [
    LayerCase("flatten", lambda b, d: L.Flatten(), ((2, 3, 2),), lambda x: x.reshape(3, 12)),
    LayerCase(
        "flatten some", lambda b, d: L.Flatten(2, 3), ((2, 3, 2),), lambda x: x.reshape(3, 2, 6), natives=NOT_COMPILED
    ),
    LayerCase(
        "reshape", lambda b, d: L.Reshape((-1, 2)), ((2, 3),), lambda x: x.reshape(3, 3, 2), natives=NOT_COMPILED
    ),
    LayerCase("permute", lambda b, d: L.Permute((2, 0, 1)), ((2, 3, 2),), lambda x: x.transpose(0, 3, 1, 2)),
    LayerCase("slice", lambda b, d: L.Slice(slice(1, None), slice(None, None, 2)), ((3, 4),), lambda x: x[:, 1:, ::2]),
    LayerCase("number", lambda b, d: L.Slice(-1), ((3, 4),), lambda x: x[:, -1], natives=NOT_COMPILED),
    LayerCase(
        "number and step",
        lambda b, d: L.Slice(slice(None, None, -1), 1),
        ((3, 4, 2),),
        lambda x: x[:, ::-1, 1],
        natives=NOT_COMPILED,
    ),
    LayerCase("scalar", lambda b, d: L.Slice(0, 1), ((3, 4),), lambda x: x[:, 0, 1], natives=NOT_COMPILED),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("ord", [1, 2, math.inf])
def test_constant_is_one(case, ord):
    layer = case.build(None, None)
    for shape in (None, case.shapes[0]):
        bounds = layer.lipschitz(ord, input_shape=shape)
        assert bounds.lower == bounds.upper == 1
        assert bounds.kind == "rigorous"
        assert bounds.ord == ord


def test_nothing_left_is_zero():
    assert L.Slice(slice(0, 0)).lipschitz(2, input_shape=(3,)).upper == 0
    assert L.Slice(slice(0, 0))(np.ones((2, 3))).shape == (2, 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_regions_go_through_exactly(case):
    layer, (shape,) = case.build(None, None), case.shapes
    center = np.random.default_rng(0).standard_normal(shape)
    for ord in (1, 2, math.inf):
        ball = layer.image(lc.Ball(center, 0.5, ord))
        assert (type(ball), ball.radius, ball.ord) == (lc.Ball, 0.5, ord)
        assert np.array_equal(ball.center, layer(center[None])[0])
    low, high = center - 1, np.where(center > 0, np.inf, center + 1)
    box = layer.image(lc.Box(low, high))
    assert np.array_equal(box.lower, layer(low[None])[0])
    assert np.array_equal(box.upper, layer(high[None])[0])
    token = layer.image(lc.Ball(center, 0.5, "token"))
    assert token.norm(2) >= np.linalg.norm(layer(center[None])[0])
    both = layer.image(lc.Box(low, center + 1) & lc.Ball(center, 0.5))
    assert both.norm(2) <= layer.image(lc.Ball(center, 0.5)).norm(2)


def test_token_balls_hold_what_moves():
    rng = np.random.default_rng(1)
    layer, center = L.Permute((1, 0)), rng.standard_normal((4, 3))
    image = layer.image(lc.Ball(center, 0.3, "token"))
    for _ in range(50):
        move = rng.standard_normal((4, 3))
        x = center + 0.3 * move / np.linalg.norm(move, axis=1, keepdims=True)
        y = layer(x[None])[0]
        assert np.all((image.lower <= y) & (y <= image.upper))
        assert np.linalg.norm(y - image.regions[-1].center) <= image.regions[-1].radius


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.Flatten(0), ValueError, "`start_dim` must be an axis other than 0"),
        (lambda: L.Flatten(3)(np.ones((1, 2, 2))), ValueError, "do not fit"),
        (lambda: L.Reshape((-1, -1)), ValueError, "`shape` must be"),
        (lambda: L.Reshape((2.0,)), ValueError, "`shape` must be"),
        (lambda: L.Reshape((4, -1))(np.ones((1, 6))), ValueError, "does not hold the 6 entries"),
        (lambda: L.Reshape((4,))(np.ones((1, 6))), ValueError, "does not hold the 6 entries"),
        (lambda: L.Permute((0, 2)), ValueError, "`axes` must be a permutation"),
        (lambda: L.Permute((1, 0))(np.ones((1, 6))), ValueError, "do not fit"),
        (lambda: L.Slice("a"), TypeError, "`index` must be made of"),
        (lambda: L.Slice(3)(np.ones((1, 3))), ValueError, "out of range"),
        (lambda: L.Slice(0, 0)(np.ones((1, 3))), ValueError, "does not fit"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
