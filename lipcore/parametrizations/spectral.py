"""Division by a certified norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..norms.branch_and_bound import supremum
from ..norms.opnorm import opnorm
from ..norms.opnorm_bounds import opnorm_bounds
from ..norms.symbol import Symbol, polyphase
from ._weights import Weight, nonzero, read_weight, scaled


def spectral(
    weight: Array,
    *,
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    rtol: float = 1e-3,
) -> Array:
    r"""Weight over a certified upper bound of its norm.

    Parameters
    ----------
    weight : array, shape (out, in) or (out, in / groups, \*k)
        Dense weight or kernel, float32 or float64.
    stride, dilation : int or sequence of int, default 1
        Of the convolution.
    groups : int, default 1
        Of the convolution; the norm is that of the largest group.
    rtol : float, default 1e-3
        How far the bound may lie above the norm: the result has a norm between ``1 - 2 rtol`` and 1.

    Returns
    -------
    array
        Of the shape of `weight`.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If the options do not fit it, or it is not finite.

    Notes
    -----
    **Guarantee.** The norm of the stored result is at most 1: a theorem for the numbers as they are, all roundings
    included. Dense by a Cholesky certificate (`opnorm_bounds`); as a convolution by the supremum of the symbol
    (`norms.convolution_supremum`), with zero padding, circular padding onto its own size, or none, of every image
    size. Not orthogonal: the smaller singular values stay what they are. Under ``jax.jit`` nothing can be certified;
    there the largest singular value comes from LAPACK, for a kernel from a grid of angles times the factor
    :math:`\prod 1 / \cos(\pi (k - 1) / 2N)` that a trigonometric polynomial cannot exceed, and the guarantee is
    that theorem, with an allowance for rounding.

    The division of a certified W by :math:`\beta \ge \|W\|` changes each entry by a relative ``2 u``, hence the norm
    by at most ``2 u sqrt(taps min(out, in S))`` with S pixels per stride; the divisor is larger by that.

    The derivative is that of the division by the norm, a simple singular value; the difference between the norm and
    its bound is a constant.

    **Cost.** Dense, a Gram product and a Cholesky factorisation; kernels, some hundreds of small ones on the host.
    **Limits.** One host read per call. The scale of the weight has no effect; a zero weight stays zero.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> kernel = lc.parametrizations.spectral(np.ones((1, 1, 3, 3)))
    >>> bounds = lc.norms.convolution_supremum(kernel)
    >>> 0.998 < bounds.lower <= bounds.upper <= 1 + 1e-5
    True
    """
    if not 1e-12 < rtol < 1:
        raise ValueError(f"`rtol` must lie between 1e-12 and 1, got {rtol!r}")
    read = read_weight(weight, stride, groups, dilation)
    array = scaled(weight)
    bound, _ = norm_bound(read, array, rtol)
    return array / (nonzero(bound) * _slack(read))


def norm_bound(read: Weight, array: Array, rtol: float) -> tuple[Array, float]:
    """Upper bound of the norm with the norm's derivative, zero for zeros; and on the host, infinite where unread."""
    if B.is_traced(array):
        return _traced_norm(read, array) * (1 + 64 * read.eps * math.sqrt(read.outputs * read.inputs)), math.inf
    host = B.to_numpy(B.stop_gradient(array))
    if not np.all(np.isfinite(host)):
        raise ValueError("`weight` must be finite, it holds NaN or infinity")
    if not np.any(host):
        return read.xp.sum(array) * 0, 0.0
    norm, upper = _dense_norm(array, rtol) if read.dense else _kernel_norm(read, array, host, rtol)
    return norm / B.stop_gradient(norm) * upper, upper


def _slack(read: Weight) -> float:
    rank = min(read.outputs, read.inputs * math.prod(read.stride))
    return 1 + 4 * read.eps * math.sqrt(math.prod(read.taps) * rank) + 8 * read.eps


def _dense_norm(array: Array, rtol: float) -> tuple[Array, float]:
    """The norm with its derivative, and the certified bound."""
    upper = float(opnorm_bounds(B.stop_gradient(array), rtol=rtol).upper)
    return opnorm(array, rtol=min(1e-2, rtol)), upper


