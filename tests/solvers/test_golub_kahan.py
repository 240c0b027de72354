"""The invariants of both factorisations, through expansion and restart."""

from __future__ import annotations

import numpy as np
import pytest
from _spectra import eps_of, gaussian

from lipcore import Dense
from lipcore import _backend as B
from lipcore.solvers.block_lanczos import BlockLanczos
from lipcore.solvers.golub_kahan import GolubKahan
from lipcore.solvers.row_basis import FreshRows, fresh_like
from lipcore.solvers.scaling import RowProducts


def bidiagonalisation(backend, a: np.ndarray, b: int, capacity: int) -> GolubKahan:
    p = RowProducts(Dense(backend.asarray(a)))
    start = backend.asarray(gaussian(b, a.shape[1], seed=1).astype(a.dtype))
    rng = np.random.default_rng(0)
    fresh = FreshRows(rng, start, b, xp=p.xp)
    return GolubKahan(p, start, fresh, fresh_like(rng, start, a.shape[0], b, xp=p.xp), capacity)


def check_bidiagonalisation(f: GolubKahan, a: np.ndarray) -> None:
    eps = eps_of(f.V)
    U, V, M = B.to_numpy(f.U).T, B.to_numpy(f.V).T, B.to_numpy(f.projected())
    size = np.linalg.norm(a, 2)
    assert np.max(np.abs(a @ V - U @ M)) < 100 * eps * size
    after, R = B.to_numpy(f._V)[f.size : f.size + f.block].T, B.to_numpy(f._R)
    rest = a.conj().T @ U - V @ M.conj().T
    rest[:, -f.block :] -= after @ R
    assert np.max(np.abs(rest)) < 100 * eps * size
    for q in (U, np.concatenate([V, after], axis=1)):
        assert np.max(np.abs(q.conj().T @ q - np.eye(q.shape[1]))) < 100 * eps
    assert not np.tril(M, -1 - (f.block > 1) * f.block).any()


