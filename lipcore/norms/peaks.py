"""Local maximisers of the norm of a symbol: the incumbents of branch and bound, and the seeds of start vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .symbol import Symbol

__all__ = ["Peak", "largest_pairs", "polish", "promises", "separated", "top_vectors"]

_EIGH_SIZE = 16
_STEPS, _LAG = 10, 4


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
    return _lanczos(lambda x: np.matmul(matrices, x[:, :, None])[:, :, 0], start, steps, pairs)[:2]


def _lanczos(
    apply: Callable[[np.ndarray], np.ndarray], start: np.ndarray, steps: int, pairs: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lanczos with full reorthogonalisation on a stack ``(B, n)`` of start vectors.

    The `pairs` largest Ritz values and vectors, and what the last steps have added to the largest.
    """
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
    before = max(1, steps - _LAG)
    earlier = np.linalg.eigvalsh(projected[:, :before, :before])[:, -1] if before < steps else np.zeros(count)
    return values[:, last], rows.astype(np.complex128), values[:, -1] - earlier


def top_vectors(matrices: np.ndarray, starts: np.ndarray, rtol: float) -> np.ndarray:
    """Top right singular vectors (B, n) of matrices (B, m, n), warm-started.

    Until all norms have settled to a small part of `rtol`: over the last steps of a run, or from one run to the next.
    """
    if min(matrices.shape[1:]) <= _EIGH_SIZE:
        return np.asarray(np.linalg.svd(matrices, full_matrices=False)[2][:, 0].conj())
    adjoints = np.ascontiguousarray(np.swapaxes(matrices, 1, 2).conj())
    last, x, steps = np.zeros(len(matrices)), starts, min(_STEPS, matrices.shape[2])
    for _ in range(20):
        values, vectors, rise = _lanczos(
            lambda v: np.matmul(adjoints, np.matmul(matrices, v[:, :, None]))[:, :, 0], x, steps, 1
        )
        x, value = vectors[:, 0], values[:, 0]
        if np.all(np.minimum(rise, value - last) <= 0.01 * rtol * value):
            break
        last = value
    return np.asarray(x)


