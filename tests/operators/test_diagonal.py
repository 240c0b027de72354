from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc


def _dense(d):
    return d[..., None] * np.eye(d.shape[-1])


CASES = [
    Case(
        name,
        lambda rng, dtype, shape=shape: {"d": gaussian(rng, shape, dtype)},
        lambda backend, dtype, d: lc.Diagonal(d),
        _dense,
    )
    for name, shape in [("single", (5,)), ("batch", (2, 3, 4)), ("one", (1,))]
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def test_adjoint_and_transpose_stay_diagonal():
    D = lc.Diagonal(np.array([1.0, 2.0j]))
    assert isinstance(D.H, lc.Diagonal)
    assert np.array_equal(D.H.diagonal, [1.0, -2.0j])
    assert D.T is D


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 3))
def test_any_shape(shape, columns):
    rng = np.random.default_rng(0)
    d = rng.standard_normal(shape)
    X = rng.standard_normal((*shape, columns))
    assert np.array_equal(lc.Diagonal(d).matmat(X), d[..., None] * X)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([1.0, 2.0], TypeError, "`diagonal` must be an array"),
        (np.array([1, 2]), TypeError, "`diagonal` must be real or complex floating"),
        (np.array(1.0), ValueError, "scalar"),
    ],
)
def test_bad_input(bad, error, message):
    with pytest.raises(error, match=message):
        lc.Diagonal(bad)
