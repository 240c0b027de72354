from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg as ssl
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc
from lipcore import _backend as B

SCIPY_CASES = [
    Case(
        name,
        lambda rng, dtype: {"a": gaussian(rng, (4, 3), dtype)},
        lambda backend, dtype, a, make=make: lc.aslinearoperator(make(a)),
        lambda a: a,
        natives=("numpy",),
        picklable=False,
    )
    for name, make in {
        "csr_array": scipy.sparse.csr_array,
        "coo_matrix": scipy.sparse.coo_matrix,
        "scipy operator": ssl.aslinearoperator,
    }.items()
]


# SciPy's matrices hold NumPy arrays
@pytest.mark.backends("numpy")
class TestSciPyConformance(OperatorConformance):
    @pytest.fixture(params=SCIPY_CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param

    def test_integer_data_raise(self, case):
        if case.name == "scipy operator":
            pytest.skip("SciPy's operators deduce integers for functions that say nothing of their dtype")
        integers = {"a": np.ones((4, 3), dtype=int)}
        with pytest.raises(TypeError, match="floating"):
            case.build(None, None, **integers)

    def test_pickle_and_copy(self, setups):
        pytest.skip("whether SciPy's objects pickle is SciPy's matter")


def test_own_operators_are_returned():
    A = lc.Identity(3)
    assert lc.aslinearoperator(A) is A


def test_arrays_of_every_library_become_dense(backend):
    array = backend.asarray(np.ones((2, 3), dtype=np.float32))
    A = lc.aslinearoperator(array)
    assert isinstance(A, lc.Dense)
    assert A.array is array


# NumPy itself warns whoever makes one
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_numpy_matrix_is_read_as_an_array():
    A = lc.aslinearoperator(np.matrix([[1.0, 2.0], [3.0, 4.0]]))
    assert type(A.array) is np.ndarray
    assert (A @ np.ones(2)).shape == (2,)


def test_round_trip_through_scipy():
    matrix = gaussian(np.random.default_rng(0), (4, 3), "complex64")
    A = lc.aslinearoperator(lc.Dense(matrix).to_scipy())
    assert A.dtype == np.complex64
    np.testing.assert_allclose(A.to_dense(), matrix)
    lc.check_adjoint(A, rng=0)


def test_scipy_integers_mean_double():
    A = lc.aslinearoperator(ssl.LinearOperator((2, 2), matvec=lambda x: 3 * x, rmatvec=lambda x: 3 * x))
    assert A.dtype == np.float64
    assert np.array_equal(A @ np.array([0.5, 1.0]), [1.5, 3.0])
    lc.check_adjoint(A)


def test_duck_types():
    class Bare:
        shape = (2, 3)

        def matvec(self, x):
            return x[:2].copy()

    class Underscored:
        shape, dtype = (2, 2), np.float32

        def _matvec(self, x):
            return 2 * x

        def _rmatvec(self, x):
            return 2 * x

    bare = lc.aslinearoperator(Bare())
    assert bare.dtype == np.float64
    assert np.array_equal(bare @ np.array([1.0, 2.0, 3.0]), [1.0, 2.0])
    with pytest.raises(NotImplementedError, match="rmatvec is not defined"):
        bare.rmatvec(np.ones(2))
    assert lc.aslinearoperator(Underscored()).dtype == np.float32
    lc.check_adjoint(Underscored())


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([[1.0, 2.0]], TypeError, "got list; convert it first with numpy.asarray"),
        ("matrix", TypeError, "got str"),
        (3.0, TypeError, "got float"),
        (np.ones(3), ValueError, "at least two axes"),
        (np.ones((2, 2), dtype=int), TypeError, "floating"),
        (np.ma.masked_array(np.eye(2)), TypeError, "masked"),
        (scipy.sparse.csr_array(np.eye(2, dtype=int)), TypeError, "floating"),
        (scipy.sparse.coo_array(np.ones(3)), ValueError, "two axes"),
    ],
)
def test_bad_input(bad, error, message):
    with pytest.raises(error, match=message):
        lc.aslinearoperator(bad)


# sparse formats of their own
@pytest.mark.backends("torch", "jax")
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_sparse_arrays_of_other_libraries(backend, dtype):
    rng = np.random.default_rng(0)
    dense = gaussian(rng, (4, 3), dtype) * (rng.random((4, 3)) < 0.6)
    array = backend.asarray(dense)
    if backend.native == "torch":
        matrices = [array.to_sparse_coo()]
    else:
        from jax.experimental import sparse

        matrices = [sparse.BCOO.fromdense(array), sparse.BCSR.fromdense(array)]
    for matrix in matrices:
        A = lc.aslinearoperator(matrix)
        assert isinstance(A, lc.operators.SparseMatrix)
        assert A.xp is B.array_namespace(array)
        np.testing.assert_allclose(B.to_numpy(A.to_dense()), dense, rtol=1e-6)
        np.testing.assert_allclose(B.to_numpy(A.H.to_dense()), dense.conj().T, rtol=1e-6)
        lc.check_adjoint(A, rng=1)


def test_cupy_is_told_by_the_module_name(monkeypatch):
    # No array is made: only the choice of the namespace is tested, without a GPU and without CuPy.
    asked = []
    monkeypatch.setattr("lipcore._backend.foreign.importlib.import_module", asked.append)
    B.foreign_namespace(type("csr_matrix", (), {"__module__": "cupyx.scipy.sparse._csr"})())
    B.foreign_namespace(type("Mine", (type("Base", (), {"__module__": "cupyx.scipy.sparse.linalg"}),), {})())
    assert asked == ["array_api_compat.cupy"] * 2


