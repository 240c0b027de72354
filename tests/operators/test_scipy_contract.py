"""SciPy's contract for operators (1.18), in our own words. Where lipcore differs, the test says so and why.

The differences, all on purpose: integers, lists and `numpy.matrix` are refused as vectors; a function that says nothing
of its dtype is probed with floats, not with int8; a column under `matvec` brings no warning; a subclass overrides
`_matmat`, not `_matvec`; nested scalings are not folded; a composite shows its parts by name, not in ``args``.
"""

from __future__ import annotations

import gc
import pickle
import weakref

import numpy as np
import pytest
import scipy.sparse

import lipcore as lc
from lipcore.operators import algebra

matrix = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
square = np.array([[1.0, 2.0], [3.0, 4.0]])
RIGHT = {"vector": np.array([1.0, 2.0, 3.0]), "column": np.array([[1.0], [2.0], [3.0]]), "block": np.eye(3)[:, :2]}
LEFT = {"vector": np.array([1.0, -1.0]), "row": np.array([[2.0, 1.0]]), "block": np.ones((4, 2))}


def from_vectors(a):
    return lc.LinearOperator(a.shape, lambda x: a @ x, lambda y: a.conj().T @ y, dtype=a.dtype)


def from_blocks(a):
    adjoint = a.conj().T
    return lc.LinearOperator(
        a.shape, lambda x: a @ x, lambda y: adjoint @ y, lambda X: a @ X, a.dtype, lambda Y: adjoint @ Y
    )


class Matmat(lc.LinearOperator):
    def __init__(self, a):
        self.a = a
        self._setup(a.shape, dtype=a.dtype, xp=np)

    def _matmat(self, X):
        return self.a @ X

    def _rmatmat(self, Y):
        return np.conj(np.swapaxes(self.a, -1, -2)) @ Y


makers = pytest.mark.parametrize(
    "make",
    [from_vectors, from_blocks, Matmat, lc.aslinearoperator, lambda a: lc.aslinearoperator(scipy.sparse.csr_array(a))],
    ids=["vectors", "blocks", "subclass", "array", "sparse"],
)


