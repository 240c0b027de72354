"""1-, inf- and Frobenius norms of matrices that are stored by factors or by their nonzero entries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import rounding as r
from . import scaling as s
from .absolute_sums import matrix_norm, scaled_absolute, vector_norm
from .bounds import Bounds
from .cholesky import check_finite, working_copy
from .error_budget import ErrorBudget

__all__ = ["flat_stack", "low_rank_norm", "sparse_norm"]

# Entries of the product held at once.
_BLOCK = 2**20


def low_rank_norm(u: np.ndarray[Any, Any], v: np.ndarray[Any, Any], ord: Any) -> Bounds:
    """Rigorous bounds of the 1-, inf- or Frobenius norm of ``u v^H``, formed block by block.

    Parameters
    ----------
    u : ndarray, shape (..., M, r)
    v : ndarray, shape (..., N, r)
    ord : {1, inf, "fro"}

    Returns
    -------
    Bounds
        Narrow unless columns of the factors cancel.
    """
    batch = np.broadcast_shapes(u.shape[:-2], v.shape[:-2])
    if u.shape[-1] == 0:
        nothing = np.zeros(batch)
        return Bounds(nothing, nothing, "rigorous", ord=ord, method="empty")
    pairs = zip(flat_stack(u, batch), flat_stack(v, batch), strict=True)
    found = [_one(a, b, ord) if ord != math.inf else _one(b, a, ord) for a, b in pairs]
    lower, upper, e = (np.asarray(x).reshape(batch) for x in zip(*found, strict=True))
    numbers: tuple[Any, Any, Any] = (lower, upper, e) if batch else (float(lower), float(upper), int(e))
    return Bounds.from_scaled(*numbers, "rigorous", ord=ord, method="product of the factors")


def flat_stack(x: np.ndarray[Any, Any], batch: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The matrices of a stack, one after the other, broadcast to `batch`."""
    return np.broadcast_to(x, (*batch, *x.shape[-2:])).reshape(-1, *x.shape[-2:])


def _one(u: np.ndarray[Any, Any], v: np.ndarray[Any, Any], ord: Any) -> tuple[float, float, int]:
    """Largest column sum, or Frobenius norm, of one ``u v^H``, scaled, and the exponent."""
    exponents, scaled = [], []
    for x in (u, v):
        largest = s.largest(x[None])
        check_finite(largest)
        # Always scaled: a product of two safe numbers need not be one.
        e = s.exponent(largest)
        exponents.append(int(e[0]))
        scaled.append(working_copy(x[None], e, "float64")[0])
    a, b = scaled
    rank, rows, columns = a.shape[1], a.shape[0], b.shape[0]
    error = ErrorBudget(rank, 1, a.dtype.kind == "c" or b.dtype.kind == "c").product
    if not (np.any(a) and np.any(b)):
        return 0.0, 0.0, 0
    tiny = 16.0 * rank * rows * columns * r.ETA["float64"]
    lower, upper, squares_low, squares_high = 0.0, 0.0, 0.0, 0.0
    # Entries are off by at most gamma |a| |b|, so column j by gamma (1^T |a|) |b_j|.
    sizes = np.abs(b) @ np.sum(np.abs(a), axis=0)
    for start in range(0, columns, max(1, _BLOCK // rows)):
        part = slice(start, start + max(1, _BLOCK // rows))
        block = a @ b[part].conj().T
        if ord == "fro":
            low, high = r.sum_squares(block, axes=2)
            squares_low, squares_high = r.add_down(squares_low, low), r.add_up(squares_high, high)
            continue
        sums = np.sum(np.abs(block), axis=0)
        slack = 2 * r.gamma(2 * rows + rank + 8) + 2 * r.LIBM
        off = 1.001 * error * sizes[part] + slack * sums + tiny
        lower, upper = max(lower, float(np.max(sums - off))), max(upper, float(np.max(sums + off)) * (1 + r.LIBM))
    if ord == "fro":
        lengths = [r.sqrt_up(r.sum_squares(x, axes=2)[1]) for x in (a, b)]
        off = 1.001 * error * lengths[0] * lengths[1] + tiny
        lower, upper = r.add_down(r.sqrt_down(squares_low), -off), r.add_up(r.sqrt_up(squares_high), off)
    return max(lower * (1 - r.LIBM), 0.0), upper, sum(exponents)


def sparse_norm(matrix: Any, ord: Any) -> Bounds:
    """Rigorous bounds of the 1-, inf- or Frobenius norm of a SciPy sparse matrix; duplicate entries add up.

    Parameters
    ----------
    matrix : sparse matrix or array of SciPy
    ord : {1, inf, "fro"}

    Returns
    -------
    Bounds
    """
    stored = matrix.tocoo(copy=True)
    if stored.nnz == 0:
        return Bounds(0.0, 0.0, "rigorous", ord=ord, method="empty")
    wide = np.complex128 if stored.dtype.kind == "c" else np.float64
    entries = stored.nnz
    every = _line_sums(stored, ord)
    stored.data = stored.data.astype(wide)
    stored.sum_duplicates()
    if stored.nnz == entries:
        return vector_norm(stored.data, "fro") if ord == "fro" else _bounds(every, every, entries, ord)
    # Merged entries are off by gamma times the sums of the absolute values that were merged.
    off = 2 * r.gamma(entries)
    if ord == "fro":
        merged, total = vector_norm(stored.data, "fro"), matrix_norm(matrix.tocoo().data[:, None], 1)
        low = merged.lower - off * total.upper
        return Bounds(max(low, 0.0), (merged.upper + off * total.upper) * (1 + r.LIBM), "rigorous", ord="fro")
    value, e = _line_sums(stored, ord)
    return _bounds((float(np.ldexp(value, e - every[1])) - off * every[0], every[1]), every, entries, ord)


def _line_sums(coo: Any, ord: Any) -> tuple[float, int]:
    """Largest computed sum of absolute values of a column (1) or row, scaled, and the exponent."""
    absolute, e, _ = scaled_absolute(coo.data[None, :])
    lines = coo.col if ord == 1 else coo.row
    return float(np.max(np.bincount(lines, weights=absolute[0]))), int(e)


def _bounds(low: tuple[float, int], high: tuple[float, int], terms: int, ord: Any) -> Bounds:
    slack = 2 * r.gamma(terms + 4) + 4 * r.LIBM
    lower, upper = max(low[0] * (1 - slack), 0.0), high[0] * (1 + slack)
    return Bounds.from_scaled(lower, upper, high[1], "rigorous", ord=ord, method="sums of absolute values")
