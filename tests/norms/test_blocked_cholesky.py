"""Cholesky in blocks: the factor, failures, and what it may touch."""

from __future__ import annotations

import numpy as np
import pytest

from lipcore.norms import blocked_cholesky
from lipcore.norms.blocked_cholesky import lower_factor
from lipcore.norms.error_budget import ErrorBudget

CODES = {"s": "float32", "d": "float64", "c": "complex64", "z": "complex128"}


def positive(n: int, dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if dtype.startswith("complex") else 0)
    return np.asfortranarray(x @ x.conj().T / n + np.eye(n)).astype(dtype)


@pytest.fixture(params=[8, 96])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Columns in a block; everything is blocked."""
    monkeypatch.setattr(blocked_cholesky, "_BLOCK", request.param)
    monkeypatch.setattr(blocked_cholesky, "_BLOCKED", 1)
    return request.param


@pytest.mark.parametrize("code", "sdcz")
@pytest.mark.parametrize("n", [1, 7, 8, 9, 40, 200])
def test_the_factor_is_one_within_its_error_bound(code: str, n: int, block: int) -> None:
    matrix = positive(n, CODES[code])
    a = matrix.copy(order="F")
    assert lower_factor(a, code)
    lower = np.tril(a).astype(np.clongdouble)
    exact = np.tril(matrix).astype(np.clongdouble)
    exact += np.tril(exact, -1).conj().T
    residual = np.linalg.norm((lower @ lower.conj().T - exact).astype(np.complex128), 2)
    precision = "float32" if code in "sc" else "float64"
    budget = ErrorBudget(n, n, code in "cz", precision)
    assert residual <= budget.factorization * np.trace(matrix).real
    assert np.all(a.diagonal().real > 0)


@pytest.mark.parametrize("code", "sdcz")
def test_nothing_above_the_diagonal_is_read(code: str, block: int) -> None:
    matrix = positive(150, CODES[code])
    clean, dirty = matrix.copy(order="F"), matrix.copy(order="F")
    dirty[np.triu_indices(150, 1)] = np.nan
    assert lower_factor(clean, code)
    assert lower_factor(dirty, code)
    np.testing.assert_array_equal(np.tril(clean), np.tril(dirty))


@pytest.mark.parametrize("place", [0, 7, 8, 100, 149])
def test_a_matrix_that_is_not_positive_definite_has_none(place: int, block: int) -> None:
    a = positive(150, "float64")
    inverse = np.linalg.inv(a)
    for excess, expected in ((0.999, True), (1.001, False)):
        tried = a.copy(order="F")
        tried[place, place] -= excess / inverse[place, place]
        assert lower_factor(tried, "d") is expected


def test_large_matrices_are_blocked_by_themselves() -> None:
    n = blocked_cholesky._BLOCKED + 5
    matrix = positive(n, "float64")
    a = matrix.copy(order="F")
    assert lower_factor(a, "d")
    np.testing.assert_allclose(np.tril(a), np.linalg.cholesky(matrix), rtol=0, atol=1e-12)


def test_arrays_that_blas_would_misread_are_refused() -> None:
    for a in (np.eye(3)[:, :2], np.ones((3, 3)), np.eye(3, dtype="f4", order="F")):
        with pytest.raises(ValueError, match="`a` must be a square column-major matrix"):
            lower_factor(a, "d")
