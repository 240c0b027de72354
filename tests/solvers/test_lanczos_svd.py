"""Hard spectra, scales, backends, batches; values, vectors and residuals against LAPACK."""

from __future__ import annotations

import numpy as np
import pytest
from _spectra import assert_triplets, gaussian, spectrum, with_spectrum

import lipcore as lc
from lipcore import _backend as B
from lipcore.solvers.stopping import default_tol

HARD = [
    "identity", "zero", "rank one", "rank three", "repeated", "cluster", "near orthogonal", "decay", "geometric",
    "harmonic",
]  # fmt: skip


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize(("m", "n"), [(160, 110), (90, 130), (100, 100)])
@pytest.mark.parametrize(("k", "block_size", "sides"), [(1, 1, "auto"), (6, 1, "auto"), (6, 1, "both"), (6, 3, "both")])
def test_hard_spectra(name: str, m: int, n: int, k: int, block_size: int, sides: str) -> None:
    a = with_spectrum(spectrum(name, min(m, n)), m, n)
    result = lc.lanczos_svd(a, k, block_size=block_size, sides=sides, rng=0)
    assert result.converged
    assert result.reason == "converged"
    assert_triplets(a, result, k)


@pytest.mark.parametrize("name", ["identity", "rank three", "repeated", "cluster", "geometric"])
@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_other_dtypes(name: str, dtype: str) -> None:
    a = with_spectrum(spectrum(name, 90), 120, 90, is_complex=dtype.startswith("complex")).astype(dtype)
    result = lc.lanczos_svd(a, 5, rng=0)
    assert result.U.dtype == result.Vh.dtype == a.dtype
    assert result.converged
    assert_triplets(a, result, 5)


@pytest.mark.parametrize("name", [*HARD, "gaussian"])
@pytest.mark.parametrize(("dtype", "tol"), [("float32", 1e-2), ("float32", 1e-4), ("float64", 1e-6)])
def test_loose_tolerances(name: str, dtype: str, tol: float) -> None:
    a = gaussian(260, 240) if name == "gaussian" else with_spectrum(spectrum(name, 240), 260, 240)
    a = a.astype(dtype)
    result = lc.lanczos_svd(a, 5, tol=tol, rng=0)
    wide, top = a.astype(float), max(np.linalg.norm(a.astype(float), 2), 1e-30)
    assert result.converged
    assert result.reason == "converged"
    np.testing.assert_allclose(result.S, np.linalg.svd(wide, compute_uv=False)[:5], atol=tol * top)
    for q in (result.U.T, result.Vh):
        np.testing.assert_allclose(q @ q.T, np.eye(5), atol=200 * np.finfo(dtype).eps)
    assert np.max(np.linalg.norm(wide @ result.Vh.T - result.U * result.S, axis=0)) <= 1.01 * tol * top
    assert np.max(np.linalg.norm(wide.T @ result.U - result.Vh.T * result.S, axis=0)) <= 1.01 * tol * top


@pytest.mark.parametrize("seed", range(6))
def test_a_second_copy_close_to_the_next_value_is_found(seed: int) -> None:
    # a single vector sees 1.0 and 0.9985 and what follows; the other 0.9985 is only 1e-3 above what takes its place
    s = np.r_[1.0, 0.9985, 0.9985, 0.9975, 0.996 * np.linspace(1, 0.1, 396)]
    result = lc.lanczos_svd(with_spectrum(s, 400, 400).astype(np.float32), 3, tol=1e-3, rng=seed)
    assert result.converged
    np.testing.assert_allclose(result.S, s[:3], rtol=1e-4)


@pytest.mark.parametrize("k", [1, 2, 7, 19, 20])
@pytest.mark.parametrize("block_size", [1, 3, 7])
@pytest.mark.parametrize("sides", ["one", "both"])
def test_any_k_up_to_full(k: int, block_size: int, sides: str) -> None:
    a = gaussian(20, 31)
    result = lc.lanczos_svd(a, k, block_size=block_size, sides=sides, rng=0, tol=1e-10)
    assert result.converged
    assert_triplets(a, result, k, rtol=1e-11)


def test_restarts_keep_the_basis_small() -> None:
    a = with_spectrum(spectrum("harmonic", 300), 300, 300)
    result = lc.lanczos_svd(a, 4, ncv=12, sides="both", rng=0)
    assert result.converged
    assert result.iterations > 12
    assert_triplets(a, result, 4)


@pytest.mark.parametrize(("m", "n"), [(120, 60), (60, 120), (60, 60)])
def test_small_end(m: int, n: int) -> None:
    s = np.r_[np.linspace(5, 1, 57), 0.3, 0.2, 0.1]
    a = with_spectrum(s, m, n)
    result = lc.lanczos_svd(a, 3, which="SM", rng=0)
    assert result.converged
    assert_triplets(a, result, 3, end="SM")


