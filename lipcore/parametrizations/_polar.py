"""Orthonormal rows or columns without a host read, and never longer than 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .. import _backend as B
from .._typing import Array
from ..orthogonal.polar_express import polar_express

#: Polar factors of a stack (..., m, n), in one of several ways.
Factor: TypeAlias = Callable[[Array], Array]
# Singular values down to this part of the norm are brought to 1; smaller ones stay below.
LEAST = 1e-4


def polar(matrices: Array) -> Array:
    """Polar factors of a stack (..., m, n), all singular values in [0, 1] up to rounding.

    A composition of best cubics and one plain cubic, ``x (3 - x^2) / 2 <= 1``: the result is on the safe side whatever
    the matrix, and orthonormal where its singular values lie within a factor of `LEAST`.
    """
    return polar_express(matrices, interval=(LEAST, 1.0), degree=3)


def polished(matrices: Array, steps: int = 1) -> Array:
    """Nearly orthonormal matrices, more nearly, and with singular values at most 1."""
    xp = B.array_namespace(matrices)
    x = matrices
    for _ in range(steps):
        small = x.shape[-1] <= x.shape[-2]
        gram = xp.matmul(B.adjoint(x), x) if small else xp.matmul(x, B.adjoint(x))
        cube = xp.matmul(x, gram) if small else xp.matmul(gram, x)
        x = 1.5 * x - 0.5 * cube
    return x
