"""The polar factor at every frequency."""

from __future__ import annotations

from collections.abc import Sequence

from .._typing import Array
from ..operators import LinearOperator
from ..operators.circular_symbol import CircularSymbol
from ._images import read_image_weight, symbols
from ._polar import polar
from ._weights import scaled


def lot_convolution(weight: Array, input_shape: Sequence[int]) -> LinearOperator:
    r"""Orthogonal circular convolution by the polar factor at every frequency.

    Parameters
    ----------
    weight : array, shape (out, in, \*k)
        Kernel, float32 or float64, whose symbol is orthogonalised.
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
    lot : The same for a matrix.

    Notes
    -----
    :math:`(V V^*)^{-1/2} V` at every frequency: the nearest orthogonal circular convolution of this size.

    **Guarantee.** As a circular convolution of images of this size 1-Lipschitz up to rounding, for every weight;
    orthogonal where the singular values at every frequency lie within a factor of 10,000 of the largest one there. The
    kernel is as large as the image. Stride, dilation and groups do not exist here. The scale of the weight has no
    effect; zero stays zero.

    **Cost.** 28 complex products of order ``min(in, out)`` in float32 (30 in float64) at each of ``n (n / 2 + 1)``
    frequencies for an image of n by n pixels, all kept for the derivative; then two FFTs and a matrix product per
    frequency for each image.

    Xu, Li and Li 2022, "LOT: Layer-wise Orthogonal Training on improving l2 certified robustness" (arXiv 2210.11620).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> weight = np.random.default_rng(0).standard_normal((2, 2, 3))
    >>> A = lc.parametrizations.lot_convolution(weight, (2, 8))
    >>> np.allclose((A.H @ A).to_dense(), np.eye(16))
    True
    """
    read, size = read_image_weight(weight, input_shape, "lot_convolution")
    return CircularSymbol(polar(symbols(read._replace(array=scaled(weight)), size)), size)
