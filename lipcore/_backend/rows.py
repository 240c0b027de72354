"""Kernels on blocks of long rows (..., b, n): accurate norms, and updates that allocate nothing.

Fresh memory costs more than the arithmetic here: the first touch of a page takes several times as long as a pass over
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import Array, Namespace
from .host import from_numpy, is_traced
from .loop import set_rows
from .namespace import array_namespace, device_of, dtype_name, is_jax, is_numpy, is_sharded, is_torch, numpy_dtype

# Sums are taken over pieces of this length, so that the rounding of a float32 sum does not grow with the length: BLAS
# dot products of 3.2 million float32 numbers were seen to be off by 1e-4.
_PIECE = 4096


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


def writable(x: Array, *, xp: Namespace) -> bool:
    """Whether `x` may be written in place by a kernel's ``out=``."""
    return is_numpy(xp) or (is_torch(xp) and not is_sharded(x))


def sum_squares(W: Array, work: Array | None = None) -> Array:
    """``sum |w|^2`` over the last axis, (..., b, 1), real, to a few roundings at any length; `work` is written over."""
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
    if is_numpy(xp):  # its sums are pairwise
        squares = xp.multiply(W, W) if work is None else xp.multiply(W, W, out=work)
        return xp.sum(squares, axis=-1, keepdims=True)
    return _sum_pieces(lambda x: xp.sum(x * x, axis=-1), W, _PIECE, xp)


def _sum_pieces(squares: Callable[[Array], Array], W: Array, piece: int, xp: Namespace) -> Array:
    """`squares` of the pieces of the last axis, added up."""
    whole = W.shape[-1] // piece * piece
    head = xp.reshape(W[..., :whole], (*W.shape[:-1], whole // piece, piece))
    total = xp.sum(squares(head), axis=-1)
    return (total if whole == W.shape[-1] else total + squares(W[..., whole:]))[..., None]


def subtract_combination(W: Array, C: Array, V: Array, work: Array | None) -> Array:
    """``W - C^T V`` for rows `W` (..., b, n), coefficients `C` (..., p, b) and rows `V` (..., p, n).

    `work` (..., 2 b, n), where given, takes the answer in its first half, which `W` may be, and scratch in its second.
    """
    xp = array_namespace(W, V)
    C = xp.matrix_transpose(C)
    if work is None:
        return W - xp.matmul(C, V)
    b = W.shape[-2]
    out, scratch = work[..., :b, :], work[..., b:, :]
    if is_torch(xp) and W.ndim == 2:
        import torch

        return torch.addmm(W, C, V, alpha=-1, out=out)
    return xp.subtract(W, xp.matmul(C, V, out=scratch), out=out)


def store_scaled(basis: Array, start: Any, W: Array, factor: Array, *, xp: Namespace) -> Array:
    """`basis` with rows from `start` on set to ``W * factor``; in place where arrays are mutable (see `set_rows`)."""
    if writable(basis, xp=xp) and not is_jax(xp) and not is_traced(basis):
        xp.multiply(W, factor, out=basis[..., start : start + W.shape[-2], :])
        return basis
    return set_rows(basis, start, W * factor, xp=xp)


def work_rows(row: Array, *, xp: Namespace) -> Array | None:
    """Scratch for `subtract_combination` on blocks like `row`, or None where kernels cannot write in place."""
    if not writable(row, xp=xp) or is_traced(row):
        return None
    shape = (*row.shape[:-2], 2 * row.shape[-2], row.shape[-1])
    return _empty(shape, row, xp)
