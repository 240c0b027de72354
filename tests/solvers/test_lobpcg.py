"""LOBPCG: both ends, preconditioner, constraints, backends."""

from __future__ import annotations

import numpy as np
import pytest
from _spectra import eps_of, gaussian

import lipcore as lc
from lipcore import _backend as B


def laplacian(n: int) -> np.ndarray:
    return 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


A = laplacian(120)
VALUES = np.linalg.eigvalsh(A)
INVERSE = np.linalg.inv(A + 1e-4 * np.eye(120))


@pytest.mark.parametrize("kind", ["array", "operator", "callable"])
def test_preconditioned_small_end(kind: str) -> None:
    given = {"array": INVERSE, "operator": lc.Dense(INVERSE), "callable": lambda r: INVERSE @ r}[kind]
    result = lc.lobpcg(A, gaussian(120, 3), preconditioner=given, largest=False)
    assert result.converged
    assert result.reason == "converged"
    assert result.iterations <= 20
    np.testing.assert_allclose(result.eigenvalues, VALUES[:3], atol=1e-13)
    x = result.eigenvectors
    np.testing.assert_allclose(x.T @ x, np.eye(3), atol=1e-13)
    np.testing.assert_allclose(np.linalg.norm(A @ x - x * result.eigenvalues, axis=0), result.residuals, atol=1e-13)


@pytest.mark.parametrize("largest", [True, False])
def test_plain(backend, largest: bool) -> None:
    for name in backend.dtypes:
        is_complex = name.startswith("complex")
        phase = np.exp(1j * np.arange(120)) if is_complex else np.ones(120)
        a = (phase[:, None] * np.diag(np.r_[0.1, 0.2, np.linspace(3, 5, 116), 8.0, 9.0]) * phase.conj()).astype(name)
        x = gaussian(120, 2, is_complex=is_complex).astype(name)
        result = lc.lobpcg(backend.asarray(a), backend.asarray(x), largest=largest)
        assert bool(backend.to_numpy(result.converged))
        wanted = [9.0, 8.0] if largest else [0.1, 0.2]
        np.testing.assert_allclose(backend.to_numpy(result.eigenvalues), wanted, atol=200 * eps_of(result.eigenvectors))


def test_constraints() -> None:
    known = np.linalg.eigh(A)[1][:, :2]
    result = lc.lobpcg(A, gaussian(120, 2), preconditioner=INVERSE, largest=False, constraints=known)
    np.testing.assert_allclose(result.eigenvalues, VALUES[2:4], atol=1e-13)
    assert np.max(np.abs(known.T @ result.eigenvectors)) < 1e-12


def test_repeated_values_and_exact_start() -> None:
    d = np.r_[5.0, 5.0, 5.0, np.linspace(0, 4, 57)]
    np.testing.assert_allclose(lc.lobpcg(np.diag(d), gaussian(60, 3)).eigenvalues, 5.0, rtol=1e-12)
    exact = lc.lobpcg(np.diag(d), np.eye(60)[:, :3])
    assert exact.iterations == 0
    assert exact.converged


@pytest.mark.parametrize("matrix", [np.eye(40), np.zeros((40, 40)), -np.eye(40)])
def test_trivial(matrix: np.ndarray) -> None:
    result = lc.lobpcg(matrix, gaussian(40, 2), largest=False)
    assert result.converged
    np.testing.assert_allclose(result.eigenvalues, matrix[0, 0], atol=1e-14)


def test_batched_members_stop_on_their_own() -> None:
    a = np.stack(
        [
            np.diag(np.r_[9.0, 8.0, np.linspace(0, 7, 118)]),
            np.eye(120),
            np.diag(np.r_[9.0, 8.0, np.linspace(0, 1, 118)]),
        ]
    )
    result = lc.lobpcg(a, gaussian(120, 2, batch=(3,)), tol=1e-9, maxiter=200)
    assert result.converged.all()
    assert result.iterations[0] > result.iterations[2] > result.iterations[1] == 0
    for i in range(3):
        np.testing.assert_allclose(result.eigenvalues[i], np.linalg.eigvalsh(a[i])[::-1][:2], atol=1e-9)


@pytest.mark.parametrize("exponent", [-300, 300])
def test_any_scale(exponent: int) -> None:
    result = lc.lobpcg(A * 10.0**exponent, gaussian(120, 2), preconditioner=INVERSE, largest=False)
    np.testing.assert_allclose(result.eigenvalues / 10.0**exponent, VALUES[:2], rtol=1e-9)


def test_counts() -> None:
    before = B.host_reads.count
    result = lc.lobpcg(A, gaussian(120, 2), maxiter=20)
    # scale, one for each check
    assert B.host_reads.count - before == 1 + len(result.history)
    assert result.iterations == 20
    assert result.reason == "maxiter"
    assert not result.converged
    # scale, start block, one block an iteration, residuals
    assert result.matvecs == 1 + 2 + 20 * 2 + 2
    before = B.host_reads.count
    assert lc.lobpcg(A, gaussian(120, 2), iterations=3).iterations == 3
    assert B.host_reads.count == before


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (gaussian(119, 2), {}, r"`X` must have shape \(120, 'k'\), got \(119, 2\)"),
        (gaussian(120, 41), {}, "too wide for N = 120"),
        (gaussian(120, 2), {"constraints": gaussian(3, 3)}, "`constraints` must have shape"),
        (gaussian(120, 2), {"iterations": 2, "tol": 1e-3}, "excludes `tol` and `maxiter`"),
        (
            gaussian(120, 2),
            {"preconditioner": lambda r: r * np.nan},
            "`preconditioner` gave products that are not finite",
        ),
    ],
)
def test_bad_arguments(x: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lc.lobpcg(A, x, **options)
