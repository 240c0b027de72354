from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc
from lipcore import _backend as B


def _vectors(backend, dtype, a):
    def times(matrix, x):
        return backend.xp.matmul(matrix, x[..., None])[..., 0]

    return lc.LinearOperator(
        tuple(a.shape),
        lambda x: times(a, x),
        lambda y: times(B.adjoint(a), y),
        dtype=a.dtype,
        xp=backend.xp,
        device=B.device_of(a),
    )


def _blocks(backend, dtype, a):
    matmul = backend.xp.matmul
    return lc.LinearOperator(
        tuple(a.shape),
        lambda x: pytest.fail("blocks are given"),
        matmat=lambda X: matmul(a, X),
        rmatmat=lambda Y: matmul(B.adjoint(a), Y),
        dtype=a.dtype,
        xp=backend.xp,
        device=B.device_of(a),
    )


class Hooks(lc.LinearOperator):
    """A subclass that has the two hooks and a tensor shape, and nothing else."""

    def __init__(self, a):
        self.a = a
        *batch, rows, columns = a.shape
        shape, home = (*batch, rows, columns), {"xp": B.array_namespace(a), "device": B.device_of(a)}
        self._setup(shape, dtype=a.dtype, domain_shape=(1, columns), range_shape=(rows, 1, 1), **home)

    def _matmat(self, X):
        assert X.shape[:-1] == (*self.batch_shape, self.shape[-1])
        assert X.dtype == self.dtype
        return self.xp.matmul(self.a, X)

    def _rmatmat(self, Y):
        assert Y.shape[:-1] == (*self.batch_shape, self.shape[-2])
        assert Y.dtype == self.dtype
        return self.xp.matmul(B.adjoint(self.a), Y)


def _case(name, shape, build, **options):
    return Case(name, lambda rng, dtype: {"a": gaussian(rng, shape, dtype)}, build, lambda a: a, **options)


