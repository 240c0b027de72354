"""What a vector proves: ``||A|| >= ||A v|| / ||v||``, less the rounding of that product."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg.blas

from .. import _backend as B
from .._typing import Array
from . import rounding as r
from . import scaling as s
from .cholesky import check_finite, check_matrices, scale_exponents, scaling_loss, working_copy

__all__ = ["attained_down", "norm_lower_bound"]

# Entries from which on a product is worth the call of another library.
_LARGE = 1 << 18


def norm_lower_bound(a: Array, v: Array) -> Any:
    """Rigorous lower bound of ``||A v||_2 / ||v||_2``, and so of ``||A||_2``.

    Parameters
    ----------
    a : array, shape (..., m, n)
        Real or complex floating, any backend; evaluated in float64 by the host.
    v : array, shape (..., n)
        One vector per matrix, of any scale.

    Returns
    -------
    float or ndarray of float64, shape (...)
        At least 0; 0 for a zero vector. The largest float where the bound overflows.

    Raises
    ------
    TypeError
        If `a` or `v` is not floating.
    ValueError
        If the shapes do not fit, or if there is NaN or infinity.

    Notes
    -----
    Matrix and vector are scaled by powers of two, exactly. An entry of the computed product w is off by at most
    ``gamma_n |A| |v|`` (complex: ``sqrt(2) gamma_2n``), so that ``||A v|| >= ||w|| - gamma_n ||A||_F ||v||``. That
    loses the relative amount ``n u sqrt(r)``, r the stable rank.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.lower_bound import norm_lower_bound
    >>> bound = norm_lower_bound(np.array([[3.0, 0.0], [4.0, 0.0]]), np.array([1.0, 0.0]))
    >>> 5 * (1 - 1e-14) < bound <= 5
    True
    """
    a, v = _host(a, "a"), _host(v, "v")
    check_matrices(np, a)
    batch = a.shape[:-2]
    if v.ndim < 1 or v.shape[-1] != a.shape[-1] or v.shape[:-1] not in (batch, ()):
        raise ValueError(f"`v` must have shape {(*batch, a.shape[-1])} for `a` of shape {a.shape}, got {v.shape}")
    v = np.broadcast_to(v, (*batch, v.shape[-1]))
    if a.size == 0:
        return np.zeros(batch) if batch else 0.0
    largest = s.largest(a)
    check_finite(largest)
    e = scale_exponents(largest, "float64")
    scaled = working_copy(a, e, "float64")
    _, squares = r.sum_squares(scaled, axes=2)
    bound = attained_down(scaled, v, r.sqrt_up(squares))
    lost = np.where(e > 0, scaling_loss(a.shape), 0.0)
    return s.ldexp_down(r.add_down(bound, -lost) if np.any(lost) else bound, e if batch else int(e))


def _host(x: Array, name: str) -> np.ndarray[Any, Any]:
    xp = B.array_namespace(x, name=name)
    if not B.is_floating(xp, x.dtype):
        raise TypeError(f"`{name}` must be real or complex floating, got {x.dtype}: convert it first")
    return B.to_numpy(x)


def attained_down(a: np.ndarray[Any, Any], v: np.ndarray[Any, Any], frobenius: Array) -> Array:
    """Lower bound of ``||A v|| / ||v||`` for scaled float64 matrices whose Frobenius norm is at most `frobenius`.

    Parameters
    ----------
    a : ndarray of float64 or complex128, shape (..., m, n)
    v : ndarray, shape (..., n)
    frobenius : float or ndarray, shape (...)

    Returns
    -------
    float or ndarray, shape (...)
    """
    v = _unit_scaled(v)
    n, is_complex = v.shape[-1], a.dtype.kind == "c" or v.dtype.kind == "c"
    w = _product(a, v) if v.ndim == 1 else (a @ v[..., None])[..., 0]
    reached = r.sqrt_down(r.sum_squares(w)[0])
    length = r.sqrt_up(r.sum_squares(v)[1])
    # A product of a real and a complex number is two real ones, but NumPy may compute four, with zeros.
    loss = (1.5 * r.gamma(2 * n) if is_complex else r.gamma(n)) * (1 + 2.0**-40)
    underflow = 8.0 * n * a.shape[-2] * r.ETA["float64"]
    ratio = r.div_down(reached, np.where(length > 0, length, 1.0) if np.ndim(length) else length or 1.0)
    with np.errstate(invalid="ignore"):
        bound = r.add_down(ratio, -np.nextafter(loss * frobenius + 4 * underflow, np.inf))
    return bound if np.ndim(bound) == 0 else np.where(length > 0, bound, 0.0)


def _product(a: np.ndarray[Any, Any], v: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """``a v`` by SciPy's BLAS for a large matrix: NumPy's may have one thread (`scipy_blas_threads`)."""
    contiguous = a.flags.c_contiguous or a.flags.f_contiguous
    if a.size < _LARGE or a.dtype != v.dtype or not contiguous:
        return np.asarray(a @ v)
    columns, turned = (a, 0) if a.flags.f_contiguous else (a.T, 1)
    gemv = scipy.linalg.blas.get_blas_funcs("gemv", (columns,))
    product: np.ndarray[Any, Any] = gemv(1.0, columns, v, trans=turned)
    return product


def _unit_scaled(v: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`v` in double precision, its largest part between 1/2 and 1 in size."""
    largest = s.largest(v[..., None])
    if not np.all(np.isfinite(largest)):
        raise ValueError("`v` must be finite, got NaN or infinity")
    wide = v.astype(np.complex128 if v.dtype.kind == "c" else np.float64, copy=False)
    e = s.exponent(largest)
    # Scaling down may drop what underflows: it is another vector then, and as good a witness.
    scaled: np.ndarray[Any, Any] = s.scale_by_power(wide[..., None], -e)[..., 0]
    return scaled
