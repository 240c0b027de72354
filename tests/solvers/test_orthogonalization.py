"""Orthonormal rows: W^T = Q^T R, orthogonality to the basis, and replacement of lost directions."""

from __future__ import annotations

import numpy as np
import pytest
from _spectra import gaussian, orthonormal

from lipcore import _backend as B
from lipcore.solvers.orthogonalization import BREAKDOWN, norms, orthonormalize, project_out, unit_rows


def block(case: str, b: int, n: int, basis: np.ndarray) -> np.ndarray:
    W = gaussian(b, n, seed=3)
    graded = 10.0 ** -np.arange(0.0, 4 * b, 4)[:, None]
    if case == "twin" and b > 1:
        W[1] = W[0]
    elif case == "nearly" and b > 2:
        W[1], W[2] = W[0] + 1e-9 * W[1], 1e-13 * W[2]
    elif case == "zero":
        W[:] = 0
    elif case == "inside":
        W = gaussian(b, len(basis), seed=4) @ basis
    elif case == "graded":
        W = W * graded
    elif case == "sums":
        W = np.cumsum(W * graded, axis=0)
    return W


@pytest.mark.parametrize("case", ["random", "twin", "nearly", "zero", "inside", "graded", "sums"])
@pytest.mark.parametrize(
    "sizes", [(200, 10, 1), (200, 10, 4), (12, 8, 4), (12, 9, 4), (6, 5, 1), (6, 6, 1), (300, 5, 8)]
)
@pytest.mark.parametrize("replace", [False, True])
def test_identity_orthogonality_and_count(case: str, sizes: tuple[int, int, int], replace: bool) -> None:
    n, p, b = sizes
    V = orthonormal(np.random.default_rng(0), n, p).T.copy()
    W = block(case, b, n, V)
    size = np.linalg.norm(W)
    W, _ = project_out(V, W)
    fresh = gaussian(b, n, seed=9) / n**0.5 if replace else None
    Q, R, kept = orthonormalize(V, W, np.array([[BREAKDOWN * b * 2.0**-52 * size]]), fresh)[:3]
    alive = np.linalg.norm(Q, axis=1) > 0.5
    assert np.max(np.abs(Q @ Q.T - np.diag(alive))) < 5e-15
    assert np.max(np.abs(V @ Q.T)) < 1e-14
    assert np.max(np.abs(Q.T @ R - W.T)) <= 1e-14 * size
    assert alive.sum() == (min(b, n - p) if replace else kept.sum())


@pytest.mark.parametrize("b", [1, 3])
def test_backends(backend, b: int) -> None:
    for name in backend.dtypes:
        is_complex = name.startswith("complex")
        V = orthonormal(np.random.default_rng(0), 60, 5, is_complex=is_complex).T.astype(name)
        W = gaussian(b, 60, is_complex=is_complex).astype(name)
        v, w = backend.asarray(V), backend.asarray(W)
        w, _ = project_out(v, w)
        Q, R, kept = orthonormalize(v, w, norms(w)[:1, :] * 1e-5)[:3]
        eps = 2.0**-52 if name in ("float64", "complex128") else 2.0**-23
        assert Q.dtype == w.dtype
        q, r = backend.to_numpy(Q), backend.to_numpy(R)
        assert np.max(np.abs(q.conj() @ q.T - np.eye(b))) < 20 * eps
        assert np.max(np.abs(q.conj() @ V.T)) < 20 * eps
        assert np.max(np.abs(q.T @ r - backend.to_numpy(w).T)) < 50 * eps
        assert backend.to_numpy(kept).all()


def test_batched_equals_looped() -> None:
    V = np.stack([orthonormal(np.random.default_rng(i), 30, 4).T for i in range(3)])
    W = gaussian(2, 30, batch=(3,))
    W[1, 1] = W[1, 0]  # one member loses a direction
    W, _ = project_out(V, W)
    fresh = gaussian(2, 30, seed=5) / 30**0.5
    Q, R, kept = orthonormalize(V, W, np.full((3, 1, 1), 1e-13), fresh)[:3]
    for i in range(3):
        q, r, one = orthonormalize(V[i], W[i], np.array([[1e-13]]), fresh)[:3]
        np.testing.assert_allclose(Q[i], q, atol=1e-13)
        np.testing.assert_allclose(R[i], r, atol=1e-13)
        np.testing.assert_array_equal(kept[i], one)
    assert kept.sum() == 5


def test_long_single_precision_rows_have_norm_one() -> None:
    # BLAS dot products of this length are off by 1e-5 in single precision
    rows = gaussian(1, 3_000_000).astype(np.float32)
    q = orthonormalize(None, rows, np.zeros((1, 1), dtype=np.float32)).rows
    assert abs(np.linalg.norm(q.astype(np.float64)) - 1) < 1e-6
    pair = orthonormalize(None, gaussian(2, 1_000_000).astype(np.float32), np.zeros((1, 1), dtype=np.float32)).rows
    wide = pair.astype(np.float64)
    assert np.max(np.abs(wide @ wide.T - np.eye(2))) < 2e-6


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1.0, 1e300])
def test_unit_rows_at_any_scale(scale: float) -> None:
    rows = unit_rows(gaussian(2, 50) * scale)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-3 if scale < 1e-310 else 1e-14)
    assert not unit_rows(np.zeros((1, 4))).any()


def test_no_host_read(backend) -> None:
    v = backend.asarray(gaussian(2, 20))
    before = B.host_reads.count
    orthonormalize(None, v, norms(v)[:1, :] * 0)
    assert B.host_reads.count == before


@pytest.mark.parametrize("tolerated", [1e-6, 1e-3])
@pytest.mark.parametrize("graded", [1.0, 0.3])
def test_a_tolerated_loss_is_not_exceeded(tolerated: float, graded: float) -> None:
    n, b = 500, 4
    V = orthonormal(np.random.default_rng(0), n, 20).T.astype(np.float32)
    W = gaussian(b, n, seed=1).astype(np.float32) * graded ** np.arange(b, dtype=np.float32)[:, None]
    W += 100 * gaussian(b, 20, seed=2).astype(np.float32) @ V  # much of it is inside
    threshold = np.float32(BREAKDOWN * b * 6e-8 * np.linalg.norm(W)) * np.ones((1, 1), dtype=np.float32)
    W = project_out(V, W)[0]
    once = orthonormalize(V, W, threshold, tolerated=tolerated)
    loss = max(np.abs(once.rows @ once.rows.T - np.eye(b)).max(), np.abs(once.rows @ V.T).max())
    assert loss <= tolerated
    np.testing.assert_allclose(once.rows.T @ once.factor, W.T, atol=20 * b * 6e-8 * np.linalg.norm(W) + threshold[0, 0])
    # one pass where that is enough: what it was asked to leave is told by a second
    assert (once.along is None) == (tolerated == 1e-3 and graded == 1.0)
