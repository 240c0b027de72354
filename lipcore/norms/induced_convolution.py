r"""1-, inf- and Frobenius norms of convolutions at one image size, from the kernel.

The matrix of a convolution has the entry :math:`k_{o,i,t}` at output pixel p and input pixel :math:`f(p, t)`, where
f adds the padding up: outside the image under zeros (no entry), back into it in the other modes, where several taps may
then meet in one entry. Row sums of absolute values are sums over i and t, so the channels are summed first and one
image of ones goes through the rest; column sums likewise, through the adjoint. Where taps meet, the sums of their
absolute values bound the entry from above, and one row or column, evaluated, bounds from below.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import Convolution
from . import rounding as r
from . import scaling as s
from .absolute_sums import scaled_absolute
from .bounds import Bounds
from .cholesky import check_finite, scale_exponents, working_copy

__all__ = ["convolution_line", "convolution_member", "convolution_norm", "convolution_sums", "meetings"]


def convolution_norm(operator: Convolution, ord: Any) -> Bounds:
    """Rigorous bounds of the 1-, inf- or Frobenius norm of a convolution.

    Parameters
    ----------
    operator : Convolution
        Any stride, dilation, groups, padding and padding mode.
    ord : {1, inf, "fro"}

    Returns
    -------
    Bounds
        As narrow as rounding allows where no two taps meet in one entry, and for "fro". Otherwise ``converged`` tells.
    """
    if operator.batch_shape:
        kernels = B.to_numpy(operator.kernel)
        flat = kernels.reshape(-1, *kernels.shape[len(operator.batch_shape) :])
        found = [convolution_norm(convolution_member(operator, kernel), ord) for kernel in flat]
        names = ("lower", "upper", "log2_lower", "log2_upper", "converged")
        stacked = {n: np.reshape([getattr(b, n) for b in found], operator.batch_shape) for n in names}
        return Bounds(kind="rigorous", ord=ord, method=found[0].method, **stacked)
    kernel = B.to_numpy(operator.kernel)
    return _frobenius(operator, kernel) if ord == "fro" else _extreme_sum(operator, kernel, ord)


def convolution_member(operator: Convolution, kernel: Array, **changes: Any) -> Convolution:
    """The same convolution with another kernel."""
    options: dict[str, Any] = {
        "stride": operator.stride,
        "padding": operator.padding,
        "dilation": operator.dilation,
        "groups": operator.groups,
        "padding_mode": operator.padding_mode,
    }
    shape = changes.pop("input_shape", operator.input_shape)
    return Convolution(kernel, shape, **{**options, **changes})


def convolution_sums(operator: Convolution, kernel: np.ndarray[Any, Any], ord: Any) -> np.ndarray[Any, Any]:
    """Computed column (1) or row (inf) sums of the convolution with the nonnegative `kernel`.

    Parameters
    ----------
    operator : Convolution
        Says how; its own kernel is not read.
    kernel : ndarray of float64, shape (C_out, C_in / groups, *k)
    ord : {1, inf}

    Returns
    -------
    ndarray, shape (C_in, *spatial) or (C_out, *out)
    """
    spatial, groups = operator.input_shape[1:], operator.groups
    if ord == 1:
        per_group = kernel.reshape(groups, -1, *kernel.shape[1:])
        summed = np.sum(per_group, axis=1).reshape(1, -1, *kernel.shape[2:])
        collapsed = convolution_member(operator, summed, groups=1)
        return np.asarray(collapsed.apply_adjoint(np.ones(collapsed.output_shape)))
    summed = np.sum(kernel, axis=1, keepdims=True)
    collapsed = convolution_member(operator, summed, groups=1, input_shape=(1, *spatial))
    return np.asarray(collapsed.apply(np.ones((1, *spatial))))


def _extreme_sum(operator: Convolution, kernel: np.ndarray[Any, Any], ord: Any) -> Bounds:
    absolute, e, largest = scaled_absolute(kernel.reshape(1, -1))
    if largest == 0:
        return Bounds(0.0, 0.0, "rigorous", ord=ord, method="zero kernel")
    sums = convolution_sums(operator, absolute.reshape(kernel.shape), ord)
    best = int(np.argmax(_centred(sums)))
    # Terms of one sum: all taps of all channels, from each padded pixel that copies the same one.
    copies = 1 if operator.padding_mode == "zeros" else math.prod(1 + sum(pair) for pair in operator.padding)
    terms = kernel.size * copies + 8
    # The largest entry is at least 1/2 in size or unscaled, far above what underflows.
    slack = 2 * r.gamma(2 * terms) + 4 * r.LIBM
    upper = float(np.max(sums)) * (1 + slack)
    if operator.padding_mode == "zeros":
        lower, exact = float(np.max(sums)) * (1 - slack), True
    else:
        scaled = working_copy(kernel.reshape(1, -1), e, "float64").reshape(kernel.shape)
        entries = _line(operator, scaled, best, ord)
        # Each entry is a sum of taps, evaluated with an error below gamma times the sum of their absolute values.
        lower = max(float(np.sum(np.abs(entries))) * (1 - slack) - slack * float(sums.flat[best]), 0.0)
        exact = upper - lower <= 1e-9 * upper
    return Bounds.from_scaled(
        lower, upper, int(e), "rigorous", ord=ord, converged=exact, method="sums of absolute values"
    )


def convolution_line(operator: Convolution, ord: Any) -> int:
    """Flat index of a column (1) or row (inf) with the largest sum of absolute values."""
    kernel = B.to_numpy(B.stop_gradient(operator.kernel))
    absolute, _, _ = scaled_absolute(kernel.reshape(1, -1))
    return int(np.argmax(_centred(convolution_sums(operator, absolute.reshape(kernel.shape), ord))))


def _centred(sums: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Sums with ties and near-ties broken in favour of the middle of the image, where no taps meet."""
    distance: Array = 0.0
    for axis in range(1, sums.ndim):
        n = sums.shape[axis]
        away = np.abs(np.arange(n) - (n - 1) / 2) / n
        distance = distance + away.reshape(-1, *(1,) * (sums.ndim - axis - 1))
    return sums * (1.0 - 1e-9 * distance)


