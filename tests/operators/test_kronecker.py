from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc


def kron(a, b):
    """Kronecker products of stacks."""
    product = np.einsum("...ij,...kl->...ikjl", a, b)
    return product.reshape(*product.shape[:-4], a.shape[-2] * b.shape[-2], a.shape[-1] * b.shape[-1])


def _case(name, shape_a, shape_b):
    return Case(
        name,
        lambda rng, dtype: {"a": gaussian(rng, shape_a, dtype), "b": gaussian(rng, shape_b, dtype)},
        lambda backend, dtype, a, b: lc.Kronecker(a, b),
        kron,
    )


CASES = [
    _case("left first", (1, 4), (3, 2)),
    _case("right first", (4, 2), (1, 3)),
    _case("batches broadcast", (2, 2, 3), (3, 1, 2, 1)),
    Case(
        "with operators",
        lambda rng, dtype: {"d": gaussian(rng, (2,), dtype), "b": gaussian(rng, (3, 2), dtype)},
        lambda backend, dtype, d, b: lc.Kronecker(lc.Diagonal(d), lc.Dense(b).H),
        lambda d, b: np.kron(np.diag(d), np.conj(b.T)),
    ),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@settings(deadline=None)
@given(*[st.integers(0, 3)] * 4)
def test_equals_numpy_kron(m_a, n_a, m_b, n_b):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m_a, n_a)), rng.standard_normal((m_b, n_b))
    K = lc.Kronecker(a, b)
    np.testing.assert_allclose(K.to_dense(), np.kron(a, b), atol=1e-14)
    np.testing.assert_allclose(K.H.to_dense(), np.kron(a, b).T, atol=1e-14)


def test_tensors_are_matrices():
    rng = np.random.default_rng(0)
    a, b, X = rng.standard_normal((2, 3)), rng.standard_normal((4, 5)), rng.standard_normal((7, 3, 5))
    K = lc.Kronecker(a, b)
    assert K.domain_shape == (3, 5)
    assert K.range_shape == (2, 4)
    np.testing.assert_allclose(K.apply(X), a @ X @ b.T)
    np.testing.assert_allclose(K.apply_adjoint(K.apply(X)), a.T @ (a @ X @ b.T) @ b)


@pytest.mark.parametrize(("shape_a", "shape_b"), [((1, 40), (40, 1)), ((40, 1), (1, 40))])
def test_cheaper_factor_goes_first(shape_a, shape_b):
    seen = []

    def counted(shape, name):
        return lc.LinearOperator(
            shape,
            lambda x: np.zeros(shape[0]),
            lambda y: np.zeros(shape[1]),
            lambda X: seen.append((name, X.shape[1])) or np.zeros((shape[0], X.shape[1])),
            float,
            lambda Y: seen.append((name, Y.shape[1])) or np.zeros((shape[1], Y.shape[1])),
        )

    K = lc.Kronecker(counted(shape_a, "a"), counted(shape_b, "b"))
    K.matvec(np.ones(K.shape[1]))
    narrowing = "a" if shape_a[0] < shape_a[1] else "b"
    assert seen == [(narrowing, 1), ({"a": "b", "b": "a"}[narrowing], 1)]
    seen.clear()
    K.rmatvec(np.ones(K.shape[0]))
    assert [width for _, width in seen] == [1, 1]


def test_structure_is_kept():
    K = lc.Kronecker(np.full((1, 2), 1j), np.ones((3, 1)))
    assert isinstance(K.H, lc.Kronecker)
    assert isinstance(K.T, lc.Kronecker)
    assert np.array_equal(K.T.to_dense(), K.to_dense().T)


def test_three_factors_associate():
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal((2, 2)) for _ in range(3))
    dense = np.kron(np.kron(a, b), c)
    np.testing.assert_allclose(lc.Kronecker(lc.Kronecker(a, b), c).to_dense(), dense)
    np.testing.assert_allclose(lc.Kronecker(a, lc.Kronecker(b, c)).to_dense(), dense)


@pytest.mark.parametrize(
    ("a", "b", "error", "message"),
    [
        ([[1.0]], np.ones((1, 1)), TypeError, "must be an array"),
        (np.ones((2, 2)), np.ones((2, 2), dtype=int), TypeError, "floating"),
        (np.ones((2, 2, 2)), np.ones((3, 2, 2)), ValueError, "do not broadcast"),
    ],
)
def test_bad_input(a, b, error, message):
    with pytest.raises(error, match=message):
        lc.Kronecker(a, b)
