"""Kernels on blocks of long rows (..., b, n): accurate norms, and updates that allocate nothing.

Fresh memory costs more than the arithmetic here: the first touch of a page takes several times as long as a pass over
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import Array, Namespace
from .host import cast, from_numpy, is_traced
from .linalg import conj, transpose
from .namespace import array_namespace, device_of, dtype_name, is_complex, is_numpy, is_sharded, is_torch, numpy_dtype
from .overwrite import overwritable

# Sums are taken over pieces of this length, so that the rounding of a float32 sum does not grow with the length: BLAS
# dot products of 3.2 million float32 numbers were seen to be off by 1e-4.
_PIECE = 4096
# Numbers of a pass in pieces that stay in the cache.
_CACHED = 1 << 15


def empty_rows(row: Array, count: int, *, xp: Namespace) -> Array:
    """`count` rows like those of `row` (..., b, n), of arbitrary content where arrays are mutable, else zero."""
    if is_sharded(row):
        return xp.concat([row[..., :1, :] * 0] * count, axis=-2)
    shape = (*row.shape[:-2], count, row.shape[-1])
    return _empty(shape, row, xp) if is_numpy(xp) or is_torch(xp) else xp.zeros(shape, **_like(row))


def _empty(shape: tuple[int, ...], like: Array, xp: Namespace) -> Array:
    """Memory of arbitrary content, from NumPy also for torch on the host: it asks the system for huge pages."""
    if is_torch(xp) and device_of(like).type == "cpu" and not is_traced(like):
        return from_numpy(np.empty(shape, dtype=numpy_dtype(like.dtype)), xp=xp, dtype=like.dtype, shared=True)
    return xp.empty(shape, **_like(like))


def _like(row: Array) -> dict[str, Any]:
    return {"dtype": row.dtype, "device": device_of(row)}


def memory_is_lazy(xp: Namespace, device: Any) -> bool:
    """Whether `empty_rows` costs nothing until its rows are written: pages of the host's memory, not of a device's."""
    return is_numpy(xp) or (is_torch(xp) and getattr(device, "type", "cpu") == "cpu")


def sum_squares(W: Array) -> Array:
    """``sum |w|^2`` over the last axis, (..., b, 1), real, to a few roundings at any length; real rows in place."""
    xp = array_namespace(W)
    if dtype_name(W.dtype).startswith("complex"):
        return sum_squares(xp.real(W)) + sum_squares(xp.imag(W))
    n = W.shape[-1]
    if n <= _PIECE or dtype_name(W.dtype) == "float64":
        return xp.linalg.vecdot(W, W)[..., None]
    if is_sharded(W):
        return xp.sum(W * W, axis=-1, keepdims=True)
    if is_torch(xp):  # its norm is one pass without scratch, off by less than 4e-7 up to this length
        return _sum_pieces(lambda x: xp.linalg.vector_norm(x, axis=-1) ** 2, W, 1 << 10, xp)
    if is_numpy(xp):  # a BLAS dot product per piece: 0.2 ms for 3.2 million numbers, squares and their sum 1 ms
        return _sum_pieces(lambda x: xp.linalg.vecdot(x, x), W, _PIECE, xp)
    return _sum_pieces(lambda x: xp.sum(x * x, axis=-1), W, _PIECE, xp)


def is_plain_row(W: Array) -> bool:
    """Whether `W` is one row, (1, n), whose numbers are read without a transfer: NumPy's, or torch's on the host."""
    return W.ndim == 2 and W.shape[0] == 1 and is_in_host_memory(W)


def is_in_host_memory(W: Array) -> bool:
    """Whether numbers of `W` are read without a transfer: NumPy's, or torch's on the host."""
    if isinstance(W, np.ndarray):
        return True
    return is_torch(array_namespace(W)) and device_of(W).type == "cpu" and overwritable(W)


def squares_of_plain_row(W: Array) -> float:
    """`sum_squares` of a plain row, as a number."""
    if isinstance(W, np.ndarray) and W.shape[-1] <= _PIECE and W.dtype.kind == "f":
        row = W[0]
        return float(np.dot(row, row))
    return float(sum_squares(W)[0, 0])


def _sum_pieces(squares: Callable[[Array], Array], W: Array, piece: int, xp: Namespace) -> Array:
    """`squares` of the pieces of the last axis, added up."""
    whole = W.shape[-1] // piece * piece
    head = xp.reshape(W[..., :whole], (*W.shape[:-1], whole // piece, piece))
    total = xp.sum(squares(head), axis=-1)
    return (total if whole == W.shape[-1] else total + squares(W[..., whole:]))[..., None]


def largest_entry(W: Array) -> Array:
    """``max |w|`` over the last axis, (..., b, 1); real rows without scratch."""
    xp = array_namespace(W)
    if is_complex(xp, W.dtype):
        return xp.max(xp.abs(W), axis=-1, keepdims=True)
    return xp.maximum(xp.max(W, axis=-1, keepdims=True), -xp.min(W, axis=-1, keepdims=True))


def orthogonalized(W: Array, V: Array, *, owned: bool) -> Array:
    """``W - V^T (conj(V) W)``: rows `W` (..., b, n) less their components along the orthonormal rows of `V`.

    One pass, two reads of `V`; rows that the caller has `owned` are written over.
    """
    if isinstance(W, np.ndarray) and W.ndim == 2 and W.shape[0] == 1 and W.dtype.kind == "f":
        along = np.dot(np.dot(V, W[0]), V)
        return np.subtract(W, along, out=W) if owned else W - along
    xp = array_namespace(W, V)
    # conjugating block and result spares a conjugated copy of the basis
    coefficients = conj(xp.matmul(V, transpose(conj(W))))
    combined = xp.matmul(transpose(coefficients), V)
    return xp.subtract(W, combined, out=W) if owned else W - combined


def three_term(W: Array, alpha: Any, v: Array, beta: Any, before: Array | None, out: Array | None) -> Array:
    """``W - alpha v - beta before`` for single rows (..., 1, n) and factors (..., 1, 1), or numbers for plain rows.

    The answer goes to `out` where that is given, which may be the memory of `before` but of no other argument.
    """
    xp = array_namespace(W, v)
    if not isinstance(alpha, float):
        alpha, beta = cast(alpha, W.dtype), cast(beta, W.dtype)
    if out is None:
        W = W - alpha * v
        return W if before is None else W - beta * before
    if is_torch(xp):
        import torch

        for row, factor in ((before, beta), (v, alpha)):
            if row is None:
                continue
            if isinstance(factor, float):
                W = torch.sub(W, row, alpha=factor, out=out)
            else:
                W = torch.addcmul(W, row, factor, value=-1, out=out)
        return W
    n = W.shape[-1]
    if n <= _CACHED:
        return _three_term_piece(W, alpha, v, beta, before, out, np.empty_like(v))
    scratch = np.empty((*W.shape[:-1], _CACHED), dtype=W.dtype)
    for first in range(0, n, _CACHED):
        part = (..., slice(first, min(first + _CACHED, n)))
        rest = None if before is None else before[part]
        _three_term_piece(W[part], alpha, v[part], beta, rest, out[part], scratch[..., : n - first])
    return out


def _three_term_piece(
    W: Array, alpha: Any, v: Array, beta: Any, before: Array | None, out: Array, scratch: Array
) -> Array:
    if before is not None:
        W = np.subtract(W, np.multiply(before, beta, out=out), out=out)
    return np.subtract(W, np.multiply(v, alpha, out=scratch), out=out)


def scaled_rows(W: Array, factor: Any, out: Array | None) -> Array:
    """`W` times a factor (..., b, 1), or a number for a plain row, in `out` where that is given."""
    if not isinstance(factor, float):
        return into(out, array_namespace(W).multiply, W, cast(factor, W.dtype))
    if isinstance(W, np.ndarray):
        return np.multiply(W, factor, out=out)
    import torch

    return torch.mul(W, factor, out=out)


def add_outer(W: Array, rows: Array, columns: Array) -> Array:
    """`W` (..., n) plus the outer product of `rows` (..., p) and `columns` (..., q), flat and cut to length n <= p q.

    `W` is written over where that is safe.
    """
    xp, n, q = array_namespace(W), W.shape[-1], columns.shape[-1]
    if not overwritable(W, rows, columns):
        outer = xp.reshape(rows[..., :, None] * columns[..., None, :], (*W.shape[:-1], -1))
        return W + outer[..., :n]
    whole = n // q
    head = xp.reshape(W[..., : whole * q], (*W.shape[:-1], whole, q))
    if is_torch(xp):
        head.addcmul_(rows[..., :whole, None], columns[..., None, :])
    else:
        step = max(1, _CACHED // q)
        for first in range(0, whole, step):
            part = slice(first, min(first + step, whole))
            head[..., part, :] += rows[..., part, None] * columns[..., None, :]
    if whole * q < n:
        W[..., whole * q :] += rows[..., whole : whole + 1] * columns[..., : n - whole * q]
    return W


def into(out: Array | None, function: Callable[..., Array], *arguments: Any) -> Array:
    """``function(*arguments)``, written to `out` where that is given."""
    return function(*arguments) if out is None else function(*arguments, out=out)


def writable_rows(basis: Array, row: Any, *, xp: Namespace) -> Array | None:
    """Row `row` of `basis` (..., p, n), as (..., 1, n), for a kernel's ``out=``; None where none can write in place."""
    if not isinstance(basis, np.ndarray) and (not is_torch(xp) or is_sharded(basis) or is_traced(basis)):
        return None
    return basis[..., row : row + 1, :]
