"""Rotations by the exponential of a skew matrix."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array
from ..orthogonal.matrix_exp import matrix_exp
from ._weights import dense_only, limited


def soc(weight: Array) -> Array:
    r"""Orthonormal rows or columns by the exponential of a skew matrix.

    Parameters
    ----------
    weight : array, shape (out, in)
        Dense weight, float32 or float64.

    Returns
    -------
    array, shape (out, in)
        With orthonormal columns where ``out >= in``, else rows.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If it is not a matrix.

    See Also
    --------
    soc_convolution : The exponential of a skew convolution.
    cayley : By a solve instead.

    Notes
    -----
    The weight, filled up with zeros to a square of order ``c = max(out, in)``, gives :math:`A = W - W^T`; the result is
    :math:`\exp A`, cut to ``(out, in)``.

    **Guarantee.** Orthogonal, hence 1-Lipschitz, up to rounding, for every weight. A is scaled down where its
    Frobenius norm exceeds :math:`\pi \sqrt c`, below which every rotation has a logarithm; this fixes the number of
    squarings, so that nothing is read on the host.

    **Cost.** 4 products of order c in float32 (7 in float64), and one for each of :math:`\log_2 (\pi \sqrt c)`
    squarings. **Limits.** Determinant 1. The derivative along A is zero above the limit.

    Singla and Feizi 2021, "Skew orthogonal convolutions" (arXiv 2105.11417).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> quarter = lc.parametrizations.soc(np.array([[0.0, -np.pi / 2], [0.0, 0.0]]))
    >>> np.allclose(quarter, [[0.0, -1.0], [1.0, 0.0]])
    True
    """
    read = dense_only(weight, "soc", "`soc_convolution`")
    xp, c = read.xp, max(read.outputs, read.inputs)
    rows = xp.zeros((c - read.outputs, read.inputs), dtype=weight.dtype, device=read.device)
    square = xp.concat([weight, rows], axis=0) if rows.shape[0] else weight
    columns = xp.zeros((c, c - read.inputs), dtype=weight.dtype, device=read.device)
    square = xp.concat([square, columns], axis=1) if columns.shape[1] else square
    limit = math.pi * math.sqrt(c)
    skew = limited(square - B.transpose(square), limit)
    # the 2-norm is at most the limit, and the exponent below it at most the radius of the Taylor polynomial
    squarings = max(0, math.ceil(math.log2(limit / 0.5)))
    return matrix_exp(skew, squarings=squarings)[: read.outputs, : read.inputs]
