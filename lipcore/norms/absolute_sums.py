"""Sums of absolute values, from which the 1-, inf- and Frobenius norms are made: enclosures, at any scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import rounding as r
from . import scaling as s
from .bounds import Bounds
from .cholesky import check_finite, scale_exponents, scaling_loss, working_copy

__all__ = ["matrix_norm", "scaled_absolute", "vector_norm"]

# |a + ib| by hypot is good to one unit in the last place.
_HYPOT = r.LIBM


def scaled_absolute(a: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Absolute values of scaled matrices, and the exponents: ``|a| = b 2^e`` up to a relative `_HYPOT` if complex.

    Parameters
    ----------
    a : ndarray, shape (..., m, n)
        Not empty.

    Returns
    -------
    absolute : ndarray of float64, shape (..., m, n)
    exponents : ndarray of int, shape (...)
    largest : ndarray of float64, shape (...)
        Largest real or imaginary part, unscaled.
    """
    largest = s.largest(a)
    check_finite(largest)
    e = scale_exponents(largest, "float64")
    return np.abs(working_copy(a, e, "float64")), e, largest


def _terms_slack(terms: int) -> float:
    return 2 * r.gamma(terms + 2) + 2 * _HYPOT


def matrix_norm(a: np.ndarray[Any, Any], ord: Any) -> Bounds:
    """Rigorous bounds of the 1-, inf- or Frobenius norm of each matrix of a stack.

    Parameters
    ----------
    a : ndarray, shape (..., m, n)
        Real or complex floating.
    ord : {1, inf, "fro"}

    Returns
    -------
    Bounds
    """
    batch = a.shape[:-2]
    if a.size == 0:
        nothing = np.zeros(batch) if batch else 0.0
        return Bounds(nothing, nothing, "rigorous", ord=ord, method="empty")
    b, e, largest = scaled_absolute(a)
    lost = np.where(e > 0, 4 * scaling_loss(a.shape), 0.0) * max(a.shape[-2:])
    if ord == "fro":
        lower, upper = (np.asarray(x) for x in r.sum_squares(b, axes=2))
        lower, upper = np.asarray(r.sqrt_down(lower)), np.asarray(r.sqrt_up(upper))
        slack = 2 * _HYPOT if a.dtype.kind == "c" else 0.0
    else:
        axis, terms = (-2, a.shape[-2]) if ord == 1 else (-1, a.shape[-1])
        value = np.max(np.sum(b, axis=axis), axis=-1)
        lower = upper = value
        # One entry alone is exact.
        slack = _terms_slack(terms) if a.dtype.kind == "c" else (2 * r.gamma(terms + 2) if terms > 1 else 0.0)
    exact = (slack == 0) & (lost == 0)
    zero = largest == 0
    lower = np.where(zero, 0.0, np.where(exact, lower, np.maximum(lower * (1 - slack) - lost, 0.0)))
    upper = np.where(zero, 0.0, np.where(exact, upper, upper * (1 + slack) + lost))
    method = "sum of squares" if ord == "fro" else "sums of absolute values"
    if not batch:
        return Bounds.from_scaled(float(lower), float(upper), int(e), "rigorous", ord=ord, method=method)
    return Bounds.from_scaled(lower, upper, e, "rigorous", ord=ord, method=method)


def vector_norm(v: np.ndarray[Any, Any], ord: Any) -> Bounds:
    """Rigorous bounds of the largest absolute value (inf), the sum (1) or the Euclidean length ("fro") of vectors.

    Parameters
    ----------
    v : ndarray, shape (..., n)
    ord : {1, inf, "fro"}

    Returns
    -------
    Bounds
    """
    # A column's 1-norm is its sum, its inf-norm its largest entry.
    return matrix_norm(v[..., :, None], ord)
