from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc


def block_diagonal(*blocks):
    batch = np.broadcast_shapes(*(b.shape[:-2] for b in blocks))
    blocks = [np.broadcast_to(b, (*batch, *b.shape[-2:])) for b in blocks]
    result = np.zeros((*batch, sum(b.shape[-2] for b in blocks), sum(b.shape[-1] for b in blocks)), dtype=complex)
    for index in np.ndindex(*batch):
        result[index] = scipy.linalg.block_diag(*(b[index] for b in blocks))
    return result


def _case(name, *shapes):
    return Case(
        name,
        lambda rng, dtype: {f"b{i}": gaussian(rng, shape, dtype) for i, shape in enumerate(shapes)},
        lambda backend, dtype, **blocks: lc.BlockDiagonal(list(blocks.values())),
        lambda **blocks: block_diagonal(*blocks.values()),
    )


CASES = [
    _case("three", (2, 3), (1, 1), (3, 2)),
    _case("batches broadcast", (2, 2, 1), (3, 1, 1, 3)),
    Case(
        "with operators",
        lambda rng, dtype: {"d": gaussian(rng, (2,), dtype), "w": gaussian(rng, (2, 3), dtype)},
        lambda backend, dtype, d, w: lc.BlockDiagonal(
            [lc.Diagonal(d), lc.Identity(1, dtype, xp=backend.xp), 2 * lc.Dense(w).H]
        ),
        lambda d, w: block_diagonal(np.diag(d), np.eye(1), 2 * np.conj(w.T)),
    ),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4))
def test_any_shapes(shapes):
    rng = np.random.default_rng(0)
    blocks = [rng.standard_normal(shape) for shape in shapes]
    A = lc.BlockDiagonal(blocks)
    np.testing.assert_allclose(A.to_dense(), block_diagonal(*blocks).real)
    np.testing.assert_allclose(A.H.to_dense(), block_diagonal(*blocks).real.T)


def test_blocks_promote():
    A = lc.BlockDiagonal([np.ones((1, 1), dtype=np.float32), np.full((1, 1), 1j)])
    assert A.dtype == np.complex128
    assert np.array_equal(A @ np.array([2.0, 3.0]), [2.0, 3.0j])


def test_structure_is_kept():
    A = lc.BlockDiagonal([np.ones((1, 2)), lc.Identity(2)])
    assert isinstance(A.H, lc.BlockDiagonal)
    assert isinstance(A.T, lc.BlockDiagonal)
    assert [block.shape for block in A.T.blocks] == [(2, 1), (2, 2)]


@pytest.mark.parametrize("kind", [lc.BlockDiagonal, lc.VStack, lc.HStack])
@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        ([], ValueError, "at least one"),
        (np.ones((2, 2)), TypeError, "sequence of operators"),
        (lc.Identity(2), TypeError, "sequence of operators"),
        (3, TypeError, "sequence of operators"),
        ([np.ones((2, 2)), "x"], TypeError, "must be an array"),
        ([np.ones((2, 2, 2)), np.ones((3, 2, 2))], ValueError, "do not broadcast"),
        ([np.ones((2, 2), dtype=int)], TypeError, "floating"),
    ],
)
def test_bad_input(kind, blocks, error, message):
    with pytest.raises(error, match=message):
        kind(blocks)


# one other library is enough
@pytest.mark.backends("torch")
@pytest.mark.parametrize("kind", [lc.BlockDiagonal, lc.VStack, lc.HStack])
def test_libraries_do_not_mix(kind, backend):
    with pytest.raises(TypeError, match="cannot be combined"):
        kind([np.ones((2, 2)), backend.asarray(np.ones((2, 2)))])


# array-api-strict has several devices on any machine
@pytest.mark.backends("strict")
def test_devices_do_not_mix(backend):
    elsewhere = backend.xp.ones((2, 2), device=backend.xp.Device("device1"))
    with pytest.raises(ValueError, match="devices"):
        lc.BlockDiagonal([backend.asarray(np.ones((2, 2))), elsewhere])