def test_small_end_of_a_singular_operator() -> None:
    a = with_spectrum(np.r_[np.linspace(5, 1, 57), 0.0, 0.0, 0.0], 80, 60)
    result = lc.lanczos_svd(a, 4, which="SM", rng=0)
    assert result.converged
    assert_triplets(a, result, 4, end="SM")


@pytest.mark.parametrize("exponent", [-310, -300, -38, 0, 37, 300, 306])
@pytest.mark.parametrize("sides", ["one", "both"])
def test_any_scale(exponent: int, sides: str) -> None:
    a = gaussian(60, 50) * 10.0**exponent
    result = lc.lanczos_svd(a, 3, sides=sides, rng=0)
    assert result.converged
    truth = np.linalg.svd(gaussian(60, 50), compute_uv=False)[:3]
    # denormal data have few digits themselves
    digits = 1e-9 if exponent < -305 else 1e-12
    np.testing.assert_allclose(np.log2(result.S) - exponent * np.log2(10.0), np.log2(truth), atol=digits)


@pytest.mark.parametrize("exponent", [-38, -30, 30, 37])
def test_any_scale_in_single_precision(exponent: int) -> None:
    a = (gaussian(60, 50) * 10.0**exponent).astype(np.float32)
    result = lc.lanczos_svd(a, 3, rng=0)
    assert result.converged
    truth = np.linalg.svd(a.astype(float), compute_uv=False)[:3]
    np.testing.assert_allclose(result.S, truth, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"sides": "both"}, {"block_size": 2}, {"iterations": 25}])
def test_backends(backend, options: dict) -> None:
    for name in backend.dtypes:
        a = gaussian(70, 50, is_complex=name.startswith("complex")).astype(name)
        array = backend.asarray(a)
        result = lc.lanczos_svd(array, 3, rng=0, **options)
        for part in (result.U, result.S, result.Vh, result.residuals):
            assert B.device_of(part) == B.device_of(array)
        assert result.U.dtype == array.dtype
        fixed = "iterations" in options
        assert fixed or bool(backend.to_numpy(result.converged))
        assert_triplets(a, result, 3, rtol=1e-2 if fixed else None)


def test_one_seed_gives_one_run_on_every_backend(backend) -> None:
    a = gaussian(70, 50).astype(np.float32)
    wanted = lc.lanczos_svd(a, 2, rng=7, iterations=6)
    result = lc.lanczos_svd(backend.asarray(a), 2, rng=7, iterations=6)
    # unconverged values depend on the start
    np.testing.assert_allclose(backend.to_numpy(result.S), wanted.S, rtol=1e-5)
    other = lc.lanczos_svd(a, 2, rng=8, iterations=6)
    assert np.max(np.abs(other.S - wanted.S)) > 1e-3


@pytest.mark.parametrize("options", [{}, {"sides": "both"}, {"block_size": 2}])
def test_batched_members_stop_on_their_own(options: dict) -> None:
    a = np.stack([gaussian(80, 60), with_spectrum(spectrum("geometric", 60), 80, 60), np.zeros((80, 60))])
    result = lc.lanczos_svd(a, 3, rng=0, **options)
    assert_triplets(a, result, 3)
    assert result.converged.shape == result.iterations.shape == (3,)
    assert result.converged.all()
    assert result.iterations[0] > result.iterations[1]
    # what is frozen is what the member had: its check is in the history
    stopped = [state for state in result.history if state.converged[1]]
    assert min(state.iterations for state in stopped) == result.iterations[1] or options == {}


def test_batch_of_batches() -> None:
    a = gaussian(12, 9, batch=(2, 3))
    result = lc.lanczos_svd(a, 2, rng=0)
    assert result.S.shape == (2, 3, 2)
    assert result.U.shape == (2, 3, 12, 2)
    assert result.Vh.shape == (2, 3, 2, 9)
    assert_triplets(a, result, 2)


# the other backends have no half precision, or not through this namespace
@pytest.mark.backends("torch", "jax", "torch-cuda", "cupy")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_operators(backend, dtype: str) -> None:
    if backend.native == "cupy" and dtype == "bfloat16":
        pytest.skip("CuPy has no bfloat16")
    a = gaussian(60, 40)
    array = B.cast(backend.asarray(a.astype(np.float32)), getattr(backend.xp, dtype))
    result = lc.lanczos_svd(array, 3, rng=0)
    assert B.dtype_name(result.S.dtype) == "float32"
    assert bool(backend.to_numpy(result.converged))
    truth = np.linalg.svd(backend.to_numpy(array).astype(float), compute_uv=False)[:3]
    np.testing.assert_allclose(backend.to_numpy(result.S), truth, rtol=2 * default_tol(lc.aslinearoperator(array)))