def _of_groups(groups: np.ndarray, function: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
    """``function(group, places)`` for every group among `groups`, put back in place along the first axis."""
    present = np.unique(groups)
    if len(present) == 1:
        return np.asarray(function(int(present[0]), np.arange(len(groups))))
    places = [np.flatnonzero(groups == group) for group in present]
    parts = [function(int(group), where) for group, where in zip(present, places, strict=True)]
    out = np.empty((len(groups), *parts[0].shape[1:]), dtype=parts[0].dtype)
    for where, part in zip(places, parts, strict=True):
        out[where] = part
    return out


def _tops(symbol: Symbol, groups: np.ndarray, angles: np.ndarray, starts: np.ndarray, rtol: float) -> np.ndarray:
    return top_vectors(_of_groups(groups, lambda g, i: symbol.evaluate(g, angles[i])), starts, rtol)


def _values_and_slopes(
    symbol: Symbol, groups: np.ndarray, angles: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``||S x||^2`` (B,) and its gradients with respect to the angles divided by the weights (B, D)."""
    taps = _of_groups(groups, lambda g, i: np.moveaxis(np.matmul(symbol.taps[g], x[i].T), 2, 0))  # (B, T, m)
    phases = symbol.phases(angles)
    response = np.matmul(phases[:, None, :], taps)  # (B, 1, m)
    centred = symbol.offsets - (symbol.extents - 1) / 2
    slopes = np.matmul(-1j * centred.T * phases[:, None, :], taps)  # (B, D, m)
    gradients = 2 * np.sum(slopes * response.conj(), axis=2).real / symbol.weights
    return np.sum(np.abs(response[:, 0]) ** 2, axis=1), gradients


def promises(symbol: Symbol, groups: np.ndarray, angles: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """``||S x||^2`` and what a climb from there may gain, twice what the largest curvature allows: to rank by."""
    values, slopes = _values_and_slopes(symbol, groups, angles, vectors)
    return np.asarray(values + np.sum(slopes**2, axis=1) / (2 * np.where(values > 0, values, np.inf)))


def polish(symbol: Symbol, groups: np.ndarray, angles: np.ndarray, vectors: np.ndarray, rtol: float) -> list[Peak]:
    """Climb from angles to local maxima of ``||S(theta)||``, all at once.

    Parameters
    ----------
    symbol : Symbol
    groups : ndarray of int, shape (B,)
    angles : ndarray, shape (B, D)
    vectors : ndarray, shape (B, n)
        Approximate top right singular vectors there.
    rtol : float
        A climb stops once the gain that the quadratic model still promises is a small part of `rtol`.

    Returns
    -------
    list of Peak

    Notes
    -----
    BFGS in the coordinates ``w_a theta_a``, in which ``|d^2 ||S||^2| <= 2 ||S||^2`` (Bernstein), so that the first
    step ``gradient / (2 ||S||^2)`` cannot overshoot a fixed singular vector's polynomial. The gradient is that of
    ``||S(theta) x||^2`` at fixed x.
    """
    x, angles = _tops(symbol, groups, angles, vectors, rtol), np.array(angles)
    if symbol.dimension > 0:
        _climb(symbol, groups, angles, x, rtol)
        angles = np.remainder(angles + np.pi, 2 * np.pi) - np.pi
    return [
        Peak(symbol.lower_bound(int(g), angle, vector), int(g), angle, vector)
        for g, angle, vector in zip(groups, angles, x, strict=True)
    ]


def _climb(symbol: Symbol, groups: np.ndarray, angles: np.ndarray, x: np.ndarray, rtol: float) -> None:
    """The climbs of `polish`; `angles` and `x` are written over."""
    values, slopes = _values_and_slopes(symbol, groups, angles, x)
    eye = np.eye(symbol.dimension)
    inverses = eye / np.maximum(2 * values, 1e-300)[:, None, None]
    going = np.arange(len(groups))
    for _ in range(40):
        steps = np.matmul(inverses[going], slopes[going, :, None])[:, :, 0]
        gains = 0.5 * np.sum(slopes[going] * steps, axis=1)
        promising = gains > 0.05 * rtol * values[going]
        going, steps = going[promising], steps[promising]
        if not len(going):
            return
        steps *= np.minimum(1.0, 0.5 / np.maximum(np.max(np.abs(steps), axis=1), 1e-300))[:, None]
        trials = angles[going] + steps / symbol.weights
        x_trials = _tops(symbol, groups[going], trials, x[going], rtol)
        new_values, new_slopes = _values_and_slopes(symbol, groups[going], trials, x_trials)
        changes = slopes[going] - new_slopes
        curvatures = np.sum(changes * steps, axis=1)
        known = curvatures > 1e-12 * values[going] * np.sum(steps**2, axis=1)
        inverse = 1 / np.where(known, curvatures, np.inf)[:, None, None]
        left = eye - steps[:, :, None] * changes[:, None, :] * inverse
        updated = left @ inverses[going] @ np.swapaxes(left, 1, 2) + steps[:, :, None] * steps[:, None, :] * inverse
        better = new_values > values[going]
        inverses[going] = np.where(better[:, None, None], updated, updated / 4)
        up = going[better]
        values[up], slopes[up], angles[up], x[up] = (new[better] for new in (new_values, new_slopes, trials, x_trials))


def separated(
    symbol: Symbol, groups: np.ndarray, angles: np.ndarray, values: np.ndarray, count: int, distance: float
) -> list[int]:
    """Indices of up to `count` largest values, no two of one group nearer than `distance` (mirror images are one)."""
    chosen: list[int] = []
    free = np.ones(len(values), dtype=bool)
    for i in np.argsort(-values, kind="stable"):
        if len(chosen) == count:
            break
        if free[i]:
            chosen.append(int(i))
            gaps = _distances(symbol, angles, angles[i])
            if symbol.is_real:
                gaps = np.minimum(gaps, _distances(symbol, angles, -angles[i]))
            free &= (groups != groups[i]) | (gaps > distance)
    return chosen


def _distances(symbol: Symbol, angles: np.ndarray, angle: np.ndarray) -> np.ndarray:
    gaps = np.abs(np.remainder(angles - angle + np.pi, 2 * np.pi) - np.pi)
    return np.asarray(gaps @ symbol.weights)
