r"""1-, inf- and Frobenius norms of convolutions at one image size, from the kernel.

The matrix of a convolution has, at output pixel p and input pixel x, the sum of the taps t with :math:`f(p, t) = x`; f
adds the padding up: outside the image under zeros, back into it in the other modes, where several taps may meet in one
entry. In one axis, let S run over the sets of taps that meet somewhere (each tap alone, mostly, and a few more at the
borders). In several axes the sets are products, so the entries are those of a kernel :math:`K'` in which the taps are
replaced by the sets, and a column sum is

.. math:: \sum_o \sum_{S_1, S_2} C_1[x_1, S_1]\, C_2[x_2, S_2]\, |K'_{o, i, S_1, S_2}|

with C the number of output pixels at which S meets in x: channels are summed first, then one small product per axis.
Row sums count input pixels instead, the Frobenius norm counts both and squares.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import Convolution
from . import rounding as r
from . import scaling as s
from .bounds import Bounds
from .cholesky import check_finite, scale_exponents, working_copy

__all__ = ["Meetings", "convolution_norm", "meetings"]


class Meetings(NamedTuple):
    """Sets of taps that meet on one axis: members (sets, taps), counts by output (out, sets) and input (n, sets)."""

    members: np.ndarray[Any, Any]
    by_output: np.ndarray[Any, Any]
    by_input: np.ndarray[Any, Any]


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
        As narrow as rounding allows.
    """
    kernels = B.to_numpy(B.stop_gradient(operator.kernel))
    batch = operator.batch_shape
    axes = [meetings(operator, axis) for axis in range(len(operator.input_shape) - 1)]
    found = [_one(operator, kernel, axes, ord) for kernel in kernels.reshape(-1, *kernels.shape[len(batch) :])]
    lower, upper, e = (np.asarray(x).reshape(batch) for x in zip(*found, strict=True))
    numbers: tuple[Any, Any, Any] = (lower, upper, e) if batch else (float(lower), float(upper), int(e))
    return Bounds.from_scaled(*numbers, "rigorous", ord=ord, method="sums over the taps")


def _one(operator: Convolution, kernel: Array, axes: list[Meetings], ord: Any) -> tuple[float, float, int]:
    """Bounds for one kernel, scaled, and the exponent."""
    largest = s.largest(kernel.reshape(1, -1))
    check_finite(largest)
    if largest == 0:
        return 0.0, 0.0, 0
    e = scale_exponents(largest, "float64")
    scaled = working_copy(kernel.reshape(1, -1), e, "float64").reshape(kernel.shape)
    entries, sizes = np.abs(_merged(scaled, axes)), _merged(np.abs(scaled), axes)
    # An entry is off by gamma times the sum of the absolute values of its taps; what underflows is far below that,
    # since the largest tap is not small. All sums below are of nonnegative numbers.
    terms = kernel.size + sum(sum(x.members.shape) + x.by_output.shape[0] + x.by_input.shape[0] for x in axes) + 16
    slack = 2 * r.gamma(2 * terms) + 4 * r.LIBM
    if ord == "fro":
        value, size = (_length(x, axes) for x in (entries, sizes))
    else:
        sums = [_sums(operator, x, axes, ord) for x in (entries, sizes)]
        # Not the bound of each sum, but of all of them: the largest sum of the sizes is at least that of the entries.
        value, size = (float(np.max(x)) for x in sums)
    return max(value - 2 * slack * size, 0.0), value + 2 * slack * size, int(e)


def _merged(kernel: Array, axes: list[Meetings]) -> Array:
    """Taps summed over the sets that meet, axis by axis."""
    for axis, meeting in enumerate(axes, start=2):
        if len(meeting.members) > kernel.shape[axis]:
            kernel = np.moveaxis(np.tensordot(meeting.members, kernel, (1, axis)), 0, axis)
    return kernel


def _sums(operator: Convolution, entries: Array, axes: list[Meetings], ord: Any) -> Array:
    """Column sums (C_in, *spatial) or row sums (C_out, *out) of nonnegative entries."""
    if ord == 1:
        grouped = entries.reshape(operator.groups, -1, *entries.shape[1:])
        summed = np.sum(grouped, axis=1).reshape(-1, *entries.shape[2:])
    else:
        summed = np.sum(entries, axis=1)
    for axis, meeting in enumerate(axes, start=1):
        counts = meeting.by_input if ord == 1 else meeting.by_output
        summed = np.moveaxis(np.tensordot(counts, summed, (1, axis)), 0, axis)
    return summed


def _length(entries: Array, axes: list[Meetings]) -> float:
    """Frobenius norm: how often each set meets, times the squares."""
    total = np.sum(np.square(entries), axis=(0, 1))
    for meeting in axes:
        total = np.tensordot(np.sum(meeting.by_output, axis=0), total, (0, 0))
    return float(np.sqrt(total))


def meetings(operator: Convolution, axis: int) -> Meetings:
    """Which taps of one spatial axis meet, where and how often; exact integers as floats."""
    n, out = operator.input_shape[1 + axis], operator.output_shape[1 + axis]
    taps = int(operator.kernel.shape[operator.kernel.ndim - len(operator.input_shape) + 1 + axis])
    reach = operator.stride[axis] * np.arange(out)[:, None] + operator.dilation[axis] * np.arange(taps)[None, :]
    pixel = _folded(reach - operator.padding[axis][0], n, operator.padding_mode)
    ordered = np.sort(pixel, axis=1)
    clash = np.any((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0), axis=1)
    numbers: dict[tuple[int, ...], int] = {(t,): t for t in range(taps)}
    found: list[tuple[int, int, int]] = []
    for p in np.flatnonzero(clash):
        for x in np.unique(pixel[p][pixel[p] >= 0]):
            together = tuple(map(int, np.flatnonzero(pixel[p] == x)))
            found.append((int(p), int(x), numbers.setdefault(together, len(numbers))))
    members = np.zeros((len(numbers), taps))
    for together, number in numbers.items():
        members[number, list(together)] = 1.0
    output, tap = np.nonzero((pixel >= 0) & ~clash[:, None])
    where = np.stack([output, pixel[output, tap], tap], axis=1)
    where = np.concatenate([where, np.asarray(found, dtype=np.int64).reshape(-1, 3)])
    by_output, by_input = np.zeros((out, len(numbers))), np.zeros((n, len(numbers)))
    np.add.at(by_output, (where[:, 0], where[:, 2]), 1.0)
    np.add.at(by_input, (where[:, 1], where[:, 2]), 1.0)
    return Meetings(members, by_output, by_input)


def _folded(position: Array, n: int, mode: str) -> Array:
    """Image pixel that a padded position copies; -1 where there is none."""
    if mode == "zeros":
        return np.where((position < 0) | (position >= n), -1, position)
    if mode == "circular":
        return position % n
    if mode == "replicate":
        return np.clip(position, 0, n - 1)
    mirrored = np.abs(position)
    return np.where(mirrored >= n, 2 * (n - 1) - mirrored, mirrored)