def _kernel_norm(read: Weight, array: Array, host: np.ndarray[Any, Any], rtol: float) -> tuple[Array, float]:
    """The same for a kernel: ``<G, K>`` with the derivative G of its norm, found on the host."""
    kernel = np.asarray(host, dtype=np.float64)
    symbol = Symbol.from_kernel(kernel, read.stride, read.groups, read.dilation)
    found = supremum(symbol, rtol)
    peak = found.peaks[0]
    angle = np.zeros(len(read.taps))
    angle[list(symbol.axes)] = peak.angle / symbol.factors
    slope = B.from_numpy(_slope(read, kernel, peak.group, angle), xp=read.xp, device=read.device, dtype=array.dtype)
    return read.xp.sum(slope * array), math.ldexp(found.upper, symbol.exponent)


def _slope(read: Weight, kernel: np.ndarray[Any, Any], group: int, angle: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Derivative of the norm with respect to the kernel, ``Re u_o conj(v_i) exp(j a.theta)`` at the peak."""
    components, positions = polyphase(kernel, read.stride, read.groups, read.dilation)
    places, _ = polyphase(
        np.arange(1.0, kernel.size + 1).reshape(kernel.shape), read.stride, read.groups, read.dilation
    )
    phase = np.ones(())
    for axis, position in enumerate(positions):
        phase = np.multiply.outer(phase, np.exp(-1j * angle[axis] * position))
    matrix = np.tensordot(components[group], phase, axes=phase.ndim)
    u, _, vh = np.linalg.svd(matrix)
    change = np.real(np.multiply.outer(np.outer(u[:, 0].conj(), vh[0].conj()), phase))
    target, slope = places[group].astype(np.int64), np.zeros(kernel.size + 1)
    slope[target.reshape(-1)] = change.reshape(-1)
    return slope[1:].reshape(kernel.shape)


def _traced_norm(read: Weight, array: Array) -> Array:
    """An upper bound without a host read, at which the derivative is that of one singular value."""
    if read.dense:
        return _simple(array)
    xp = read.xp
    kernel, taps = _dilated(read, array)
    angles = [4 * k if k > 1 else 1 for k in taps]
    factor = math.prod(1 / math.cos(math.pi * (k - 1) / (2 * n)) for k, n in zip(taps, angles, strict=True))
    grid = np.stack(np.meshgrid(*(2 * np.pi * np.arange(n) / n for n in angles), indexing="ij"), -1).reshape(
        -1, len(taps)
    )
    offsets = np.stack(np.meshgrid(*(np.arange(k) for k in taps), indexing="ij"), -1).reshape(-1, len(taps))
    phases = np.exp(-1j * grid @ offsets.T).astype("complex64" if read.eps > 1e-10 else "complex128")
    device_phases = B.from_numpy(phases, xp=xp, device=read.device)
    flat = xp.reshape(kernel, (read.groups, read.outputs, -1, math.prod(taps)))
    symbols = xp.tensordot(B.cast(flat, device_phases.dtype), device_phases, axes=((3,), (1,)))
    symbols = xp.moveaxis(symbols, -1, 0)
    values = xp.linalg.svdvals(B.stop_gradient(symbols))[..., 0]
    best = xp.argmax(xp.reshape(values, (-1,)))
    matrix = xp.reshape(symbols, (-1, read.outputs, symbols.shape[-1]))[best, ...]
    return _simple(matrix) * factor


def _simple(matrix: Array) -> Array:
    """Largest singular value, with the derivative of a simple one."""
    xp = B.array_namespace(matrix)
    u, _, vh = xp.linalg.svd(B.stop_gradient(matrix), full_matrices=False)
    norm = xp.sum(B.conj(u[:, :1]) * xp.matmul(matrix, B.adjoint(vh)[:, :1]))
    return B.cast(norm, B.real_dtype(xp, matrix.dtype))


def _dilated(read: Weight, array: Array) -> tuple[Array, tuple[int, ...]]:
    """The kernel's polyphase components as one unit-stride kernel (groups * outputs, inputs', *taps)."""
    count = int(math.prod(array.shape))
    numbers = np.arange(1.0, count + 1).reshape(tuple(array.shape))
    places, positions = polyphase(numbers, read.stride, read.groups, read.dilation)
    extents = tuple(int(p[-1]) + 1 for p in positions)
    # positions that no tap takes are left empty
    full = np.zeros((*places.shape[:3], *extents), dtype=np.int64)
    full[(slice(None),) * 3 + np.ix_(*positions)] = places
    flat = read.xp.concat([read.xp.zeros_like(read.xp.reshape(array, (-1,))[:1]), read.xp.reshape(array, (-1,))])
    index = B.from_numpy(full.reshape(-1), xp=read.xp, device=read.device)
    return read.xp.reshape(read.xp.take(flat, index), full.shape), extents
