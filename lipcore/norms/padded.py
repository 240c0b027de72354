"""Rigorous bounds of convolutions on images, whatever their size, padding, stride, dilation and groups.

*Upper.* With padded image ``P x`` (P copies pixels, or adds zeros) a convolution is ``C P``, C a valid convolution,
which is a compression of the one on the infinite lattice: ``||C|| <= Sup``. ``P^H P`` is diagonal and counts the
copies of each pixel, so ``||P||^2`` is their largest number exactly, a product over the axes; it is 1 for zeros.
Hence ``||A|| <= Sup ||P||``.

*Circular.* Let the image have n pixels, stride s, ``g = gcd(s, n)`` on an axis. The outputs are outputs of the
circular convolution of stride g (those at the positions ``s p mod n``, all multiples of g), each occurring at most
``ceil(out g / n)`` times. So the norm is at most ``sqrt(prod ceil(out g / n))`` times the norm of that one, which
is block diagonal in frequency; and where n divides ``out g`` every one occurs equally often, and this is the norm
itself.

*Lower.* A vector in hand, ``||A v|| / ||v||`` computed on the host in float64 less the error bound of the products.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from .. import _backend as B
from ..operators.convolution import Convolution
from ..operators.convolution_transpose import ConvolutionTranspose
from . import rounding as r
from .bounds import Bounds
from .certify import Request, certify
from .circular import grid_maximum
from .image_case import ImageCase, like, padding_norm
from .plane_waves import host_kernels, symbol_of
from .symbol import Symbol

__all__ = ["convolution_bounds", "padding_norm"]

# Most Lanczos steps on the operator.
_STEPS = 60
# An operator with a side this short is written down where the symbol's supremum is too far away.
_WRITTEN_DOWN = 1536
# One this small is written down at once.
_SMALL = 96


def convolution_bounds(convolution: Convolution, rtol: float = 1e-3, *, maxiter: int = _STEPS) -> Bounds:
    """Rigorous enclosure of the 2-norm of a convolution on its images.

    Parameters
    ----------
    convolution : Convolution
        Real or complex, of any backend, size and padding mode; a batch is bounded member by member.
    rtol : float, default 1e-3
        Wanted relative width ``(upper - lower) / upper``.
    maxiter : int, default 60
        Most Lanczos steps on the operator per member.

    Returns
    -------
    Bounds
        Of kind "rigorous", for the stored numbers. `converged` says whether `rtol` was reached.

    Notes
    -----
    ====================================  ==========================================================================
    padding                               bounds
    ====================================  ==========================================================================
    circular, n divides ``out gcd(s,n)``  exact: both sides from the frequencies, `rtol` always reached
    zeros, or none                        upper from the supremum of the symbol; the norm tends to it like ``1 / n^2``
    reflect, replicate, other circular    the same times the norm of the padding; wide, unless the kernel has its
                                          maximum away from borders
    any, if the above is too wide         group by group; with a side up to 1536 long, written down and certified as
                                          a matrix
    ====================================  ==========================================================================

    Cost: a few hundred small Cholesky factorisations on the host, one product in float64 with the windowed plane
    wave at the symbol's peak, and Lanczos steps (two products each) only while that does not reach `rtol`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.Convolution(np.array([[[-1.0, 2.0, -1.0]]]), (1, 200), padding=1)
    >>> bounds = convolution_bounds(A, rtol=1e-3)
    >>> norm = 2 + 2 * np.cos(np.pi / 201)
    >>> bounds.kind, bounds.converged, bool(bounds.lower <= norm <= bounds.upper)
    ('rigorous', True, True)
    """
    if not rtol > 0:
        raise ValueError(f"`rtol` must be positive, got {rtol!r}")
    parts = []
    with B.beside(convolution.xp):
        for index, kernel in enumerate(host_kernels(convolution)):
            member = convolution if not convolution.batch_shape else _member(convolution, index)
            parts.append(_bounds_of(member, kernel, rtol, maxiter))
    if not convolution.batch_shape:
        return parts[0]
    fields: dict[str, Any] = {
        name: np.array([getattr(p, name) for p in parts]).reshape(convolution.batch_shape)
        for name in ("lower", "upper", "log2_lower", "log2_upper", "converged")
    }
    matvecs = max((p.matvecs for p in parts), default=0)
    return Bounds(kind="rigorous", matvecs=matvecs, method=parts[0].method if parts else "", **fields)


def _member(convolution: Convolution, index: int) -> Convolution:
    kernels = convolution.xp.reshape(
        convolution.kernel, (-1, *convolution.kernel.shape[len(convolution.batch_shape) :])
    )
    return like(convolution, kernels[index, ...])


def _bounds_of(convolution: Convolution, kernel: np.ndarray[Any, Any], rtol: float, maxiter: int) -> Bounds:
    symbol = symbol_of(convolution, kernel)
    if not np.any(symbol.taps):
        return Bounds(0.0, 0.0, "rigorous", method="zero kernel")
    wrapped = _circular(convolution, kernel, rtol) if convolution.padding_mode == "circular" else None
    if wrapped is not None and wrapped.lower > 0:
        return wrapped
    case = ImageCase(convolution, kernel, symbol)
    if max(convolution.shape[-2:]) <= _SMALL**2 // min(convolution.shape[-2:]):
        return case.written_down(rtol)
    bounds = case.bounds(rtol, maxiter)
    if wrapped is not None:
        upper, log2_upper = min(bounds.upper, wrapped.upper), min(bounds.log2_upper, wrapped.log2_upper)
        bounds = dataclasses.replace(bounds, upper=upper, log2_upper=log2_upper)
        bounds = dataclasses.replace(bounds, converged=bool(bounds.relative_width <= rtol))
    if bounds.converged or min(convolution.shape[-2:]) > _WRITTEN_DOWN * convolution.groups:
        return bounds
    one = convolution.groups == 1
    bounds = bounds.tightened(case.written_down(rtol) if one else _by_groups(convolution, kernel, rtol, maxiter))
    return dataclasses.replace(bounds, converged=bool(bounds.relative_width <= rtol))


def _by_groups(convolution: Convolution, kernel: np.ndarray[Any, Any], rtol: float, maxiter: int) -> Bounds:
    """The largest of the groups: on channels, a grouped convolution is block diagonal."""
    per_group = (kernel.shape[1], *convolution.input_shape[1:])
    parts = []
    for taps in np.split(kernel, convolution.groups):
        part = Convolution(
            taps,
            per_group,
            stride=convolution.stride,
            padding=convolution.padding,
            dilation=convolution.dilation,
            padding_mode=convolution.padding_mode,
        )
        parts.append(_bounds_of(part, taps, rtol, maxiter))
    largest = parts[0].maximum(*parts[1:])
    return dataclasses.replace(largest, method=f"group by group: {parts[0].method}")


def _circular(convolution: Convolution, kernel: np.ndarray[Any, Any], rtol: float) -> Bounds:
    """Bounds by frequencies; a `lower` of zero where the outputs are not all of a circular convolution's."""
    sizes, outputs = convolution.input_shape[1:], convolution.output_shape[1:]
    steps = tuple(math.gcd(s, n) for s, n in zip(convolution.stride, sizes, strict=True))
    symbol = Symbol.from_kernel(kernel, steps, convolution.groups, convolution.dilation)
    counts = tuple(n // g for n, g in zip(sizes, steps, strict=True))
    found = grid_maximum(symbol, counts, rtol * 0.99)
    repeats = math.prod(-(-m // c) for m, c in zip(outputs, counts, strict=True))
    exact = all(m % c == 0 for m, c in zip(outputs, counts, strict=True))
    lower = r.mul_down(found.lower, r.sqrt_down(float(repeats))) if exact else 0.0
    upper = r.mul_up(found.upper, r.sqrt_up(float(repeats)))
    return Bounds.from_scaled(
        lower,
        upper,
        symbol.exponent,
        "rigorous",
        converged=bool(upper - lower <= rtol * upper),
        method=f"frequencies, {found.evaluations} certificates",
    )


@certify.register
def _(operator: Convolution, request: Request) -> Bounds:
    return convolution_bounds(operator, request.rtol, maxiter=min(_STEPS, request.maxiter))


@certify.register
def _(operator: ConvolutionTranspose, request: Request) -> Bounds:
    # The plain transpose has the same singular values.
    return certify(operator.convolution, request)
