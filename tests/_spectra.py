"""Matrices with a wanted spectrum, and how far a solver's answer is from the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from lipcore import _backend as B


def spectrum(name: str, r: int) -> np.ndarray:
    """r singular values, descending."""
    return {
        "identity": np.ones(r),
        "zero": np.zeros(r),
        "rank one": np.r_[1.0, np.zeros(r - 1)],
        "rank three": np.r_[3.0, 2.0, 1.0, np.zeros(r - 3)],
        "repeated": np.r_[2.0, 2.0, 2.0, 1.0, 1.0, np.linspace(0.9, 0.1, r - 5)],
        "cluster": np.r_[1.0 - np.linspace(0.0, 0.002, 20), np.linspace(0.9, 0.01, r - 20)],
        "near orthogonal": np.linspace(1.0, 0.9, r),
        "decay": 10.0 ** -np.minimum(np.arange(r), 300),
        "geometric": 0.5 ** np.arange(r),
        "harmonic": 1.0 / np.arange(1, r + 1),
    }[name]


def orthonormal(rng: np.random.Generator, m: int, r: int, *, is_complex: bool = False) -> np.ndarray:
    """Random orthonormal columns."""
    x = rng.standard_normal((m, r))
    return np.linalg.qr(x + 1j * rng.standard_normal((m, r)) if is_complex else x)[0]


def with_spectrum(s: np.ndarray, m: int, n: int, *, seed: int = 0, is_complex: bool = False) -> np.ndarray:
    """Random (m, n) matrix with singular values s."""
    rng = np.random.default_rng(seed)
    u, v = (orthonormal(rng, size, len(s), is_complex=is_complex) for size in (m, n))
    return (u * s) @ v.conj().T


def gaussian(m: int, n: int, *, seed: int = 0, is_complex: bool = False, batch: tuple[int, ...] = ()) -> np.ndarray:
    """Gaussian matrices."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((*batch, m, n))
    return a + 1j * rng.standard_normal((*batch, m, n)) if is_complex else a


def eps_of(x: Any) -> float:
    """Unit of rounding of an array's dtype (compute dtype for halves)."""
    return {"float64": 2.0**-52, "complex128": 2.0**-52}.get(B.dtype_name(x.dtype), 2.0**-23)


def assert_triplets(a: np.ndarray, result: Any, k: int, *, end: str = "LM", rtol: float | None = None) -> None:
    """Values against LAPACK, orthonormality, and the residuals as claimed, everything recomputed densely."""
    eps = eps_of(result.S)
    u, s, vh = (B.to_numpy(x).astype(complex if np.iscomplexobj(a) else float) for x in (result.U, result.S, result.Vh))
    wide = a.astype(complex if np.iscomplexobj(a) else float)
    truth = np.linalg.svd(wide, compute_uv=False)
    top = truth[..., :1]
    wanted = truth[..., :k] if end == "LM" else truth[..., truth.shape[-1] - k :]
    slack = (100 * eps if rtol is None else rtol) * np.where(top > 0, top, 1.0)
    assert u.shape[-1] == s.shape[-1] == vh.shape[-2] == k
    assert np.all(np.abs(s - wanted) <= slack)
    assert np.all(np.diff(s, axis=-1) <= slack)
    eye = np.eye(k)
    for q in (np.swapaxes(u.conj(), -1, -2) @ u, vh @ np.swapaxes(vh.conj(), -1, -2)):
        assert np.max(np.abs(q - eye)) <= 100 * eps
    v = np.swapaxes(vh.conj(), -1, -2)
    forward = np.linalg.norm(wide @ v - u * s[..., None, :], axis=-2)
    backward = np.linalg.norm(np.swapaxes(wide.conj(), -1, -2) @ u - v * s[..., None, :], axis=-2)
    claimed = B.to_numpy(result.residuals) if hasattr(result, "residuals") else None
    if claimed is not None:
        assert np.all(np.abs(np.hypot(forward, backward) - claimed) <= 100 * eps * np.where(top > 0, top, 1.0))
