"""The Cayley transform at every frequency."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from ..operators.circular_symbol import CircularSymbol
from ._images import read_image_weight, symbols
from ._polar import polished
from ._weights import limited
from .cayley import transform


def cayley_convolution(weight: Array, input_shape: Sequence[int]) -> LinearOperator:
    r"""Orthogonal circular convolution by the Cayley transform at every frequency.

    Parameters
    ----------
    weight : array, shape (out, in, \*k)
        Kernel, float32 or float64, whose symbol is transformed.
    input_shape : sequence of int
        ``(in, *spatial)`` of one image.

    Returns
    -------
    LinearOperator
        From images ``(in, *spatial)`` to ``(out, *spatial)``; ``apply`` takes batches of them.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If it does not fit `input_shape`.

    See Also
    --------
    cayley : The same for a matrix.

    Notes
    -----
    **Guarantee.** Orthogonal (columns where ``out >= in``, else rows) up to rounding, for every weight, as a circular
    convolution of images of this size; the kernel is as large as the image. Zero padding would need another operator.
    Stride, dilation and groups do not exist here. Weights whose symbol has a Frobenius norm above
    :math:`\epsilon^{-1/4}` at a frequency are scaled down to it there, and a cubic step ends the transform: see
    `cayley`. A zero weight gives the identity.

    **Cost.** ``n (n / 2 + 1)`` solves of order ``min(in, out)``, in complex numbers, for an image of n by n pixels, and
    as many matrices in memory; then two FFTs and a matrix product per frequency for each image.

    Trockman and Kolter 2021, "Orthogonalizing convolutional layers with the Cayley transform" (arXiv 2104.07167).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> weight = np.random.default_rng(0).standard_normal((3, 2, 3, 3))
    >>> A = lc.parametrizations.cayley_convolution(weight, (2, 6, 6))
    >>> np.allclose((A.H @ A).to_dense(), np.eye(72))
    True
    """
    read, size = read_image_weight(weight, input_shape, "cayley_convolution")
    found = symbols(read._replace(array=limited_kernel(read.array)), size)
    wide = read.outputs < read.inputs
    tall = B.adjoint(found) if wide else found
    tall = polished(transform(limited(tall, read.eps**-0.25), read.xp))
    return CircularSymbol(B.adjoint(tall) if wide else tall, size)


def limited_kernel(kernel: Array) -> Array:
    """A kernel whose symbol cannot overflow; no other is changed."""
    xp = B.array_namespace(kernel)
    flat = xp.reshape(kernel, (1, -1))
    return xp.reshape(limited(flat, 1e15), tuple(kernel.shape))
