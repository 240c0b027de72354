"""1-, inf- and Frobenius norms, by the type of the operator."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce, singledispatch
from typing import Any

import numpy as np
import scipy.sparse

from .. import _backend as B
from ..operators import (
    BlockDiagonal,
    Convolution,
    ConvolutionTranspose,
    Dense,
    Diagonal,
    HStack,
    Identity,
    Kronecker,
    LinearOperator,
    LowRank,
    SparseMatrix,
    VStack,
    aslinearoperator,
)
from ..operators.algebra import (
    AdjointOperator,
    PowerOperator,
    ProductOperator,
    ScaledOperator,
    SumOperator,
    TransposedOperator,
)
from ..operators.detached import DetachedOperator
from ..operators.repeated import Repeated
from . import rounding as r
from .absolute_sums import matrix_norm, vector_norm
from .bounds import Bounds
from .index_maps import INDEX_MAPS, index_map_bounds
from .induced_convolution import convolution_norm
from .low_rank_sums import low_rank_norm, sparse_norm
from .one_norm_estimate import one_norm_estimate

__all__ = ["induced_bounds"]

# Operators known by their products, written down up to this many columns (or rows).
_WRITTEN_DOWN = 256
_PROBES = 24


def induced_bounds(A: Any, ord: Any, *, rng: int | np.random.Generator | None = None) -> Bounds:
    """Bounds of the norm induced by the 1- or inf-norm of vectors, or of the Frobenius norm.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, M, N)
    ord : {1, inf, "fro"}
        1: the largest column sum of absolute values. inf: the largest row sum. "fro": the root of the sum of squares.
    rng : None, int or numpy.random.Generator
        For the estimates.

    Returns
    -------
    Bounds
        "rigorous" for everything made of numbers in memory: arrays, sparse matrices, convolutions and the operators
        composed of them. Wide for sums and products, where only the triangle inequality and the product of norms are
        proved. "analytic" for small operators that are known by their products only, "estimate" for large ones.

    Raises
    ------
    ValueError
        If `ord` is none of the three.

    Notes
    -----
    Sums of absolute values, in float64, with their rounding added. For operators known by products, the 1-norm comes
    from the block estimator of Higham and Tisseur, the inf-norm from the same for the adjoint, the Frobenius norm from
    ``E ||A g||^2`` over random signs g (Hutchinson 1989): `lower` is attained in each case, `upper` claims nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.norms.induced import induced_bounds
    >>> a = np.array([[1.0, -2.0], [3.0, 4.0]])
    >>> print(induced_bounds(a, np.inf).upper - 7 < 1e-12, induced_bounds(a, 1).lower > 6 - 1e-12)
    True True
    >>> conv = lc.Convolution(np.ones((1, 1, 3)), (1, 5), padding=1)
    >>> induced_bounds(conv, "fro").upper ** 2 - 13 < 1e-9
    True
    """
    if not (ord in (1, "fro") or ord == math.inf):
        raise ValueError(f"`ord` must be 1, inf or 'fro' here, got {ord!r}")
    operator = aslinearoperator(A)
    if 0 in operator.shape[-2:]:
        nothing = np.zeros(operator.batch_shape)
        return Bounds(nothing, nothing, "rigorous", ord=ord, method="empty")
    return _bounds(operator, ord, rng)


@singledispatch
def _bounds(operator: LinearOperator, ord: Any, rng: Any) -> Bounds:
    """Bounds by products alone."""
    m, n = operator.shape[-2:]
    if min(m, n) <= _WRITTEN_DOWN:
        dense = operator.to_dense() if n <= m else B.adjoint(operator.adjoint().to_dense())
        written = matrix_norm(B.to_numpy(B.stop_gradient(dense)), ord)
        return written.weakened("analytic", method="products with all unit vectors", matvecs=min(m, n))
    if ord == "fro":
        return _hutchinson(operator, rng)
    found = one_norm_estimate(operator if ord == 1 else operator.adjoint(), rng=rng)
    # What the vector attains, less the rounding of the sums.
    slack = 4 * B.eps(operator.xp, B.compute_dtype(operator.xp, operator.dtype)) * math.log2(2 + max(m, n))
    return Bounds(
        found.value * (1 - slack), found.value, "estimate", ord=ord, matvecs=found.matvecs, method="Higham-Tisseur"
    )


def _hutchinson(operator: LinearOperator, rng: Any) -> Bounds:
    xp, n = operator.xp, operator.shape[-1]
    signs = B.as_rng(rng).choice([-1.0, 1.0], size=(*operator.batch_shape, n, _PROBES)).astype(np.float32)
    block = B.cast(B.from_numpy(signs, xp=xp, device=operator.device), B.compute_dtype(xp, operator.dtype))
    with B.detached(xp):
        lengths = B.to_numpy(xp.linalg.vector_norm(B.stop_gradient(operator.matmat(block)), axis=-2)).astype(np.float64)
    mean = np.sqrt(np.mean(lengths**2, axis=-1))
    eps = B.eps(xp, B.compute_dtype(xp, operator.dtype))
    # The 2-norm is below the Frobenius norm, and every probe is a vector in hand.
    attained = np.max(lengths, axis=-1) / math.sqrt(n) * (1 - 8 * eps * math.log2(2 + max(operator.shape[-2:])))
    return Bounds(attained, mean, "estimate", ord="fro", matvecs=_PROBES, method="Hutchinson", converged=False)


@_bounds.register
def _(operator: Dense, ord: Any, rng: Any) -> Bounds:
    return matrix_norm(B.to_numpy(operator.array), ord)


@_bounds.register
def _(operator: SparseMatrix, ord: Any, rng: Any) -> Bounds:
    matrix = operator.matrix.get() if hasattr(operator.matrix, "get") else operator.matrix
    return (
        sparse_norm(matrix, ord)
        if scipy.sparse.issparse(matrix)
        else _bounds.dispatch(LinearOperator)(operator, ord, rng)
    )


@_bounds.register
def _(operator: Diagonal, ord: Any, rng: Any) -> Bounds:
    return replace(vector_norm(B.to_numpy(operator.diagonal), "fro" if ord == "fro" else math.inf), ord=ord)


@_bounds.register
def _(operator: Identity, ord: Any, rng: Any) -> Bounds:
    n = float(operator.shape[-1])
    one = np.ones(operator.batch_shape)
    low, high = (r.sqrt_down(n), r.sqrt_up(n)) if ord == "fro" else (1.0, 1.0)
    return Bounds(low * one, high * one, "rigorous", ord=ord, method="identity")


@_bounds.register
def _(operator: LowRank, ord: Any, rng: Any) -> Bounds:
    return low_rank_norm(B.to_numpy(operator.u), B.to_numpy(operator.v), ord)


@_bounds.register
def _(operator: Convolution, ord: Any, rng: Any) -> Bounds:
    return convolution_norm(operator, ord)


@_bounds.register
def _(operator: ConvolutionTranspose, ord: Any, rng: Any) -> Bounds:
    return _turned(operator.convolution, ord, rng)


@_bounds.register(AdjointOperator)
@_bounds.register(TransposedOperator)
def _(operator: Any, ord: Any, rng: Any) -> Bounds:
    return _turned(operator.operator, ord, rng)


def _turned(operator: LinearOperator, ord: Any, rng: Any) -> Bounds:
    """Columns of the adjoint are rows of the operator."""
    if ord == "fro":
        return _bounds(operator, ord, rng)
    return replace(_bounds(operator, math.inf if ord == 1 else 1, rng), ord=ord)


@_bounds.register
def _(operator: DetachedOperator, ord: Any, rng: Any) -> Bounds:
    return _bounds(operator.operator, ord, rng)


@_bounds.register
def _(operator: ScaledOperator, ord: Any, rng: Any) -> Bounds:
    scalar = B.to_numpy(operator.scalar) if B.is_array(operator.scalar) else operator.scalar
    return _bounds(operator.operator, ord, rng) * scalar


@_bounds.register
def _(operator: BlockDiagonal, ord: Any, rng: Any) -> Bounds:
    first, *others = (induced_bounds(block, ord, rng=rng) for block in operator.blocks)
    return first.stacked(*others) if ord == "fro" else first.maximum(*others)


@_bounds.register(VStack)
@_bounds.register(HStack)
def _(operator: Any, ord: Any, rng: Any) -> Bounds:
    first, *others = (induced_bounds(block, ord, rng=rng) for block in operator.blocks)
    if ord == "fro":
        return first.stacked(*others)
    largest = first.maximum(*others)
    if (ord == 1) == isinstance(operator, HStack):
        return largest
    # A column runs through all blocks: at most the sum, at least the largest.
    total = reduce(Bounds.__add__, others, first)
    ends = {"log2_lower": largest.log2_lower, "converged": np.equal(largest.lower, total.upper)}
    return replace(total, lower=largest.lower, method="triangle inequality", **ends)


@_bounds.register
def _(operator: Kronecker, ord: Any, rng: Any) -> Bounds:
    return induced_bounds(operator.a, ord, rng=rng) * induced_bounds(operator.b, ord, rng=rng)


@_bounds.register
def _(operator: Repeated, ord: Any, rng: Any) -> Bounds:
    first = induced_bounds(operator.operator, ord, rng=rng)
    if ord != "fro":
        return first
    times = float(math.prod(operator.lead))
    return first * Bounds(r.sqrt_down(times), r.sqrt_up(times), "rigorous", ord="fro")


def _index_map(operator: Any, ord: Any, rng: Any) -> Bounds:
    bounds = index_map_bounds(operator, ord, 1e-6)
    assert bounds is not None  # all norms but the 2-norm are sums and counts
    return bounds


for _kind in INDEX_MAPS:
    _bounds.register(_kind, _index_map)


@_bounds.register
def _(operator: SumOperator, ord: Any, rng: Any) -> Bounds:
    return _composed(reduce(Bounds.__add__, [_bounds(o, ord, rng) for o in operator.operands]))


@_bounds.register
def _(operator: ProductOperator, ord: Any, rng: Any) -> Bounds:
    return _composed(reduce(Bounds.__matmul__, [_bounds(o, ord, rng) for o in operator.operands]))


@_bounds.register
def _(operator: PowerOperator, ord: Any, rng: Any) -> Bounds:
    if operator.exponent == 0:
        return _bounds(Identity(operator.shape[-1], batch_shape=operator.batch_shape), ord, rng)
    factors = [_bounds(operator.operator, ord, rng)] * operator.exponent
    return _composed(reduce(Bounds.__matmul__, factors))


def _composed(bounds: Bounds) -> Bounds:
    """Bounds from the parts, which say nothing about cancellation."""
    return replace(bounds, converged=np.equal(bounds.lower, bounds.upper))
