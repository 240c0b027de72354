"""1-, inf- and Frobenius norms as arrays: closed forms, differentiable, on the operator's backend."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

from .. import _backend as B
from .._typing import Array
from ..operators import Convolution, ConvolutionTranspose, Dense, Diagonal, LinearOperator
from ..operators.algebra import AdjointOperator, ScaledOperator, TransposedOperator

# An operator with more entries than this is not written down.
_ENTRIES = 1 << 24
# Entries whose squares are summed at a time.
_PIECE = 1024


def induced_norm(operator: LinearOperator, ord: Any) -> Array:
    """Largest absolute column sum (1), row sum (inf), or the Frobenius norm ("fro").

    Operators without a closed form are written down by their products with all unit vectors.

    Parameters
    ----------
    operator : LinearOperator
    ord : {1, inf, "fro"}

    Returns
    -------
    array, shape batch_shape
        In the real dtype of the operator.

    Raises
    ------
    ValueError
        For another `ord`, or an operator too large to write down.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.norms.induced_norm import induced_norm
    >>> float(induced_norm(lc.Dense(np.array([[1.0, -2.0], [3.0, 4.0]])), 1))
    6.0
    """
    if ord not in (1, math.inf, "fro"):
        raise ValueError(f"`ord` must be 1, 2, inf or 'fro', got {ord!r}")
    if 0 in operator.shape[-2:]:
        real = B.real_dtype(operator.xp, operator.dtype)
        return operator.xp.zeros(operator.batch_shape, dtype=real, device=operator.device)
    return B.cast(_norm(operator, ord), B.real_dtype(operator.xp, operator.dtype))


def length(x: Array) -> Array:
    """Euclidean norm over the last axis, in at least single precision and without overflow of the squares.

    Long vectors are summed in pieces: libraries' own single-precision norms of millions of entries are off by 1e-4.
    """
    xp = B.array_namespace(x)
    x = B.cast(x, B.compute_dtype(xp, x.dtype))
    largest = B.stop_gradient(xp.max(xp.abs(x), axis=-1))
    scale = xp.where((largest > 0) & xp.isfinite(largest), largest, xp.ones_like(largest))
    return scale * _pieced(x / B.cast(scale, x.dtype)[..., None])


def _pieced(x: Array) -> Array:
    xp, n = B.array_namespace(x), x.shape[-1]
    if n <= _PIECE**2 // 16:
        return xp.linalg.vector_norm(x, axis=-1)
    whole = n // _PIECE * _PIECE
    pieces = xp.linalg.vector_norm(xp.reshape(x[..., :whole], (*x.shape[:-1], -1, _PIECE)), axis=-1)
    rest = xp.linalg.vector_norm(x[..., whole:], axis=-1)[..., None]
    return xp.linalg.vector_norm(xp.concat([pieces, rest], axis=-1), axis=-1)


@singledispatch
def _norm(operator: LinearOperator, ord: Any) -> Array:
    if math.prod(operator.shape) > _ENTRIES:
        raise ValueError(
            f"opnorm(ord={ord!r}) needs the entries of {type(operator).__name__}, too many at shape {operator.shape}; "
            "opnorm_bounds gives a lower bound and an estimate from products"
        )
    return _norm(Dense(operator.to_dense()), ord)


@_norm.register
def _(operator: Dense, ord: Any) -> Array:
    xp, a = operator.xp, operator.array
    a = B.cast(a, B.compute_dtype(xp, a.dtype))
    if ord == "fro":
        return length(xp.reshape(a, (*a.shape[:-2], -1)))
    return xp.max(xp.sum(xp.abs(a), axis=-2 if ord == 1 else -1), axis=-1)


@_norm.register
def _(operator: Diagonal, ord: Any) -> Array:
    xp = operator.xp
    return length(operator.diagonal) if ord == "fro" else xp.max(xp.abs(operator.diagonal), axis=-1)


@_norm.register
def _(operator: ScaledOperator, ord: Any) -> Array:
    scalar = operator.scalar
    return _norm(operator.operator, ord) * (operator.xp.abs(scalar) if B.is_array(scalar) else abs(scalar))


@_norm.register(AdjointOperator)
@_norm.register(TransposedOperator)
def _(operator: Any, ord: Any) -> Array:
    return _norm(operator.operator, _swapped(ord))


@_norm.register
def _(operator: ConvolutionTranspose, ord: Any) -> Array:
    return _norm(operator.convolution, _swapped(ord))


@_norm.register
def _(operator: Convolution, ord: Any) -> Array:
    """Every entry of the matrix is one tap or zero, unless padding folds two taps onto one pixel."""
    if not _taps_stay_apart(operator):
        return _norm.dispatch(LinearOperator)(operator, ord)
    xp = operator.xp
    sizes = xp.abs(operator.kernel)
    largest = B.stop_gradient(xp.max(sizes))
    scale = xp.where(largest > 0, largest, xp.ones_like(largest))
    sizes = sizes / scale
    counted = Convolution(
        sizes**2 if ord == "fro" else sizes,
        operator.input_shape,
        stride=operator.stride,
        padding=operator.padding,
        dilation=operator.dilation,
        groups=operator.groups,
        padding_mode=operator.padding_mode,
    )
    m, n = operator.shape[-2:]
    ones = xp.ones((m if ord == 1 else n,), dtype=counted.dtype, device=operator.device)
    sums = counted.rmatvec(ones) if ord == 1 else counted.matvec(ones)
    return scale * (xp.sqrt(xp.sum(sums, axis=-1)) if ord == "fro" else xp.max(sums, axis=-1))


def _taps_stay_apart(operator: Convolution) -> bool:
    if operator.padding_mode == "zeros":
        return True
    taps = operator.kernel.shape[-len(operator.input_shape) + 1 :]
    reach = [(k - 1) * d + 1 for k, d in zip(taps, operator.dilation, strict=True)]
    return operator.padding_mode == "circular" and all(
        r <= n for r, n in zip(reach, operator.input_shape[1:], strict=True)
    )


def _swapped(ord: Any) -> Any:
    return {1: math.inf, math.inf: 1}.get(ord, ord)
