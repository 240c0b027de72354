from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from layers.layer_conformance import SAMPLES, LayerCase, LayerConformance

import lipcore as lc
from lipcore import _backend as B
from lipcore.layers import embedding as module

L = lc.layers
TABLE = np.random.default_rng(3).standard_normal((5, 3))


CASES = [
    LayerCase(
        "weights",
        lambda backend, dtype: L.Embedding(backend.asarray(TABLE.astype(B.dtype_name(dtype)))),
        ((2, 5),),
        lambda x: x @ TABLE,
        inputs=lambda rng: (rng.dirichlet(np.ones(5), (SAMPLES, 2)),),
    )
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def test_integers_pick_rows(backend):
    layer = L.Embedding(backend.asarray(TABLE.astype(np.float32)))
    ids = np.array([[0, 4, 2], [1, 1, 3]])
    rows = layer(backend.asarray(ids.astype(np.int32)))
    assert np.array_equal(B.to_numpy(rows), TABLE.astype(np.float32)[ids])
    one_hot = backend.asarray(np.eye(5, dtype=np.float32)[ids])
    np.testing.assert_allclose(B.to_numpy(layer(one_hot)), TABLE[ids], atol=1e-6)


@pytest.mark.parametrize("ord", [1, 2, math.inf])
def test_one_hot_constant_is_the_largest_distance(ord):
    layer = L.Embedding(TABLE)
    unit = np.eye(5)
    ratios = [
        np.linalg.norm(layer(unit[[i]])[0] - layer(unit[[j]])[0], ord) / np.linalg.norm(unit[i] - unit[j], ord)
        for i, j in itertools.combinations(range(5), 2)
    ]
    bounds = layer.one_hot_lipschitz(ord)
    assert bounds.lower <= max(ratios) <= bounds.upper
    assert bounds.upper - bounds.lower <= 1e-12 * bounds.upper
    assert bounds.upper <= layer.lipschitz(ord).upper  # one-hot vectors are some of the weights


@pytest.mark.parametrize("ord", [1, 2, math.inf])
def test_large_tables_are_enclosed(ord, monkeypatch):
    table = np.random.default_rng(0).standard_normal((60, 4))
    exact = L.Embedding(table).one_hot_lipschitz(ord)
    monkeypatch.setattr(module, "_EXACT", 10)
    wide = L.Embedding(table).one_hot_lipschitz(ord)
    assert wide.lower <= exact.upper
    assert exact.lower <= wide.upper <= 2 * wide.lower


def test_constant_of_weights_is_the_norm_of_the_table():
    bounds = L.Embedding(TABLE).lipschitz()
    assert bounds.lower <= np.linalg.norm(TABLE, 2) * (1 + 1e-14)
    assert np.linalg.norm(TABLE, 2) <= bounds.upper * (1 + 1e-14)
    assert L.Embedding(TABLE[:1]).one_hot_lipschitz().upper == 0.0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.Embedding(TABLE).jacobian(np.array([[1, 2]])), TypeError, "integers, which have no neighbours"),
        (lambda: L.Embedding(TABLE[0]), ValueError, r"`weight` must have shape \(entries, features\)"),
        (lambda: L.Embedding(np.ones((2, 2), dtype=int)), TypeError, "`weight` must be real floating"),
        (lambda: L.Embedding(TABLE)(np.array(1)), ValueError, "without axes"),
        (lambda: L.Embedding(TABLE)(np.ones((2, 4))), ValueError, "takes samples"),
        (lambda: L.Embedding(TABLE).one_hot_lipschitz("fro"), ValueError, "`ord` must be one of"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
