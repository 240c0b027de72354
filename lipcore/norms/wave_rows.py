"""Plane waves at the best frequencies of an image: rows that nearly span the leading singular vectors of a convolution.

A circular convolution has the waves at the frequencies of its image for singular vectors. With another padding they
are not far off: a singular vector whose value is near the norm consists, but for a small part, of waves whose own
values are near the norm, since ``||A x||^2`` is at most the integral of ``|x|^2 ||S x||^2`` over all angles. So the
best few combinations of some dozens of waves start a block Krylov method many steps ahead of random vectors.
"""

from __future__ import annotations

import math

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators.convolution import Convolution
from ..operators.convolution_options import multiplications
from ..operators.convolution_transpose import ConvolutionTranspose
from ..solvers.start import leading_rows
from .circular import Blocks, blocks_of
from .lag_gram import LagGram
from .peaks import Peak
from .plane_waves import host_kernels, quadratures, symbol_of
from .symbol import Symbol

__all__ = ["best_frequencies"]

# Waves for k vectors, beside a few for small k. Twice as many at 256 channels, 32 x 32, k = 10, save one block step of
# 12 or none; of three quarters as many the last of ten values took some steps longer.
_WAVES, _FEW = 3, 8
# Frequencies at which the symbol is looked at first, about, and steps of Lanczos then and for the last choice. With
# eight steps the values of 256 channels are off by more than the leading ones are apart, and the waves are not the
# best.
_SCREENED, _STEPS, _LAST_STEPS = 544, 12, 40
# Below so many multiplications a product costs less than looking at the symbol saves.
_WORK = 1 << 24
# Most bytes of the waves.
_BYTES = 1 << 29


def best_frequencies(convolution: Convolution, symbol: Symbol, count: int) -> list[Peak]:
    """The `count` largest singular values, about, of the symbol at the frequencies of the output's pixels.

    Parameters
    ----------
    convolution : Convolution
        Without batch.
    symbol : Symbol
        Its symbol, with at least one active axis.
    count : int

    Returns
    -------
    list of Peak
        Largest first, none the mirror image of another; several of one angle where its second value is large.
        ``lower`` is an estimate here.

    Notes
    -----
    Blocks of frequencies are judged by their centres, the best are split. The last choice is among twice as many.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.norms.plane_waves import symbol_of
    >>> A = lc.Convolution(np.array([[[1.0, -1.0]]]), (1, 8), padding=[(0, 1)])  # |1 - exp(-j theta)|
    >>> [p.angle.round(3).tolist() for p in best_frequencies(A, symbol_of(A, A.kernel), 2)]
    [[3.142], [2.356]]
    """
    counts = np.array([convolution.output_shape[1 + axis] for axis in symbol.axes])
    per_axis = math.ceil((2 * _SCREENED) ** (1 / len(counts))) - 1
    gram, blocks = LagGram(symbol), blocks_of(counts, -(-counts // per_axis), symbol.groups, half=symbol.is_real)
    while True:
        blocks = _best(gram, blocks, counts, 2 * count)
        if np.all(blocks.single):
            break
        blocks = blocks.split()
    if symbol.is_real:
        blocks = blocks.keep(_first_of_mirrored(blocks.first, counts))
    angles = blocks.centres(counts) * symbol.factors
    squares, vectors = gram.leading(blocks.groups, angles, _LAST_STEPS, 2)
    found = np.argsort(-squares, axis=None, kind="stable")[:count]
    places = [divmod(int(i), squares.shape[1]) for i in found]
    return [
        Peak(float(np.sqrt(max(squares[i, j], 0.0))), int(blocks.groups[i]), angles[i], vectors[i, j])
        for i, j in places
    ]


def _best(gram: LagGram, blocks: Blocks, counts: np.ndarray, count: int) -> Blocks:
    """The `count` blocks with the largest norms at their centres."""
    if len(blocks) <= count:
        return blocks
    squares, _ = gram.top(blocks.groups, blocks.centres(counts) * gram.symbol.factors, _STEPS)
    chosen = np.zeros(len(blocks), dtype=bool)
    chosen[np.argsort(-squares, kind="stable")[:count]] = True
    return blocks.keep(chosen)


def _first_of_mirrored(frequencies: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Which frequencies (F, D) are not the negative, on the grid, of an earlier one in lexicographic order."""
    mirrored = np.remainder(-frequencies, counts)
    return np.array([tuple(f) <= tuple(m) for f, m in zip(frequencies.tolist(), mirrored.tolist(), strict=True)])


@leading_rows.register
def _(operator: Convolution, k: int) -> Array | None:
    xp, dtype = operator.xp, B.compute_dtype(operator.xp, operator.dtype)
    count = _WAVES * k + _FEW
    row_bytes = operator.shape[-1] * B.numpy_dtype(dtype).itemsize
    if (
        operator.batch_shape
        or B.is_traced(operator.kernel)
        or multiplications(operator) < _WORK
        or 2 * count * row_bytes > _BYTES
        or 2 * count > operator.shape[-1]
    ):
        return None
    with B.beside(xp):
        kernel = host_kernels(operator)[0]
        symbol = symbol_of(operator, kernel)
        # along an axis with one tap every value is repeated for each position
        repeated = any(n > 1 for a, n in enumerate(operator.output_shape[1:]) if a not in symbol.axes)
        if repeated or not symbol.axes or not np.any(symbol.taps):
            return None
        name = B.dtype_name(B.real_dtype(xp, dtype))
        rows = quadratures(operator, symbol, best_frequencies(operator, symbol, count), dtype=name)
    return B.from_numpy(rows, xp=xp, device=operator.device, dtype=dtype, shared=True)


@leading_rows.register
def _(operator: ConvolutionTranspose, k: int) -> Array | None:
    inner = operator.convolution
    rows = leading_rows(inner, k)
    if rows is None:
        return None
    with B.detached(inner.xp):
        return inner.xp.conj(B.transpose(inner.matmat(B.transpose(rows))))
