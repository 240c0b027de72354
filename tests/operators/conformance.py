"""What every operator must do. A test file subclasses `OperatorConformance` and gives its cases::

class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from _pretended_gpu import pretended_gpu
from operators.derivatives import gradients, inner, with_gaps

import lipcore as lc
from lipcore import _backend as B

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Case:
    """One operator: random NumPy arrays, the operator made of them on a backend, and its dense matrix in NumPy."""

    name: str
    arrays: Callable[[np.random.Generator, np.dtype], Arrays]
    build: Callable[..., lc.LinearOperator]  # build(backend, dtype, **arrays of the backend)
    dense: Callable[..., np.ndarray]  # dense(**NumPy arrays in double precision)
    natives: tuple[str, ...] = ("numpy", "strict", "torch", "jax", "cupy")
    halves: bool = True  # whether float16 and bfloat16 are supported where the backend has them
    dtypes: tuple[str, ...] = ("float32", "float64", "complex64", "complex128")
    picklable: bool = True
    pretends: bool = True  # whether it runs on a pretended GPU; torch's autograd engine aborts there

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))


def gaussian(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Random array of the dtype, complex where it is."""
    dtype = np.dtype(dtype)
    values = rng.standard_normal(shape)
    if dtype.kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return np.asarray(values, dtype=dtype)


def double(array: np.ndarray) -> np.ndarray:
    return array.astype(np.result_type(array.dtype, np.float64))


def assert_near(actual: Any, matrix: np.ndarray, block: np.ndarray, dtype: Any, adjoint: bool = False) -> None:
    """`actual` is ``matrix @ block`` (or with its adjoint) up to the rounding of `dtype`."""
    matrix = np.conj(np.swapaxes(matrix, -1, -2)) if adjoint else matrix
    actual = B.to_numpy(actual)
    expected = matrix @ block
    assert actual.shape == expected.shape
    size = float(np.max(np.abs(matrix) @ np.abs(block), initial=0.0))
    tolerance = 100 * B.eps(None, dtype) * size
    np.testing.assert_allclose(double(actual), expected, rtol=0, atol=tolerance + 1e-300)


class Setup:
    """A case on a backend in a dtype."""

    def __init__(self, case: Case, backend: Any, name: str) -> None:
        self.case, self.backend, self.name = case, backend, name
        self.rng = case.rng()
        self.dtype = backend.dtype(name)
        self.host = case.arrays(self.rng, np.dtype(name))
        self.arrays = {key: backend.asarray(value) for key, value in self.host.items()}
        self.operator = case.build(backend, self.dtype, **self.arrays)
        self.dense = case.dense(**{key: double(value) for key, value in self.host.items()})
        self.batch, (self.rows, self.columns) = self.dense.shape[:-2], self.dense.shape[-2:]

    def draw(self, *shape: int) -> tuple[Any, np.ndarray]:
        """Random array on the backend, and the same on the host in double precision."""
        values = gaussian(self.rng, shape, self.name)
        return self.backend.asarray(values), double(values)


def dtypes_of(backend: Any, case: Case) -> list[str]:
    """The dtypes to test; JAX compiles everything anew for each, so its two variants take one each."""
    names = [name for name in backend.dtypes if name in case.dtypes]
    return {"jax": names[:1], "jax-x64": names[-1:]}.get(backend.name, names)


