"""What users run to make a matrix orthonormal: LAPACK's SVD, and the iterations of two torch packages as published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.harness import VALUE, Contestant, Missing

Array = Any


def bjorck_deel(w: Array, *, beta: float = 0.5, eps: float = 1e-3, maxiter: int = 15, power_steps: int = 10) -> Array:
    """Power iteration, division by sigma, then Björck steps until the change is below `eps`: deel-torchlip."""
    import torch

    u = torch.ones(1, w.shape[1])
    for _ in range(power_steps):
        v = torch.nn.functional.normalize(u @ w.T, p=2, dim=1)
        u = torch.nn.functional.normalize(v @ w, p=2, dim=1)
    w = w / ((v @ w @ u.T).squeeze() + eps)
    w = w if w.shape[0] <= w.shape[1] else w.T
    for _ in range(maxiter):
        before = w
        w = (1 + beta) * w - beta * (w @ w.T) @ w
        if torch.linalg.matrix_norm(w - before) < eps:
            break
    return w


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
        "deel-torchlip's Björck": lambda: bjorck_deel(a),
        "Björck to convergence (60 steps)": lambda: bjorck_deel(a, eps=1e-6, maxiter=60),
        "Muon's quintic, 5 steps, bfloat16": lambda: newton_schulz_muon(a),
        "Muon's quintic, 5 steps, float32": lambda: newton_schulz_muon(a, dtype=torch.float32),
    }
    for name, run in runs.items():
        yield Contestant(name, lambda name=name, run=run: keep(name, run()), VALUE)
