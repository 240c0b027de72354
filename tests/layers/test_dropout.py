from __future__ import annotations

import math

import numpy as np
import pytest
from layers.layer_conformance import LayerCase, LayerConformance

import lipcore as lc

L = lc.layers
MASK = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])


CASES = [
    LayerCase(
        "evaluation", lambda backend, dtype: L.Dropout(0.3), ((2, 3),), lambda x: x, lambda x: x, differentiable=False
    ),
    LayerCase(
        "mask",
        lambda backend, dtype: L.Dropout(0.3, backend.asarray(MASK.astype(np.float32))),
        ((2, 3),),
        lambda x: x * MASK / 0.7,
    ),
    LayerCase(
        "seed",
        lambda backend, dtype: L.Dropout(0.5, seed=4),
        ((2, 3),),
        lambda x: 2 * x * (np.random.default_rng(4).random((2, 3)) >= 0.5),
    ),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize("ord", [1, 2, math.inf])
def test_constants(ord):
    assert L.Dropout(0.9).lipschitz(ord).upper == 1.0
    bounds = L.Dropout(0.3, MASK).lipschitz(ord)
    assert bounds.lower <= 1 / 0.7 <= bounds.upper <= 1 / 0.7 * (1 + 1e-15)
    assert bounds.kind == "rigorous"
    assert L.Dropout(0.75, MASK > 0).lipschitz(ord).upper == 4.0
    assert L.Dropout(0.5, np.zeros(3)).lipschitz(ord).upper == 0.0
    assert L.Dropout(0.5, seed=4).lipschitz(ord, input_shape=(20,)).upper == 2.0


def test_a_seed_gives_one_mask_for_all_samples():
    layer, x = L.Dropout(0.25, seed=9), np.ones((50, 400))
    y = layer(x)
    assert np.array_equal(y, np.broadcast_to(y[0], y.shape))
    assert abs(np.mean(y[0] > 0) - 0.75) < 0.1
    assert np.array_equal(y, layer(x))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.Dropout(1.0), ValueError, "`p` must be at least 0 and below 1"),
        (lambda: L.Dropout(0.5, MASK, seed=1), ValueError, "either `mask` or `seed`"),
        (lambda: L.Dropout(0.5, 2 * MASK), ValueError, "`mask` must hold zeros and ones"),
        (lambda: L.Dropout(0.5, MASK)(np.ones((2, 3))), ValueError, "`mask` has shape"),
        (lambda: L.Dropout(0.5, seed=1).lipschitz(), ValueError, "depends on the sample's shape"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