@makers
@pytest.mark.parametrize("factor", [1.0, 1j], ids=["real", "complex"])
class TestProducts:
    @pytest.mark.parametrize("kind", RIGHT)
    def test_from_the_left(self, make, factor, kind):
        a, x = factor * matrix, RIGHT[kind]
        A = make(a)
        for product in (A @ x, A * x, A.dot(x), A(x), A.matvec(x) if kind != "block" else A.matmat(x)):
            assert type(product) is np.ndarray
            np.testing.assert_allclose(product, a @ x)

    @pytest.mark.parametrize("kind", LEFT)
    def test_from_the_right(self, make, factor, kind):
        a, y = factor * matrix, LEFT[kind]
        A = make(a)
        for product in (y @ A, y * A, A.rdot(y)):
            np.testing.assert_allclose(product, y @ a)

    def test_adjoint_products(self, make, factor):
        a = factor * matrix
        A = make(a)
        for y in (LEFT["vector"], LEFT["vector"][:, None]):
            for product in (A.rmatvec(y), A.H @ y, A.adjoint().matvec(y), A.H.dot(y)):
                np.testing.assert_allclose(product, a.conj().T @ y)
            np.testing.assert_allclose(A.T @ y, a.T @ y)
            np.testing.assert_allclose(A.transpose().matvec(y), a.T @ y)
        Y = np.arange(8.0).reshape(2, 4)
        for product in (A.rmatmat(Y), A.H.matmat(Y)):
            np.testing.assert_allclose(product, a.conj().T @ Y)
        np.testing.assert_allclose(A.T.matmat(Y), a.T @ Y)

    @pytest.mark.parametrize("scalar", [2, -1.5, 2j, np.float64(3.0)])
    def test_scalings(self, make, factor, scalar):
        a, x, y = factor * matrix, RIGHT["vector"], LEFT["vector"]
        A = make(a)
        for scaled in (scalar * A, A * scalar, A / (1 / scalar)):
            np.testing.assert_allclose(scaled @ x, scalar * a @ x)
            np.testing.assert_allclose(scaled.rmatvec(y), np.conj(scalar) * a.conj().T @ y)
            np.testing.assert_allclose(scaled.H @ y, np.conj(scalar) * a.conj().T @ y)
            np.testing.assert_allclose(scaled.T @ y, scalar * a.T @ y)
            assert scaled.dtype == np.result_type(a, scalar)

    def test_sums(self, make, factor):
        a, x, y = factor * matrix, RIGHT["block"], LEFT["block"].T
        A = make(a)
        for total, dense in ((A + A, 2 * a), (A - A, 0 * a), (-A, -a), (A + 2j * A, (1 + 2j) * a)):
            np.testing.assert_allclose(total @ x, dense @ x)
            np.testing.assert_allclose(total.rmatmat(y), dense.conj().T @ y)
            np.testing.assert_allclose(total.H.matmat(y), dense.conj().T @ y)

    def test_products_and_powers(self, make, factor):
        a, b = factor * matrix, matrix.T
        for product, dense in ((make(a) @ make(b), a @ b), (make(a) * make(b), a @ b)):
            np.testing.assert_allclose(product @ square, dense @ square)
            np.testing.assert_allclose(product.rmatmat(square), dense.conj().T @ square)
        c = factor * square
        for p in range(4):
            power = np.linalg.matrix_power(c, p)
            np.testing.assert_allclose((make(c) ** p) @ square, power @ square)
            np.testing.assert_allclose((make(c) ** p).rmatvec(np.ones(2)), power.conj().T @ np.ones(2))

    def test_mismatches_raise(self, make, factor):
        A = make(factor * matrix)
        for bad in (np.ones(2), np.ones(4), np.ones((2, 1)), np.ones((4, 1))):
            for product in (A.matvec, A.dot, A.__matmul__, A.__mul__):
                with pytest.raises(ValueError, match="must have shape"):
                    product(bad)
        for bad in (np.ones(3), np.ones(1)):
            with pytest.raises(ValueError, match="must have shape"):
                A.rmatvec(bad)
            with pytest.raises(ValueError, match="must have shape"):
                bad @ A
        for product in (A.matmat, A.rmatmat):
            with pytest.raises(ValueError, match="must have shape"):
                product(np.ones(3))
        with pytest.raises(ValueError, match="shapes differ"):
            A @ A
        with pytest.raises(ValueError, match="shapes differ"):
            A + A.T
        with pytest.raises(ValueError, match="square"):
            A**2


def test_composites_have_their_kinds():
    A, C = lc.aslinearoperator(matrix), lc.aslinearoperator(square)
    assert isinstance(2 * A, algebra.ScaledOperator)
    assert isinstance(A / 2j, algebra.ScaledOperator)
    assert isinstance(-A, algebra.ScaledOperator)
    assert isinstance(A - A, algebra.SumOperator)
    assert isinstance(A @ A.T, algebra.ProductOperator)
    assert isinstance(C**2, algebra.PowerOperator)


def test_scaling_leaves_the_operand_alone():
    A = 3 * lc.aslinearoperator(matrix)
    before = A @ np.ones(3)
    _ = A * 5, A / 7
    assert np.array_equal(A @ np.ones(3), before)