class TestPyLops:
    @pytest.fixture(autouse=True)
    def _pylops(self):
        self.pylops = pytest.importorskip("pylops")

    def test_operators_are_adopted(self):
        first = self.pylops.FirstDerivative(12, dtype="float64")
        A = lc.aslinearoperator(self.pylops.Diagonal(np.arange(1.0, 13.0)) @ first)
        assert A.dtype == np.float64
        lc.check_adjoint(A, rng=0)
        np.testing.assert_allclose(A.to_dense(), np.diag(np.arange(1.0, 13.0)) @ first.todense())

    def test_complex_operators_are_adopted(self):
        A = lc.aslinearoperator(self.pylops.signalprocessing.FFT(8, dtype="complex128"))
        lc.check_adjoint(A, rng=0)
        np.testing.assert_allclose(np.abs(A.to_dense()), np.full((8, 8), 8**-0.5), rtol=1e-12)

    def test_only_real_linear_operators_are_refused(self):
        with pytest.raises(TypeError, match="only real-linear"):
            lc.aslinearoperator(self.pylops.signalprocessing.FFT(8, real=True))

    @pytest.mark.parametrize(
        "operator",
        [
            lc.Diagonal(np.array([1.0, 2.0, 3.0])),
            lc.LowRank(np.ones((4, 1)), np.arange(3.0)[:, None]),
            lc.Kronecker(np.ones((2, 1)), np.arange(6.0).reshape(2, 3)),
            lc.HStack([lc.Identity(2), np.array([[1.0, 2.0], [3.0, 4.0]])]).H,
        ],
        ids=repr,
    )
    def test_dottest_passes(self, operator):
        assert self.pylops.utils.dottest(operator)
        assert self.pylops.utils.dottest(operator.to_scipy())
        assert self.pylops.utils.dottest(1j * operator, complexflag=3)


class TestSciPySolvers:
    """SciPy's solvers take our operators as they are."""

    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((30, 3)), rng.standard_normal((20, 3))
    matrix = u @ v.T + np.eye(30, 20)
    A = lc.LowRank(u, v) + lc.Dense(np.eye(30, 20))
    spd = lc.LowRank(u, u) + lc.Identity(30)

    @pytest.mark.parametrize("solver", ["arpack", "lobpcg", "propack"])
    @pytest.mark.parametrize("wrap", [lambda A: A, lambda A: A.to_scipy()], ids=["direct", "to_scipy"])
    def test_svds(self, solver, wrap):
        values = ssl.svds(wrap(self.A), k=3, solver=solver, return_singular_vectors=False, rng=np.random.default_rng(1))
        np.testing.assert_allclose(sorted(values), np.linalg.svd(self.matrix)[1][2::-1], rtol=1e-6)

    def test_eigsh(self):
        values = ssl.eigsh(self.spd, k=3, return_eigenvectors=False)
        np.testing.assert_allclose(sorted(values), np.linalg.eigvalsh(self.u @ self.u.T + np.eye(30))[-3:])

    @pytest.mark.parametrize("solver", ["lsqr", "lsmr"])
    def test_least_squares(self, solver):
        b = np.arange(30.0)
        x = getattr(ssl, solver)(self.A, b, atol=1e-12, btol=1e-12)[0]
        np.testing.assert_allclose(x, np.linalg.lstsq(self.matrix, b)[0], atol=1e-7)

    @pytest.mark.parametrize("solver", ["cg", "gmres", "minres", "bicgstab"])
    def test_linear_systems(self, solver):
        b = np.arange(30.0)
        x, info = getattr(ssl, solver)(self.spd, b, rtol=1e-12)
        assert info == 0
        np.testing.assert_allclose(self.spd @ x, b, atol=1e-7)

    def test_complex_svds(self):
        matrix = self.matrix * (1 + 2j)
        values = ssl.svds((1 + 2j) * self.A, k=2, return_singular_vectors=False)
        np.testing.assert_allclose(sorted(values), np.linalg.svd(matrix)[1][1::-1])


def test_to_scipy_serves_numpy_from_every_library(backend):
    for name in backend.dtypes:
        dense = gaussian(np.random.default_rng(0), (4, 3), name)
        S = lc.Dense(backend.asarray(dense)).to_scipy()
        assert isinstance(S, ssl.LinearOperator)
        assert S.dtype == dense.dtype
        x = np.arange(3)
        tolerance = dict.fromkeys(["rtol", "atol"], 100 * np.finfo(name).eps)
        for vectors in (x, x / 3, x * 1j / 3, np.stack([x, x], axis=1)):
            result = S @ vectors
            assert type(result) is np.ndarray
            np.testing.assert_allclose(result, dense @ vectors, **tolerance)
        np.testing.assert_allclose(S.rmatvec(np.ones(4)), dense.conj().T @ np.ones(4), **tolerance)
        np.testing.assert_allclose(S.rmatmat(np.eye(4)), dense.conj().T, **tolerance)


# bfloat16 has no NumPy dtype
@pytest.mark.backends("torch")
def test_to_scipy_of_bfloat16(backend):
    S = lc.Dense(backend.xp.ones((2, 2), dtype=backend.xp.bfloat16)).to_scipy()
    assert S.dtype == np.float32
    assert np.array_equal(S @ np.ones(2), [2.0, 2.0])


def test_to_scipy_of_a_batch():
    with pytest.raises(ValueError, match="single operators"):
        lc.Identity(2, batch_shape=(3,)).to_scipy()
