"""Local maximisers of the norm of a symbol: the incumbents of branch and bound, and the seeds of start vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .symbol import Symbol

__all__ = ["Peak", "largest_pairs", "polish", "promise", "separated", "top_vector"]

_EIGH_SIZE = 16
_STEPS = 10


@dataclass(frozen=True, eq=False)
class Peak:
    """An angle at which the norm of a symbol is large, with the vector that proves it.

    Parameters
    ----------
    lower : float
        Rigorous lower bound of ``||S(angle)||_2`` in scaled units, attained by `vector`.
    group : int
    angle : ndarray, shape (D,)
    vector : ndarray, shape (n,), complex128
        Approximate top right singular vector, of unit length.
    """

    lower: float
    group: int
    angle: np.ndarray
    vector: np.ndarray


def largest_pairs(matrices: np.ndarray, steps: int, pairs: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Largest eigenvalues (from below) and vectors of positive semidefinite matrices: LAPACK if small, else Lanczos.

    Parameters
    ----------
    matrices : ndarray, shape (B, n, n)
        Hermitian.
    steps : int
        Lanczos steps from a fixed Gaussian start.
    pairs : int
        Eigenpairs of each matrix, at most n.

    Returns
    -------
    values : ndarray of float64, shape (B, pairs)
        Descending.
    vectors : ndarray of complex128, shape (B, pairs, n)
    """
    count, n, _ = matrices.shape
    steps = max(steps, pairs)
    if n <= max(_EIGH_SIZE, steps):
        values, vectors = np.linalg.eigh(matrices)
        last = slice(-1, -pairs - 1, -1)
        return values[:, last].astype(np.float64), np.swapaxes(vectors[:, :, last], 1, 2).astype(np.complex128)
    parts = np.random.default_rng(0).standard_normal((2, n))
    start = np.broadcast_to((parts[0] + 1j * parts[1]).astype(matrices.dtype), (count, n))
    return _lanczos(lambda x: np.matmul(matrices, x[:, :, None])[:, :, 0], start, steps, pairs)


