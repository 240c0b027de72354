"""Subspace iteration."""

from __future__ import annotations

import numpy as np
import pytest
from _spectra import assert_triplets, gaussian, spectrum, with_spectrum

import lipcore as lc
from lipcore import _backend as B


@pytest.mark.parametrize("name", ["identity", "zero", "rank three", "geometric"])
@pytest.mark.parametrize(("m", "n"), [(50, 40), (40, 50)])
@pytest.mark.parametrize("k", [1, 3])
def test_easy_spectra(name: str, m: int, n: int, k: int) -> None:
    a = with_spectrum(spectrum(name, 40), m, n)
    result = lc.power_method(a, k, rng=0)
    assert result.converged
    assert result.reason == "converged"
    assert_triplets(a, result, k, rtol=1e-12)


def test_backends(backend) -> None:
    for name in backend.dtypes:
        a = with_spectrum(spectrum("geometric", 30), 40, 30, is_complex=name.startswith("complex")).astype(name)
        result = lc.power_method(backend.asarray(a), 2, rng=0)
        assert bool(backend.to_numpy(result.converged))
        assert_triplets(a, result, 2)


def test_warm_start() -> None:
    a = with_spectrum(spectrum("harmonic", 60), 60, 60)
    cold = lc.power_method(a, 3, rng=0)
    warm = lc.power_method(a + 1e-6 * gaussian(60, 60), 3, v0=cold.Vh.T, tol=1e-6)
    assert warm.iterations == 8  # the first look
    again = lc.power_method(a, 1, v0=cold.Vh[0], iterations=1)
    np.testing.assert_allclose(again.S, cold.S[:1], rtol=1e-12)


def test_batched_members_stop_on_their_own() -> None:
    a = np.stack([with_spectrum(spectrum(name, 40), 50, 40) for name in ("harmonic", "geometric", "zero")])
    result = lc.power_method(a, 2, rng=0)
    assert result.converged.all()
    assert result.iterations[0] > result.iterations[1]
    assert_triplets(a, result, 2, rtol=1e-11)


def test_counts() -> None:
    before = B.host_reads.count
    result = lc.power_method(gaussian(60, 50), 2, maxiter=20, rng=0)
    assert B.host_reads.count - before == 1 + len(result.history) == 4
    assert [s.iterations for s in result.history] == [8, 16, 20]
    assert (result.iterations, result.reason) == (20, "maxiter")
    assert not result.converged
    assert result.matvecs == 1 + 20 * 4 + 4


@pytest.mark.parametrize("exponent", [-300, 300])
def test_any_scale(exponent: int) -> None:
    a = with_spectrum(spectrum("geometric", 30), 40, 30)
    result = lc.power_method(a * 10.0**exponent, 2, rng=0)
    np.testing.assert_allclose(result.S / 10.0**exponent, [1, 0.5], rtol=1e-12)


def test_not_finite() -> None:
    a = gaussian(10, 10)
    a[0, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        lc.power_method(a)
