"""Rigorous bounds of the 2-norm, by the type of the operator."""

from __future__ import annotations

import dataclasses
from functools import singledispatch
from typing import Any, NamedTuple

from .._typing import Array
from ..operators import Dense, LinearOperator, SparseMatrix
from .bounds import Bounds
from .dense import dense_bounds
from .structured import structured_bounds

# A sparse matrix is written down for its certificate up to this many entries.
_SPARSE_ENTRIES = 1 << 26


class NoCertificateError(ValueError):
    """The operator cannot give a bound of the kind that was asked for."""


class Request(NamedTuple):
    """What the caller of `opnorm_bounds` wants."""

    rtol: float
    failure_probability: float
    maxiter: int
    v0: Array | None
    rng: Any


@singledispatch
def certify(operator: LinearOperator, request: Request) -> Bounds:
    """Rigorous bounds of the 2-norm; `NoCertificateError` where products are all that is known."""
    # two factors of half the width make one of the whole
    parts = request._replace(v0=None, rtol=request.rtol / 2.1)
    bounds = structured_bounds(operator, lambda part: certify(part, parts), rtol=request.rtol)
    if bounds is not None:
        return dataclasses.replace(bounds, converged=bounds.relative_width <= request.rtol)
    raise NoCertificateError(
        f"kind='rigorous' is not to be had for {type(operator).__name__} of shape {operator.shape}: its products are "
        "known only as a program, whose rounding nothing bounds; kind='probabilistic' needs products only, and "
        "kind='analytic' takes them for exact"
    )


@certify.register
def _(operator: Dense, request: Request) -> Bounds:
    return dense_bounds(operator.array, rtol=request.rtol)


@certify.register
def _(operator: SparseMatrix, request: Request) -> Bounds:
    # where entries are stored in pieces, writing them down rounds their sums
    whole = getattr(operator.matrix, "has_canonical_format", False)
    if not whole or operator.shape[-1] * operator.shape[-2] > _SPARSE_ENTRIES:
        return certify.dispatch(LinearOperator)(operator, request)
    return dense_bounds(operator.to_dense(), rtol=request.rtol)
