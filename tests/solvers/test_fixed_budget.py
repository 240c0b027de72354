"""Randomised SVD and block Krylov: accuracy for their budget, residuals as claimed."""

from __future__ import annotations

import numpy as np
import pytest
from _spectra import assert_triplets, gaussian, spectrum, with_spectrum

import lipcore as lc

SOLVERS = {"randomized": lc.randomized_svd, "block Krylov": lc.block_krylov_svd}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["identity", "zero", "rank one", "rank three", "decay", "geometric"])
@pytest.mark.parametrize(("m", "n"), [(80, 60), (60, 80)])
def test_steep_spectra_are_exact(solver: str, name: str, m: int, n: int) -> None:
    a = with_spectrum(spectrum(name, 60), m, n)
    assert_triplets(a, SOLVERS[solver](a, 4, rng=0), 4, rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_backends(backend, solver: str) -> None:
    for name in backend.dtypes:
        a = with_spectrum(spectrum("geometric", 30), 40, 30, is_complex=name.startswith("complex")).astype(name)
        assert_triplets(a, SOLVERS[solver](backend.asarray(a), 2, rng=0), 2, rtol=1e-5)


def test_krylov_beats_subspace_iteration_on_a_slow_spectrum() -> None:
    a = gaussian(200, 200)
    truth = np.linalg.norm(a, 2)
    krylov = lc.block_krylov_svd(a, 4, iterations=9, rng=0)
    subspace = lc.randomized_svd(a, 4, oversampling=0, iterations=8, rng=0)
    assert krylov.matvecs == subspace.matvecs
    assert truth - krylov.S[0] < (truth - subspace.S[0]) / 5


@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start_and_batches(solver: str) -> None:
    a = gaussian(40, 30, batch=(2,))
    exact = np.swapaxes(np.linalg.svd(a)[2][..., :2, :], -1, -2)
    kwargs = {"v0": exact, "rng": 0}
    result = SOLVERS[solver](a, 2, **kwargs)
    assert_triplets(a, result, 2)
    assert result.converged.all()
    assert result.reason == "iterations"


def test_bad_arguments() -> None:
    a = gaussian(10, 8)
    with pytest.raises(ValueError, match="`oversampling` must be a nonnegative integer"):
        lc.randomized_svd(a, 2, oversampling=-1)
    with pytest.raises(ValueError, match="`iterations` must be a nonnegative integer"):
        lc.randomized_svd(a, 2, iterations=1.5)
    with pytest.raises(ValueError, match=r"`iterations` \* `block_size` = 5 \* 2 must lie between"):
        lc.block_krylov_svd(a, 2, iterations=5)
    with pytest.raises(ValueError, match="must lie between k = 3"):
        lc.block_krylov_svd(a, 3, iterations=1, block_size=2)