CASES = [
    _case("vectors", (3, 4), _vectors, picklable=False),
    _case("vectors in batches", (2, 3, 2), _vectors, picklable=False),
    _case("blocks", (3, 2), _blocks, picklable=False),
    _case("subclass", (2, 1, 3, 4), lambda backend, dtype, a: Hooks(a), picklable=False),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def broadcastable(draw):
    """Two batch shapes that broadcast."""
    full = draw(shapes)
    ones = [tuple(1 if draw(st.booleans()) else n for n in full) for _ in range(2)]
    return tuple(shape[draw(st.integers(0, len(shape))) :] if set(shape) <= {1} else shape for shape in ones)


@settings(deadline=None)
@given(broadcastable(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))
def test_batches_broadcast_like_matmul(batches, rows, columns, width):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((*batches[0], rows, columns))
    X = rng.standard_normal((*batches[1], columns, width))
    Y = rng.standard_normal((*batches[1], rows, width))
    A = Hooks(a)
    np.testing.assert_allclose(A.matmat(X), a @ X, atol=1e-13)
    np.testing.assert_allclose(A.rmatmat(Y), np.swapaxes(a, -1, -2) @ Y, atol=1e-13)
    np.testing.assert_allclose(A @ X if X.ndim > 1 else A.matmat(X), a @ X, atol=1e-13)
    np.testing.assert_allclose(A.rdot(np.swapaxes(Y, -1, -2)), np.swapaxes(Y, -1, -2) @ a, atol=1e-13)
    if width:
        x = X[..., 0]
        if A.batch_shape or x.shape != (columns, 1):
            np.testing.assert_allclose(A.matvec(x), (a @ X[..., :1])[..., 0], atol=1e-13)
        tensor = X[..., 0].reshape(*batches[1], 1, columns)
        image = np.reshape(a @ X[..., :1], (*np.broadcast_shapes(*batches), rows, 1, 1))
        np.testing.assert_allclose(A.apply(tensor), image, atol=1e-13)


def test_columns_are_columns_only_without_a_batch():
    single, batch = lc.Identity(3), lc.Identity(3, batch_shape=(2,))
    assert single.matvec(np.ones((3, 1))).shape == (3, 1)
    assert single.rmatvec(np.ones((3, 1))).shape == (3, 1)
    with pytest.raises(ValueError, match=r"must have shape \(..., 3\)"):
        batch.matvec(np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"must have shape \(..., 3\)"):
        single.matvec(np.ones((2, 3, 1)))


def test_dot_reads_one_axis_as_a_vector_and_more_as_blocks():
    A = lc.Dense(np.arange(6.0).reshape(2, 3))
    assert (A @ np.ones(3)).shape == (2,)
    assert (A @ np.ones((3, 1))).shape == (2, 1)
    assert (A @ np.ones((4, 3, 1))).shape == (4, 2, 1)
    assert (np.ones(2) @ A).shape == (3,)
    assert (np.ones((5, 2)) @ A).shape == (5, 3)


def test_missing_functions_raise_when_they_are_called():
    A = lc.LinearOperator((2, 2), lambda x: x, dtype=float)
    for product in (A.rmatvec, A.H.matvec, A.T.matvec):
        with pytest.raises(NotImplementedError, match="rmatvec"):
            product(np.ones(2))


def test_missing_hooks_raise_when_they_are_called():
    class Forward(lc.LinearOperator):
        def __init__(self):
            self._setup((2, 2), dtype=np.float64, xp=np)

        def _matmat(self, X):
            return 2 * X

    A = Forward()
    assert np.array_equal(A @ np.ones(2), [2.0, 2.0])
    with pytest.raises(NotImplementedError, match="rmatvec"):
        A.rmatvec(np.ones(2))


def test_dtype_is_deduced_by_one_call():
    calls = []

    def matvec(x):
        calls.append(x)
        return 1j * x

    assert lc.LinearOperator((2, 2), matvec).dtype == np.complex128
    assert len(calls) == 1
    assert calls[0].shape == (2,)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (((2,), np.copy), {}, ValueError, "`shape` must be"),
        (((2, -1), np.copy), {}, ValueError, "`shape` must be"),
        (((2, 2.5), np.copy), {}, ValueError, "`shape` must be"),
        ((3, np.copy), {}, ValueError, "`shape` must be"),
        (((2, 2), None), {}, TypeError, "`matvec` must be callable"),
        (((2, 2), np.copy, 3), {}, TypeError, "`rmatvec` must be callable"),
        (((2, 2), np.copy), {"dtype": np.int64}, TypeError, "`dtype` must be"),
        (((2, 2), lambda x: 1), {}, TypeError, "`matvec` must return an array"),
        (((2, 2), np.copy), {"xp": "numpy"}, TypeError, "`xp` must be an array namespace"),
    ],
)
def test_bad_construction(arguments, options, error, message):
    with pytest.raises(error, match=message):
        lc.LinearOperator(*arguments, **options)


def test_tensor_shapes_must_hold_the_vectors():
    class Wrong(lc.LinearOperator):
        def __init__(self):
            self._setup((2, 4), dtype=np.float64, xp=np, domain_shape=(3, 1))

    with pytest.raises(ValueError, match="`domain_shape`"):
        Wrong()


@pytest.mark.parametrize("namespace", [np, None])
def test_plain_numpy_is_a_namespace(namespace):
    A = lc.LinearOperator((2, 2), lambda x: 2 * x, xp=namespace)
    assert np.array_equal(A @ np.ones(2), [2.0, 2.0])


# the one library that people import under its own name, without the compatible layer
@pytest.mark.backends("torch")
def test_plain_torch_is_a_namespace(backend):
    import torch

    A = lc.LinearOperator((2, 2), lambda x: 2 * x, xp=torch)
    assert torch.equal(A @ torch.ones(2), torch.full((2,), 2.0))
    assert torch.equal((A + lc.Dense(torch.eye(2))) @ torch.ones(2), torch.full((2,), 3.0))
