"""The polar factor of a dense weight."""

from __future__ import annotations

from .._typing import Array
from ._polar import polar
from ._weights import dense_only


def lot(weight: Array) -> Array:
    r"""Orthonormal rows or columns by the inverse root of the Gram matrix, :math:`(V V^T)^{-1/2} V`.

    Parameters
    ----------
    weight : array, shape (out, in)
        Dense weight, float32 or float64.

    Returns
    -------
    array, shape (out, in)
        The nearest matrix with orthonormal rows (columns where ``out > in``).

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If it is not a matrix.

    See Also
    --------
    lot_convolution : The same at every frequency of an image.
    rko : The same for dense weights, and 1-Lipschitz for kernels.

    Notes
    -----
    **Guarantee.** 1-Lipschitz up to rounding for every weight; orthogonal for weights whose singular values lie within
    a factor of 10,000, smaller ones stay below 1. Polynomials of the weight take the place of the coupled Newton
    iteration for the root, which squares the condition number. The scale has no effect; zero stays zero.

    **Cost.** 28 products in float32, 30 in float64.

    Xu, Li and Li 2022, "LOT: Layer-wise Orthogonal Training on improving l2 certified robustness" (arXiv 2210.11620).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> np.allclose(lc.parametrizations.lot(np.array([[2.0, 0.0], [0.0, -3.0]])), [[1.0, 0.0], [0.0, -1.0]])
    True
    """
    dense_only(weight, "lot", "`lot_convolution`")
    return polar(weight)
