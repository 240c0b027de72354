"""The leading singular vector, as every norm needs it: one Lanczos run, seen from the host once a cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators.base import LinearOperator
from ..operators.detached import DetachedOperator
from ..operators.narrowed import narrowed
from ..solvers.normal_lanczos import NormalLanczos
from ..solvers.start import start_vector
from ..solvers.tridiagonal import RitzPairs
from .probabilistic import lanczos_upper_bound, noise_overlap, start_overlap
from .value_error import value_error

# Norm of the random part beside a warm start of norm one: little enough to start near the given vector, and the claim
# of the upper bound pays for it with ln(10) steps' worth of growth once.
_NOISE = 0.1
# The same where nothing is claimed: enough to find what the given vector does not contain.
_UNCLAIMED_NOISE = 0.03
_CYCLE = 8
# Steps that finish in double precision what single precision has found, what is asked of the latter at most, and what
# errors of its products are borne.
_FINISH, _SINGLE_RTOL, _SINGLE = 2, 5e-7, 2.0**-17
# An error is never estimated below this fraction of the residual. A warm start lies within the cluster at the top, if
# there is one, and hides it for longer.
_RESOLUTION, _WARM_RESOLUTION = 0.025, 0.1
# The basis is restarted from its best vector beyond this many bytes.
_BASIS_BYTES = 2 << 30
# Vectors reserved at the start where memory is taken at once; the basis grows when it must.
_RESERVED = 64
# Longer vectors than this are not reorthogonalised: reading the whole basis twice a step would cost more than the
# operator. Neither the value nor the upper bound needs orthogonality, only the short recurrence.
_REORTHOGONALIZED_BYTES = 1 << 17


@dataclass(frozen=True)
class LeadingRun:
    """What a Lanczos run on the smaller side of ``A^H A`` or ``A A^H`` has found.

    `vector` (*batch, min(M, N)) has unit norm and lives on the side of `side`, the operator or its adjoint (None where
    it was not asked for);
    `value` and `upper` are float64 host arrays of the batch shape; `upper` fails with at most `failure_probability`.
    """

    side: LinearOperator
    vector: Array | None
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
    vector: bool = True,
) -> LeadingRun:
    """Lanczos from a random start, mixed with `v0` or what is known of the operator, until all of the batch is done.

    A member is done when the estimated relative error of its value is at most `rtol`; with a `failure_probability`,
    when its probabilistic upper bound is within `rtol` of its value. `maxiter` bounds the products with ``A^H A``.
    Where no start is given and nothing is claimed of it, a matrix or convolution of double precision is iterated on in
    single precision first, and only finished in its own. Without `vector` long vectors are not kept, and the run is
    never restarted.
    """
    side, rng = smaller_side(operator), B.as_rng(rng)
    side = side if B.is_numpy(side.xp) else DetachedOperator(side)
    n, batch = side.shape[-1], side.batch_shape
    per_member = failure_probability / max(1, math.prod(batch))
    low = narrowed(operator, _SINGLE) if v0 is None and not failure_probability and maxiter > _FINISH else None
    warm = _warm_vector(side, operator, v0) if low is None else None
    resolution = _RESOLUTION if warm is None else _WARM_RESOLUTION
    if low is None:
        start, overlap = _start(side, warm, rng, per_member)
        before, cycle = 0, _CYCLE
    else:
        first = leading_run(low, rtol=max(rtol, _SINGLE_RTOL), maxiter=maxiter - _FINISH, rng=rng)
        start, overlap = B.cast(first.vector, side.dtype), np.ones(batch)
        before, cycle = first.matvecs // 2, _FINISH
    vector_bytes = B.numpy_dtype(start.dtype).itemsize * n * max(1, math.prod(batch))
    short = vector_bytes <= _REORTHOGONALIZED_BYTES
    capacity = min(n, maxiter)
    if vector or short:
        capacity = min(capacity, max(2 * _CYCLE, _BASIS_BYTES // max(1, vector_bytes)))
    lanczos = partial(_lanczos, side, capacity=capacity, short=short, vector=vector)
    run, upper, open_error = lanczos(start), np.full(batch, np.inf), math.inf
    del start, warm  # long vectors: their memory serves for products
    # after products with large operators everything here is out of the processor's caches: the fewer calls, the better
    while True:
        run.expand(min(cycle, maxiter - before - run.steps, capacity - run.steps))
        pairs = run.ritz()
        error = value_error(pairs, resolution, 2 * rtol) / 2
        if failure_probability:
            value = _values(run, pairs)
            if not before:
                eps = B.eps(side.xp, run.products.dtype)
                upper = np.maximum(_upper_bounds(run, pairs, overlap, eps), value)
            done = upper <= value * (1 + rtol)
        else:
            done = error <= rtol
        done = done | (pairs.beta <= 0).any(-1)
        spent = before + run.steps
        if done.all() or spent >= maxiter or run.steps >= n:
            break
        last, open_error = open_error, float(error[~done].max())
        cycle = _CYCLE if failure_probability else _next_cycle(cycle, last, open_error, rtol)
        if run.steps >= capacity:
            before = spent
            run = lanczos(run.vector(pairs.y[..., 0]))
    if not done.all():
        error = value_error(pairs, resolution) / 2
    done = done | (run.steps >= n)
    found = run.vector(pairs.y[..., 0]) if vector else None
    value = _values(run, pairs)
    return LeadingRun(side, found, value, error, upper, failure_probability, 2 * spent, np.asarray(done))


def _values(run: NormalLanczos, pairs: RitzPairs) -> np.ndarray[Any, Any]:
    """Largest Ritz values, as norms of the operator."""
    return np.asarray(np.sqrt(np.maximum(pairs.theta[..., 0], 0.0)) * _scale(run))


def _scale(run: NormalLanczos) -> Any:
    return 1.0 if run.products.log2_scale is None else np.exp2(-run.products.log2_scale)


def _next_cycle(cycle: int, last: float, error: float, rtol: float) -> int:
    """Steps until the next look: to where the error, falling as it did in the last cycle, will be small enough."""
    if not rtol < error < last < math.inf:
        return _CYCLE
    rate = math.log(last / error) / cycle
    return min(_CYCLE, max(2, math.ceil(math.log(error / rtol) / rate)))


def _lanczos(side: LinearOperator, start: Array, *, capacity: int, short: bool, vector: bool) -> NormalLanczos:
    lazy = B.memory_is_lazy(side.xp, side.device)
    if lazy:
        B.keep_freed_memory()
    reserved = capacity if lazy and vector else min(capacity, _RESERVED)
    policy = "full" if short else "none"
    return NormalLanczos(
        side, start, capacity=reserved, reorthogonalize=policy, keep=vector, near_unit=True, owned=True
    )


def _start(
    side: LinearOperator, warm: Array | None, rng: np.random.Generator, probability: float
) -> tuple[Array, np.ndarray[Any, Any]]:
    """Start vectors (*batch, n) of norm about one, and what is claimed of their overlap with the leading ones.

    `warm`, of norm one, is written over.
    """
    n, batch = side.shape[-1], side.batch_shape
    is_complex = B.is_complex(side.xp, side.dtype)
    # each real part of the noise has this deviation, so that its norm is one
    unit = 1 / math.sqrt((2 if is_complex else 1) * n)
    if warm is None:
        overlap = start_overlap(n, probability, is_complex=is_complex) if probability else 1.0
        return _gaussian(side, rng, unit), np.full(batch, overlap)
    if not probability:
        return _stirred(side, warm, rng, _UNCLAIMED_NOISE * unit), np.ones(batch)
    start = B.overwrite(side.xp.add, warm, _gaussian(side, rng, _NOISE * unit))
    norms = np.sqrt(B.to_numpy(B.sum_squares(start[..., None, :])).astype(np.float64))[..., 0, 0]
    return start, _NOISE * unit * noise_overlap(probability, is_complex=is_complex) / (norms * (1 + 1e-5))


def _gaussian(side: LinearOperator, rng: np.random.Generator, deviation: float, length: int | None = None) -> Array:
    """Gaussian vectors (*batch, n), or of another length, with real parts of that deviation."""
    shape = (*side.batch_shape, side.shape[-1] if length is None else length)
    return deviation * B.random_normal(rng, shape, xp=side.xp, device=side.device, dtype=side.dtype)


def _stirred(side: LinearOperator, warm: Array, rng: np.random.Generator, deviation: float) -> Array:
    """`warm` with noise of as many draws as two sides of a square, where it is long.

    Without a claim products of two short Gaussian vectors serve as well: they have no symmetry that an operator could
    share, and drawing millions of numbers takes as long as several steps.
    """
    n = side.shape[-1]
    if n < 1 << 16:
        return B.overwrite(side.xp.add, warm, _gaussian(side, rng, deviation))
    edge = math.isqrt(n)
    rows, columns = _gaussian(side, rng, deviation, -(-n // edge)), _gaussian(side, rng, 1.0, edge)
    return B.add_outer(warm, rows, columns)


def _warm_vector(side: LinearOperator, operator: LinearOperator, v0: Array | None) -> Array | None:
    """`v0`, or what is known of the operator, on the side on which the run works: of norm one, in memory of its own."""
    xp, n = operator.xp, operator.shape[-1]
    same = side.shape[-1] == n and side.shape[-2] == operator.shape[-2]
    if v0 is None:
        v0 = start_vector(operator)
        if v0 is None or same:
            return v0
    if not B.is_array(v0):
        raise TypeError(f"`v0` must be an array, got {type(v0).__name__}")
    if v0.shape[-1] != n or v0.ndim > len(operator.batch_shape) + 1:
        raise ValueError(f"`v0` must have shape (*batch_shape, {n}), got {tuple(v0.shape)}")
    v0 = B.stop_gradient(v0)
    if not same:
        v0 = side.rmatvec(v0)  # the side is the adjoint, whose adjoint is the operator
    dtype = B.compute_dtype(xp, side.dtype)
    warm = B.cast(xp.broadcast_to(v0, (*operator.batch_shape, v0.shape[-1])), dtype)
    length = xp.linalg.vector_norm(warm, axis=-1, keepdims=True)
    return warm / B.cast(xp.where(length > 0, length, xp.ones_like(length)), dtype)


def _upper_bounds(run: NormalLanczos, pairs: RitzPairs, overlap: np.ndarray, eps: float) -> np.ndarray[Any, Any]:
    """Square roots of the probabilistic bounds, with first-order rounding of the run."""
    batch, k = pairs.alpha.shape[:-1], pairs.alpha.shape[-1]
    bounds = np.empty(batch)
    for i in np.ndindex(batch):
        bounds[i] = lanczos_upper_bound(pairs.alpha[i], pairs.beta[i], float(overlap[i]))
    return np.asarray(np.sqrt(np.maximum(bounds, 0.0)) * (1 + 4 * k * eps) * _scale(run))
