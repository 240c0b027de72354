"""Hermitian eigenpairs: the front and restarted Lanczos."""

from __future__ import annotations

import numpy as np
import pytest
from _spectra import eps_of, gaussian, orthonormal

import lipcore as lc
from lipcore import _backend as B
from lipcore.solvers import lanczos_eigh

WHICH = ["LM", "SM", "LA", "SA"]


def hermitian(values: np.ndarray, *, is_complex: bool = False) -> np.ndarray:
    q = orthonormal(np.random.default_rng(0), len(values), len(values), is_complex=is_complex)
    a = (q * values) @ q.conj().T
    return (a + a.conj().T) / 2


def wanted(a: np.ndarray, k: int, which: str) -> np.ndarray:
    w = np.linalg.eigvalsh(a)
    order = {"LM": np.argsort(-np.abs(w)), "SM": np.argsort(np.abs(w)), "LA": np.argsort(-w), "SA": np.argsort(w)}[
        which
    ]
    return np.sort(w[order[:k]])


SPECTRA = {
    "both signs": np.linspace(-3, 2, 120),
    "definite": np.geomspace(1, 100, 120),
    "identity": np.ones(120),
    "zero": np.zeros(120),
    "repeated": np.r_[np.full(4, 5.0), np.full(4, -4.0), np.linspace(-1, 1.5, 112)],
    "rank two": np.r_[-2.0, 1.0, np.zeros(118)],
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("solver", ["direct", "lanczos"])
def test_pairs(name: str, which: str, solver: str) -> None:
    a = hermitian(SPECTRA[name])
    values, vectors = lc.eigsh(a, 5, which=which, solver=solver, rng=0)
    top = max(np.linalg.norm(a, 2), 1e-300)
    np.testing.assert_allclose(values, wanted(a, 5, which), atol=1e-13 * top)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-13)
    assert np.max(np.linalg.norm(a @ vectors - vectors * values, axis=0)) <= 2e-12 * top


@pytest.mark.parametrize("block_size", [1, 3])
def test_backends(backend, block_size: int) -> None:
    for name in backend.dtypes:
        a = hermitian(SPECTRA["both signs"], is_complex=name.startswith("complex")).astype(name)
        result = lanczos_eigh(backend.asarray(a), 3, which="LA", block_size=block_size, rng=0)
        eps = eps_of(result.eigenvectors)
        assert bool(backend.to_numpy(result.converged))
        np.testing.assert_allclose(backend.to_numpy(result.eigenvalues)[::-1], wanted(a, 3, "LA"), atol=100 * eps)
        x = backend.to_numpy(result.eigenvectors)
        np.testing.assert_allclose(x.conj().T @ x, np.eye(3), atol=100 * eps)
        residuals = np.linalg.norm(a @ x - x * backend.to_numpy(result.eigenvalues), axis=0)
        np.testing.assert_allclose(residuals, backend.to_numpy(result.residuals), atol=100 * eps)


@pytest.mark.parametrize("exponent", [-300, 300])
def test_any_scale(exponent: int) -> None:
    a = hermitian(SPECTRA["both signs"])
    result = lc.eigsh(a * 10.0**exponent, 2, solver="lanczos", rng=0)
    np.testing.assert_allclose(result.eigenvalues / 10.0**exponent, wanted(a, 2, "LM"), rtol=1e-12)


def test_batched() -> None:
    a = np.stack([hermitian(SPECTRA[name]) for name in ("both signs", "repeated", "zero")])
    result = lanczos_eigh(a, 3, rng=0)
    assert result.converged.all()
    for i in range(3):
        np.testing.assert_allclose(np.sort(result.eigenvalues[i]), wanted(a[i], 3, "LM"), atol=1e-12)
    np.testing.assert_allclose(lc.eigsh(a, 3).eigenvalues, np.sort(result.eigenvalues, axis=-1), atol=1e-12)


def test_not_hermitian_is_not_returned() -> None:
    for a in (gaussian(20, 20), gaussian(300, 300)):
        with pytest.raises(lc.ConvergenceError, match="check that `A` is Hermitian"):
            lc.eigsh(a, 3, maxiter=100, rng=0)


def test_counts() -> None:
    a = hermitian(SPECTRA["both signs"])
    before = B.host_reads.count
    result = lanczos_eigh(a, 3, rng=0)
    assert B.host_reads.count - before == len(result.history) + 1
    assert result.matvecs == 1 + result.iterations + 3
    fixed = lanczos_eigh(a, 3, iterations=20, rng=0)
    assert (fixed.iterations, fixed.matvecs, fixed.reason) == (20, 24, "iterations")


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="`A` must be square"):
        lc.eigsh(gaussian(4, 5), 1)
    with pytest.raises(ValueError, match="`which` must be one of 'LM', 'SM', 'LA', 'SA', got 'BE'"):
        lc.eigsh(np.eye(4), 1, which="BE")
    with pytest.raises(ValueError, match="`solver` must be one of"):
        lc.eigsh(np.eye(4), 1, solver="power")
    with pytest.raises(ValueError, match="`k` must be"):
        lc.eigsh(np.eye(4), 5)
    with pytest.raises(ValueError, match="finite"):
        lc.eigsh(np.full((4, 4), np.nan), 1)
