"""What users run to make a matrix orthonormal: LAPACK's SVD, the iterations of two torch packages, and Muon's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.harness import VALUE, Contestant, Missing

Array = Any
DEEL, ORTHOGONIUM = "deel-torchlip's Björck", "orthogonium's Björck"


def bjorck_deel(a: Array) -> dict[str, Callable[[], Array]]:
    """deel-torchlip's two functions as its layers call them, and once with steps enough to converge."""
    from deel.torchlip.normalizers import bjorck_normalization, spectral_normalization

    return {
        DEEL: lambda: bjorck_normalization(spectral_normalization(a)[0]),
        f"{DEEL}, up to 60 steps": lambda: bjorck_normalization(spectral_normalization(a)[0], eps=1e-6, maxiter=60),
    }


def bjorck_orthogonium(a: Array) -> dict[str, Callable[[], Array]]:
    """orthogonium's two modules with the defaults of its layers: three power steps, 12 steps of Björck."""
    from orthogonium.reparametrizers import BatchedBjorckOrthogonalization, BatchedPowerIteration

    shape = (1, *a.shape)
    power, bjorck = BatchedPowerIteration(shape), BatchedBjorckOrthogonalization(shape)
    return {ORTHOGONIUM: lambda: bjorck(power(a[None]))[0].detach()}


def newton_schulz_muon(w: Array, *, steps: int = 5, dtype: Any = None) -> Array:
    """Muon's quintic, as published: bfloat16, five steps, not meant to converge."""
    import torch

    x = w.to(torch.bfloat16 if dtype is None else dtype)
    x = x if x.shape[0] <= x.shape[1] else x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x


def polar_by_svd(w: Array) -> Array:
    """U V^H."""
    import torch

    u, _, vh = torch.linalg.svd(w, full_matrices=False)
    return u @ vh


def all_of(w: Array, keep: Callable[[str, Array], float]) -> Iterator[Contestant | Missing]:
    """The peers on one matrix; `keep` stores a result for later and returns a number for the table."""
    try:
        import torch
    except ImportError:
        yield Missing("torch peers", "torch is not installed")
        return
    a = torch.from_numpy(w)
    runs = {
        "torch.linalg.svd, U V^H": lambda: polar_by_svd(a),
        "Muon's quintic, 5 steps, bfloat16": lambda: newton_schulz_muon(a),
        "Muon's quintic, 5 steps, float32": lambda: newton_schulz_muon(a, dtype=torch.float32),
    }
    for name, made in ((DEEL, bjorck_deel), (ORTHOGONIUM, bjorck_orthogonium)):
        try:
            runs |= made(a)
        except ImportError:
            yield Missing(name, "its package is not installed")
    for name, run in runs.items():
        yield Contestant(name, lambda name=name, run=run: keep(name, run()), VALUE)
