"""The leading singular vector, as every norm needs it: one Lanczos run, seen from the host once a cycle."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh_tridiagonal

from .. import _backend as B
from .._typing import Array
from ..operators.base import LinearOperator
from ..operators.detached import DetachedOperator
from ..solvers.normal_lanczos import NormalLanczos
from .probabilistic import lanczos_upper_bound, noise_overlap, start_overlap

# Norm of the random part beside a warm start of norm one: little enough to start near the given vector, and the claim
# of the upper bound pays for it with ln(10) steps' worth of growth once.
_NOISE = 0.1
_CYCLE = 8
# The basis is restarted from its best vector beyond this many bytes.
_BASIS_BYTES = 2 << 30


@dataclass(frozen=True)
class LeadingRun:
    """What a Lanczos run on the smaller side of ``A^H A`` or ``A A^H`` has found.

    `vector` (*batch, min(M, N)) has unit norm and lives on the side of `side`, the operator or its adjoint;
    `value` and `upper` are float64 host arrays of the batch shape; `upper` fails with at most `failure_probability`.
    """

    side: LinearOperator
    vector: Array
    value: np.ndarray[Any, Any]
    error: np.ndarray[Any, Any]
    upper: np.ndarray[Any, Any]
    failure_probability: float
    matvecs: int
    reached: np.ndarray[Any, Any]


def smaller_side(operator: LinearOperator) -> LinearOperator:
    """The operator or its adjoint, whichever has the shorter input."""
    return operator if operator.shape[-1] <= operator.shape[-2] else operator.adjoint()


def leading_run(
    operator: LinearOperator,
    *,
    rtol: float,
    maxiter: int,
    v0: Array | None = None,
    rng: int | np.random.Generator | None = None,
    failure_probability: float = 0.0,
    enough: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> LeadingRun:
    """Lanczos from a random start (mixed with `v0`) until every member of the batch is done.

    A member is done when the estimated relative error of its value is at most `rtol`; with a `failure_probability`,
    when its probabilistic upper bound is within `rtol` of its value; with `enough(value, error, upper)`, when that says
    so. `maxiter` bounds the products with ``A^H A``.
    """
    side = DetachedOperator(smaller_side(operator))
    n, batch = side.shape[-1], side.batch_shape
    start, overlap = _start(side, operator, v0, B.as_rng(rng), failure_probability / max(1, math.prod(batch)))
    capacity = _capacity(side, maxiter)
    run, before = NormalLanczos(side, start, capacity=min(capacity, n)), 0
    upper = np.full(batch, np.inf)
    while True:
        steps = min(_CYCLE, maxiter - before - run.steps, run.capacity - run.steps)
        run.expand(steps)
        alpha, beta, scale = run.coefficients()
        theta, error = _values_and_errors(alpha, beta)
        value, error = np.sqrt(theta) * scale, error / 2  # a relative error of the square is twice as large
        if failure_probability and not before:
            eps = B.eps(side.xp, B.compute_dtype(side.xp, side.dtype))
            upper = _upper_bounds(alpha, beta, overlap, eps) * scale
        done = error <= rtol if not failure_probability else upper <= value * (1 + rtol)
        if enough is not None:
            done = done | enough(value, error, upper)
        spent = before + run.steps
        exhausted = run.steps >= n or bool(np.all(beta[..., -1] <= 0))
        if np.all(done) or spent >= maxiter or exhausted:
            break
        if run.steps >= run.capacity:
            before = spent
            run = NormalLanczos(side, run.top_vector(), capacity=run.capacity)
    return LeadingRun(side, run.top_vector(), value, error, upper, failure_probability, 2 * spent, np.asarray(done))


def _start(
    side: LinearOperator, operator: LinearOperator, v0: Array | None, rng: np.random.Generator, probability: float
) -> tuple[Array, np.ndarray[Any, Any]]:
    """Start vectors (*batch, n) and what is claimed of their overlap with the leading ones."""
    xp, n, batch = side.xp, side.shape[-1], side.batch_shape
    is_complex = B.is_complex(xp, side.dtype)
    noise = B.random_normal(rng, (*batch, n), xp=xp, device=side.device, dtype=side.dtype)
    if v0 is None:
        overlap = start_overlap(n, probability, is_complex=is_complex) if probability else 1.0
        return noise, np.full(batch, overlap)
    warm = _warm_vector(side, operator, v0, noise.dtype)
    length = xp.linalg.vector_norm(warm, axis=-1, keepdims=True)
    length = xp.where(length > 0, length, xp.ones_like(length))
    # each real part of the noise has this deviation, so that the noise has norm about _NOISE
    deviation = _NOISE / math.sqrt((2 if is_complex else 1) * n)
    start = warm / length + deviation * noise
    if not probability:
        return start, np.ones(batch)
    norms = B.to_numpy(xp.linalg.vector_norm(start, axis=-1)).astype(np.float64)
    return start, deviation * noise_overlap(probability, is_complex=is_complex) / (norms * (1 + 1e-5))


def _warm_vector(side: LinearOperator, operator: LinearOperator, v0: Array, dtype: Any) -> Array:
    """`v0`, given in the domain of the operator, on the side on which the run works."""
    xp, n = operator.xp, operator.shape[-1]
    if not B.is_array(v0):
        raise TypeError(f"`v0` must be an array, got {type(v0).__name__}")
    if v0.shape[-1] != n or v0.ndim > len(operator.batch_shape) + 1:
        raise ValueError(f"`v0` must have shape (*batch_shape, {n}), got {tuple(v0.shape)}")
    v0 = B.stop_gradient(v0)
    if side.shape[-1] != n or side.shape[-2] != operator.shape[-2]:
        v0 = side.rmatvec(v0)  # the side is the adjoint, whose adjoint is the operator
    return B.cast(xp.broadcast_to(v0, (*operator.batch_shape, v0.shape[-1])), dtype)


def _capacity(side: LinearOperator, maxiter: int) -> int:
    dtype = B.numpy_dtype(B.compute_dtype(side.xp, side.dtype))
    per_vector = dtype.itemsize * side.shape[-1] * max(1, math.prod(side.batch_shape))
    return max(2 * _CYCLE, min(maxiter, _BASIS_BYTES // max(1, per_vector)))


def _values_and_errors(alpha: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest Ritz value and its estimated relative error, per member of the batch."""
    batch = alpha.shape[:-1]
    pairs = [_value_and_error(a, b) for a, b in zip(_flat(alpha), _flat(beta), strict=True)]
    values, errors = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return values.reshape(batch), errors.reshape(batch)


