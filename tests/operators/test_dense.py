from __future__ import annotations

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc

CASES = [
    Case(
        name,
        lambda rng, dtype, shape=shape: {"a": gaussian(rng, shape, dtype)},
        lambda backend, dtype, a: lc.Dense(a),
        lambda a: a,
    )
    for name, shape in [("wide", (2, 5)), ("tall batch", (2, 3, 4, 2)), ("row", (1, 3)), ("column", (3, 1))]
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def test_the_array_is_kept():
    array = np.eye(2)
    assert lc.Dense(array).array is array
    assert lc.Dense(array).to_dense() is array


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([[1.0]], TypeError, "`array` must be an array"),
        (np.ones(2), ValueError, "at least two axes"),
        (np.ones((2, 2), dtype=int), TypeError, "floating"),
    ],
)
def test_bad_input(bad, error, message):
    with pytest.raises(error, match=message):
        lc.Dense(bad)
