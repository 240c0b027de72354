"""The identity M V = V T + beta v e^T, scaling, breakdown, counts."""

from __future__ import annotations

import numpy as np
import pytest
from _spectra import gaussian, spectrum, with_spectrum

from lipcore import Dense, LinearOperator
from lipcore import _backend as B
from lipcore.solvers.normal_lanczos import NormalLanczos


def tridiagonal(run: NormalLanczos) -> np.ndarray:
    alpha, beta = (B.to_numpy(x) for x in (run.alpha, run.beta))
    return np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1)


@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("reorthogonalize", ["full", "none"])
def test_identity(backend, hermitian: bool, reorthogonalize: str) -> None:
    for name in backend.dtypes:
        is_complex = name.startswith("complex")
        a = gaussian(40, 40 if hermitian else 30, is_complex=is_complex)
        a = (a + a.conj().T if hermitian else a).astype(name)
        eps = 2.0**-52 if name in ("float64", "complex128") else 2.0**-23
        v0 = gaussian(1, a.shape[1], seed=1, is_complex=is_complex)[0].astype(name)
        run = NormalLanczos(
            Dense(backend.asarray(a)), backend.asarray(v0), capacity=5, hermitian=hermitian,
            reorthogonalize=reorthogonalize,
        )  # fmt: skip
        run.expand(4)
        run.expand(6)  # beyond the capacity
        M = a if hermitian else a.conj().T @ a
        V, T = backend.to_numpy(run.V).T, tridiagonal(run)
        rest = M @ V - V @ T
        rest[:, -1] -= backend.to_numpy(run.beta)[-1] * backend.to_numpy(run._V)[10]
        size = np.linalg.norm(M, 2)
        assert np.max(np.abs(rest)) < 40 * eps * size
        if reorthogonalize == "full":
            assert np.max(np.abs(V.conj().T @ V - np.eye(10))) < 40 * eps
        pairs = run.ritz(3)
        x = backend.to_numpy(run.vector(pairs.y))
        for theta, residual, vector in zip(pairs.theta, pairs.residual, x, strict=True):
            truth = np.linalg.norm(M @ vector - theta * vector)
            assert abs(truth - residual) < 100 * eps * size


