"""Products with rows, of an operator brought to norm about one by a power of two."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from .orthogonalization import unit_rows

# Largest exponent by which the two halves of a scaling may together move a number of that dtype.
_EXPONENTS = {"float16": 14, "bfloat16": 120, "float32": 120, "float64": 1000, "complex64": 120, "complex128": 1000}
# Norm estimates within 2**-x .. 2**x need no scaling: fourth powers of the values and their roundings stay in range.
_SAFE = {"float16": 6, "bfloat16": 10, "float32": 10, "complex64": 10, "float64": 100, "complex128": 100}


class RowProducts:
    r"""Products of ``c A`` and its adjoint with rows; `c` is a power of two that gives ``c A`` a norm of about 1.

    Attributes
    ----------
    log2_scale : float64 NumPy array (*batch_shape), array (*batch_shape) or None
        Base-2 logarithm of `c`; None while no scaling is needed.
    square : float or None
        Sum of squares of what `prepare` returned, where that was formed to choose the scale.
    forward, backward : int
        Products made so far, in columns.

    Notes
    -----
    `c` is applied half to the input and half to the output of the operator, so that neither the operator's products nor
    the input leaves the range of the dtype. Whoever squares norms (all Krylov methods do) thereby works at any scale.
    """

    def __init__(self, A: LinearOperator, *, swap: bool = False) -> None:
        self.A, self.swap, self.xp = A, swap, A.xp
        self.dtype = B.compute_dtype(A.xp, A.dtype)
        self.real = B.real_dtype(A.xp, self.dtype)
        self.eps = B.eps(A.xp, self.dtype)
        self.log2_scale: Any = None
        self.half: Array | None = None
        self.square: float | None = None
        self.forward = self.backward = 0

    @property
    def sizes(self) -> tuple[int, int]:
        """Lengths (rows, columns) of the map as used, after a swap with its adjoint."""
        m, n = self.A.shape[-2:]
        return (n, m) if self.swap else (m, n)

    def require_readable(self, fixed: bool) -> None:
        """Raise, after `prepare`, where a run that is to stop at a tolerance meets products without readable values."""
        if not fixed and self.half is not None and B.is_traced(self.half):
            raise ValueError("a traced run cannot stop at a tolerance: give `iterations`, a fixed count")

    def matmat(self, V: Array) -> Array:
        """Rows ``c A v`` for the rows v of `V` (*batch_shape, b, n)."""
        self.forward += V.shape[-2]
        return self._product("rmatmat" if self.swap else "matmat", V)

    def rmatmat(self, U: Array) -> Array:
        """Rows ``c A^H u`` for the rows u of `U` (*batch_shape, b, m)."""
        self.backward += U.shape[-2]
        return self._product("matmat" if self.swap else "rmatmat", U)

    def _product(self, name: str, V: Array) -> Array:
        V = B.cast(V, self.dtype)
        if self.half is not None:
            V = V * self.half
        # rows of the operator's own dtype and batch need none of the checks of its public products
        fits = self.dtype == self.A.dtype and V.shape[:-2] == self.A.batch_shape
        W = getattr(self.A, f"_{name}" if fits else name)(B.transpose(V))
        W = B.cast(B.transpose(W), self.dtype)
        if not isinstance(W, np.ndarray):
            W = B.stop_gradient(W)
        return W if self.half is None else W * self.half

    def prepare(self, start: Array, *, host: bool) -> Array | None:
        """Choose the scale by one product with the unit rows `start`; that product, unless the scale has changed it.

        Raises ValueError where products are not finite at any scale (with ``host=True``).
        """
        if self.half is not None:
            return None
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            W = self.matmat(start)
            if host and B.is_plain_row(W):
                square, safe = B.to_float(B.sum_squares(W)[0, 0]), 4.0 ** self._limits()[1]
                if 1 / safe < square < safe:  # of moderate scale; one pass, which the caller needs anyway
                    self.square = square
                    return W
        if not self.set_scale(W, host=host):
            return W
        if not host or B.is_traced(W):
            return None
        if np.any(self.log2_scale > 0) and not self._set_with_probe(start, W):
            return W
        W = self.matmat(start)
        self.check_finite(W)
        return W

    def _set_with_probe(self, start: Array, W: Array) -> bool:
        """Choose the scale again: a start from the null space makes any operator look tiny, a random one does not."""
        self.half = self.log2_scale = None
        shape = (*start.shape[:-2], 1, start.shape[-1])
        random = B.random_normal(B.as_rng(0), shape, xp=self.xp, device=B.device_of(start), dtype=self.dtype)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            probed = self.matmat(unit_rows(random))
        return self.set_scale(self.xp.concat([W, probed], axis=-2), host=True)

    def set_scale(self, W: Array, *, host: bool) -> bool:
        """Choose `c` from the rows ``W = A v`` of random unit rows; True where products made before must be redone.

        With ``host=True`` one number per operator is read (two where the scale is extreme), and none is applied to an
        operator of moderate scale. Otherwise, or under tracing, the scale is computed and applied on the device.
        """
        if host and not B.is_traced(W):
            return self._set_from_host(W)
        xp = self.xp
        top, _ = self._limits()
        largest = xp.max(B.largest_entry(W), axis=-2, keepdims=True)
        one = xp.ones_like(largest)
        fine = xp.isfinite(largest) & (largest > 0)
        # an overflow says: as small as possible; zero: as large as possible
        bits = xp.where(fine, xp.round(xp.log2(xp.where(fine, largest, one))), xp.where(largest > 0, one, -one) * top)
        half = -xp.round(xp.clip(bits, -top, top) / 2)
        self.half = B.cast(xp.pow(2 * one, half), self.dtype)
        self.log2_scale = 2 * half[..., 0, 0]
        return True

    def _limits(self) -> tuple[int, int]:
        name = B.dtype_name(self.A.dtype)
        return _EXPONENTS[name], _SAFE[name]

    def _set_from_host(self, W: Array) -> bool:
        xp = self.xp
        top, safe = self._limits()
        largest = B.to_numpy(xp.max(B.largest_entry(W), axis=(-2, -1))).astype(np.float64)
        with np.errstate(all="ignore"):
            size = largest * np.sqrt(W.shape[-1])  # between one and sqrt(m) times the norm
        if np.all((size > 2.0**-safe) & (size < 2.0**safe)):
            return False
        with np.errstate(all="ignore"):
            # NaN too may come from an overflow, as inf - inf
            bits = np.where(np.isfinite(largest), np.where(largest > 0, np.round(np.log2(largest)), -top), top)
        half = -np.round(np.clip(bits, -top, top) / 2)
        self.log2_scale = 2 * half
        factor = np.ldexp(1.0, half.astype(int))[..., None, None]
        self.half = B.from_numpy(factor, xp=xp, device=B.device_of(W), dtype=self.dtype)
        return True

    def check_finite(self, W: Array) -> None:
        """Raise where products are still not finite at the right scale (one host read; tracers pass)."""
        xp = self.xp
        if not B.is_traced(W) and not B.to_numpy(xp.all(xp.isfinite(W))):
            raise ValueError(
                "`A` gave products that are not finite: its data hold NaN or inf, or its norm exceeds the range of "
                f"{B.dtype_name(self.A.dtype)}; clean or rescale it first"
            )

    def unscale(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Host values of ``c A`` (*batch_shape, k) as values of A; may overflow to inf where A's norm does."""
        if self.log2_scale is None:
            return values
        bits = self.log2_scale if isinstance(self.log2_scale, np.ndarray) else B.to_numpy(self.log2_scale)
        with np.errstate(over="ignore", under="ignore"):
            unscaled: np.ndarray[Any, Any] = np.ldexp(values, -np.asarray(bits, dtype=int)[..., None])
        return unscaled

    def unscale_device(self, values: Array) -> Array:
        """The same for a device array (*batch_shape, k), without reading it."""
        if self.half is None:
            return values
        half = B.cast(self.half, values.dtype)[..., 0]
        return (values / half) / half
