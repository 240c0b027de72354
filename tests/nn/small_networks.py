"""Small 1-Lipschitz networks in NumPy, and attacks on them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


def orthogonal(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Orthonormal rows or columns, whichever fit."""
    q, _ = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    return q if rows >= columns else q.T


class Network(NamedTuple):
    """Orthogonal layers with biases, absolute values or sorted pairs between them, and a head."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    sorts: bool
    head: np.ndarray

    def features(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and their Jacobian for samples (n, inputs)."""
        jacobian = np.broadcast_to(np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))
        for w, b in zip(self.weights, self.biases, strict=True):
            x, jacobian = x @ w.T + b, w @ jacobian
            if self.sorts:
                order = np.argsort(x.reshape(len(x), -1, 2), axis=-1, kind="stable")
                order = (order + 2 * np.arange(x.shape[1] // 2)[:, None]).reshape(len(x), -1)
                x = np.take_along_axis(x, order, axis=1)
                jacobian = np.take_along_axis(jacobian, order[:, :, None], axis=1)
            else:
                jacobian = np.where(x < 0, -1.0, 1.0)[:, :, None] * jacobian
                x = np.abs(x)
        return x, jacobian

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.features(x)[0] @ self.head.T

    def gradients(self, x: np.ndarray) -> np.ndarray:
        """Of all logits, shape (n, classes, inputs)."""
        return self.head @ self.features(x)[1]


def network(seed: int, head: str, inputs: int = 6, classes: int = 4, depth: int = 2) -> Network:
    """A network whose head is "orthonormal", of "unit" rows in no special position, or "any"."""
    rng = np.random.default_rng(seed)
    weights = [orthogonal(rng, inputs, inputs) for _ in range(depth)]
    biases = [0.3 * rng.standard_normal(inputs) for _ in range(depth)]
    last = orthogonal(rng, classes, inputs) if head == "orthonormal" else rng.standard_normal((classes, inputs))
    if head == "unit":
        last = last / np.linalg.norm(last, axis=1, keepdims=True)
        last[1] = -last[0] + 0.1 * last[1]  # nearly opposite: what makes the factor 2 necessary
        last[1] /= np.linalg.norm(last[1])
    return Network(weights, biases, bool(seed % 2), last)


def attack(
    net: Network, x: np.ndarray, labels: np.ndarray, radii: np.ndarray, seed: int, steps: int = 30
) -> np.ndarray:
    """Which samples some perturbation of length `radii` makes another class: ascent for each rival, and chance."""
    rng = np.random.default_rng(seed)
    n, classes = len(x), net.head.shape[0]
    broken = np.zeros(n, dtype=bool)

    def scale(d: np.ndarray) -> np.ndarray:
        return d * (radii / np.maximum(np.linalg.norm(d, axis=1), 1e-300))[:, None]

    def check(d: np.ndarray) -> None:
        broken[:] |= np.argmax(net(x + d), axis=1) != labels

    for rival in range(classes):
        for start in range(3):
            d = scale(rng.standard_normal(x.shape)) if start else np.zeros_like(x)
            for step in range(steps):
                check(d)
                slopes = net.gradients(x + d)
                uphill = slopes[:, rival] - slopes[np.arange(n), labels]
                lengths = np.maximum(np.linalg.norm(uphill, axis=1, keepdims=True), 1e-300)
                d = d + 2 * radii[:, None] / (1 + step) * uphill / lengths
                longer = np.linalg.norm(d, axis=1) > radii
                d = np.where(longer[:, None], scale(d), d)
            check(scale(d))
    for _ in range(50):
        check(scale(rng.standard_normal(x.shape)))
    return broken