class OperatorConformance:
    """The suite. Subclasses define the fixture `case`."""

    @pytest.fixture
    def setups(self, case: Case, backend: Any) -> list[Setup]:
        if backend.native not in case.natives:
            pytest.skip(f"{case.name} exists on {', '.join(case.natives)} only")
        return [Setup(case, backend, name) for name in dtypes_of(backend, case)]

    def test_attributes(self, setups):
        for s in setups:
            A = s.operator
            assert A.shape == s.dense.shape
            assert all(type(n) is int for n in A.shape)
            assert A.batch_shape == s.batch
            assert A.ndim == s.dense.ndim
            assert A.dtype == s.dtype
            assert A.xp.__name__ == s.backend.xp.__name__
            assert (int(np.prod(A.range_shape)), int(np.prod(A.domain_shape))) == A.shape[-2:]
            assert "x".join(map(str, A.shape)) in repr(A)
            assert s.name in repr(A)

    def test_products_match_dense(self, setups):
        for s in setups:
            A, dense = s.operator, s.dense
            X, x_host = s.draw(*s.batch, s.columns, 3)
            Y, y_host = s.draw(*s.batch, s.rows, 3)
            for result in (A.matmat(X), A @ X, A(X), A.dot(X)):
                assert_near(result, dense, x_host, s.dtype)
                assert result.dtype == s.dtype
                assert B.device_of(result) == B.device_of(X)
            left = [A.rdot(B.adjoint(Y))]
            if s.backend.native != "strict":  # whose arrays refuse every operand of another kind
                left.append(B.adjoint(Y) @ A)
            for result in (A.rmatmat(Y), A.H @ Y, *map(B.adjoint, left)):
                assert_near(result, dense, y_host, s.dtype, adjoint=True)
                assert result.dtype == s.dtype
            assert_near(A.matvec(X[..., 0])[..., None], dense, x_host[..., :1], s.dtype)
            assert_near(A.rmatvec(Y[..., 0])[..., None], dense, y_host[..., :1], s.dtype, adjoint=True)
            assert_near(A.matmat(X[..., :0]), dense, x_host[..., :0], s.dtype)
            assert_near(A.rmatmat(Y[..., :0]), dense, y_host[..., :0], s.dtype, adjoint=True)

    def test_to_dense(self, setups):
        for s in setups:
            matrix = s.operator.to_dense()
            assert matrix.dtype == s.dtype
            assert_near(matrix, s.dense, np.eye(s.columns), s.dtype)

    def test_columns_and_tensors(self, setups):
        for s in setups:
            A, dense = s.operator, s.dense
            if not s.batch:
                for result, n, adjoint in ((A.matvec, s.columns, False), (A.rmatvec, s.rows, True)):
                    column, host = s.draw(n, 1)
                    assert_near(result(column), dense, host, s.dtype, adjoint)
            x, x_host = s.draw(2, *s.batch, s.columns)
            y, y_host = s.draw(2, *s.batch, s.rows)
            tensor = s.backend.xp.reshape(x, (2, *s.batch, *A.domain_shape))
            image = A.apply(tensor)
            assert image.shape == (2, *s.batch, *A.range_shape)
            flat = s.backend.xp.reshape(image, (2, *s.batch, s.rows))
            assert_near(flat[..., None], dense, x_host[..., None], s.dtype)
            # a stack of one must not be read as a column
            assert A.apply(tensor[:1, ...]).shape == (1, *s.batch, *A.range_shape)
            alone = A.apply(s.backend.xp.reshape(x[(*(0,) * (x.ndim - 1), ...)], A.domain_shape))
            assert alone.shape == (*s.batch, *A.range_shape)
            back = A.apply_adjoint(s.backend.xp.reshape(y, (2, *s.batch, *A.range_shape)))
            assert back.shape == (2, *s.batch, *A.domain_shape)
            flat = s.backend.xp.reshape(back, (2, *s.batch, s.columns))
            assert_near(flat[..., None], dense, y_host[..., None], s.dtype, adjoint=True)

    def test_leading_axes_are_looped_over(self, setups):
        for s in setups:
            X, x_host = s.draw(2, 2, *s.batch, s.columns, 2)
            assert_near(s.operator.matmat(X), s.dense, x_host, s.dtype)
            # a single block meets every member of the batch
            one, one_host = s.draw(s.columns, 2)
            assert_near(s.operator.matmat(one), s.dense, one_host, s.dtype)
            rows, rows_host = s.draw(2, *s.batch, s.rows)
            assert_near(s.operator.rmatvec(rows)[..., None], s.dense, rows_host[..., None], s.dtype, adjoint=True)

    def test_linearity(self, setups):
        for s in setups:
            X, _ = s.draw(*s.batch, s.columns, 2)
            Z, z_host = s.draw(*s.batch, s.columns, 2)
            c = 2 - 3j if s.name.startswith("complex") else -3.0
            together = B.to_numpy(s.operator.matmat(c * X + Z))
            apart = B.to_numpy(c * s.operator.matmat(X) + s.operator.matmat(Z))
            size = np.max(np.abs(s.dense) @ np.abs(z_host), initial=0) * 20
            np.testing.assert_allclose(together, apart, rtol=0, atol=100 * B.eps(None, s.dtype) * size)

    def test_adjoint(self, setups):
        for s in setups:
            assert lc.check_adjoint(s.operator, rng=s.rng)

    def test_adjoint_and_transpose_are_involutions(self, setups):
        for s in setups:
            A, dense = s.operator, s.dense
            X, x_host = s.draw(*s.batch, s.columns, 2)
            Y, y_host = s.draw(*s.batch, s.rows, 2)
            assert A.H.shape == A.T.shape == (*s.batch, s.columns, s.rows)
            assert A.H.dtype == A.T.dtype == s.dtype
            assert A.H.domain_shape == A.T.domain_shape == A.range_shape
            assert A.H.range_shape == A.T.range_shape == A.domain_shape
            for same in (A.H.H, A.T.T, A.adjoint().adjoint(), A.transpose().transpose()):
                assert same.shape == A.shape
                assert_near(same.matmat(X), dense, x_host, s.dtype)
            assert_near(A.T.matmat(Y), np.conj(dense), y_host, s.dtype, adjoint=True)
            assert_near(A.T.rmatmat(X), np.conj(dense), x_host, s.dtype)
            assert_near(A.H.rmatmat(X), dense, x_host, s.dtype)
            for conjugate in (A.H.T, A.T.H):
                assert_near(conjugate.matmat(X), np.conj(dense), x_host, s.dtype)

    def test_wrong_sizes_raise(self, setups):
        s = setups[0]
        A, xp = s.operator, s.backend.xp
        wrong, _ = s.draw(s.columns + s.rows + 1)
        for product in (A.matvec, A.rmatvec, A.dot, A.rdot, A.H.matvec, A.T.matvec):
            with pytest.raises(ValueError, match="must have shape"):
                product(wrong)
        for product in (A.matmat, A.rmatmat):
            with pytest.raises(ValueError, match="must have shape"):
                product(wrong)
            with pytest.raises(ValueError, match="must have shape"):
                product(xp.expand_dims(wrong, axis=-1))
        for product in (A.apply, A.apply_adjoint):
            with pytest.raises(ValueError, match="must have shape"):
                product(wrong)
        if s.batch and s.batch[-1] not in (1, 7):
            block, _ = s.draw(7, s.columns, 1)
            with pytest.raises(ValueError, match="broadcast"):
                A.matmat(block)

    def test_wrong_inputs_raise(self, setups):
        s = setups[0]
        n = s.columns
        for bad in ([1.0] * n, "abc", None, {1: 2}):
            with pytest.raises(TypeError, match="must be an array"):
                s.operator.matvec(bad)
        integers = s.backend.asarray(np.ones(n, dtype=np.int32))
        with pytest.raises(TypeError, match="floating"):
            s.operator.matvec(integers)
        if s.backend.native != "numpy":
            with pytest.raises(TypeError, match="is an array of"):
                s.operator.matvec(np.ones(n, dtype=np.float32))

    def test_integer_data_raise(self, setups):
        s = setups[0]
        if not s.arrays:
            pytest.skip("the operator holds no arrays")
        integers = {key: s.backend.asarray(np.ones(value.shape, dtype=np.int32)) for key, value in s.host.items()}
        with pytest.raises(TypeError, match="floating"):
            s.case.build(s.backend, s.dtype, **integers)

    def test_mixed_dtypes_promote(self, setups):
        for s in setups:
            others = [n for n in s.backend.dtypes if n != s.name]
            for other in others:
                values = gaussian(s.rng, (*s.batch, s.columns, 2), other)
                result = s.operator.matmat(s.backend.asarray(values))
                expected = np.promote_types(s.name, other)
                assert B.dtype_name(result.dtype) == expected.name
                coarse = max((s.name, other), key=lambda n: np.finfo(n).eps)
                assert_near(result, s.dense, double(values), s.backend.dtype(coarse))

    def test_products_read_nothing_on_the_host(self, setups):
        for s in setups:
            X, _ = s.draw(*s.batch, s.columns, 2)
            Y, _ = s.draw(*s.batch, s.rows, 2)
            before = B.host_reads.count
            s.operator.matmat(X), s.operator.rmatmat(Y), s.operator.H.T.matmat(X)
            assert B.host_reads.count == before

    # JAX's arrays have no strides, and array-api-strict's are always NumPy's
    @pytest.mark.backends("numpy", "torch", "torch-cuda", "cupy")
    def test_strided_and_read_only_inputs(self, setups):
        for s in setups:
            X, x_host = s.draw(*s.batch, 3, s.columns)
            Y, y_host = s.draw(*s.batch, s.rows, 6)
            strided = {key: with_gaps(value) for key, value in s.arrays.items()}
            if s.backend.native == "numpy":
                for array in (X, Y, *strided.values()):
                    array.flags.writeable = False
            A = s.case.build(s.backend, s.dtype, **strided)
            assert_near(A.matmat(B.transpose(X)), s.dense, np.swapaxes(x_host, -1, -2), s.dtype)
            assert_near(A.rmatmat(Y[..., ::2]), s.dense, y_host[..., ::2], s.dtype, adjoint=True)
            assert_near(A.matvec(X[..., 1, :])[..., None], s.dense, x_host[..., 1, :, None], s.dtype)

    # JAX's arrays cannot be written to
    @pytest.mark.backends("numpy", "strict", "torch", "torch-cuda", "cupy")
    def test_results_share_no_memory_with_arguments(self, setups):
        for s in setups:
            X, x_host = s.draw(*s.batch, s.columns, 1)
            Y, y_host = s.draw(*s.batch, s.rows, 1)
            for result in (s.operator.matmat(X), s.operator.matvec(X[..., 0]), s.operator.H.T.matmat(X)):
                result[...] = 7
            for result in (s.operator.rmatmat(Y), s.operator.T.matmat(Y)):
                result[...] = 7
            assert np.array_equal(double(B.to_numpy(X)), x_host)
            assert np.array_equal(double(B.to_numpy(Y)), y_host)
            assert_near(s.operator.matmat(X), s.dense, x_host, s.dtype)

    # NumPy and torch pickle their arrays; the standard promises nothing
    @pytest.mark.backends("numpy", "torch")
    def test_pickle_and_copy(self, setups):
        for s in setups[:1]:
            if not s.case.picklable:
                pytest.skip("made of local functions, which do not pickle")
            X, x_host = s.draw(*s.batch, s.columns, 1)
            for twin in (pickle.loads(pickle.dumps(s.operator)), copy.deepcopy(s.operator), copy.copy(s.operator)):
                assert twin.shape == s.operator.shape
                assert twin.dtype == s.operator.dtype
                assert_near(twin.matmat(X), s.dense, x_host, s.dtype)

    # the libraries that have these formats
    @pytest.mark.backends("torch", "torch-cuda", "jax")
    def test_half_precision(self, case, backend):
        if backend.native not in case.natives or not case.halves:
            pytest.skip(f"{case.name} has no half precision on {backend.name}")
        for name in ("float16", "bfloat16"):
            s = Setup(case, backend, "float32")
            dtype = backend.dtype(name)
            arrays = {key: backend.xp.astype(value, dtype) for key, value in s.arrays.items()}
            rounded = {key: double(B.to_numpy(value)) for key, value in arrays.items()}
            dense = case.dense(**rounded)
            A = case.build(backend, dtype, **arrays)
            assert A.dtype == dtype
            X = backend.xp.astype(s.draw(*s.batch, s.columns, 2)[0], dtype)
            Y = backend.xp.astype(s.draw(*s.batch, s.rows, 2)[0], dtype)
            assert A.matmat(X).dtype == dtype
            assert A.rmatmat(Y).dtype == dtype
            assert_near(A.matmat(X), dense, double(B.to_numpy(X)), dtype)
            assert_near(A.rmatmat(Y), dense, double(B.to_numpy(Y)), dtype, adjoint=True)
            lc.check_adjoint(A, rng=1)

    # the libraries that differentiate, in double precision for the sake of the difference quotients
    @pytest.mark.backends("torch", "torch-cuda", "jax-x64")
    def test_gradients_flow(self, setups):
        for s in (s for s in setups if np.finfo(s.name).eps < 1e-10):
            X, _ = s.draw(*s.batch, s.columns, 2)
            Y, _ = s.draw(*s.batch, s.rows, 2)

            def loss(values: dict[str, Any], s: Setup = s, X: Any = X, Y: Any = Y) -> Any:
                A = s.case.build(s.backend, s.dtype, **{key: values[key] for key in s.arrays})
                xp = s.backend.xp
                Z, W = A.matmat(values["X"]), A.rmatmat(Y)
                return xp.sum(xp.real(Z * B.conj(Z))) + xp.sum(xp.real(W * B.conj(X)))

            point = {**s.arrays, "X": X}
            direction = {key: s.backend.asarray(gaussian(s.rng, v.shape, s.name)) for key, v in point.items()}
            slope = sum(inner(g, direction[key]) for key, g in gradients(loss, point, s.backend.native).items())
            h = 1e-6
            ends = [loss({key: v + t * direction[key] for key, v in point.items()}) for t in (h, -h)]
            quotient = (B.to_float(ends[0]) - B.to_float(ends[1])) / (2 * h)
            assert slope == pytest.approx(quotient, rel=1e-5, abs=1e-6 * abs(B.to_float(loss(point))))

    # only JAX has jit
    @pytest.mark.backends("jax", "jax-x64")
    def test_traces_under_jit(self, setups):
        import jax

        for s in setups[-1:]:
            X, x_host = s.draw(*s.batch, s.columns, 2)
            Y, y_host = s.draw(*s.batch, s.rows, 2)

            def both(arrays: Any, X: Any, Y: Any, s: Setup = s) -> Any:
                A = s.case.build(s.backend, s.dtype, **arrays)
                return A.matmat(X), A.rmatmat(Y), (2 * A.H @ A).matvec(X[..., 0])

            Z, W, _ = jax.jit(both)(s.arrays, X, Y)
            assert_near(Z, s.dense, x_host, s.dtype)
            assert_near(W, s.dense, y_host, s.dtype, adjoint=True)

    # torch can pretend to have a GPU: devices that do not match, and reads on the host, raise
    @pytest.mark.backends("torch")
    def test_stays_on_a_pretended_gpu(self, setups):
        import torch

        s = setups[0]
        if not s.case.pretends:
            pytest.skip("differentiates, which torch cannot do on a pretended GPU")
        with pretended_gpu() as device:

            def pretend(*shape: int) -> Any:
                return torch.empty(shape, dtype=s.dtype, device=device)

            home = dataclasses.replace(s.backend, device=torch.empty(0, device=device).device)
            A = s.case.build(home, s.dtype, **{key: pretend(*value.shape) for key, value in s.arrays.items()})
            X, Y = (pretend(*s.batch, n, 2) for n in (s.columns, s.rows))
            for result in (A.matmat(X), A.rmatmat(Y), A.T.matmat(Y), A.matmat(X[..., :0]), (A.H @ A).matvec(X[..., 0])):
                assert result.device.type == device
