from __future__ import annotations

import math

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance

import lipcore as lc
from lipcore import _backend as B
from lipcore.operators.selection import Selection

INDICES = {
    "single": (np.array([2, 0, 2, 4, 2]), 5),
    "batch": (np.array([[0, 0, 1], [3, 1, 3]]), 4),
    "two axes": (np.array([[[1, 1]], [[0, 2]], [[2, 2]]]), 3),
    "one": (np.array([0]), 1),
}


def _dense(index, size):
    return (index[..., None] == np.arange(size)).astype(np.float64)


CASES = [
    Case(
        name,
        lambda rng, dtype: {},
        lambda backend, dtype, index=index, size=size: Selection(backend.asarray(index), size, dtype=dtype),
        lambda index=index, size=size: _dense(index, size),
        natives=(
            "numpy",
            "strict",
            "torch",
            "cupy",
            *(["jax"] if name == "two axes" else []),
        ),  # which compiles them all
    )
    for name, (index, size) in INDICES.items()
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("ord", [1, 2, math.inf, "fro"])
def test_norms_are_exact(name, ord):
    index, size = INDICES[name]
    bounds = lc.opnorm_bounds(Selection(index, size, dtype=np.dtype("float64")), ord)
    true = np.linalg.norm(_dense(index, size), ord, axis=(-2, -1))
    assert bounds.kind == "rigorous"
    assert np.all(bounds.lower <= true * (1 + 1e-15))
    assert np.all(true <= np.asarray(bounds.upper) * (1 + 1e-15))
    assert np.all(np.asarray(bounds.upper) - bounds.lower <= 1e-15 * true)


def test_bad_input():
    with pytest.raises(TypeError, match="`index` must be an array of integers"):
        Selection(np.ones(3), 3, dtype=np.dtype("float64"))
    with pytest.raises(ValueError, match="without axes"):
        Selection(np.array(1), 3, dtype=np.dtype("float64"))


def test_rows_that_meet_are_added(backend):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2, 3, 50, 2)).astype(np.float32)
    index = rng.integers(0, 7, (2, 3, 50))
    expected = np.zeros((2, 3, 7, 2))
    for place in np.ndindex(2, 3, 50):
        expected[(*place[:2], index[place])] += rows[place]
    found = B.to_numpy(B.scatter_add(backend.asarray(rows), backend.asarray(index), 7))
    np.testing.assert_allclose(found, expected, atol=1e-5)
