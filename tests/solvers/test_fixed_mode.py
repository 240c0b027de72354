"""Fixed counts: no host read, fixed shapes, traced by JAX and torch, safe on a device that is not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from _pretended_gpu import pretended_gpu
from _spectra import gaussian

import lipcore as lc
from lipcore import _backend as B
from lipcore.solvers.normal_lanczos import NormalLanczos

FIXED = {
    "one side": lambda a: lc.lanczos_svd(a, 1, iterations=6, rng=0).S,
    "both sides, restarted": lambda a: lc.lanczos_svd(a, 2, iterations=14, ncv=8, rng=0).S,
    "blocks": lambda a: lc.lanczos_svd(a, 2, iterations=4, block_size=2, sides="both", rng=0).S,
    "svds": lambda a: lc.svds(a, 2, iterations=6, rng=0).S,
    "power": lambda a: lc.power_method(a, 2, iterations=6, rng=0).S,
    "block Krylov": lambda a: lc.block_krylov_svd(a, 2, iterations=3, rng=0).S,
    "randomized": lambda a: lc.randomized_svd(a, 2, rng=0).S,
}
# Blocks compile slowly under JAX.
CASES = [pytest.param(name, marks=pytest.mark.slow if name.startswith("block") else ()) for name in FIXED]


@pytest.mark.parametrize("solver", CASES)
def test_no_host_read_and_the_same_on_every_backend(backend, solver: str) -> None:
    a = gaussian(24, 20).astype(np.float32)
    wanted = FIXED[solver](a)
    array = backend.asarray(a)
    before = B.host_reads.count
    value = FIXED[solver](array)
    assert B.host_reads.count == before
    np.testing.assert_allclose(backend.to_numpy(value), wanted, rtol=2e-4)


# jit is JAX's
@pytest.mark.backends("jax")
@pytest.mark.parametrize("solver", CASES)
def test_jax_jit(backend, solver: str) -> None:
    import jax

    a = backend.asarray(gaussian(24, 20))
    traced = jax.jit(FIXED[solver])(a)
    np.testing.assert_allclose(np.asarray(traced), np.asarray(FIXED[solver](a)), rtol=2e-4)


# jit is JAX's
@pytest.mark.backends("jax")
def test_jax_jit_of_the_rest(backend) -> None:
    import jax

    h = gaussian(24, 24)
    h = backend.asarray(h + h.T)
    x = backend.asarray(gaussian(24, 2))
    for run in (
        lambda m: lc.eigsh(m, 2, iterations=8, rng=0).eigenvalues,
        lambda m: lc.lobpcg(m, x, iterations=3).eigenvalues,
    ):
        np.testing.assert_allclose(np.asarray(jax.jit(run)(h)), np.asarray(run(h)), rtol=1e-3)

    def top(m: Any) -> Any:
        run = NormalLanczos(lc.aslinearoperator(m), x[:, 0], capacity=6)
        run.expand(6)
        return run.alpha

    np.testing.assert_allclose(np.asarray(jax.jit(top)(h)), np.asarray(top(h)), rtol=1e-3)


# jit is JAX's
@pytest.mark.backends("jax")
def test_adaptive_runs_say_that_they_cannot_be_traced(backend) -> None:
    import jax

    a = backend.asarray(gaussian(120, 110))
    for run in (lc.lanczos_svd, lc.svds, lc.power_method):
        with pytest.raises(ValueError, match="give `iterations`"):
            jax.jit(lambda m, run=run: run(m, 1))(a)


# the compiler is torch's
@pytest.mark.backends("torch")
@pytest.mark.filterwarnings("ignore")  # the compiler warns of its own caches
@pytest.mark.parametrize("solver", ["one side", "power"])
def test_torch_compile(backend, solver: str) -> None:
    import torch

    a = backend.asarray(gaussian(24, 20))
    compiled = torch.compile(FIXED[solver], backend="eager")(a)
    np.testing.assert_allclose(compiled.numpy(), FIXED[solver](a).numpy(), rtol=1e-6)


@pytest.mark.parametrize("solver", FIXED)
def test_pretended_gpu(solver: str) -> None:
    """On a pretended CUDA device mixing devices and reading a value both raise."""
    torch = pytest.importorskip("torch")
    with pretended_gpu() as device:
        value = FIXED[solver](torch.empty(24, 20, device=device))
        assert value.device.type == "cuda"
        with pytest.raises(Exception, match=r"(?i)data.dependent|item|fake|cuda"):
            float(value[0])


def test_exact_count() -> None:
    a = gaussian(60, 40)
    for steps in (3, 17, 70):
        result = lc.lanczos_svd(a, 2, iterations=steps, ncv=10, sides="both", rng=0)
        assert result.iterations == steps
        assert result.reason == "iterations"
        # the scale, its pairs, the extraction
        assert result.matvecs == 1 + 2 * steps + 2 * 2
    assert lc.power_method(a, 2, iterations=5, rng=0).matvecs == 1 + 2 * 5 * 2 + 2 * 2
    assert lc.block_krylov_svd(a, 2, iterations=5, rng=0).matvecs == 1 + 2 * 5 * 2 + 2 * 2
    assert lc.randomized_svd(a, 2, iterations=1, oversampling=3, rng=0).matvecs == 1 + 5 * 4 + 2 * 2


def test_counts_under_jit() -> None:
    jax = pytest.importorskip("jax")
    counts = []

    def run(m: Any) -> Any:
        result = lc.lanczos_svd(m, 2, iterations=9, sides="both", rng=0)
        counts.append(result.matvecs)
        return result.S

    jax.jit(run)(jax.numpy.asarray(gaussian(24, 20), dtype="float32"))
    assert counts == [1 + 2 * 9 + 2 * 2]