def _line(operator: Convolution, kernel: np.ndarray[Any, Any], index: int, ord: Any) -> np.ndarray[Any, Any]:
    """Column (1) or row (inf) of that flat index, evaluated."""
    member = convolution_member(operator, kernel)
    unit = np.zeros(member.shape[-1] if ord == 1 else member.shape[-2], dtype=kernel.dtype)
    unit[index] = 1.0
    return np.asarray(member.matvec(unit) if ord == 1 else member.rmatvec(unit))


def _frobenius(operator: Convolution, kernel: np.ndarray[Any, Any]) -> Bounds:
    r"""Sum over taps t, t' of :math:`k_t \bar k_{t'}` times the number of pixels at which the two meet, axis by axis."""
    largest = s.largest(kernel.reshape(1, -1))
    check_finite(largest)
    if largest == 0:
        return Bounds(0.0, 0.0, "rigorous", ord="fro", method="zero kernel")
    e = scale_exponents(largest, "float64")
    scaled = working_copy(kernel.reshape(1, -1), e, "float64").reshape(kernel.shape)
    counts = [meetings(operator, axis) for axis in range(kernel.ndim - 2)]
    met, bound = scaled, np.abs(scaled)
    for axis, count in enumerate(counts, start=2):
        met, bound = (np.moveaxis(np.tensordot(count, x, (1, axis)), 0, axis) for x in (met, bound))
    value = float(np.sum((scaled.conj() * met).real))
    size = float(np.sum(np.abs(scaled) * bound))
    terms = 4 * kernel.size + sum(4 * count.shape[0] for count in counts) + 32
    error = (2 * r.gamma(terms) + 8 * r.LIBM) * size
    lower, upper = max(value - error, 0.0), value + error
    return Bounds.from_scaled(
        r.sqrt_down(lower), r.sqrt_up(upper), int(e), "rigorous", ord="fro", method="counted taps"
    )


def meetings(operator: Convolution, axis: int) -> np.ndarray[Any, Any]:
    """How often taps t and t' of one axis read the same pixel, over all output pixels; exact integers as floats."""
    n, taps = operator.input_shape[1 + axis], operator.kernel.shape[operator.kernel.ndim - _axes(operator) + axis]
    outputs = np.arange(operator.output_shape[1 + axis])
    reach = operator.stride[axis] * outputs[:, None] + operator.dilation[axis] * np.arange(taps)[None, :]
    pixel = _folded(reach - operator.padding[axis][0], n, operator.padding_mode)
    counts = np.empty((taps, taps))
    for t in range(taps):
        counts[t] = np.sum((pixel == pixel[:, t : t + 1]) & (pixel >= 0), axis=0)
    return counts


def _axes(operator: Convolution) -> int:
    return len(operator.input_shape) - 1


def _folded(position: np.ndarray[Any, Any], n: int, mode: str) -> np.ndarray[Any, Any]:
    """Image pixel that a padded position copies; -1 where there is none."""
    if mode == "zeros":
        return np.where((position < 0) | (position >= n), -1, position)
    if mode == "circular":
        return position % n
    if mode == "replicate":
        return np.clip(position, 0, n - 1)
    mirrored = np.abs(position)
    return np.where(mirrored >= n, 2 * (n - 1) - mirrored, mirrored)
