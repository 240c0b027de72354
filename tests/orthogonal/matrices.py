"""Matrices with known singular values, and what the tests measure on results."""

from __future__ import annotations

import numpy as np


def matrix(rng, shape, dtype, condition=10.0):
    """Random singular vectors; singular values from 1 down to 1/condition in equal ratios."""
    *batch, m, n = shape
    k = min(m, n)

    def frame(rows):
        a = rng.standard_normal((*batch, rows, k))
        if np.dtype(dtype).kind == "c":
            a = a + 1j * rng.standard_normal((*batch, rows, k))
        return np.linalg.qr(a)[0]

    values = np.geomspace(1.0, 1.0 / condition, k) if k else np.ones(0)
    return ((frame(m) * values) @ frame(n).conj().swapaxes(-1, -2)).astype(dtype)


def polar_factor(w):
    """By an SVD in double precision."""
    u, _, vh = np.linalg.svd(np.asarray(w, dtype=np.result_type(w.dtype, np.float64)), full_matrices=False)
    return u @ vh


def residual(q):
    """Frobenius norm of Q^H Q - I over the shorter side, per matrix."""
    q = q.astype(np.result_type(q.dtype, np.float64))
    q = q.conj().swapaxes(-1, -2) if q.shape[-2] < q.shape[-1] else q
    return np.linalg.norm(q.conj().swapaxes(-1, -2) @ q - np.eye(q.shape[-1]), axis=(-2, -1))


def largest(q):
    """Largest singular value over the stack, in double precision."""
    return np.linalg.svd(q.astype(np.result_type(q.dtype, np.float64)), compute_uv=False).max(initial=0.0)


def floor(q):
    """What rounding leaves of `residual`."""
    return 8 * np.finfo(q.dtype).eps * max(q.shape[-2:]) ** 0.5 * min(q.shape[-2:]) ** 0.5
