"""Two-sided bounds of a norm, and the choice of the strongest kind of truth that is to be had."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator, aslinearoperator
from ..operators.detached import DetachedOperator
from ..solvers.direct import dense
from .bounds import KINDS, Bounds
from .certify import NoCertificateError, Request, certify
from .dense import dense_bounds
from .induced import induced_bounds
from .leading import LeadingRun, leading_run
from .opnorm import attained

# A matrix-free operator this small is cheaper to write down than to iterate on.
_WRITTEN_DOWN = 256
_MAXITER = 1000


def opnorm_bounds(
    A: LinearOperator | Array,
    ord: int | float | str = 2,
    *,
    rtol: float = 1e-3,
    kind: str = "auto",
    failure_probability: float = 1e-9,
    maxiter: int | None = None,
    v0: Array | None = None,
    rng: int | np.random.Generator | None = None,
) -> Bounds:
    r"""Enclosure of the norm of an operator, which says what kind of truth it is.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, M, N)
        Operator, or stack of operators.
    ord : {1, 2, inf, "fro"}, default 2
        The norm.
    rtol : float, default 1e-3
        Wanted relative width, ``(upper - lower) / upper``.
    kind : {"auto", "rigorous", "analytic", "probabilistic", "estimate"}
        "auto" gives the strongest kind within `rtol` at reasonable cost. Another value asks for at least that kind.
    failure_probability : float, default 1e-9
        Of a probabilistic bound, over the random start and for the whole stack together.
    maxiter : int, optional
        Most products with ``A^H A`` in an iteration, 1000 by default.
    v0 : array, shape (*batch_shape, N), optional
        Vector near the leading right singular vector. Gaussian noise is added to it, so that the claim stays.
    rng : None, int or numpy.random.Generator
        Source of the random start, to be fixed before the run.

    Returns
    -------
    Bounds
        Floats, or arrays of `batch_shape`. True also where `rtol` was not reached: wider then, and
        ``converged`` is False.

    Raises
    ------
    NoCertificateError
        A ValueError: if the operator cannot give the kind asked for; it says why and what can be had.
    ValueError
        For an unknown `ord` or `kind`, or data with NaN or infinity.

    Notes
    -----
    ==============================================  ====================================================================
    operator                                        strongest kind, by
    ==============================================  ====================================================================
    matrices                                        rigorous: Cholesky factorisation in float64 (Rump 2006)
    diagonal, identity, low rank                    rigorous: closed forms, small Gram matrices
    block diagonal, stacks, Kronecker, sums, ...    rigorous where their parts are; wide for products and sums
    convolutions, zeros or circular                 rigorous: supremum of the symbol, or all frequencies
    convolutions, reflect or replicate              rigorous but wide; probabilistic within `rtol`
    anything with products                          analytic if small; probabilistic (van Dorsselaer, Hochstenbach and
                                                    van der Vorst 2000)
    ==============================================  ====================================================================

    A run of `k` steps in single precision carries rounding that the probability does not cover beyond first order.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> bounds = lc.opnorm_bounds(np.array([[3.0, 0.0], [0.0, -4.0]]))
    >>> bounds.kind, bounds.lower <= 4.0 <= bounds.upper
    ('rigorous', True)
    >>> turn = lc.LinearOperator((2, 2), lambda x: x[::-1], lambda y: y[::-1], dtype=np.float64)
    >>> lc.opnorm_bounds(turn, kind="rigorous")
    Traceback (most recent call last):
        ...
    lipcore.norms.certify.NoCertificateError: kind='rigorous' is not to be had for LinearOperator ...
    """
    operator = aslinearoperator(A)
    request = _checked(Request(rtol, failure_probability, _MAXITER if maxiter is None else maxiter, v0, rng), kind)
    if 0 in operator.shape[-2:]:
        return Bounds(np.zeros(operator.batch_shape), np.zeros(operator.batch_shape), "rigorous", ord=ord)
    if ord != 2:
        return _at_least(induced_bounds(operator, ord, rng=rng), kind, operator)
    if kind == "estimate":
        return _estimate(operator, request)
    if kind == "probabilistic":
        return _probabilistic(operator, request)
    try:
        bounds = certify(operator, request)
    except NoCertificateError:
        if kind == "rigorous":
            raise
        bounds = None
    if kind == "analytic" and bounds is None:
        bounds = _analytic(operator, request)
    if kind != "auto":
        return _at_least(bounds, kind, operator)
    return _strongest(bounds, operator, request)


def _checked(request: Request, kind: str) -> Request:
    if kind not in ("auto", *KINDS):
        raise ValueError(f"`kind` must be 'auto' or one of {', '.join(map(repr, KINDS))}, got {kind!r}")
    if not 0 < request.rtol < 1:
        raise ValueError(f"`rtol` must lie between 0 and 1, got {request.rtol!r}")
    if not 0 < request.failure_probability < 1:
        raise ValueError(f"`failure_probability` must lie between 0 and 1, got {request.failure_probability!r}")
    if request.maxiter != int(request.maxiter) or request.maxiter < 1:
        raise ValueError(f"`maxiter` must be a positive integer, got {request.maxiter!r}")
    return request


def _at_least(bounds: Bounds | None, kind: str, operator: LinearOperator) -> Bounds:
    if bounds is None or (kind != "auto" and KINDS.index(bounds.kind) > KINDS.index(kind)):
        had = "nothing" if bounds is None else f"a bound of kind {bounds.kind!r}"
        raise NoCertificateError(
            f"kind={kind!r} is not to be had for {type(operator).__name__} of shape {operator.shape}: {had} is the "
            "strongest; ask for kind='auto'"
        )
    return bounds


def _strongest(bounds: Bounds | None, operator: LinearOperator, request: Request) -> Bounds:
    """A wide certificate gives way to a narrow claim of a weaker kind, and to nothing else."""
    if bounds is not None and np.all(bounds.converged):
        return bounds
    small = min(operator.shape[-2:]) <= _WRITTEN_DOWN and math.prod(operator.shape) <= _WRITTEN_DOWN**3
    weaker = _analytic(operator, request) if small else _probabilistic(operator, request)
    if bounds is None:
        return weaker
    if not np.all(weaker.converged):
        return bounds
    apart = np.maximum(weaker.lower - bounds.upper, bounds.lower - weaker.upper)
    eps = B.eps(operator.xp, B.compute_dtype(operator.xp, operator.dtype))
    rounding = 100 * eps * math.sqrt(max(operator.shape[-2:])) * np.asarray(bounds.upper)
    if np.any(apart > 0) and np.all(apart <= rounding):
        # by the rounding of products in the operator's own precision, which a weaker claim takes for exact
        return bounds
    both = bounds.tightened(weaker)
    return dataclasses.replace(both, converged=both.relative_width <= request.rtol, method=weaker.method)


def _analytic(operator: LinearOperator, request: Request) -> Bounds:
    """The operator written down, its products taken for exact."""
    matrix = dense(operator)
    if not operator.batch_shape:
        bounds = dense_bounds(matrix, rtol=request.rtol)
        method = f"products with all unit vectors, {bounds.method}"
        return dataclasses.replace(bounds, kind="analytic", method=method, matvecs=min(operator.shape[-2:]))
    # a factorisation of each member would take longer than it took to write them all down
    host = B.to_numpy(matrix)
    largest = np.max(np.abs(host), axis=(-2, -1), keepdims=True).astype(np.float64)
    wide = np.result_type(host.dtype, np.float64)
    scaled = np.divide(host, np.where(largest > 0, largest, 1.0), dtype=wide)
    turned = B.adjoint(scaled)
    gram = np.matmul(scaled, turned) if scaled.shape[-2] <= scaled.shape[-1] else np.matmul(turned, scaled)
    value = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[..., -1], 0.0)) * largest[..., 0, 0]
    slack = 8 * sum(operator.shape[-2:]) * np.finfo(np.float64).eps
    method = "products with all unit vectors, eigenvalues of Gram matrices"
    return Bounds(value * (1 - slack), value * (1 + slack), "analytic", matvecs=min(operator.shape[-2:]), method=method)


def _probabilistic(operator: LinearOperator, request: Request) -> Bounds:
    run = _run(operator, request, request.failure_probability)
    lower = _lower(operator, run)
    upper = np.maximum(run.upper, lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        reached = (upper - lower <= request.rtol * upper) | (upper == 0)
    return Bounds(
        lower,
        upper,
        "probabilistic",
        request.failure_probability,
        converged=reached,
        matvecs=run.matvecs,
        method="Lanczos polynomial",
    )


def _estimate(operator: LinearOperator, request: Request) -> Bounds:
    run = _run(operator, request, 0.0)
    lower = _lower(operator, run)
    upper = np.maximum(run.value * (1 + run.error), lower)
    return Bounds(lower, upper, "estimate", converged=run.reached, matvecs=run.matvecs, method="Lanczos residual")


def _run(operator: LinearOperator, request: Request, probability: float) -> LeadingRun:
    return leading_run(
        operator,
        rtol=request.rtol / (2 if probability else 1),
        maxiter=request.maxiter,
        v0=request.v0,
        rng=request.rng,
        failure_probability=probability,
    )


def _lower(operator: LinearOperator, run: LeadingRun) -> np.ndarray[Any, Any]:
    """What the vector in hand attains, less the rounding of two norms."""
    value = B.to_numpy(attained(DetachedOperator(run.side), run.vector)).astype(np.float64)
    eps = B.eps(operator.xp, B.compute_dtype(operator.xp, operator.dtype))
    return np.asarray(value * (1 - 8 * eps * math.log2(2 + max(operator.shape[-2:]))))
