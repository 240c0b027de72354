"""The one place that checks what solvers are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from .orthogonalization import unit_rows
from .scaling import RowProducts

_WHICH_SVD = ("LM", "SM")
_WHICH_EIGH = ("LM", "SM", "LA", "SA")


def operator(A: Any, *, hermitian: bool = False) -> LinearOperator:
    """`A` as an operator with rows and columns; square where it must be Hermitian."""
    from ..operators.interop import aslinearoperator

    checked: LinearOperator = aslinearoperator(A)
    if 0 in checked.shape:
        raise ValueError(f"`A` is empty (shape {checked.shape}): it has no singular values; drop it from the input")
    if hermitian and checked.shape[-1] != checked.shape[-2]:
        raise ValueError(f"`A` must be square to be Hermitian, got shape {checked.shape}; use svds instead")
    return checked


def count(A: LinearOperator, k: Any) -> int:
    """Number of values wanted."""
    most = min(A.shape[-2:])
    if isinstance(k, bool) or not hasattr(k, "__index__") or not 1 <= k <= most:
        raise ValueError(f"`k` must be an integer with 1 <= k <= min(M, N) = {most}, got {k!r}")
    return int(k)


def end(which: Any, *, hermitian: bool = False) -> str:
    """Which end of the spectrum is wanted."""
    allowed = _WHICH_EIGH if hermitian else _WHICH_SVD
    if which not in allowed:
        raise ValueError(f"`which` must be one of {', '.join(map(repr, allowed))}, got {which!r}")
    return str(which)


def block(A: LinearOperator, block_size: Any) -> int:
    """Columns that move together."""
    most = min(A.shape[-2:])
    if isinstance(block_size, bool) or not hasattr(block_size, "__index__") or not 1 <= block_size <= most:
        raise ValueError(
            f"`block_size` must be an integer with 1 <= block_size <= min(M, N) = {most}, got {block_size!r}"
        )
    return int(block_size)


def start_rows(
    products: RowProducts, v0: Array | None, rng: np.random.Generator, *, rows: int, readable: bool
) -> Array:
    """Start rows (*batch_shape, rows, n) on the side on which the solver works, Gaussian where `v0` leaves some out.

    `v0` is one vector (*batch_shape, N) or columns (*batch_shape, N, c) with c at most `rows`; where the solver works
    on the left side (M < N) the left length M is taken too.
    """
    A, xp, batch = products.A, products.xp, products.A.batch_shape
    length = products.sizes[1]

    def draw(count: int) -> Array:
        return B.random_normal(rng, (*batch, count, length), xp=xp, device=A.device, dtype=products.dtype)

    if v0 is None:
        return draw(rows)
    given = B.array_namespace(v0, name="v0")
    if given.__name__ != xp.__name__:
        raise TypeError(f"`v0` is an array of {given.__name__}, the operator one of {xp.__name__}; convert it first")
    lengths = {A.shape[-1], length}
    single = v0.ndim == len(batch) + 1
    block = v0[..., None, :] if single else B.transpose(v0) if v0.ndim == len(batch) + 2 else None
    if block is None or tuple(block.shape[:-2]) != batch or block.shape[-1] not in lengths:
        shape = (*batch, A.shape[-1])
        raise ValueError(f"`v0` must have shape {shape} or {(*shape, 'c')}, got {tuple(v0.shape)}")
    if block.shape[-2] > rows:
        raise ValueError(f"`v0` has {block.shape[-2]} columns, this solver takes at most {rows}; give fewer")
    block = B.stop_gradient(B.cast(block, products.dtype))
    if readable and not B.is_traced(block) and not B.to_numpy(xp.all(xp.isfinite(block))):
        raise ValueError("`v0` must be finite, it holds NaN or infinity")
    if block.shape[-1] != length:  # a right vector, where the solver works on the left
        block = products.rmatmat(unit_rows(block))
    block = unit_rows(block)
    if block.shape[-2] < rows:
        block = xp.concat([block, unit_rows(draw(rows - block.shape[-2]))], axis=-2)
    return block