def test_scalars_are_no_operands_of_matmul():
    A = lc.aslinearoperator(matrix)
    for product in (lambda: A @ 2, lambda: 2 @ A, lambda: A @ 2j):
        with pytest.raises(ValueError, match=r"use \* instead"):
            product()
    with pytest.raises(ValueError, match="by a number only"):
        A / np.array([1.0, 2.0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_dtype_is_that_of_the_data(dtype):
    a = matrix.astype(dtype)
    for A in (lc.aslinearoperator(a), lc.aslinearoperator(scipy.sparse.csr_array(a))):
        assert A.dtype == A.T.dtype == A.H.dtype == (A + A).dtype == (A @ A.H).dtype == (2.0 * A).dtype == dtype


def test_dtype_of_mixed_composites():
    real, imaginary = lc.aslinearoperator(square), lc.aslinearoperator(1j * square)
    assert (real + real).dtype == np.float64
    assert (real + imaginary).dtype == (imaginary @ real).dtype == (2j * real).dtype == np.complex128


@pytest.mark.parametrize("function", [lambda x: 2 * x, lambda x: 2j * x, lambda x: x.astype(np.float32)])
def test_dtype_of_a_function_is_deduced_from_one_call(function):
    # SciPy probes with int8 zeros: a function of floats then looks like one of integers
    calls = []
    A = lc.LinearOperator((2, 2), lambda x: calls.append(1) or function(x))
    assert len(calls) == 1
    assert A.dtype == function(np.zeros(2)).dtype


def test_attributes_of_all_composites():
    A = lc.aslinearoperator(square)
    B = lc.LinearOperator((2, 2), lambda x: np.ones(2))
    for operator in (A, B, A @ B, A * B, A.H, A.T, A.adjoint(), A + A, B + B, A**4, 2 * B):
        assert operator.shape == (2, 2)
        assert operator.ndim == 2
        assert operator.dtype == np.float64
        assert "2x2" in repr(operator)
        assert "dtype=float64" in repr(operator)


def zeros_of_three(x):
    return np.zeros(3)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    A = lc.LinearOperator((3, 3), zeros_of_three)
    twin = pickle.loads(pickle.dumps(2 * A.H.H, protocol=protocol))
    assert np.array_equal(twin @ np.ones(3), np.zeros(3))
    assert twin.operator.__dict__.keys() == A.__dict__.keys()


def test_conjugation_of_a_complex_scaling():
    A = 1j * lc.aslinearoperator(np.array([[1j]]))
    v = np.ones(1)
    assert A @ v == A.T @ v == A.H @ v == -1


def test_missing_adjoint_is_reported_when_it_is_used():
    A = lc.LinearOperator((2, 2), lambda x: x, dtype=float)
    for use in (A.rmatvec, A.rmatmat, A.H.matvec, A.T.dot, (A + A).rmatvec, (A @ A).rmatvec, (2 * A).rmatvec):
        with pytest.raises(NotImplementedError, match="rmatvec is not defined"):
            use(np.ones((2, 1)))


def test_sparse_operands_are_to_be_wrapped():
    A, S = from_vectors(square), scipy.sparse.eye_array(2)
    for product in (lambda: A @ S, lambda: S @ A, lambda: A.dot(S), lambda: A.rdot(S)):
        with pytest.raises(TypeError, match=r"lipcore\.aslinearoperator"):
            product()
    np.testing.assert_allclose((A @ lc.aslinearoperator(S)).to_dense(), square)
    np.testing.assert_allclose((lc.aslinearoperator(S) @ A).to_dense(), square)


def test_lists_integers_and_matrices_are_refused_as_vectors():
    # SciPy converts them; a device array would travel silently, and integers overflow silently
    A = lc.aslinearoperator(square)
    with pytest.raises(TypeError, match="must be an array"):
        A @ [1.0, 2.0]
    with pytest.raises(TypeError, match="floating"):
        A @ np.array([1, 2])


@pytest.mark.parametrize("batch_a", [(), (5,), (0,)])
@pytest.mark.parametrize("batch_x", [(), (6, 1), (0, 1), (1,)])
@pytest.mark.parametrize("make", [lc.aslinearoperator, Matmat], ids=["array", "subclass"])
def test_batches(make, batch_a, batch_x):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((*batch_a, 4, 3)) + 1j * rng.standard_normal((*batch_a, 4, 3))
    X, Y = rng.standard_normal((*batch_x, 3, 2)), rng.standard_normal((*batch_x, 4, 2))
    A, adjoint = make(a), np.conj(np.swapaxes(a, -1, -2))
    np.testing.assert_allclose(A @ X, a @ X)
    np.testing.assert_allclose(A.matvec(X[..., 0]), (a @ X[..., :1])[..., 0])
    np.testing.assert_allclose(A.rmatmat(Y), adjoint @ Y)
    np.testing.assert_allclose(A.rmatvec(Y[..., 0]), (adjoint @ Y[..., :1])[..., 0])
    np.testing.assert_allclose(np.swapaxes(Y, -1, -2) @ A, np.swapaxes(Y, -1, -2) @ a)
    for bad in (X[..., :1], X[..., :0]):
        if batch_a or batch_x:  # a single column is read as a vector only by a single operator
            with pytest.raises(ValueError, match="must have shape"):
                A.matvec(bad)


def test_no_reference_cycles():
    A = lc.aslinearoperator(np.eye(2))
    A.H, A.T, 2 * A, A @ A, A**2
    gone = weakref.ref(A)
    gc.disable()
    try:
        del A
        assert gone() is None
    finally:
        gc.enable()
