"""What solvers return, and what they raise instead of returning it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array


@dataclass(frozen=True)
class State:
    """A running solver, as it is handed to ``callback``. All arrays are NumPy arrays.

    Attributes
    ----------
    iterations : int
        Iterations so far.
    matvecs : int
        Products of columns with A and with A^H so far, together.
    values : array (*batch_shape, k)
        Current values, wanted end first.
    residuals : array (*batch_shape, k)
        Estimates of their residual norms, relative to the largest value seen.
    converged : array (*batch_shape), boolean
        Members that are done.
    """

    iterations: int
    matvecs: int
    values: np.ndarray[Any, Any]
    residuals: np.ndarray[Any, Any]
    converged: np.ndarray[Any, Any]


@dataclass(frozen=True)
class SVDResult:
    """Singular triplets and how they were reached.

    Attributes
    ----------
    U : array (*batch_shape, M, k)
        Left singular vectors, orthonormal columns.
    S : array (*batch_shape, k)
        Singular values, descending.
    Vh : array (*batch_shape, k, N)
        Right singular vectors, conjugate transposed.
    residuals : array (*batch_shape, k)
        ``sqrt(||A v - s u||^2 + ||A^H u - s v||^2)``, computed from products with the returned vectors. Some singular
        value lies within ``residuals / sqrt(2)`` of each S.
    converged : array (*batch_shape), boolean
        Whether every residual of the member is within the tolerance times its largest singular value seen.
    iterations : int, or integer NumPy array (*batch_shape)
        Iterations made, for each member until it stopped.
    matvecs : int
        Products of columns with A and with A^H, together; a stack of operators counts as one.
    reason : str
        Why it stopped: "converged", "maxiter", "iterations" (fixed count) or "direct" (LAPACK).
    history : tuple of State
        One entry per convergence check.
    """

    U: Array
    S: Array
    Vh: Array
    residuals: Array
    converged: Array
    iterations: Any
    matvecs: int
    reason: str
    history: tuple[State, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class EighResult:
    """Eigenpairs of a Hermitian operator and how they were reached.

    Attributes
    ----------
    eigenvalues : array (*batch_shape, k)
        Wanted end first.
    eigenvectors : array (*batch_shape, N, k)
        Orthonormal columns.
    residuals : array (*batch_shape, k)
        ``||A x - lambda x||``, computed from products with the returned vectors; some eigenvalue lies that near.
    converged, iterations, matvecs, reason, history
        As in `SVDResult`.
    """

    eigenvalues: Array
    eigenvectors: Array
    residuals: Array
    converged: Array
    iterations: Any
    matvecs: int
    reason: str
    history: tuple[State, ...] = field(default=(), repr=False)


class SVDTriplets(NamedTuple):
    """Singular triplets: U (*batch_shape, M, k), S (*batch_shape, k) descending, Vh (*batch_shape, k, N)."""

    U: Array
    S: Array
    Vh: Array


class EighPairs(NamedTuple):
    """Eigenvalues (*batch_shape, k), ascending, and eigenvectors (*batch_shape, N, k)."""

    eigenvalues: Array
    eigenvectors: Array


class ConvergenceError(RuntimeError):
    """Raised where a solver would have to return values that did not converge.

    Attributes
    ----------
    result : SVDResult or EighResult
        What was reached, with residuals and flags.
    """

    def __init__(self, message: str, result: SVDResult | EighResult) -> None:
        super().__init__(message)
        self.result = result
