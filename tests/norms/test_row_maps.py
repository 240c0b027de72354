from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

import lipcore as lc
from lipcore.norms.row_maps import centered_norm, softmax_norm
from lipcore.operators.row_maps import LogSoftmaxJacobian, LogSumExpJacobian, SoftmaxJacobian

KINDS = [SoftmaxJacobian, LogSoftmaxJacobian, LogSumExpJacobian]


def probabilities(rng, shape, scale):
    x = scale * rng.standard_normal(shape)
    p = np.exp(x - x.max(axis=-2, keepdims=True))
    return p / p.sum(axis=-2, keepdims=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ord", [1, 2, math.inf, "fro"])
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_norms_enclose_those_of_the_dense_matrix(kind, ord, n):
    rng = np.random.default_rng(n)
    for scale in (0.0, 0.3, 3.0, 40.0):
        p = probabilities(rng, (4, 3, n, 2), scale)
        J = kind(p)
        bounds = lc.opnorm_bounds(J, ord)
        exact = np.linalg.norm(J.to_dense(), ord if ord != "fro" else "fro", axis=(-2, -1))
        assert bounds.lower.shape == (4,)
        assert np.all(bounds.lower <= exact * (1 + 1e-12) + 1e-15)
        assert np.all(exact <= bounds.upper * (1 + 1e-12) + 1e-15)
        assert np.all(bounds.upper - bounds.lower <= 1e-12 * n)
        if n > 1:  # below, the written down zero is narrower
            assert bounds.kind == ("analytic" if ord == "fro" else "rigorous")


ROWS = [
    [0.5, 0.5],
    [1.0, 0.0, 0.0],
    [0.25] * 4,
    [0.7, 0.2, 0.1],
    [1.0, 1e-20],
    [1.0, 1e-200, 1e-201],
    [0.4, 0.4, 0.2],
    [0.7, 0.7, 0.5],
    [1.0],
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_norms_at_high_precision(row):
    """Eigenvalues and sums of the matrix of the stored numbers, in 500 digits."""
    lower, upper = softmax_norm(np.array(row))
    induced = lc.opnorm_bounds(SoftmaxJacobian(np.array(row).reshape(1, -1, 1)), 1)
    with mpmath.workdps(500):
        p = mpmath.matrix([mpmath.mpf(x) for x in row])
        matrix = sum(p) * mpmath.diag(list(p)) - p * p.T
        exact = max(abs(x) for x in mpmath.eigsy(matrix, eigvals_only=True))
        assert lower <= exact * (1 + mpmath.mpf(10) ** -60) + mpmath.mpf(10) ** -450
        assert exact <= upper * (1 + mpmath.mpf(10) ** -60) + mpmath.mpf(10) ** -450
        sums = mpmath.mnorm(matrix, 1)
        assert induced.lower <= sums <= induced.upper
    assert upper - lower <= 1e-13 * upper + 1e-300


def test_a_single_operator_gives_floats():
    bounds = lc.opnorm_bounds(SoftmaxJacobian(np.array([0.5, 0.5]).reshape(1, 2, 1)))
    assert type(bounds.lower) is float
    assert bounds.lower <= 0.5 <= bounds.upper


@pytest.mark.parametrize(
    "gain",
    [[1.0, 1.0], [1.0], [2.0, -1.0, 0.5], [3.0, 3.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1e-3, 1.0, 5.0, -5.0]],
)
def test_centered_norm_at_high_precision(gain):
    lower, upper = centered_norm(np.array(gain))
    n = len(gain)
    with mpmath.workdps(60):
        matrix = mpmath.diag([mpmath.mpf(g) for g in gain]) * (mpmath.eye(n) - mpmath.ones(n) / n)
        exact = max(mpmath.svd_r(matrix, compute_uv=False))
        assert lower <= exact + mpmath.mpf(10) ** -50
        assert exact <= upper + mpmath.mpf(10) ** -50
    assert upper - lower <= 1e-13 * upper
