"""The fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds, opnorm_bounds
from ..operators import Dense as DenseOperator
from ..operators import LinearOperator
from ..operators.repeated import Repeated
from .base import Ord
from .linear import LinearLayer
from .regions import Region


class Dense(LinearLayer):
    r"""A matrix on the last axis of a sample, and a bias: ``y = x W^T + b``, torch's ``Linear``.

    Parameters
    ----------
    weight : array, shape (out, in)
        Real floating array of any library.
    bias : array, shape (out,), optional
        Array of the same library.

    Raises
    ------
    TypeError
        If an array is not real floating, or the two are of different libraries.
    ValueError
        If `weight` is not a matrix, `bias` does not fit it, or the last axis of a sample is not ``in`` long.

    Notes
    -----
    Samples have the shape ``(..., in)``: the axes before the last count tokens, which share the weight. The Jacobian is
    W for each token. The constant in any norm is that of the matrix, whatever the number of tokens, since the Jacobian
    is block diagonal; attained by the leading right singular vector (2), a unit vector (1), a vector of signs (inf), in
    one token. In the norm "token", the largest Euclidean norm of a token, it is :math:`\|W\|_2` too. Kind: rigorous, by
    Cholesky factorisation in double precision (2) and by sums (1, inf).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.Dense(np.array([[3.0, 0.0], [4.0, 0.0]]), np.array([1.0, 0.0]))
    >>> layer(np.array([[1.0, 5.0]]))
    array([[4., 4.]])
    >>> bounds = layer.lipschitz()
    >>> bounds.kind, bounds.lower <= 5.0 <= bounds.upper
    ('rigorous', True)
    >>> print(layer.lipschitz(1).upper)
    7.000000000000007
    """

    ords = (1, 2, float("inf"), "token")
    rtol = 1e-6

    def __init__(self, weight: Array, bias: Array | None = None) -> None:
        xp = check_weight("weight", weight)
        if weight.ndim != 2:
            raise ValueError(f"`weight` must have shape (out, in), got {tuple(weight.shape)}")
        check_bias(bias, weight, xp, weight.shape[0])
        self.weight, self.bias = weight, bias

    def _arrays(self) -> Mapping[str, Array]:
        return {"weight": self.weight}

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        weight = arrays["weight"]
        if not shape or shape[-1] != weight.shape[1]:
            raise ValueError(
                f"Dense takes samples (..., {weight.shape[1]}), as `weight` {tuple(weight.shape)} says, got the shape "
                f"{shape}"
            )
        matrix = DenseOperator(weight)
        return matrix if len(shape) == 1 else Repeated(matrix, shape[:-1])

    def _offset(self, shape: Shape) -> Array | None:
        return self.bias

    def _terms(self, shape: Shape) -> int:
        return int(self.weight.shape[1])

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        if ord == "token":
            return replace(opnorm_bounds(self.weight, 2, rtol=self.rtol), ord=ord)
        return opnorm_bounds(self.weight, ord, rtol=self.rtol)


def check_weight(name: str, weight: Array) -> object:
    """The library of a real floating array, or an error."""
    xp = B.array_namespace(weight, name=name)
    if not B.is_floating(xp, weight.dtype) or B.is_complex(xp, weight.dtype):
        raise TypeError(f"`{name}` must be real floating point, got {B.dtype_name(weight.dtype)}; cast it first")
    return xp


def check_bias(bias: Array | None, weight: Array, xp: object, size: int) -> None:
    """Raise where `bias` is not a vector of `size` from the library of `weight`."""
    if bias is None:
        return
    if check_weight("bias", bias) is not xp:
        raise TypeError("`bias` must be an array of the library that `weight` is an array of")
    if tuple(bias.shape) != (size,):
        raise ValueError(f"`bias` must have shape ({size},), one entry per output channel, got {tuple(bias.shape)}")
