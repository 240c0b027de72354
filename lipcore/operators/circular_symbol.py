"""A circular convolution known by its matrices at the frequencies of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import _backend as B
from .._typing import Array, Shape
from .base import LinearOperator


class CircularSymbol(LinearOperator):
    r"""Circular convolution of real images, as one complex matrix for each frequency.

    Parameters
    ----------
    symbols : array, shape (\*half, c_out, c_in)
        Complex. ``half`` are the spatial sizes, the last one replaced by ``n // 2 + 1``: a real image needs no more.
    size : sequence of int
        The spatial sizes of the image.

    Attributes
    ----------
    symbols : array
        The matrices that were given.
    size : tuple of int
        Spatial sizes.

    Raises
    ------
    TypeError
        If `symbols` is not complex.
    ValueError
        If it does not fit `size`.

    Notes
    -----
    With the discrete Fourier transform F of each channel, :math:`y = F^{-1} (S_f (F x)_f)_f`. The frequencies f and -f
    of which both are stored (0, and n / 2 for even n, on the last axis) act as the mean of :math:`S_f` and
    :math:`\overline{S_{-f}}`, so that y is real. The norm is the largest :math:`\|S_f\|_2` of the matrices that act.

    A product costs two FFTs, and a matrix product at each frequency.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.circular_symbol import CircularSymbol
    >>> kernel = np.zeros((1, 1, 6))
    >>> kernel[0, 0, :2] = [1.0, -1.0]
    >>> A = CircularSymbol(np.moveaxis(np.fft.rfft(kernel), -1, 0), (6,))
    >>> np.allclose(A.matvec(np.arange(6.0)), [-5.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    True
    """

    def __init__(self, symbols: Array, size: Sequence[int]) -> None:
        xp = B.array_namespace(symbols, name="symbols")
        if not B.is_complex(xp, symbols.dtype):
            raise TypeError(f"`symbols` must be complex, got dtype {B.dtype_name(symbols.dtype)}")
        self.symbols, self.size = symbols, tuple(size)
        half = half_size(self.size)
        if symbols.ndim != len(half) + 2 or tuple(symbols.shape[:-2]) != half:
            raise ValueError(
                f"`symbols` must have shape (*{half}, c_out, c_in) for images of the size {self.size}, got "
                f"{tuple(symbols.shape)}"
            )
        c_out, c_in = (int(n) for n in symbols.shape[-2:])
        pixels = math.prod(self.size)
        self._setup(
            (c_out * pixels, c_in * pixels),
            dtype=B.real_dtype(xp, symbols.dtype),
            xp=xp,
            device=B.device_of(symbols),
            domain_shape=(c_in, *self.size),
            range_shape=(c_out, *self.size),
        )

    def _matmat(self, X: Array) -> Array:
        return self._by_frequency(self.symbols, X)

    def _rmatmat(self, Y: Array) -> Array:
        return self._by_frequency(B.adjoint(self.symbols), Y)

    def _by_frequency(self, symbols: Array, X: Array) -> Array:
        xp, axes, columns = self.xp, tuple(range(2, 2 + len(self.size))), X.shape[-1]
        c_out, c_in = symbols.shape[-2:]
        if columns == 0:
            return xp.zeros((c_out * math.prod(self.size), 0), dtype=X.dtype, device=self.device)
        images = xp.reshape(B.transpose(X), (columns, c_in, *self.size))
        waves = xp.fft.rfftn(images, axes=axes)
        waves = xp.permute_dims(waves, (*axes, 1, 0))
        waves = xp.permute_dims(xp.matmul(symbols, waves), (len(axes) + 1, len(axes), *range(len(axes))))
        y = B.cast(xp.fft.irfftn(waves, s=self.size, axes=axes), self.dtype)
        return B.transpose(xp.reshape(y, (columns, c_out * math.prod(self.size))))


def half_size(size: Sequence[int]) -> Shape:
    """Shape of the frequencies that a real image needs."""
    return (*tuple(size)[:-1], int(tuple(size)[-1]) // 2 + 1)
