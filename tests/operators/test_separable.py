from __future__ import annotations

import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.conformance import Case, OperatorConformance

import lipcore as lc
from lipcore.norms.index_maps import table_bounds
from lipcore.operators.axis_table import axis_table
from lipcore.operators.separable import Separable

RNG = np.random.default_rng(5)


def wide(rows, width, size):
    """Rows of `width` distinct columns each."""
    index = np.stack([RNG.permutation(size)[:width] for _ in range(rows)])
    return axis_table(index, RNG.standard_normal(index.shape), size)


PAIRS = axis_table([[0, 1], [2, 3], [4, 5]], 0.5, 6)
EDGES = axis_table([[0, 0], [0, 1], [1, 2], [2, 2]], [[1, 0], [0.75, 0.25], [0.25, 0.5], [1, 0]], 3)
COPIES = axis_table([[0], [0], [1], [1], [1]], 1.0, 2)
EVERY = axis_table([[0], [2], [4]], 1.0, 5)
MEAN = axis_table([list(range(11))], 1 / 11, 11)
SOME = axis_table([[0, 0], [2, 0]], [[0, 0], [3, 0]], 4)
PARTS = axis_table(np.arange(20).reshape(2, 10), np.arange(1.0, 21).reshape(2, 10), 22)

TABLES = {
    "pooling": ((None, PAIRS, PAIRS), (2, 6, 6)),
    "interpolation": ((None, EDGES, COPIES), (2, 3, 2)),
    "slices": ((EVERY, None, EVERY), (5, 2, 5)),
    "nothing": ((None, None), (2, 3)),
    "mean": ((None, MEAN), (2, 11)),
    "wide rows": ((wide(3, 9, 12), wide(4, 2, 3)), (12, 3)),
    "zero rows": ((SOME, None), (4, 2)),
    "parts": ((PARTS,), (22,)),
}


EVERYWHERE = ("numpy", "strict", "torch", "jax", "cupy")
NOT_COMPILED = ("numpy", "strict", "torch", "cupy")  # JAX compiles every product of every case: a few will do


def _dense(tables, shape):
    return reduce(np.kron, [np.eye(n) if t is None else t.to_dense() for t, n in zip(tables, shape, strict=True)])


CASES = [
    Case(
        name,
        lambda rng, dtype: {},
        lambda backend, dtype, tables=tables, shape=shape: Separable(
            tables, shape, dtype=dtype, xp=backend.xp, device=backend.device
        ),
        lambda tables=tables, shape=shape: _dense(tables, shape),
        natives=EVERYWHERE if name in ("interpolation", "wide rows") else NOT_COMPILED,
    )
    for name, (tables, shape) in TABLES.items()
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("ord", [1, 2, math.inf, "fro"])
def test_norms(name, ord):
    tables, shape = TABLES[name]
    bounds = lc.opnorm_bounds(Separable(tables, shape), ord, rtol=1e-9)
    true = np.linalg.norm(_dense(tables, shape), ord)
    assert bounds.kind == "rigorous"
    assert bounds.converged
    assert bounds.lower <= true * (1 + 1e-14)
    assert true <= bounds.upper * (1 + 1e-14)
    assert bounds.upper - bounds.lower <= 1e-9 * true


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_table(data):
    size = data.draw(st.integers(1, 6))
    rows, width = data.draw(st.integers(1, 5)), data.draw(st.integers(1, size))
    index = np.array([data.draw(st.permutations(range(size)))[:width] for _ in range(rows)])
    weights = np.array(
        data.draw(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=rows * width, max_size=rows * width))
    ).reshape(rows, width)
    table = axis_table(index, weights, size)
    dense = np.zeros((rows, size))
    np.put_along_axis(dense, index, weights, axis=1)
    assert np.array_equal(table.to_dense(), dense)
    assert np.array_equal(table.absolute.to_dense(), np.abs(dense))
    A = Separable([table, None], (size, 2))
    np.testing.assert_allclose(A.to_dense(), np.kron(dense, np.eye(2)), atol=1e-15)
    np.testing.assert_allclose(A.H.to_dense(), np.kron(dense, np.eye(2)).T, atol=1e-15)
    for ord in (1, 2, math.inf):
        bounds, true = table_bounds(table, ord, 1e-9), np.linalg.norm(dense, ord)
        assert bounds.lower <= true * (1 + 1e-13) + 1e-13
        assert true <= bounds.upper * (1 + 1e-13) + 1e-13
        assert bounds.upper <= bounds.lower * (1 + 1e-8) + 1e-13


def test_an_axis_too_long_to_be_written_down_gives_a_weaker_kind():
    n = 3000
    index = np.arange(n - 2)[:, None] + np.arange(3)
    A = Separable([axis_table(index, 1 / 3, n)], (n,))
    bounds = lc.opnorm_bounds(A)
    assert bounds.kind == "probabilistic"
    assert bounds.lower <= 1 <= bounds.upper * (1 + 1e-5)
    assert lc.opnorm_bounds(A, math.inf).kind == "rigorous"


def test_many_pieces_are_one():
    n = 20000
    A = Separable([axis_table(np.arange(n).reshape(-1, 4), 0.25, n)], (n,))
    bounds = lc.opnorm_bounds(A, rtol=1e-9)
    assert bounds.kind == "rigorous"
    assert bounds.lower <= 0.5 <= bounds.upper


@pytest.mark.parametrize(("tables", "shape"), [((PAIRS,), (5,)), ((PAIRS,), (6, 2)), ((None,), (2, 2))])
def test_bad_input(tables, shape):
    with pytest.raises(ValueError, match="do not fit"):
        Separable(tables, shape)


def test_bad_table():
    with pytest.raises(ValueError, match="`index` must be"):
        axis_table([[0, 3]], 1.0, 3)
