"""When an iteration stops: at a tolerance, or after a fixed count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import _backend as B
from ..operators import LinearOperator

# Products in half precision are rounded this much more coarsely than the arithmetic around them.
_HALVES = ("float16", "bfloat16")


@dataclass(frozen=True)
class Stopping:
    """Rule of one run.

    Attributes
    ----------
    tol : float
        Residual norms wanted, relative to the largest singular value or eigenvalue magnitude.
    maxiter : int
        Most iterations of an adaptive run.
    iterations : int or None
        Exactly so many and no host read; None for an adaptive run.
    """

    tol: float
    maxiter: int
    iterations: int | None

    @property
    def fixed(self) -> bool:
        """Whether the count is fixed."""
        return self.iterations is not None


def default_tol(A: LinearOperator) -> float:
    """Relative residual asked for by default: ``eps ** 0.75``, 32 eps for operators in half precision.

    That is 1.8e-12 in float64 and 6.4e-6 in float32. Values are more accurate than residuals: their error is at most
    the residual, and about its square over the gap.
    """
    if B.dtype_name(A.dtype) in _HALVES:
        return 32 * B.eps(A.xp, A.dtype)
    return float(B.eps(A.xp, A.dtype) ** 0.75)


def stopping(
    A: LinearOperator, tol: Any, maxiter: int | None, iterations: int | None, *, default_maxiter: int = 10_000
) -> Stopping:
    """Checked rule; `iterations` excludes `tol` and `maxiter`.

    A tolerance below what the dtype can give is raised to 32 units of rounding.
    """
    if iterations is not None:
        if tol is not None or maxiter is not None:
            raise ValueError("`iterations` fixes the count and excludes `tol` and `maxiter`; give one or the other")
        return Stopping(default_tol(A), 0, positive("iterations", iterations))
    if tol is not None and not (isinstance(tol, int | float) and 0 <= tol < 1):
        raise ValueError(f"`tol` must be a number with 0 <= tol < 1 (relative to the largest value), got {tol!r}")
    smallest = 32 * B.eps(A.xp, A.dtype)
    wanted = default_tol(A) if not tol else max(float(tol), smallest)
    if maxiter is None:
        maxiter = max(100, min(10 * min(A.shape[-2:]), default_maxiter))
    return Stopping(wanted, positive("maxiter", maxiter), None)


def positive(name: str, value: Any) -> int:
    """`value`, where it is a positive integer."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"`{name}` must be a positive integer, got {value!r}")
    return int(value)