@pytest.mark.parametrize("name", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("exponent", [-310, -300, -38, 0, 37, 300, 307])
def test_any_scale(name: str, exponent: int) -> None:
    if name == "float32" and abs(exponent) > 40:
        pytest.skip("outside the range of float32")
    a = gaussian(60, 40, is_complex=name == "complex128")
    truth = np.linalg.norm(a, 2)
    a = (a * 10.0**exponent).astype(name)
    run = NormalLanczos(Dense(a), gaussian(1, 40, seed=1)[0].astype(name))
    run.expand(30)
    scaled = float(np.sqrt(run.ritz().theta[0]))
    c = 0.0 if run.products.log2_scale is None else float(run.products.log2_scale)
    value = np.log2(scaled) - c  # a logarithm holds where the value overflows
    # denormal data have few digits themselves
    digits = 1e-6 if name == "float32" else 1e-10 if exponent < -305 else 1e-12
    assert abs(value - np.log2(truth) - exponent * np.log2(10.0)) < digits
    assert (run.products.log2_scale is None) == (exponent == 0)


def test_lucky_breakdown_leaves_zeros() -> None:
    run = NormalLanczos(Dense(with_spectrum(spectrum("rank three", 30), 40, 30)), gaussian(1, 30, seed=1)[0])
    run.expand(12)
    beta = run.beta
    dead = int(np.flatnonzero(beta == 0)[0]) + 1
    assert dead <= 5
    assert not run.V[dead:].any()
    np.testing.assert_allclose(np.sqrt(run.ritz(3).theta), [3, 2, 1], rtol=1e-14)
    assert np.isnan(run.ritz(8).theta[-1])


def test_counts_and_host_reads(backend) -> None:
    before = B.host_reads.count
    run = NormalLanczos(Dense(backend.asarray(gaussian(20, 20))), backend.asarray(gaussian(1, 20)[0]), capacity=8)
    assert B.host_reads.count == before + 1
    run.expand(8)
    assert B.host_reads.count == before + 1
    assert run.matvecs == 16
    run.ritz()
    assert B.host_reads.count == before + 2


def test_results_of_products_are_not_written_over() -> None:
    class Same(LinearOperator):
        """Answers with its input and with memory of its own."""

        def __init__(self) -> None:
            self.cache = np.ones((30, 1))
            self._setup((30, 30), dtype=np.float64, xp=__import__("array_api_compat.numpy", fromlist=["x"]))

        def _matmat(self, X):
            return X

        def _rmatmat(self, Y):
            return self.cache

    operator = Same()
    v0 = gaussian(1, 30)[0]
    copy = v0.copy()
    run = NormalLanczos(operator, v0)
    run.expand(3)
    assert (operator.cache == 1).all()
    np.testing.assert_array_equal(v0, copy)


def test_without_a_basis_the_recurrence_is_the_same(backend) -> None:
    for name in backend.dtypes:
        a = backend.asarray(gaussian(30, 20, is_complex=name.startswith("complex")).astype(name))
        v0 = gaussian(1, 20, seed=1)[0]
        v0 = backend.asarray((v0 / np.linalg.norm(v0)).astype(name))
        runs = [
            NormalLanczos(Dense(a), v0, capacity=3, reorthogonalize="none", keep=keep, near_unit=not keep)
            for keep in (True, False)
        ]
        for run in runs:
            run.expand(6)
        for kept, bare in ((runs[0].alpha, runs[1].alpha), (runs[0].beta, runs[1].beta)):
            np.testing.assert_allclose(
                B.to_numpy(bare), B.to_numpy(kept), rtol=1e4 * B.eps(B.array_namespace(a), a.dtype)
            )
        with pytest.raises(ValueError, match="keep=True"):
            runs[1].vector(runs[1].ritz().y)


def test_an_owned_start_gives_the_same_run_and_others_are_left_alone(backend) -> None:
    a = backend.asarray(gaussian(30, 20).astype("float32"))
    v0 = gaussian(1, 20, seed=1)[0]
    v0 = (2 * v0 / np.linalg.norm(v0)).astype("float32")
    given, own = backend.asarray(v0), backend.asarray(v0.copy())
    runs = [
        NormalLanczos(Dense(a), start, reorthogonalize="none", keep=False, near_unit=True, owned=owned)
        for start, owned in ((given, False), (own, True))
    ]
    for run in runs:
        run.expand(8)
    np.testing.assert_array_equal(B.to_numpy(given), v0)
    np.testing.assert_allclose(B.to_numpy(runs[1].alpha), B.to_numpy(runs[0].alpha), rtol=1e-6)


@pytest.mark.parametrize("hermitian", [False, True])
def test_the_first_product_is_used_once(hermitian: bool) -> None:
    """Whatever chooses the scale, alpha_0 is that of the start."""
    a = gaussian(30, 30)
    a = a + a.T
    v0 = gaussian(1, 30, seed=1)[0]
    unit = v0 / np.linalg.norm(v0)
    for scale in (1.0, 2.0**9, 2.0**-9, 2.0**200):
        run = NormalLanczos(Dense(scale * a), v0, hermitian=hermitian)
        run.expand(2)
        c = 1.0 if run.products.log2_scale is None else 2.0 ** float(run.products.log2_scale)
        image = (c * scale) * (a @ unit)
        assert float(run.alpha[0]) == pytest.approx(unit @ image if hermitian else image @ image, rel=1e-12)
        assert run.matvecs == (2 if hermitian else 4) + (run.products.log2_scale is not None)


def test_batched_equals_looped() -> None:
    a, v0 = gaussian(20, 12, batch=(3,)), gaussian(3, 12, seed=2)
    run = NormalLanczos(Dense(a), v0)
    run.expand(6)
    for i in range(3):
        one = NormalLanczos(Dense(a[i]), v0[i])
        one.expand(6)
        np.testing.assert_allclose(run.alpha[i], one.alpha, rtol=1e-12)
        np.testing.assert_allclose(run.beta[i], one.beta, rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad: float) -> None:
    a = gaussian(5, 5)
    a[1, 2] = bad
    with pytest.raises(ValueError, match="not finite"):
        NormalLanczos(Dense(a), np.ones(5))


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"`v0` must have shape \(5,\), got \(4,\)"):
        NormalLanczos(Dense(gaussian(6, 5)), np.ones(4))
    with pytest.raises(ValueError, match="`reorthogonalize`"):
        NormalLanczos(Dense(gaussian(6, 5)), np.ones(5), reorthogonalize="some")


@pytest.mark.parametrize(("dtype", "noise"), [(np.float32, 1e-15), (np.float64, 1e-100)])
def test_start_in_the_null_space_does_not_set_the_scale(dtype: type, noise: float) -> None:
    # its image is rounding noise; scaled by that, the next product would overflow
    a = np.array([[1.0, 2.0, noise], [3.0, 4.0, 0.0]], dtype=dtype)
    run = NormalLanczos(Dense(a), np.array([0.0, 0.0, 1.0], dtype=dtype), capacity=3)
    run.expand(3)
    assert np.sqrt(run.ritz().theta[0]) == pytest.approx(np.linalg.norm(a.astype(np.float64), 2), rel=1e-3)