def _flat(coefficients: np.ndarray) -> np.ndarray:
    return coefficients.reshape(-1, coefficients.shape[-1])


def _value_and_error(alpha: np.ndarray, beta: np.ndarray) -> tuple[float, float]:
    r"""Largest Ritz value of one run and an estimate of its relative error.

    With the j largest Ritz values taken as one cluster of residual norm :math:`\rho_j` and distance :math:`g_j` to the
    next one, the error of a value is about :math:`\rho_j^2 / g_j` (and never estimated above :math:`\rho_j`).
    """
    theta, vectors = eigh_tridiagonal(alpha, beta[:-1])
    theta, last = theta[::-1], vectors[-1, ::-1]
    top = theta[0]
    if not top > 0:
        return 0.0, 0.0
    residuals = abs(beta[-1]) * np.sqrt(np.cumsum(last**2))
    gaps = top - theta[1:]
    rho = residuals[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        quadratic = np.where(gaps > rho, rho**2 / gaps, np.inf)
    error = min(float(residuals[0]), float(np.min(quadratic, initial=np.inf)))
    return float(top), error / float(top)


def _upper_bounds(alpha: np.ndarray, beta: np.ndarray, overlap: np.ndarray, eps: float) -> np.ndarray:
    """Square roots of the probabilistic bounds, with first-order rounding of the run."""
    batch = alpha.shape[:-1]
    bounds = [
        lanczos_upper_bound(a, b, float(d))
        for a, b, d in zip(_flat(alpha), _flat(beta), np.ravel(overlap), strict=True)
    ]
    inflated = np.sqrt(np.maximum(bounds, 0.0)) * (1 + 4 * alpha.shape[-1] * eps)
    return np.asarray(inflated).reshape(batch)
