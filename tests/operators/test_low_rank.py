from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc


def _dense(u, v):
    return u @ np.conj(np.swapaxes(v, -1, -2))


def _case(name, shape_u, shape_v):
    return Case(
        name,
        lambda rng, dtype: {"u": gaussian(rng, shape_u, dtype), "v": gaussian(rng, shape_v, dtype)},
        lambda backend, dtype, u, v: lc.LowRank(u, v),
        _dense,
    )


CASES = [_case("rank2", (5, 2), (4, 2)), _case("batches broadcast", (3, 1, 3, 1), (2, 5, 1))]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), max_size=2), st.integers(0, 4), st.integers(0, 4), st.integers(0, 3))
def test_any_shape(batch, rows, columns, rank):
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((*batch, rows, rank)), rng.standard_normal((*batch, columns, rank))
    A = lc.LowRank(u, v)
    assert A.shape == (*batch, rows, columns)
    np.testing.assert_allclose(A.to_dense(), _dense(u, v), atol=1e-13)
    np.testing.assert_allclose(A.H.to_dense(), _dense(v, u), atol=1e-13)
    lc.check_adjoint(A, rng=rng)


def test_factors_promote():
    A = lc.LowRank(np.ones((2, 1), dtype=np.float32), np.full((3, 1), 1j))
    assert A.dtype == A.u.dtype == A.v.dtype == np.complex128
    assert np.array_equal(A.to_dense(), np.full((2, 3), -1j))


def test_structure_is_kept():
    A = lc.LowRank(np.array([[1j]]), np.array([[1.0], [2j]]))
    assert isinstance(A.H, lc.LowRank)
    assert isinstance(A.T, lc.LowRank)
    assert np.array_equal(A.T.to_dense(), A.to_dense().T)


@pytest.mark.parametrize(
    ("u", "v", "error", "message"),
    [
        ([[1.0]], np.ones((1, 1)), TypeError, "`u` must be an array"),
        (np.ones((2, 1)), np.ones((2, 1), dtype=int), TypeError, "`v` must be real or complex floating"),
        (np.ones(2), np.ones((2, 1)), ValueError, r"`u` must have shape \(..., size, rank\)"),
        (np.ones((2, 1)), np.ones((1, 2)), ValueError, "same number of columns"),
        (np.ones((2, 2, 1)), np.ones((3, 2, 1)), ValueError, "do not broadcast"),
    ],
)
def test_bad_input(u, v, error, message):
    with pytest.raises(error, match=message):
        lc.LowRank(u, v)


# one other library is enough
@pytest.mark.backends("torch")
def test_libraries_do_not_mix(backend):
    with pytest.raises(TypeError, match="several libraries"):
        lc.LowRank(np.ones((2, 1)), backend.asarray(np.ones((2, 1))))
