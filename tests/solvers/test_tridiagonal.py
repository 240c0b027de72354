"""Largest eigenpairs of tridiagonal matrices, against LAPACK on the dense matrix."""

from __future__ import annotations

import numpy as np
import pytest

from lipcore.solvers.tridiagonal import largest_pairs


def dense(alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1)


@pytest.mark.parametrize("k", [1, 2, 3, 17, 90])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_matches_the_dense_problem(k: int, scale: float) -> None:
    rng = np.random.default_rng(k)
    alpha, beta = scale * rng.standard_normal(k), scale * rng.uniform(0.1, 1, k)
    kept = alpha.copy(), beta.copy()
    count = min(3, k)
    theta, residual, y = largest_pairs(alpha, beta, count)
    t = dense(alpha, beta)
    np.testing.assert_allclose(theta, np.linalg.eigvalsh(t)[::-1][:count], rtol=1e-12, atol=1e-12 * scale)
    np.testing.assert_allclose(t @ y, y * theta, atol=1e-12 * scale)
    np.testing.assert_allclose(np.linalg.norm(y, axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(residual, np.abs(beta[-1] * y[-1]), rtol=1e-12)
    np.testing.assert_array_equal(alpha, kept[0])
    np.testing.assert_array_equal(beta, kept[1])


def test_a_zero_coupling_ends_the_matrix() -> None:
    alpha, beta = np.array([1.0, 2.0, 50.0, 60.0]), np.array([0.5, 0.0, 1.0, 1.0])
    theta, residual, y = largest_pairs(alpha, beta, 3)
    np.testing.assert_allclose(theta[:2], np.linalg.eigvalsh(dense(alpha[:2], beta[:2]))[::-1])
    assert np.isnan(theta[2])
    assert not residual.any()
    assert not y[2:].any()


def test_equal_eigenvalues_of_lost_orthogonality() -> None:
    # two copies of one matrix, coupled by rounding: what a long run without reorthogonalisation looks like
    rng = np.random.default_rng(3)
    alpha, beta = np.tile(rng.uniform(1, 2, 20), 2), np.tile(rng.uniform(0.1, 0.5, 20), 2)
    beta[19] = 1e-17
    theta, _, y = largest_pairs(alpha, beta, 2)
    np.testing.assert_allclose(theta, np.linalg.eigvalsh(dense(alpha, beta))[::-1][:2], rtol=1e-13)
    np.testing.assert_allclose(dense(alpha, beta) @ y, y * theta, atol=1e-12)