def test_arrays_as_users_have_them() -> None:
    base = gaussian(120, 140)
    strided, fortran, read_only = base[::2, ::2], np.asfortranarray(base), base.copy()
    read_only.flags.writeable = False
    reverse = base[::-1, ::-1]
    for a in (strided, fortran, read_only, reverse, base.T):
        assert_triplets(np.ascontiguousarray(a), lc.lanczos_svd(a, 2, rng=0), 2)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_thin(m: int, n: int) -> None:
    a = gaussian(m, n)
    for sides in ("one", "both"):
        assert_triplets(a, lc.lanczos_svd(a, min(m, n), sides=sides, rng=0), min(m, n))


def test_counts_are_deterministic() -> None:
    a = with_spectrum(spectrum("geometric", 100), 150, 100)
    before = B.host_reads.count
    result = lc.lanczos_svd(a, 1, rng=0)
    # scale, one a cycle, one for the residuals
    assert B.host_reads.count - before == len(result.history) + 2
    # one product for the scale, pairs, one pair for the residuals
    assert result.matvecs == 1 + 2 * result.iterations + 2
    assert result.iterations == 8
    both = lc.lanczos_svd(a, 4, sides="both", rng=0)
    assert both.matvecs == 1 + 2 * both.iterations + 2 * 4


def test_warm_start_helps_and_user_arrays_stay_untouched() -> None:
    a = gaussian(150, 150)
    cold = lc.lanczos_svd(a, 1, rng=0)
    v0 = cold.Vh[0].copy()
    copy = v0.copy()
    warm = lc.lanczos_svd(a, 1, v0=v0)
    assert warm.iterations < cold.iterations / 4
    np.testing.assert_array_equal(v0, copy)
    columns = lc.lanczos_svd(a, 3, v0=cold.Vh.T, block_size=3, rng=0)
    assert_triplets(a, columns, 3)


def test_start_on_either_side_of_a_wide_operator() -> None:
    a = gaussian(30, 50)
    full = lc.lanczos_svd(a, 1, rng=0)
    for v0 in (full.Vh[0], full.U[:, 0]):
        warm = lc.lanczos_svd(a, 1, v0=v0)
        assert warm.iterations < full.iterations / 2
        assert_triplets(a, warm, 1)


def test_unconverged_is_said() -> None:
    result = lc.lanczos_svd(gaussian(300, 300), 3, maxiter=12, rng=0)
    assert not result.converged
    assert result.reason == "maxiter"
    assert result.iterations == 12
    assert (result.residuals > 1e-6).any()
    assert_triplets(gaussian(300, 300), result, 3, rtol=0.5)


def test_callback_sees_the_run() -> None:
    seen = []
    result = lc.lanczos_svd(gaussian(80, 80), 2, rng=0, callback=seen.append)
    assert tuple(seen) == result.history
    assert [s.iterations for s in seen] == sorted({s.iterations for s in seen})
    assert seen[-1].converged
    assert seen[-1].residuals.max() < 1e-12
    assert seen[0].values.shape == (2,)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad: float) -> None:
    a = gaussian(30, 30)
    a[3, 4] = bad
    with pytest.raises(ValueError, match="not finite"):
        lc.lanczos_svd(a, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, r"`k` must be an integer with 1 <= k <= min\(M, N\) = 8, got 0"),
        ({"k": 9}, r"`k` must be an integer with 1 <= k <= min\(M, N\) = 8, got 9"),
        ({"k": 2.0}, "`k` must be an integer"),
        ({"which": "LA"}, "`which` must be one of 'LM', 'SM', got 'LA'"),
        ({"block_size": 0}, "`block_size` must be an integer"),
        ({"sides": "left"}, "`sides` must be"),
        ({"ncv": 3}, "`ncv` must be an integer"),
        ({"tol": -1.0}, "`tol` must be a number"),
        ({"maxiter": 0}, "`maxiter` must be a positive integer"),
        ({"iterations": 3, "tol": 1e-3}, "`iterations` fixes the count and excludes `tol` and `maxiter`"),
        ({"iterations": 3, "maxiter": 5}, "`iterations` fixes the count"),
        ({"iterations": 1, "k": 2}, "cannot hold k = 2"),
        ({"v0": np.ones(7)}, r"`v0` must have shape \(8,\)"),
        ({"v0": np.full(8, np.nan)}, "`v0` must be finite"),
        ({"v0": np.ones((8, 2))}, "`v0` has 2 columns"),
    ],
)
def test_bad_arguments(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lc.lanczos_svd(gaussian(10, 8), **{"k": 2, **options})


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (0, 4, 5)])
def test_empty(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="`A` is empty"):
        lc.lanczos_svd(np.ones(shape), 1)
