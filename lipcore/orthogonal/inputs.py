"""What every orthogonaliser does to its argument first: checks, the tall form, and a scale without overflow."""

from __future__ import annotations

import math
from typing import Any

from .. import _backend as B
from .._typing import Array, Namespace

# Orthonormal columns of a million entries have one as large as this.
_TINY = 2.0**-10


def check_matrices(w: Array, name: str = "W", *, square: bool = False) -> Namespace:
    """Namespace of a stack of floating matrices; raises for anything else."""
    xp = B.array_namespace(w, name=name)
    if not B.is_floating(xp, w.dtype):
        raise TypeError(
            f"`{name}` must be real or complex floating point, got dtype {B.dtype_name(w.dtype)}; convert it first"
        )
    if w.ndim < 2:
        raise ValueError(f"`{name}` must have shape (..., m, n), got {tuple(w.shape)}")
    if square and w.shape[-1] != w.shape[-2]:
        raise ValueError(f"`{name}` must be square, got shape {tuple(w.shape)}")
    return xp


def check_count(value: Any, name: str, *, least: int = 0) -> int:
    """A whole number that is at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value!r}")
    return int(value)


def check_finite(w: Array) -> None:
    """Raise for NaN and infinity; one read by the host."""
    xp = B.array_namespace(w)
    if not B.to_float(B.cast(xp.all(xp.isfinite(_largest_part(w))), xp.float32)):
        raise ValueError("`W` must be finite, got NaN or infinity")


def tall(w: Array) -> tuple[Array, bool]:
    """The matrices with no fewer rows than columns, and whether that took the adjoint."""
    return (B.adjoint(w), True) if w.shape[-2] < w.shape[-1] else (w, False)


def working_copy(w: Array) -> Array:
    """The matrices in at least single precision."""
    return B.cast(w, B.compute_dtype(B.array_namespace(w), w.dtype))


def power_of_two(w: Array) -> Array:
    """Powers of two near the largest entry of each matrix, shape (..., 1, 1); 1 for zero matrices.

    Division by them is exact unless it underflows, and leaves entries whose squares and sums cannot overflow.
    """
    xp, largest = B.array_namespace(w), _largest_part(B.stop_gradient(w))
    one = xp.ones_like(largest)
    # NaN and infinity stay what they are, so that they are seen later
    usable = xp.logical_and(largest > 0, xp.isfinite(largest))
    # the logarithm of the largest numbers rounds up; and XLA divides by the inverse, which must not be subnormal
    exponent = xp.floor(xp.log2(xp.where(usable, largest, one)))
    most = float(math.frexp(xp.finfo(largest.dtype).max)[1] - 2)
    return xp.where(usable, xp.pow(one + one, xp.minimum(exponent, one * most)), one)


def _largest_part(w: Array) -> Array:
    """Largest real or imaginary part in size, shape (..., 1, 1), without an array as large as `w`; NaN where one is."""
    xp = B.array_namespace(w)
    if B.is_complex(xp, w.dtype):
        return xp.maximum(_largest_part(xp.real(w)), _largest_part(xp.imag(w)))
    axes: dict[str, Any] = {"axis": (-2, -1), "keepdims": True}
    return xp.maximum(xp.max(w, **axes), -xp.min(w, **axes))


def extreme_power_of_two(w: Array) -> Array:
    """`power_of_two` where entries are large or tiny, else 1, so that what is nearly orthonormal stays so."""
    xp, scale = B.array_namespace(w), power_of_two(w)
    moderate = xp.logical_and(scale >= _TINY, scale <= 1.0)
    return xp.where(moderate, xp.ones_like(scale), scale)


def norm_bound(gram: Array) -> Array:
    """Upper bounds of ``||X||_2`` from ``X^H X``, shape (..., 1, 1); 1 for zero matrices. Differentiable."""
    xp = B.array_namespace(gram)
    squared = xp.sum(xp.real(gram) ** 2, axis=(-2, -1), keepdims=True)
    if B.is_complex(xp, gram.dtype):
        squared = squared + xp.sum(xp.imag(gram) ** 2, axis=(-2, -1), keepdims=True)
    zero = squared == 0
    return xp.where(zero, xp.ones_like(squared), xp.sqrt(xp.sqrt(xp.where(zero, xp.ones_like(squared), squared))))


def identity(like: Array, n: int) -> Array:
    """Identity of order `n` where `like` is."""
    xp = B.array_namespace(like)
    return xp.eye(n, dtype=like.dtype, device=B.device_of(like))
