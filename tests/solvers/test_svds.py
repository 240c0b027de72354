"""The front: dispatch, verification, errors, SciPy's expectations."""

from __future__ import annotations

import numpy as np
import pytest
from _spectra import assert_triplets, gaussian, spectrum, with_spectrum
from scipy.sparse.linalg import svds as scipy_svds

import lipcore as lc
from lipcore import _backend as B
from lipcore.solvers.direct import is_cheap

SOLVERS = ["auto", "direct", "lanczos"]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["identity", "zero", "rank three", "repeated", "cluster", "geometric"])
@pytest.mark.parametrize("which", ["LM", "SM"])
def test_values_and_vectors(solver: str, name: str, which: str) -> None:
    a = with_spectrum(spectrum(name, 40), 50, 40)
    assert_triplets(a, lc.svds(a, 4, solver=solver, which=which, rng=0), 4, end=which)


def test_power_solver() -> None:
    a = with_spectrum(spectrum("geometric", 40), 50, 40)
    assert_triplets(a, lc.svds(a, 3, solver="power", rng=0), 3, rtol=1e-11)


def test_same_as_scipy_but_descending() -> None:
    a = gaussian(150, 130)
    u, s, vh = scipy_svds(a, k=5, rng=0)
    ours = lc.svds(a, k=5, rng=0)
    np.testing.assert_allclose(ours.S, s[::-1], rtol=1e-12)
    np.testing.assert_allclose(np.abs(np.sum(ours.U * u[:, ::-1], axis=0)), 1, rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(ours.Vh * vh[::-1], axis=1)), 1, rtol=1e-9)


def test_backends(backend) -> None:
    for name in backend.dtypes:
        a = gaussian(130, 110, is_complex=name.startswith("complex")).astype(name)
        array = backend.asarray(a)
        for solver in ("direct", "lanczos"):
            result = lc.svds(array, 3, solver=solver, rng=0)
            assert all(part.dtype in (array.dtype, B.real_dtype(backend.xp, array.dtype)) for part in result)
            assert_triplets(a, result, 3)


@pytest.mark.parametrize("exponent", [-310, -300, 0, 300, 306])
def test_direct_at_any_scale(exponent: int) -> None:
    result = lc.svds(gaussian(20, 15) * 10.0**exponent, 3)
    truth = np.linalg.svd(gaussian(20, 15), compute_uv=False)[:3]
    digits = 1e-9 if exponent < -305 else 1e-12
    np.testing.assert_allclose(np.log2(result.S) - exponent * np.log2(10.0), np.log2(truth), atol=digits)


def test_operators_without_a_matrix() -> None:
    a = gaussian(40, 30)
    calls = []
    operator = lc.LinearOperator(
        (40, 30), lambda x: calls.append(1) or a @ x, lambda y: calls.append(1) or a.T @ y, dtype=float
    )
    assert_triplets(a, lc.svds(operator, 2), 2)
    assert len(calls) == 30  # direct: one product a column
    row = lc.LinearOperator((1, 500), lambda x: calls.append(1) or a[:1, :1] * 0 + x.sum(), lambda y: y * np.ones(500),
                            dtype=float)  # fmt: skip
    calls.clear()
    np.testing.assert_allclose(lc.svds(row, 1).S, [500**0.5])
    assert len(calls) == 0  # by the adjoint: one product a row


def test_what_is_cheap() -> None:
    def cheap(m: int, n: int, k: int, *, small_end: bool = False) -> bool:
        return is_cheap(lc.LinearOperator((m, n), lambda x: x, dtype=float), k, small_end=small_end)

    assert cheap(64, 64, 1)
    assert not cheap(2000, 2000, 10)
    assert cheap(300, 300, 100)
    assert cheap(2000, 2000, 3, small_end=True)
    assert not cheap(3000, 3000, 3, small_end=True)
    assert not cheap(90, 10**6, 1)


def test_batched_direct() -> None:
    a = gaussian(12, 9, batch=(2, 3))
    assert_triplets(a, lc.svds(a, 2), 2)
    assert_triplets(a, lc.svds(a, 2, which="SM"), 2, end="SM")


def test_unconverged_raises_with_the_result() -> None:
    a = gaussian(300, 300)
    with pytest.raises(lc.ConvergenceError, match=r"svds: residuals up to .* raise `maxiter` or `tol`") as info:
        lc.svds(a, 3, maxiter=10, rng=0)
    result = info.value.result
    assert not result.converged
    assert result.S.shape == (3,)
    with pytest.raises(lc.ConvergenceError):
        lc.svds(a, 3, which="SM", solver="lanczos", maxiter=60, rng=0)
    with pytest.raises(lc.ConvergenceError):
        lc.svds(a, 1, solver="power", maxiter=10, rng=0)


def test_small_end_is_never_wrong_silently() -> None:
    # squaring would lose these values, and give any number of the order 1e-8 for them
    s = np.r_[np.linspace(1, 0.5, 117), 3e-9, 2e-10, 1e-11]
    a = with_spectrum(s, 150, 120)
    for solver in ("direct", "lanczos"):
        result = lc.svds(a, 3, which="SM", solver=solver, rng=0)
        np.testing.assert_allclose(result.S, s[-3:], atol=1e-14)


def test_parts() -> None:
    a = gaussian(12, 9)
    full = lc.svds(a, 2)
    assert isinstance(full, tuple)
    assert full._fields == ("U", "S", "Vh")
    np.testing.assert_array_equal(lc.svds(a, 2, return_singular_vectors=False), full.S)
    assert lc.svds(a, 2, return_singular_vectors="u").Vh is None
    assert lc.svds(a, 2, return_singular_vectors="vh").U is None


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 0.0, None])
def test_tolerance_is_kept(tol: float | None) -> None:
    a = gaussian(200, 180)
    u, s, vh = lc.svds(a, 3, tol=tol, rng=0)
    wanted = tol or 2.0 ** (-52 * 0.75)
    assert np.all(
        np.hypot(*(np.linalg.norm(x, axis=0) for x in (a @ vh.T - u * s, a.T @ u - vh.T * s))) <= wanted * s[0]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 10}, r"`k` must be an integer with 1 <= k <= min\(M, N\) = 9, got 10"),
        ({"solver": "arpack"}, "`solver` must be one of 'auto', 'direct', 'lanczos', 'power', got 'arpack'"),
        ({"which": "LR"}, "`which` must be one of 'LM', 'SM', got 'LR'"),
        ({"return_singular_vectors": "v"}, "`return_singular_vectors` must be"),
        ({"solver": "direct", "iterations": 3}, "`iterations` has no meaning"),
        ({"solver": "power", "which": "SM"}, "solver='power' finds the largest values only"),
        ({"iterations": 3, "tol": 0.1}, "excludes `tol` and `maxiter`"),
        ({"tol": "tight"}, "`tol` must be a number"),
    ],
)
def test_bad_arguments(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lc.svds(gaussian(12, 9), **{"k": 2, **options})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("solver", SOLVERS)
def test_not_finite(bad: float, solver: str) -> None:
    a = gaussian(12, 9)
    a[0, 0] = bad
    with pytest.raises(ValueError, match="finite"):
        lc.svds(a, 2, solver=solver)


def test_integers_are_refused() -> None:
    with pytest.raises(TypeError, match="floating"):
        lc.svds(np.eye(4, dtype=int), 1)
