from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc


def stacked(blocks, axis):
    batch = np.broadcast_shapes(*(b.shape[:-2] for b in blocks))
    return np.concatenate([np.broadcast_to(b, (*batch, *b.shape[-2:])) for b in blocks], axis=axis)


def _case(name, kind, axis, *shapes):
    return Case(
        name,
        lambda rng, dtype: {f"b{i}": gaussian(rng, shape, dtype) for i, shape in enumerate(shapes)},
        lambda backend, dtype, **blocks: kind(blocks.values()),
        lambda **blocks: stacked(list(blocks.values()), axis),
    )


CASES = [
    _case("vertical", lc.VStack, -2, (2, 3), (1, 3), (3, 3)),
    _case("horizontal", lc.HStack, -1, (3, 1), (3, 2)),
    _case("vertical batch", lc.VStack, -2, (2, 1, 2), (3, 1, 2, 2)),
    _case("horizontal batch", lc.HStack, -1, (2, 2, 1), (3, 1, 2, 2)),
    Case(
        "with operators",
        lambda rng, dtype: {"d": gaussian(rng, (2,), dtype), "w": gaussian(rng, (2, 3), dtype)},
        lambda backend, dtype, d, w: lc.HStack([lc.Diagonal(d), lc.Dense(w)]),
        lambda d, w: np.hstack([np.diag(d), w]),
    ),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 3))
def test_any_shapes(sizes, common):
    rng = np.random.default_rng(0)
    blocks = [rng.standard_normal((size, common)) for size in sizes]
    np.testing.assert_allclose(lc.VStack(blocks).to_dense(), np.vstack(blocks))
    np.testing.assert_allclose(lc.HStack([b.T for b in blocks]).to_dense(), np.vstack(blocks).T)
    np.testing.assert_allclose(lc.VStack(blocks).H.to_dense(), np.vstack(blocks).T)


def test_structure_is_kept():
    A = lc.VStack([np.ones((1, 2)), np.full((2, 2), 1j)])
    assert isinstance(A.H, lc.HStack)
    assert isinstance(A.T, lc.HStack)
    assert isinstance(A.H.T, lc.VStack)
    assert np.array_equal(A.H.to_dense(), A.to_dense().conj().T)


def test_common_tensor_shapes_are_kept():
    K = lc.Kronecker(np.ones((2, 3)), np.ones((4, 5)))
    assert lc.VStack([K, K]).domain_shape == (3, 5)
    assert lc.VStack([K, np.ones((1, 15))]).domain_shape == (15,)
    assert lc.HStack([K, K]).range_shape == (2, 4)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"same number of columns, got \[2, 3\]"):
        lc.VStack([np.ones((1, 2)), np.ones((1, 3))])
    with pytest.raises(ValueError, match=r"same number of rows, got \[2, 3\]"):
        lc.HStack([np.ones((2, 1)), np.ones((3, 1))])