def _lanczos(
    apply: Callable[[np.ndarray], np.ndarray], start: np.ndarray, steps: int, pairs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lanczos with full reorthogonalisation on a stack ``(B, n)`` of start vectors."""
    count, n = start.shape
    tiny = np.finfo(start.real.dtype).tiny
    basis = np.zeros((count, steps + 1, n), dtype=start.dtype)
    projected = np.zeros((count, steps, steps))
    basis[:, 0] = start / np.maximum(np.linalg.norm(start, axis=1), tiny)[:, None]
    for j in range(steps):
        w = apply(basis[:, j])[:, :, None]
        done = basis[:, : j + 1]
        for _ in range(2):
            along = np.matmul(np.conj(done), w)
            w = w - np.matmul(np.swapaxes(done, 1, 2), along)
            projected[:, j, j] += along[:, j, 0].real
        length = np.linalg.norm(w[:, :, 0], axis=1)
        # After an invariant subspace is found what is left is rounding; it must not be blown up to a unit vector.
        length = np.where(length > 64 * np.finfo(length.dtype).eps * projected[:, 0, 0], length, 0.0)
        basis[:, j + 1] = w[:, :, 0] / np.where(length > 0, length, np.inf)[:, None]
        if j + 1 < steps:
            projected[:, j, j + 1] = projected[:, j + 1, j] = length
    values, vectors = np.linalg.eigh(projected)
    last = slice(-1, -pairs - 1, -1)
    rows = np.matmul(np.swapaxes(vectors[:, :, last], 1, 2), basis[:, :steps])
    return values[:, last], rows.astype(np.complex128)


def top_vector(matrix: np.ndarray, start: np.ndarray, rtol: float) -> np.ndarray:
    """Top right singular vector of one matrix, warm-started, until its norm settles to a small part of `rtol`."""
    if min(matrix.shape) <= _EIGH_SIZE:
        return np.asarray(np.linalg.svd(matrix, full_matrices=False)[2][0].conj())
    adjoint = np.ascontiguousarray(matrix.conj().T)
    last, x = 0.0, start
    for _ in range(20):
        steps = min(_STEPS, matrix.shape[1])
        values, vectors = _lanczos(lambda v: (adjoint @ (matrix @ v[0]))[None], x[None], steps, 1)
        x, value = vectors[0, 0], float(values[0, 0])
        if value <= last * (1 + 0.01 * rtol):
            break
        last = value
    return np.asarray(x)


def _value_and_slope(symbol: Symbol, group: int, angle: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray]:
    """``||S x||^2`` and its gradient with respect to the angle divided by the weights."""
    taps = symbol.taps[group] @ x
    phases = symbol.phases(angle[None])[0]
    response = phases @ taps
    slopes = (-1j * (symbol.offsets - (symbol.extents - 1) / 2) * phases[:, None]).T @ taps
    gradient = 2 * (slopes @ response.conj()).real / symbol.weights
    return float(np.linalg.norm(response) ** 2), gradient


def promise(symbol: Symbol, group: int, angle: np.ndarray, vector: np.ndarray) -> float:
    """``||S x||^2`` and what a climb from there may gain, twice what the largest curvature allows: to rank by."""
    value, slope = _value_and_slope(symbol, group, angle, vector)
    return value + float(slope @ slope) / (2 * value) if value > 0 else 0.0


def polish(symbol: Symbol, group: int, angle: np.ndarray, vector: np.ndarray, rtol: float) -> Peak:
    """Climb from an angle to a local maximum of ``||S(theta)||``.

    Parameters
    ----------
    symbol : Symbol
    group : int
    angle : ndarray, shape (D,)
    vector : ndarray, shape (n,)
        Approximate top right singular vector there.
    rtol : float
        Stops once the gain that the quadratic model still promises is a small part of `rtol`.

    Returns
    -------
    Peak

    Notes
    -----
    BFGS in the coordinates ``w_a theta_a``, in which ``|d^2 ||S||^2| <= 2 ||S||^2`` (Bernstein), so that the first
    step ``gradient / (2 ||S||^2)`` cannot overshoot a fixed singular vector's polynomial. The gradient is that of
    ``||S(theta) x||^2`` at fixed x.
    """
    x = top_vector(symbol.evaluate(group, angle[None])[0], vector, rtol)
    if symbol.dimension == 0:
        return Peak(symbol.lower_bound(group, angle, x), group, angle, x)
    value, slope = _value_and_slope(symbol, group, angle, x)
    inverse = np.eye(symbol.dimension) / max(2 * value, 1e-300)
    best = (value, angle, x)
    for _ in range(40):
        step = inverse @ slope
        gain = 0.5 * float(slope @ step)
        if gain <= 0.05 * rtol * value:
            break
        step *= min(1.0, 0.5 / max(float(np.max(np.abs(step))), 1e-300))
        trial = angle + step / symbol.weights
        x_trial = top_vector(symbol.evaluate(group, trial[None])[0], x, rtol)
        new_value, new_slope = _value_and_slope(symbol, group, trial, x_trial)
        change = slope - new_slope
        curvature = float(change @ step)
        if curvature > 1e-12 * value * float(step @ step):
            left = np.eye(len(step)) - np.outer(step, change) / curvature
            inverse = left @ inverse @ left.T + np.outer(step, step) / curvature
        if new_value > value:
            value, slope, angle, x = new_value, new_slope, trial, x_trial
            best = (value, angle, x)
        else:
            inverse = inverse / 4
    _, angle, x = best
    angle = np.remainder(angle + np.pi, 2 * np.pi) - np.pi
    return Peak(symbol.lower_bound(group, angle, x), group, angle, x)


def separated(
    symbol: Symbol, groups: np.ndarray, angles: np.ndarray, values: np.ndarray, count: int, distance: float
) -> list[int]:
    """Indices of up to `count` largest values, no two of one group nearer than `distance` (mirror images are one)."""
    chosen: list[int] = []
    for i in np.argsort(-values, kind="stable"):
        if len(chosen) == count:
            break
        if all(
            groups[i] != groups[j]
            or min(_distance(symbol, angles[i], s * angles[j]) for s in ((1, -1) if symbol.is_real else (1,)))
            > distance
            for j in chosen
        ):
            chosen.append(int(i))
    return chosen


def _distance(symbol: Symbol, a: np.ndarray, b: np.ndarray) -> float:
    gap = np.abs(np.remainder(a - b + np.pi, 2 * np.pi) - np.pi)
    return float(gap @ symbol.weights)
