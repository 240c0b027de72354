"""The probabilistic bound: its ingredients, and its claim counted over many seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from lipcore.norms.probabilistic import lanczos_upper_bound, noise_overlap, planned_steps, start_overlap
from lipcore.operators import Dense
from lipcore.solvers.normal_lanczos import NormalLanczos

SEEDS = 10_000
SPECTRA = {
    "smooth": np.sqrt(np.linspace(0.1, 1.0, 12)),
    "gap": np.array([1.0] + [0.5] * 11),
    "cluster": np.array([1.0, 0.999, 0.998] + [0.3] * 9),
    "flat": np.linspace(0.97, 1.0, 12),
}


def _starts(n: int, seed: int, *, is_complex: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    starts = rng.standard_normal((SEEDS, n))
    return starts + 1j * rng.standard_normal((SEEDS, n)) if is_complex else starts


def _violations(sigma: np.ndarray, starts: np.ndarray, overlap: np.ndarray, steps: int) -> int:
    """How often the bound of a run of `steps` steps falls below the largest singular value."""
    matrix = np.broadcast_to(np.diag(sigma).astype(starts.dtype), (SEEDS, sigma.size, sigma.size))
    run = NormalLanczos(Dense(matrix), starts, capacity=steps)
    run.expand(steps)
    pairs = run.ritz()
    uppers = [lanczos_upper_bound(a, b, d) for a, b, d in zip(pairs.alpha, pairs.beta, overlap, strict=True)]
    return int(np.sum(np.array(uppers) < sigma.max() ** 2))


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("name", SPECTRA)
def test_claim_holds_over_10000_seeds(name: str, is_complex: bool) -> None:
    delta, sigma = 0.05, SPECTRA[name]
    overlap = np.full(SEEDS, start_overlap(sigma.size, delta, is_complex=is_complex))
    failures = _violations(sigma, _starts(sigma.size, 7, is_complex=is_complex), overlap, steps=3)
    assert failures <= binom.ppf(1 - 1e-6, SEEDS, delta)


def test_the_claim_can_fail_and_is_nearly_sharp() -> None:
    # with one dominant direction the bound fails exactly when the overlap does: the counter sees what it counts
    delta, sigma = 0.05, np.array([1.0] + [1e-3] * 11)
    overlap = np.full(SEEDS, start_overlap(sigma.size, delta, is_complex=False))
    starts = _starts(sigma.size, 8, is_complex=False)
    failures = _violations(sigma, starts, overlap, steps=1)
    assert binom.ppf(1e-6, SEEDS, delta / 2) <= failures <= binom.ppf(1 - 1e-6, SEEDS, delta)
    # an overlap claimed twenty times too large is caught
    assert _violations(sigma, starts, 20 * overlap, steps=1) > binom.ppf(1 - 1e-6, SEEDS, delta)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("shift", ["none", "leading", "orthogonal", "opposite"])
def test_warm_start_with_noise_keeps_the_claim(shift: str, is_complex: bool) -> None:
    delta, sigma = 0.05, SPECTRA["smooth"]
    n, deviation = sigma.size, 0.1
    warm = {
        "none": np.zeros(n),
        "leading": np.eye(n)[-1],
        "orthogonal": np.eye(n)[0],
        "opposite": -0.02 * np.eye(n)[-1],
    }
    starts = warm[shift] + deviation * _starts(n, 9, is_complex=is_complex)
    overlap = deviation * noise_overlap(delta, is_complex=is_complex) / np.linalg.norm(starts, axis=-1)
    assert _violations(sigma, starts, overlap, steps=3) <= binom.ppf(1 - 1e-6, SEEDS, delta)


@pytest.mark.parametrize("is_complex", [False, True])
def test_overlaps_match_their_distributions(is_complex: bool) -> None:
    n, delta = 9, 0.1
    starts = _starts(n, 10, is_complex=is_complex)
    first = np.abs(starts[:, 0])
    inside = np.sum(first / np.linalg.norm(starts, axis=-1) < start_overlap(n, delta, is_complex=is_complex))
    assert binom.ppf(1e-6, SEEDS, delta) <= inside <= binom.ppf(1 - 1e-6, SEEDS, delta)
    inside = np.sum(first < noise_overlap(delta, is_complex=is_complex))
    assert binom.ppf(1e-6, SEEDS, delta) <= inside <= binom.ppf(1 - 1e-6, SEEDS, delta)


def test_invariant_space_gives_the_value() -> None:
    assert lanczos_upper_bound(np.array([3.0, 1.0]), np.array([0.5, 0.0]), 1e-9) == pytest.approx(
        np.linalg.eigvalsh([[3.0, 0.5], [0.5, 1.0]])[-1], rel=1e-14
    )


def test_root_agrees_with_the_polynomial() -> None:
    rng = np.random.default_rng(11)
    alpha, beta, d = rng.uniform(1, 2, 9), rng.uniform(0.1, 0.6, 9), 1e-6
    t = lanczos_upper_bound(alpha, beta, d)
    theta = np.linalg.eigvalsh(np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1))
    assert np.prod((t - theta) / beta) == pytest.approx(1 / d, rel=1e-6)
    assert t > theta[-1]


def test_plan_grows_like_the_inverse_root() -> None:
    assert planned_steps(1000, 1e-2, 1e-9) < planned_steps(1000, 1e-4, 1e-9) < 12 * planned_steps(1000, 1e-2, 1e-9)
    assert planned_steps(10, 0.5, 0.5) >= 1
