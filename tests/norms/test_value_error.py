"""The estimated error of a Ritz value against the true one, over spectra and seeds."""

from __future__ import annotations

import numpy as np
import pytest

import lipcore as lc
from lipcore.norms.value_error import value_error
from lipcore.solvers.normal_lanczos import NormalLanczos

N, STEPS = 400, 90
RESOLUTION = 0.025


def eigenvalues(name: str, seed: int) -> np.ndarray:
    """Of A^H A."""
    rng = np.random.default_rng(seed)
    spectra = {
        "gaussian": lambda: np.linalg.svd(rng.standard_normal((N, N)), compute_uv=False) ** 2,
        "tall gaussian": lambda: np.linalg.svd(rng.standard_normal((4 * N, N)), compute_uv=False) ** 2,
        "0.998^i": lambda: 0.998 ** np.arange(N),
        "0.99^i": lambda: 0.99 ** np.arange(N),
        "0.5^i": lambda: 0.5 ** np.arange(N),
        "1/i": lambda: 1 / np.arange(1.0, N + 1),
        "outlier": lambda: np.append(rng.uniform(0, 1, N - 1), 1.05),
        "beta": lambda: rng.beta(0.5, 5, N),
    }
    return np.sort(spectra[name]())[::-1]


SPECTRA = ["gaussian", "tall gaussian", "0.998^i", "0.99^i", "0.5^i", "1/i", "outlier", "beta"]


@pytest.mark.parametrize("name", SPECTRA)
def test_a_run_that_stops_has_reached_its_tolerance(name: str) -> None:
    worst = {1e-4: [], 1e-6: [], 1e-9: []}
    for seed in range(6):
        lam = eigenvalues(name, seed)
        start = np.random.default_rng(1000 + seed).standard_normal(N)
        run = NormalLanczos(lc.Diagonal(np.sqrt(lam)), start, capacity=STEPS)
        open_tolerances = set(worst)
        while open_tolerances and run.steps < STEPS:
            run.expand(1)
            pairs = run.ritz()
            estimate = float(value_error(pairs, RESOLUTION))
            for rtol in [rtol for rtol in open_tolerances if estimate <= rtol]:
                worst[rtol].append((1 - float(pairs.theta[0]) / lam[0]) / rtol)
                open_tolerances.remove(rtol)
    assert len(worst[1e-4]) == 6
    assert len(worst[1e-6]) >= 5
    for ratios in worst.values():
        # a start may lack the leading vector for as long as nothing shows it: one of six by a little
        assert sum(ratio > 1 for ratio in ratios) <= 1
        assert max(ratios, default=0.0) < 10


def test_is_sharp_where_the_residual_is_not() -> None:
    """Ritz values of a spectrum without a gap are far better than the residual of one of them says."""
    lam = eigenvalues("0.998^i", 0)
    run = NormalLanczos(lc.Diagonal(np.sqrt(lam)), np.random.default_rng(5).standard_normal(N), capacity=STEPS)
    run.expand(60)
    pairs = run.ritz()
    truth, estimate = 1 - float(pairs.theta[0]) / lam[0], float(value_error(pairs, 0.0))
    assert truth < estimate < 20 * truth
    assert estimate < 0.1 * float(pairs.residual[0] / pairs.theta[0])


def test_resolution_is_a_floor_and_the_residual_a_ceiling() -> None:
    lam = eigenvalues("gaussian", 0)
    run = NormalLanczos(lc.Diagonal(np.sqrt(lam)), np.random.default_rng(6).standard_normal(N), capacity=STEPS)
    for _ in range(40):
        run.expand(1)
        pairs = run.ritz()
        relative = float(pairs.residual[0] / pairs.theta[0])
        for resolution in (0.0, 0.1, 1.0):
            assert resolution * relative * (1 - 1e-12) <= value_error(pairs, resolution) <= relative * (1 + 1e-12)


def test_of_a_stack_is_that_of_each_member() -> None:
    a = np.random.default_rng(0).standard_normal((3, 30, 20))
    v0 = np.random.default_rng(1).standard_normal((3, 20))
    run = NormalLanczos(lc.Dense(a), v0)
    run.expand(12)
    together = value_error(run.ritz(), RESOLUTION)
    assert together.shape == (3,)
    for i in range(3):
        one = NormalLanczos(lc.Dense(a[i]), v0[i])
        one.expand(12)
        assert float(value_error(one.ritz(), RESOLUTION)) == pytest.approx(together[i], rel=1e-4)


def test_nothing_is_left_of_an_invariant_space() -> None:
    for d in (np.zeros(20), np.ones(20), np.repeat([3.0, 1.0], 10)):
        run = NormalLanczos(lc.Diagonal(d), np.random.default_rng(0).standard_normal(20))
        run.expand(5)
        assert float(value_error(run.ritz(), RESOLUTION)) == 0.0
