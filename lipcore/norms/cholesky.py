"""Proof that ``||A||_2 <= theta``: ``theta^2 I - A^H A``, less all rounding errors, has a Cholesky factor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg.blas

from .. import _backend as B
from .._typing import Array
from . import rounding as r
from . import scaling as s
from .blocked_cholesky import lower_factor
from .error_budget import ErrorBudget

__all__ = ["norm_at_most"]

# Sizes beyond which entries are scaled: squares and their products stay far from the ends of the range within.
_SAFE_EXPONENT = {"float64": 100, "float32": 20}
_CHUNK_BYTES = 2**25
CODES = {("float32", False): "s", ("float64", False): "d", ("float32", True): "c", ("float64", True): "z"}
_DTYPES = {key: np.dtype({"s": "f4", "d": "f8", "c": "c8", "z": "c16"}[code]) for key, code in CODES.items()}


def norm_at_most(
    matrices: Array, thresholds: Array, *, precision: str = "float64", perturbation: Array = 0.0
) -> np.ndarray[Any, Any]:
    r"""Prove ``||A||_2 <= theta``, for each matrix of a stack.

    Parameters
    ----------
    matrices : array, shape (..., m, n)
        Real or complex floating, of any backend. float32 is certified in float64, exactly converted.
    thresholds : float or array_like, broadcastable to shape (...)
        The numbers theta.
    precision : {"float64", "float32"}
        Arithmetic of Gram product and factorisation. float32 is about twice as fast and proves thresholds that exceed
        the norm by about ``m n 3e-8`` in relative terms (thrice that for complex matrices; float64: ``m n 6e-17``).
        On the host only: an accelerator may compute float32 products in a shorter format, so there it is float64.
    perturbation : float or array_like, broadcastable to shape (...)
        Bound of ``||stored - true||_2`` per matrix: the claim is then about the true ones.

    Returns
    -------
    ndarray of bool, shape (...)
        True where the statement is proved, rounding errors included. False says nothing.

    Raises
    ------
    TypeError
        If `matrices` is not a floating array.
    ValueError
        If it has fewer than two axes, holds NaN or infinity, or if an argument is out of range.

    Notes
    -----
    Each matrix is scaled by a power of two, exactly, so that nothing overflows; the Gram matrix of the smaller side is
    formed; Cholesky of :math:`(\theta^2 - e) I - G` runs to completion only if that is positive definite up to its
    rounding errors, which e covers (Rump, "Verification of positive definiteness", BIT 46, 2006). `error_budget`
    derives e. Cost with n the smaller side: m n^2 for the product and n^3 / 3 for the factorisation, in
    multiplications and additions; complex ones are four real ones.

    On the host, SciPy's ?syrk / ?herk and ?potrf do one matrix after the other (faster than torch's stacked Cholesky).
    torch and CuPy arrays on an accelerator stay there, in float64; nothing is known about the triangular solves inside
    Cholesky there, so the residual ``M - L L^H`` is computed and takes the place of its a-priori bound. float64
    emulation, which cuBLAS offers as an option, voids the proof. JAX arrays are read by the host.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.cholesky import norm_at_most
    >>> a = np.array([[3.0, 0.0], [4.0, 0.0]])
    >>> norm_at_most(a, 5.0000000001), norm_at_most(a, 4.9999999999)
    (array(True), array(False))
    >>> norm_at_most(np.stack([a, 1e300 * a, 0 * a]), [6.0, 6e300, 0.0])
    array([ True,  True,  True])
    """
    xp = B.array_namespace(matrices, name="matrices")
    check_matrices(xp, matrices)
    if precision not in r.UNIT:
        raise ValueError(f"`precision` must be 'float64' or 'float32', got {precision!r}")
    batch = tuple(matrices.shape[:-2])
    theta = _thresholds(thresholds, batch, "thresholds")
    slack = _thresholds(perturbation, batch, "perturbation")
    if np.any(slack < 0):
        raise ValueError(f"`perturbation` must be nonnegative, got {float(np.min(slack))}")
    if 0 in tuple(matrices.shape):
        return np.asarray(slack <= theta)
    if on_accelerator(xp, matrices):
        from .cholesky_device import norm_at_most_on_device

        return norm_at_most_on_device(matrices, theta, slack)
    host = B.to_numpy(matrices)
    flat = host.reshape(-1, *host.shape[-2:])
    proved = _on_host(flat, theta.reshape(-1), slack.reshape(-1), precision)
    return np.asarray(proved).reshape(batch)


def on_accelerator(xp: Any, matrices: Array) -> bool:
    """Whether the arrays are certified where they are, rather than on the host."""
    return B.is_cupy(xp) or (B.is_torch(xp) and getattr(B.device_of(matrices), "type", "cpu") != "cpu")


def check_matrices(xp: Any, matrices: Array) -> None:
    """Raise for what is no stack of floating matrices."""
    if not B.is_floating(xp, matrices.dtype):
        raise TypeError(f"`matrices` must be real or complex floating, got {matrices.dtype}: convert them first")
    if matrices.ndim < 2:
        raise ValueError(f"`matrices` must have shape (..., m, n), got {tuple(matrices.shape)}")


def _thresholds(x: Array, batch: tuple[int, ...], name: str) -> Array:
    value = np.asarray(x, dtype=np.float64)
    if np.any(np.isnan(value)):
        raise ValueError(f"`{name}` must not be NaN")
    try:
        return np.broadcast_to(value, batch)
    except ValueError:
        raise ValueError(f"`{name}` of shape {value.shape} does not broadcast to the stack's shape {batch}") from None


def check_finite(largest: Array) -> None:
    """Raise for the largest entries of matrices that hold NaN or infinity."""
    if not np.all(np.isfinite(largest)):
        bad = int(np.sum(~np.isfinite(largest)))
        raise ValueError(f"`matrices` must be finite, got NaN or infinity in {bad} of {np.size(largest)}")


def scale_exponents(largest: Array, precision: str) -> Array:
    """Powers of two by which matrices are divided; 0 where there is no need."""
    e = s.exponent(largest)
    return np.where(np.abs(e) <= _SAFE_EXPONENT[precision], 0, e)


def effective_thresholds(theta: Array, slack: Array, e: Array, shape: tuple[int, ...]) -> Array:
    """Thresholds for the scaled matrices: less the perturbation, and less what scaling down may lose to underflow."""
    if not np.any(e) and not np.any(slack):
        return theta
    lost = np.where(e > 0, scaling_loss(shape), 0.0)
    scaled = np.where(theta > 0, s.ldexp_down(np.maximum(theta, 0.0), -e), theta)
    total = r.add_up(s.ldexp_up(slack, -e), lost)
    with np.errstate(invalid="ignore"):
        rest = np.where(total == 0, scaled, np.nextafter(scaled - total, -np.inf))
    # Infinity minus infinity: an unknown perturbation proves nothing.
    return np.where(np.isinf(total), -1.0, np.where(np.isinf(theta), np.inf, rest))


def scaling_loss(shape: tuple[int, ...], precision: str = "float64") -> float:
    """Spectral norm of what underflow may take when a matrix of this shape is scaled down or converted."""
    return 4.0 * math.sqrt(float(shape[-1] * shape[-2])) * r.ETA[precision]


def _on_host(stack: Array, theta: Array, slack: Array, precision: str) -> Array:
    """`norm_at_most` for a NumPy stack (b, m, n)."""
    count, m, n = stack.shape
    proved = np.zeros(count, dtype=bool)
    step = max(1, _CHUNK_BYTES // (16 * min(m, n) ** 2 + 16 * m * n))
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        proved[part] = _chunk_on_host(stack[part], theta[part], slack[part], precision)
    return proved


def _chunk_on_host(stack: Array, theta: Array, slack: Array, precision: str) -> Array:
    largest = s.largest(stack)
    check_finite(largest)
    e = scale_exponents(largest, precision)
    theta = effective_thresholds(theta, slack, e, stack.shape)
    scaled_largest = np.ldexp(largest, -e)
    # A norm is at least the largest real or imaginary part: no need to try below.
    todo = np.flatnonzero((theta >= scaled_largest) & (largest > 0))
    proved = (largest == 0) & (theta >= 0)
    if todo.size == 0:
        return proved
    matrices = working_copy(stack[todo], e[todo], precision)
    budget = budget_of(stack, precision)
    code = CODES[precision, budget.is_complex]
    grams = [negative_gram(a, code) for a in matrices]
    diagonals = -np.stack([g.diagonal().real for g in grams]).astype(np.float64)
    traces = np.sum(diagonals, axis=-1)
    frobenius = r.sqrt_up(budget.squared_frobenius(traces))
    limits = theta[todo]
    if precision == "float32":
        limits = less_conversion(limits, frobenius, stack, e[todo])
    simple = limits >= frobenius
    proved[todo] = simple
    limits = np.where(simple, 0.0, np.maximum(limits, 0.0))
    shifts = budget.shift(limits, traces)
    for i, g, t, d in zip(todo, grams, shifts, diagonals, strict=True):
        if t > 0:
            proved[i] = factors(g, t, d, code)
    return proved


def less_conversion(limits: Array, frobenius: Array, stack: Array, e: Array) -> Array:
    """Thresholds less what rounding the entries to float32 may have changed the norm by."""
    underflow = scaling_loss(stack.shape, "float32")
    if stack.dtype.itemsize <= (8 if stack.dtype.kind == "c" else 4):
        lost = np.where(e > 0, underflow, 0.0)  # exact, unless scaled down
    else:
        lost = 1.01 * frobenius * r.UNIT["float32"] + underflow
    return np.where((limits == np.inf) | (lost == 0), limits, np.nextafter(limits - lost, -np.inf))


def budget_of(stack: Array, precision: str) -> ErrorBudget:
    """Error terms for the matrices of a stack."""
    m, n = stack.shape[-2:]
    return ErrorBudget(max(m, n), min(m, n), stack.dtype.kind == "c", precision)


def working_copy(stack: Array, e: Array, precision: str) -> Array:
    """The matrices divided by ``2^e``, in the format of the certificate."""
    is_complex = stack.dtype.kind == "c"
    dtype = _DTYPES[precision, is_complex]
    if not np.any(e):
        return stack.astype(dtype, copy=False)
    wide = stack.astype(_DTYPES["float64", is_complex], copy=False)
    return s.scale_by_power(wide, -e).astype(dtype, copy=False)


def negative_gram(a: Array, code: str) -> Array:
    """Lower triangle, column-major, of minus the Gram matrix of the smaller side, or of its conjugate.

    What lies above the diagonal is whatever was in memory.
    """
    rank_k = getattr(scipy.linalg.blas, code + ("herk" if code in "cz" else "syrk"))
    m, n = a.shape
    # BLAS wants columns; a row-major array is a column-major transpose, so neither is copied.
    columns, wanted = (a.T, m < n) if row_major(a) else (a, m >= n)
    out = np.empty((min(m, n),) * 2, dtype=columns.dtype, order="F")
    trans = (2 if code in "cz" else 1) if wanted else 0
    return rank_k(-1.0, columns, beta=0.0, c=out, trans=trans, lower=1, overwrite_c=1)


def row_major(a: Array) -> bool:
    """Whether `negative_gram` works on the transpose, which gives the conjugate."""
    return bool(a.flags.c_contiguous or not a.flags.f_contiguous)


def factors(negative: Array, t: float, diagonal: Array, code: str) -> bool:
    """Whether Cholesky of ``t I - G`` runs to completion; `negative`, which holds -G, becomes its lower factor."""
    n = negative.shape[0]
    single = code in "sc"
    with np.errstate(under="ignore"):
        pivots = np.float32(t) - diagonal.astype(np.float32) if single else t - diagonal
    if not np.all(pivots > 0):
        return False
    negative.T.reshape(-1)[:: n + 1] = pivots
    return lower_factor(negative, code) and bool(np.all(np.isfinite(negative.diagonal())))
