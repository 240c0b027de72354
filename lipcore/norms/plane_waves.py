"""Windowed plane waves at the peaks of a symbol: start vectors that almost attain the norm of a convolution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators.convolution import Convolution
from ..operators.convolution_transpose import ConvolutionTranspose
from ..solvers.start import start_vector
from .branch_and_bound import first_peaks
from .lag_gram import LagGram
from .peaks import Peak, polish
from .symbol import Symbol

__all__ = ["host_kernels", "plane_wave", "quadratures", "sum_of_waves", "symbol_of", "symbol_start_vectors"]


# How far candidates for peaks are polished to tell the best, and how far that one is for a start vector. The modes near
# the norm of n pixels lie pi / n apart in angle: a wave that is off by several has little of the first. At 224 x 224,
# 64 channels, two kernels of three took 205 and 155 steps from peaks polished to 1e-2, and take eight.
_RANKED, _POLISHED = 1e-2, 1e-5
# Candidates for the highest peak. From the best of the first two alone one of 60 kernels (48 channels, 24 x 24)
# converged to a value that was 2.7e-3 too small. So all are polished where the image has many pixels, and a step takes
# longer than that; otherwise two, and the start vector has a share of the waves at the others, for a step or two more:
# a larger one of a rival that may come out first after what both lose at the border. With that none of 60 kernels (48
# channels, 16 x 16) was off by more than 1e-4, and without it one, by 5e-4; one to three steps more in the mean.
_CANDIDATES, _TWO, _SHARE, _RIVAL = 8, 2, 0.03, 0.3
_MANY_PIXELS = 1 << 12


def host_kernels(convolution: Convolution) -> np.ndarray[Any, Any]:
    """The kernels of a (stack of) convolution(s) on the host, as ``(batch, C_out, C_in / groups, *k)``."""
    kernel = B.to_numpy(convolution.kernel)
    return kernel.reshape(-1, *kernel.shape[len(convolution.batch_shape) :])


def symbol_of(convolution: Convolution, kernel: np.ndarray[Any, Any]) -> Symbol:
    """Symbol of one kernel of `convolution`."""
    return Symbol.from_kernel(kernel, convolution.stride, convolution.groups, convolution.dilation)


def symbol_start_vectors(convolution: Convolution, count: int = 1, *, rtol: float = _POLISHED) -> Array:
    """Plane waves at the best peaks of the symbol, as start vectors for the norm of a convolution.

    Parameters
    ----------
    convolution : Convolution
        Of any backend, size and padding; without batch.
    count : int, default 1
        Number of vectors: of the best `count` separated peaks. Fewer are returned where the symbol has fewer.
    rtol : float, default 1e-5
        How far the peaks are polished.

    Returns
    -------
    array, shape (b, N)
        Rows of unit norm, on the operator's backend and device and in its dtype; real for real kernels.

    Notes
    -----
    At a maximising angle with top right singular vector x the wave ``x exp(j theta.p)``, windowed by
    ``prod sin(pi (p + 1) / (n + 1))``, has a Rayleigh quotient of ``Sup (1 - O(1 / n^2))``, which makes it a start
    some ten Lanczos steps ahead of a random one. Cost: lag matrices and a coarse grid of angles on the host, some
    milliseconds for 64 channels; no product with the operator.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.Convolution(np.array([[[-1.0, 2.0, -1.0]]]), (1, 50), padding=1)
    >>> v = symbol_start_vectors(A)[0]
    >>> bool(np.linalg.norm(A.matvec(v)) > 0.999 * np.linalg.norm(A.to_dense(), 2))
    True
    """
    symbol = symbol_of(convolution, host_kernels(convolution)[0])
    found = first_peaks(LagGram(symbol), rtol, max(count, 3))[0][:count] if np.any(symbol.taps) else []
    rows = [plane_wave(convolution, symbol, peak) for peak in found]
    if not rows:
        rows = [np.full(convolution.shape[-1], 1 / math.sqrt(convolution.shape[-1]))]
    return B.from_numpy(np.stack(rows), xp=convolution.xp, device=convolution.device, dtype=convolution.dtype)


def plane_wave(
    convolution: Convolution, symbol: Symbol, peak: Peak, *, window: bool = True, dtype: str = "float64"
) -> np.ndarray[Any, Any]:
    """The wave of one peak on the pixels of the image, ``(N,)`` on the host, of unit norm, real for a real kernel.

    Without the window it is an exact singular vector of a circular convolution, if the angle is one of its
    frequencies. `dtype` names the precision of the real parts.
    """
    return sum_of_waves(convolution, symbol, [(peak, 1.0)], window=window, dtype=dtype)


def sum_of_waves(
    convolution: Convolution, symbol: Symbol, weighted: list[tuple[Peak, float]], *, window: bool, dtype: str
) -> np.ndarray[Any, Any]:
    """Waves of unit norm, each times its weight, as one product per group, in the wanted precision."""
    channels, *image = convolution.input_shape
    per_group, size = channels // symbol.groups, channels * math.prod(image)
    precision = np.dtype(dtype) if symbol.is_real else np.result_type(np.dtype(dtype), np.complex64)
    factors: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for peak, weight in weighted:
        rows, last = _factors(convolution, symbol, peak, window)
        # the norm of a product from the two small Gram matrices of its factors
        length = math.sqrt(max(0.0, np.vdot(rows.conj().T @ rows, (last @ last.conj().T).conj()).real))
        if length > 0:
            factors.setdefault(peak.group, []).append((rows * (weight / length), last))
    if not factors:
        return np.full(size, size**-0.5, dtype=precision)
    flat = (np.empty if symbol.groups == 1 else np.zeros)((channels, *image), dtype=precision)
    for group, pairs in factors.items():
        rows = np.concatenate([rows for rows, _ in pairs], axis=1).astype(precision)
        last = np.concatenate([last for _, last in pairs]).astype(precision)
        part = flat[group * per_group : (group + 1) * per_group].reshape(rows.shape[0], -1)
        np.matmul(rows, last, out=part)
    return flat.reshape(-1)


def quadratures(convolution: Convolution, symbol: Symbol, peaks: list[Peak], *, dtype: str) -> np.ndarray[Any, Any]:
    """Waves without window, as rows of any length: for a real kernel cosine and sine of each, (2 count, N).

    A complex kernel has one complex row for each, (count, N).
    """
    channels, *image = convolution.input_shape
    per_group, parts = channels // symbol.groups, 2 if symbol.is_real else 1
    precision = np.dtype(dtype) if symbol.is_real else np.result_type(np.dtype(dtype), np.complex64)
    flat = (np.empty if symbol.groups == 1 else np.zeros)((len(peaks), parts, channels, *image), dtype=precision)
    for peak, parts_of_one in zip(peaks, flat, strict=True):
        rows, last = _complex_factors(convolution, symbol, peak, False)
        turned = [rows]
        if symbol.is_real:
            last = np.concatenate([last.real, last.imag])
            turned = [np.concatenate(pair, axis=1) for pair in ((rows.real, -rows.imag), (rows.imag, rows.real))]
        for part, left in zip(parts_of_one, turned, strict=True):
            place = part[peak.group * per_group : (peak.group + 1) * per_group].reshape(left.shape[0], -1)
            np.matmul(left.astype(precision), last.astype(precision), out=place)
    return flat.reshape(-1, convolution.shape[-1])


def _factors(
    convolution: Convolution, symbol: Symbol, peak: Peak, window: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The factors of one row: of the complex wave, or for a real kernel of its largest real part over all phases."""
    rows, last = _complex_factors(convolution, symbol, peak, window)
    if symbol.is_real:
        turn = np.sum(np.sum(rows * rows, axis=0) * np.sum(last * last, axis=1))
        # A wave at theta and one at -theta are both singular for a real kernel.
        rows = rows * (np.exp(-0.5j * np.angle(turn)) if abs(turn) > 0 else 1.0)
        rows, last = np.concatenate([rows.real, -rows.imag], axis=1), np.concatenate([last.real, last.imag])
    return rows, last


