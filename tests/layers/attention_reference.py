"""Dense Jacobians of one attention layer in NumPy, and the search for points where they are large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Maps = list[tuple[np.ndarray, np.ndarray]]  # of each token: matrix and offset


@dataclass
class DotProduct:
    """One head after another: affine maps of each token to query, key and value, and the head's output matrix."""

    heads: list[dict[str, np.ndarray]]  # wq, wk, wv, wo, bq, bk of each
    scale: float
    causal: bool = False
    bias: np.ndarray | None = None
    turn: Callable[[np.ndarray], np.ndarray] | None = None  # of rows

    def logits(self, x: np.ndarray, y: np.ndarray, h: dict[str, np.ndarray]) -> np.ndarray:
        q, k = x @ h["wq"].T + h["bq"], y @ h["wk"].T + h["bk"]
        if self.turn is not None:
            q, k = self.turn(q), self.turn(k)
        s = self.scale * q @ k.T
        if self.bias is not None:
            s = s + self.bias
        if self.causal:
            s = np.where(np.tri(*s.shape, dtype=bool), s, -np.inf)
        return s

    def forward(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        total = 0.0
        for h in self.heads:
            total = total + softmax(self.logits(x, y, h)) @ y @ h["wv"].T @ h["wo"].T
        return total

    def blocks(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives with respect to x and y, (n, out, n, D) and (n, out, m, D)."""
        n, m, out = x.shape[0], y.shape[0], self.heads[0]["wo"].shape[0]
        to_x, to_y = np.zeros((n, out, n, x.shape[1])), np.zeros((n, out, m, y.shape[1]))
        turn = self.turn or (lambda rows: rows)
        for h in self.heads:
            p = softmax(self.logits(x, y, h))
            v = y @ h["wv"].T @ h["wo"].T
            o = p @ v
            q, k = turn(x @ h["wq"].T + h["bq"]), turn(y @ h["wk"].T + h["bk"])
            # the map of a token to its turned query: turned columns
            tq = np.stack([turn(np.repeat(c[None], n, 0)) for c in h["wq"].T], axis=-1)  # (n, d, D)
            tk = np.stack([turn(np.repeat(c[None], m, 0)) for c in h["wk"].T], axis=-1)
            away = v[None] - o[:, None]  # (n, m, out)
            weighted = p[:, :, None] * away
            diagonal = self.scale * np.einsum("ijo,jd,idf->iof", weighted, k, tq)
            to_x[np.arange(n), :, np.arange(n), :] += diagonal
            to_y += self.scale * np.einsum("ijo,id,jdf->iojf", weighted, q, tk)
            to_y += p[:, None, :, None] * (h["wo"] @ h["wv"])[None, :, None, :]
        return to_x, to_y

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        a, b = self.blocks(x, x)
        return a + b


def softmax(s: np.ndarray) -> np.ndarray:
    e = np.exp(s - np.max(s, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def norms(J: np.ndarray) -> dict[object, float]:
    """The norms of a Jacobian (n, out, m, D): for "token" from below, by signs found by alternation."""
    n, out, m, width = J.shape
    flat = J.reshape(n * out, m * width)
    found = {ord: float(np.linalg.norm(flat, ord)) for ord in (1, 2, np.inf)}
    found["token"] = max(token_norm(J[i]) for i in range(n))
    return found


def token_norm(row: np.ndarray) -> float:
    """Largest ``|sum_j A_j u_j|`` over unit vectors u_j, from below: ascent in the output's direction."""
    out = row.shape[0]
    best = 0.0
    for start in np.concatenate([np.eye(out), np.ones((1, out))]):
        w = start / np.linalg.norm(start)
        for _ in range(20):
            u = np.einsum("o,ojd->jd", w, row)
            u /= np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-300)
            y = np.einsum("ojd,jd->o", row, u)
            w = y / max(float(np.linalg.norm(y)), 1e-300)
        best = max(best, float(np.linalg.norm(y)))
    return best


def climb(
    value: Callable[[np.ndarray], float],
    start: np.ndarray,
    project: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    steps: int = 200,
) -> float:
    """Random hill climbing with steps that adapt to how often they succeed."""
    x = project(start)
    best, size = value(x), 0.3
    for _ in range(steps):
        moved = project(x + size * rng.standard_normal(x.shape) * (rng.random((*x.shape[:1], 1)) < 0.6))
        found = value(moved)
        if found > best:
            x, best, size = moved, found, size * 1.4
        else:
            size = max(size * 0.93, 1e-3)
    return best
