"""Bounds of the 2-norm of composed operators from bounds of their parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import reduce, singledispatch
from typing import Any

import numpy as np
import scipy.linalg

from .. import _backend as B
from ..operators import BlockDiagonal, Diagonal, HStack, Identity, Kronecker, LinearOperator, LowRank, VStack
from ..operators.algebra import (
    AdjointOperator,
    PowerOperator,
    ProductOperator,
    ScaledOperator,
    SumOperator,
    TransposedOperator,
)
from ..operators.detached import DetachedOperator
from ..operators.per_sample import Folded, PerSample
from ..operators.repeated import Repeated
from . import rounding as r
from . import scaling as s
from .absolute_sums import vector_norm
from .bounds import Bounds
from .cholesky import check_finite, working_copy
from .dense import dense_bounds
from .error_budget import ErrorBudget
from .index_maps import INDEX_MAPS, index_map_bounds
from .low_rank_sums import flat_stack

__all__ = ["structured_bounds"]

ChildBounds = Callable[[LinearOperator], Bounds]


@singledispatch
def structured_bounds(operator: LinearOperator, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds | None:
    r"""Bounds of the 2-norm that the structure of an operator gives; None for an operator that has none known here.

    Parameters
    ----------
    operator : LinearOperator
    child_bounds : callable
        Gives the bounds of a part. The result is of the weakest kind among the parts.
    rtol : float
        Relative width for the small matrices of low-rank operators; that of the parts is up to `child_bounds`.

    Returns
    -------
    Bounds or None
        ``converged`` tells whether lower and upper bound come together as those of the parts do.

    Notes
    -----
    ==========================  ======================================================================================
    operator                    2-norm
    ==========================  ======================================================================================
    diagonal                    the largest ``|d|``
    identity                    1
    block diagonal              the largest of the blocks
    stacked, side by side       at least the largest, at most the root of the sum of squares
    Kronecker                   the product
    padding, selection, ...     see `lipcore.norms.index_maps`
    scaled, adjoint, transpose  the scalar's size times the norm; the norm
    low rank, ``u v^H``         ``||R_u R_v^H||`` of the triangular factors, ``u = Q_u R_u``; the distance of Q from
                                orthogonality and the residual of the factorisation are bounded
    sum                         between the largest less the others and the sum
    product, power              at most the product; at least the product of the norm of one factor with the smallest
                                singular values of the others, which is not computed: 0
    ==========================  ======================================================================================

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.norms.dense import dense_bounds
    >>> from lipcore.norms.structured import structured_bounds
    >>> A = lc.Kronecker(np.array([[3.0, 0.0], [4.0, 0.0]]), np.array([[2.0]]))
    >>> bounds = structured_bounds(A, lambda part: dense_bounds(part.array, 1e-9))
    >>> bounds.lower <= 10.0 <= bounds.upper, bounds.converged
    (True, True)
    """
    return None


@structured_bounds.register
def _(operator: Diagonal, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    if operator.shape[-1] == 0:
        return _zero(operator)
    return replace(vector_norm(B.to_numpy(operator.diagonal), math.inf), ord=2, method="largest entry")


@structured_bounds.register
def _(operator: Identity, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    if operator.shape[-1] == 0:
        return _zero(operator)
    one = np.ones(operator.batch_shape)
    return Bounds(one, one, "rigorous", method="identity")


def _zero(operator: LinearOperator) -> Bounds:
    nothing = np.zeros(operator.batch_shape)
    return Bounds(nothing, nothing, "rigorous", method="empty")


@structured_bounds.register
def _(operator: BlockDiagonal, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    first, *others = _parts(operator.blocks, child_bounds)
    return replace(first.maximum(*others), method="block diagonal")


@structured_bounds.register(VStack)
@structured_bounds.register(HStack)
def _(operator: Any, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    first, *others = _parts(operator.blocks, child_bounds)
    return _met(first.stacked(*others), rtol)


@structured_bounds.register
def _(operator: Kronecker, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    first, second = _parts((operator.a, operator.b), child_bounds)
    return replace(first * second, method="Kronecker product")


@structured_bounds.register
def _(operator: ScaledOperator, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    scalar = B.to_numpy(operator.scalar) if B.is_array(operator.scalar) else operator.scalar
    return child_bounds(operator.operator) * scalar


@structured_bounds.register(AdjointOperator)
@structured_bounds.register(TransposedOperator)
@structured_bounds.register(DetachedOperator)
def _(operator: Any, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    return child_bounds(operator.operator)


@structured_bounds.register
def _(operator: PerSample, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    return child_bounds(operator.operator).repeated(operator.batch_shape)


@structured_bounds.register
def _(operator: Folded, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    return child_bounds(operator.operator).max(axis=-1)


@structured_bounds.register
def _(operator: Repeated, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    return child_bounds(operator.operator) if operator.shape[-1] else _zero(operator)


def _index_map(operator: Any, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds | None:
    return index_map_bounds(operator, 2, rtol)


for _kind in INDEX_MAPS:
    structured_bounds.register(_kind, _index_map)


@structured_bounds.register
def _(operator: SumOperator, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    parts = [child_bounds(o) for o in operator.operands]
    total = reduce(Bounds.__add__, parts)
    if len(parts) > 2:
        # Each term may dominate all the others together; adding one by one may miss that.
        splits = [part + reduce(Bounds.__add__, [*parts[:i], *parts[i + 1 :]]) for i, part in enumerate(parts)]
        ends = {name: np.max([getattr(x, name) for x in splits], axis=0) for name in ("lower", "log2_lower")}
        total = replace(total, **ends)
    return _met(total, rtol)


@structured_bounds.register
def _(operator: ProductOperator, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    return _met(reduce(Bounds.__matmul__, [child_bounds(o) for o in operator.operands]), rtol)


@structured_bounds.register
def _(operator: PowerOperator, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    if operator.exponent == 0:
        one = np.ones(operator.batch_shape)
        return Bounds(one, one, "rigorous", method="identity") if operator.shape[-1] else _zero(operator)
    part = child_bounds(operator.operator)
    if operator.exponent == 1:
        return part
    power = part**operator.exponent
    nothing = np.zeros(power.batch_shape)
    return _met(replace(power, lower=nothing, log2_lower=nothing - np.inf), rtol)


@structured_bounds.register
def _(operator: LowRank, child_bounds: ChildBounds, *, rtol: float = 1e-6) -> Bounds:
    u, v = B.to_numpy(operator.u), B.to_numpy(operator.v)
    if 0 in (*u.shape[-2:], v.shape[-2]):
        return _zero(operator)
    batch = operator.batch_shape
    pairs = zip(flat_stack(u, batch), flat_stack(v, batch), strict=True)
    found = [_low_rank(a, b, rtol) for a, b in pairs]
    lower, upper, e = (np.asarray(x).reshape(batch) for x in zip(*found, strict=True))
    numbers: tuple[Any, Any, Any] = (lower, upper, e) if batch else (float(lower), float(upper), int(e))
    reached = upper - lower <= rtol * upper
    return Bounds.from_scaled(*numbers, "rigorous", converged=reached, method="triangular factors")


def _parts(operators: Any, child_bounds: ChildBounds) -> list[Bounds]:
    return [_zero(o) if 0 in o.shape[-2:] else child_bounds(o) for o in operators]


def _met(bounds: Bounds, rtol: float) -> Bounds:
    """Bounds whose ends the parts do not force together, with what their width says about it."""
    return replace(bounds, converged=np.logical_and(bounds.converged, np.less_equal(bounds.relative_width, rtol)))


def _low_rank(u: np.ndarray[Any, Any], v: np.ndarray[Any, Any], rtol: float) -> tuple[float, float, int]:
    r"""Bounds of ``||u v^H||``, scaled, and the exponent.

    With :math:`u = Q R + E` and :math:`\|Q^H Q - I\| \le d < 1`, the singular values of Q lie between
    :math:`\sqrt{1 - d}` and :math:`\sqrt{1 + d}`, so that :math:`\|Q_u T Q_v^H\|` is :math:`\|T\|`,
    :math:`T = R_u R_v^H`, times a number between :math:`\sqrt{(1 - d_u)(1 - d_v)}` and
    :math:`\sqrt{(1 + d_u)(1 + d_v)}`. E and the rounding of T are added.
    """
    factors, exponents = [], []
    for x in (u, v):
        largest = s.largest(x[None])
        check_finite(largest)
        # Always scaled: a product of two safe numbers need not be one.
        exponents.append(int(s.exponent(largest)[0]))
        factors.append(working_copy(x[None], s.exponent(largest), "float64")[0])
    if not all(np.any(x) for x in factors):
        return 0.0, 0.0, 0
    first, second = (_Triangular(x) for x in factors)
    product = first.triangle @ second.triangle.conj().T
    inner = first.triangle.shape[1]
    is_complex = product.dtype.kind == "c"
    rounding = ErrorBudget(inner, 1, is_complex).product * first.triangle_length * second.triangle_length
    core = dense_bounds(product, rtol / 4)
    tiny = 64.0 * inner * sum(x.size for x in factors) * r.ETA["float64"]
    # ||u v^H - Q_u T Q_v^H|| <= ||E_u|| ||v|| + ||Q_u R_u|| ||E_v||, and Q_u R_u is u - E_u.
    residual = first.residual * second.length + (first.length + first.residual) * second.residual + tiny
    grown = math.sqrt((1 + first.defect) * (1 + second.defect))
    shrunk = math.sqrt(max(1 - first.defect, 0.0) * max(1 - second.defect, 0.0))
    allowance = 1 + 32 * r.UNIT["float64"]
    upper = ((core.upper + rounding) * grown + residual) * allowance
    lower = max((core.lower - rounding) * shrunk / allowance - residual * allowance, 0.0)
    return lower, upper, sum(exponents)


class _Triangular:
    """``x = Q R + E`` of a scaled matrix: R, and bounds of its parts."""

    def __init__(self, x: np.ndarray[Any, Any]) -> None:
        q, triangle = scipy.linalg.qr(x, mode="economic", check_finite=False)
        m, n, k = x.shape[0], x.shape[1], q.shape[1]
        is_complex = x.dtype.kind == "c"
        unit = 1 + 32 * r.UNIT["float64"]
        self.triangle = triangle
        self.length, q_length, self.triangle_length = (r.sqrt_up(r.sum_squares(y, axes=2)[1]) for y in (x, q, triangle))
        gram, remainder = q.conj().T @ q - np.eye(k), x - q @ triangle
        # Products of inner length m and k, and one subtraction each.
        gram_error = ErrorBudget(m + 2, 1, is_complex).product * (q_length**2 + math.sqrt(k))
        product_error = ErrorBudget(k + 2, 1, is_complex).product * (q_length * self.triangle_length + self.length)
        tiny = 64.0 * m * (n + k) * r.ETA["float64"]
        self.defect = (r.sqrt_up(r.sum_squares(gram, axes=2)[1]) + gram_error + tiny) * unit
        self.residual = (r.sqrt_up(r.sum_squares(remainder, axes=2)[1]) + product_error + tiny) * unit