@pytest.mark.parametrize("b", [1, 3])
def test_bidiagonalisation(backend, b: int) -> None:
    for name in backend.dtypes:
        a = gaussian(50, 40, is_complex=name.startswith("complex")).astype(name)
        f = bidiagonalisation(backend, a, b, 18)
        before = B.host_reads.count
        f.expand(2)
        f.expand(18 // b - 2)
        assert B.host_reads.count == before
        check_bidiagonalisation(f, a)
        before = B.host_reads.count
        f.restart(f.ritz("LM"), 6)
        f.expand(f.room)
        assert B.host_reads.count == before
        check_bidiagonalisation(f, a)


@pytest.mark.parametrize("normal", [True, False])
@pytest.mark.parametrize("b", [1, 3])
def test_block_lanczos(backend, b: int, normal: bool) -> None:
    for name in backend.dtypes:
        a = gaussian(40, 40, is_complex=name.startswith("complex"))
        a = (a if normal else a + a.conj().T).astype(name)
        M = a.conj().T @ a if normal else a
        p = RowProducts(Dense(backend.asarray(a)))
        start = backend.asarray(gaussian(b, 40, seed=1).astype(name))
        f = BlockLanczos(p, start, FreshRows(np.random.default_rng(0), start, b, xp=p.xp), 18, normal=normal)
        eps = eps_of(start)
        for restart in (False, True):
            if restart:
                f.restart(f.ritz("LM"), 6)
            f.expand(f.room)
            V, T = B.to_numpy(f.V).T, B.to_numpy(f.projected())
            after = B.to_numpy(f._V)[f.size : f.size + b].T
            rest = M @ V - V @ T
            rest[:, -b:] -= after @ B.to_numpy(f._R)
            assert np.max(np.abs(rest)) < 200 * eps * np.linalg.norm(M, 2)
            assert np.max(np.abs(V.conj().T @ V - np.eye(f.size))) < 100 * eps
            np.testing.assert_array_equal(T, T.conj().T)
            ritz = f.ritz("LM")
            x = B.to_numpy(f.vectors(ritz, 3)[0]).T
            truth = np.linalg.norm(M @ x - x * B.to_numpy(ritz.values)[:3], axis=0)
            np.testing.assert_allclose(B.to_numpy(ritz.residuals)[:3], truth, atol=200 * eps * np.linalg.norm(M, 2))


@pytest.mark.parametrize("kind", ["two sides", "normal"])
def test_a_block_that_becomes_narrow(backend, kind: str) -> None:
    a = gaussian(60, 40)
    if kind == "two sides":
        f = bidiagonalisation(backend, a.astype(backend.dtypes[-1]), 3, 21)
    else:
        p = RowProducts(Dense(backend.asarray(a.astype(backend.dtypes[-1]))))
        start = backend.asarray(gaussian(3, 40, seed=1).astype(backend.dtypes[-1]))
        f = BlockLanczos(p, start, FreshRows(np.random.default_rng(0), start, 3, xp=p.xp), 21, normal=True)
    f.expand(6)
    values = B.to_numpy(f.ritz("LM").values)
    f.narrow(1)
    assert f.fresh.rows().shape[-2] == 1
    f.restart(f.ritz("LM"), 5, fresh=backend.asarray(np.ones((1, 1), dtype=bool)))
    f.expand(f.room)
    assert (f.size, f.block) == (21, 1)
    V, eps = B.to_numpy(f.V), eps_of(f.V)
    assert np.max(np.abs(V @ V.conj().T - np.eye(21))) < 100 * eps
    # what was kept is still there
    assert B.to_numpy(f.ritz("LM").values)[0] >= values[0] * (1 - 100 * eps)


def test_breakdown_goes_on_with_fresh_directions() -> None:
    a = np.eye(30)[:, :20]  # the start has the seed of the fresh rows: they must not meet
    p = RowProducts(Dense(a))
    start = gaussian(1, 20)
    rng = np.random.default_rng(0)
    fresh = FreshRows(rng, start, 1, xp=p.xp)
    f = GolubKahan(p, start, fresh, fresh_like(rng, start, 30, 1, xp=p.xp), 20)
    f.expand(20)
    np.testing.assert_allclose(np.linalg.svd(f.projected(), compute_uv=False), 1, rtol=1e-14)
    np.testing.assert_allclose(f.V @ f.V.T, np.eye(20), atol=1e-14)


def partial(a: np.ndarray, tolerated: float, capacity: int, seed: int = 1) -> BlockLanczos:
    p = RowProducts(Dense(a))
    start = gaussian(1, a.shape[1], seed=seed).astype(a.dtype)
    fresh = FreshRows(np.random.default_rng(0), start, 1, xp=p.xp)
    return BlockLanczos(p, start, fresh, capacity, normal=True, tolerated=tolerated)


def gaps(f: BlockLanczos, a: np.ndarray) -> tuple[float, float]:
    """Loss of orthogonality, and of the identity, relative to the norm."""
    V, T, after = f.V.T, f.projected(), f._V[f.size : f.size + 1].T
    rest = a.T @ (a @ V) - V @ T
    rest[:, -1:] -= after @ f._R
    loss = np.max(np.abs(V.T @ V - np.eye(f.size)))
    return float(loss), float(np.max(np.abs(rest)) / np.linalg.norm(a, 2) ** 2)


def test_full_passes_become_rare_and_the_loss_stays_small() -> None:
    a = gaussian(400, 400)
    f = partial(a, 1e-9, 70)
    for _ in range(3):
        while f.room >= 14:
            f.expand(14)
            assert f.settle(float(f.ritz("LM").loss[0]))
            loss, gap = gaps(f, a)
            assert loss < 1e-9
            assert gap < 1e-9
        assert f.period > 4
        x = f.vectors(f.ritz("LM"), 5)[0]
        np.testing.assert_allclose(x @ x.T, np.eye(5), atol=1e-14)
        f.restart(f.ritz("LM"), 28)


def test_steps_with_too_large_a_loss_are_undone() -> None:
    # the leading values are found at once, and every step from then on amplifies what is left of them
    a = np.diag(np.r_[1e3, 3e2, np.linspace(1, 2, 198)])
    f = partial(a, 1e-9, 60)
    f.expand(2)
    assert f.settle(float(f.ritz("LM").loss[0]))
    assert f.period == 4
    f.period = 16
    f.expand(12)
    loss = float(f.ritz("LM").loss[0])
    assert loss > 1e-9
    assert not f.settle(loss)
    assert (f.size, f.period) == (2, 1)
    for _ in range(4):
        f.expand(8)
        if f.settle(float(f.ritz("LM").loss[0])):
            assert max(gaps(f, a)) < 1e-9
    assert f.size > 10


def test_a_direction_that_runs_out_between_full_passes_is_noticed() -> None:
    a = np.eye(60)
    f = partial(a, 1e-9, 30)
    f.expand(2)
    assert f.settle(float(f.ritz("LM").loss[0]))
    f.period = 8
    f.expand(6)
    assert float(f.ritz("LM").loss[0]) == 1.0
    assert not f.settle(1.0)
    f.expand(20)
    assert f.settle(float(f.ritz("LM").loss[0]))
    assert gaps(f, a)[0] < 1e-14
