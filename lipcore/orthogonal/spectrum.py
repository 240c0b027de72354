"""Where the eigenvalues of a Gram matrix lie, roughly and cheaply."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array


def lanczos_numbers(g: Array, steps: int, rng: np.random.Generator) -> tuple[list[Array], list[Array]]:
    """Diagonals and off-diagonals, shapes (..., 1, 1), of the Lanczos tridiagonal matrix of each Hermitian `g`.

    The off-diagonals have one entry more than a matrix of that order: the last one bounds the errors. No host read.
    """
    xp = B.array_namespace(g)
    n = g.shape[-1]
    start = rng.standard_normal((*([1] * (g.ndim - 2)), n, 1))
    v = B.from_numpy((start / np.linalg.norm(start)), xp=xp, device=B.device_of(g), dtype=g.dtype)
    v = v + xp.zeros((*g.shape[:-1], 1), dtype=g.dtype, device=B.device_of(g))
    alphas, betas, before = [], [], None
    for _ in range(min(steps, n)):
        w = B.matmul(g, v)
        alpha = xp.sum(xp.real(B.conj(v) * w) if B.is_complex(xp, g.dtype) else v * w, axis=(-2, -1), keepdims=True)
        w = w - alpha * v
        if before is not None:
            w = w - betas[-1] * before
        squares = xp.abs(w) ** 2 if B.is_complex(xp, g.dtype) else w * w
        beta = xp.sqrt(xp.sum(squares, axis=(-2, -1), keepdims=True))
        alphas.append(alpha)
        betas.append(beta)
        before, v = v, w / xp.where(beta > 0, beta, xp.ones_like(beta))
    return alphas, betas


def ritz_interval(alphas: Any, betas: Any) -> tuple[Any, Any, Any, Any]:
    """Ends of the Ritz values and the error bounds of both, from host arrays of shape (..., k).

    Some eigenvalue lies within its error bound of each end; with a random start, the extreme one is not far beyond.
    """
    k = alphas.shape[-1]
    # after an invariant subspace nothing is left: repeat what is known, uncoupled
    dead = np.concatenate([np.zeros_like(betas[..., :1], dtype=bool), np.cumsum(betas == 0, axis=-1)[..., :-1] > 0], -1)
    alphas, betas = np.where(dead, alphas[..., :1], alphas), np.where(dead, 0.0, betas)
    t = np.zeros((*alphas.shape, k))
    i = np.arange(k)
    t[..., i, i] = alphas
    t[..., i[1:], i[:-1]] = betas[..., :-1]
    values, vectors = np.linalg.eigh(t)
    errors = betas[..., -1:] * np.abs(vectors[..., -1, :])
    return values[..., 0], errors[..., 0], values[..., -1], errors[..., -1]