def _complex_factors(
    convolution: Convolution, symbol: Symbol, peak: Peak, window: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A wave on its group's channels, of any length: a thin matrix times one of few rows, those of the last axis."""
    channels, *image = convolution.input_shape
    angles = np.zeros(len(image))
    # The symbol's angle is the convolution's times `factors`; any of the preimages serves.
    angles[list(symbol.axes)] = peak.angle / symbol.factors
    axes = [_axis_wave(convolution, axis, angles[axis], symbol, window) for axis in range(len(image))]
    grid = _right_vector(symbol, peak).reshape(channels // symbol.groups, *(w.shape[0] for w in axes))
    for axis, wave in enumerate(axes[:-1], start=1):
        # Every pixel has one residue, whose row of the wave is not zero.
        grid = np.moveaxis(np.tensordot(grid, wave, axes=(axis, 0)), -1, axis)
    # The last axis makes the full size, where the factors meet.
    return grid.reshape(-1, axes[-1].shape[0]), axes[-1]


def _axis_wave(convolution: Convolution, axis: int, angle: float, symbol: Symbol, window: bool) -> np.ndarray[Any, Any]:
    """``exp(j theta.p)`` along one axis, (residues, n): in the row of the residue of each pixel, zero elsewhere."""
    n, k = convolution.input_shape[1 + axis], convolution.kernel.shape[axis - len(convolution.input_shape) + 1]
    s, (before, _) = convolution.stride[axis], convolution.padding[axis]
    places = np.arange(n) + before
    block, rest = places // s, places % s
    touched = np.unique(convolution.dilation[axis] * np.arange(k) % s)
    slot = np.minimum(np.searchsorted(touched, rest), len(touched) - 1)
    hit = touched[slot] == rest
    # S is sum K exp(-j a.theta) and the wave exp(j theta.p) meets the taps at p + a.
    wave = np.exp(-1j * angle * block) * hit
    if window:
        wave = wave * _window(block, axis in symbol.axes, s * convolution.output_shape[1 + axis], hit, s)
    return np.asarray(wave * (slot == np.arange(len(touched))[:, None]))


def _right_vector(symbol: Symbol, peak: Peak) -> np.ndarray[Any, Any]:
    """Top right singular vector of the symbol itself, also where its taps are stored transposed."""
    if not symbol.transposed:
        return peak.vector
    # x is right singular for S^T = conj(V) Sigma U^T, so conj(S^T x) is right singular for S.
    return np.asarray(np.conj(symbol.evaluate(peak.group, peak.angle[None])[0] @ peak.vector))


def _window(block: np.ndarray, active: bool, reach: int, hit: np.ndarray, stride: int) -> np.ndarray[Any, Any]:
    """First Dirichlet sine over the polyphase positions; on an axis with one tap, the positions of whole patches."""
    if active:
        first, last = int(block[0]), int(block[-1])
        return np.asarray(np.sin(np.pi * (block - first + 1) / (last - first + 2)))
    counts = np.bincount(block[hit], minlength=int(block[-1]) + 1)
    whole = (counts[block] == counts.max()) & (block < reach // stride)
    return np.where(np.any(whole), whole, True).astype(np.float64)


def _start(convolution: Convolution, kernel: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    """The wave of the best peak, and a little of what else promises to be one: nobody proves that it is the best."""
    symbol = symbol_of(convolution, kernel)
    if not np.any(symbol.taps):
        return np.full(convolution.shape[-1], convolution.shape[-1] ** -0.5, dtype=dtype)
    polished = _CANDIDATES if math.prod(convolution.input_shape[1:]) >= _MANY_PIXELS else _TWO
    best, *others = first_peaks(LagGram(symbol), _RANKED, count=polished, others=_CANDIDATES - polished)[0]
    best = polish(symbol, np.array([best.group]), best.angle[None], best.vector[None], _POLISHED)[0]
    weighted = [(best, 1.0)]
    if polished < _CANDIDATES:
        rivals = best.lower * (1 - _lost_at_the_border(convolution, symbol))
        weighted += [(peak, _RIVAL if peak.lower > rivals else _SHARE) for peak in others]
    return sum_of_waves(convolution, symbol, weighted, window=True, dtype=dtype)


def _lost_at_the_border(convolution: Convolution, symbol: Symbol) -> float:
    """What a wave may lose of the symbol's norm, relative to it, by its window: half of what the curvature allows."""
    pixels = np.array([convolution.output_shape[1 + axis] for axis in symbol.axes])
    return 0.5 * float(np.sum((np.pi * symbol.weights / (pixels + 1)) ** 2))


def _stacked_starts(convolution: Convolution) -> Array:
    """One start per member of a batch, ``(*batch_shape, N)``."""
    xp = convolution.xp
    dtype = B.compute_dtype(xp, convolution.dtype)
    with B.beside(xp):
        kernels, name = host_kernels(convolution), B.dtype_name(B.real_dtype(xp, dtype))
        rows = [_start(convolution, kernel, name) for kernel in kernels]
    stacked = np.stack(rows) if len(rows) > 1 else rows[0]
    stacked = stacked.reshape(*convolution.batch_shape, convolution.shape[-1])
    return B.from_numpy(stacked, xp=xp, device=convolution.device, dtype=dtype, shared=True)


@start_vector.register
def _(operator: Convolution) -> Array | None:
    # Reading the kernel is impossible under a tracer, and would stall a stream of small problems.
    return None if B.is_traced(operator.kernel) else _stacked_starts(operator)


@start_vector.register
def _(operator: ConvolutionTranspose) -> Array | None:
    inner, xp = operator.convolution, operator.xp
    if B.is_traced(inner.kernel):
        return None
    dtype = B.compute_dtype(xp, operator.dtype)
    with B.detached(xp):
        image = B.cast(xp.conj(inner.matvec(B.cast(_stacked_starts(inner), inner.dtype))), dtype)
        length = xp.linalg.vector_norm(image, axis=-1, keepdims=True)
        return image / B.cast(xp.where(length > 0, length, xp.ones_like(length)), dtype)
