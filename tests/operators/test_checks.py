from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lipcore as lc


def wrong(matrix, other):
    return lc.LinearOperator(
        matrix.shape,
        lambda x: (matrix @ x[..., None])[..., 0],
        lambda y: (other @ y[..., None])[..., 0],
        dtype=matrix.dtype,
    )


@settings(deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from(["float32", "float64", "complex64", "complex128"]),
    st.integers(-30, 30),
)
def test_true_adjoints_pass_and_wrong_ones_do_not(rows, columns, dtype, exponent):
    rng = np.random.default_rng(rows * 31 + columns)
    matrix = rng.standard_normal((rows, columns)) + 1j * rng.standard_normal((rows, columns))
    matrix = (matrix if dtype.startswith("complex") else matrix.real).astype(dtype) * np.dtype(dtype).type(
        2.0**exponent
    )
    assert lc.check_adjoint(lc.Dense(matrix), rng=rng) is True
    with pytest.raises(AssertionError, match="does not match"):
        lc.check_adjoint(wrong(matrix, 1.01 * matrix.conj().T), rng=rng)
    if dtype.startswith("complex"):
        with pytest.raises(AssertionError, match="does not match"):
            lc.check_adjoint(wrong(matrix, matrix.T), rng=rng)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_extreme_scales(scale):
    matrix = scale * np.random.default_rng(0).standard_normal((20, 30))
    lc.check_adjoint(matrix, rng=0)
    with pytest.raises(AssertionError):
        lc.check_adjoint(wrong(matrix, -matrix.T), rng=0)


def test_zero_and_empty_pass():
    lc.check_adjoint(np.zeros((3, 4)), rng=0)
    lc.check_adjoint(np.zeros((0, 4)), rng=0)
    lc.check_adjoint(np.zeros((0, 4, 4)), rng=0)


def test_zero_adjoint_does_not_pass():
    with pytest.raises(AssertionError):
        lc.check_adjoint(wrong(np.ones((3, 3)), np.zeros((3, 3))), rng=0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_does_not_pass(bad):
    matrix = np.eye(3)
    matrix[0, 0] = bad
    with np.errstate(invalid="ignore"), pytest.raises(AssertionError, match="nan"):
        lc.check_adjoint(matrix, rng=0)


def test_worst_member_of_a_batch_is_named():
    matrix = np.random.default_rng(0).standard_normal((2, 3, 4, 4))
    other = np.swapaxes(matrix, -1, -2).copy()
    other[1, 2] *= 3
    with pytest.raises(AssertionError, match=r"batch member \(1, 2\)"):
        lc.check_adjoint(wrong(matrix, other), rng=0)


def test_tolerance():
    matrix = np.random.default_rng(0).standard_normal((4, 4))
    almost = wrong(matrix, matrix.T * (1 + 1e-8))
    with pytest.raises(AssertionError):
        lc.check_adjoint(almost, rng=0)
    assert lc.check_adjoint(almost, rng=0, rtol=1e-6)
    with pytest.raises(ValueError, match="`rtol` must be positive"):
        lc.check_adjoint(almost, rtol=0.0)


def test_missing_adjoint_says_so():
    with pytest.raises(NotImplementedError, match="rmatvec is not defined"):
        lc.check_adjoint(lc.LinearOperator((2, 2), lambda x: x, dtype=float))


def test_on_every_backend(backend):
    for name in backend.dtypes:
        matrix = np.random.default_rng(0).standard_normal((5, 4)).astype(name)
        assert lc.check_adjoint(backend.asarray(matrix), rng=0)
