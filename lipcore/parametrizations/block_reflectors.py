"""Products of two reflections in subspaces."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from ._polar import Factor, polar
from ._weights import dense_only


def block_reflectors(weight: Array) -> Array:
    r"""Orthonormal rows or columns by two block reflectors, :math:`(I - 2 P P^T)(I - 2 Q Q^T)`.

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

    Notes
    -----
    P and Q are orthonormal bases of the first and the second half of the weight's columns (of its rows, where it is
    wide), and the product is cut to the weight's shape. It is the product of two block Householder reflections
    :math:`I - 2 V (V^T V)^{-1} V^T`.

    **Guarantee.** 1-Lipschitz up to rounding for every weight: P P^T has its eigenvalues in [0, 1] even where the
    basis is not orthonormal, and then :math:`|1 - 2 \sigma^2| \le 1`. Orthogonal where the singular values of each half
    lie within a factor of 10,000, or are all zero: a zero weight gives the identity.

    **Cost.** About 30 products of half size, and two of full size. **Limits.** Each reflection moves at most half of
    the space, so not every rotation is reached by one product. The scale of each half has no effect.

    Lai, Huang, Kung and Chen 2025, "Enhancing certified robustness via block reflector orthogonal layers and
    logit annealing loss" (arXiv 2505.15174).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> weight = lc.parametrizations.block_reflectors(np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> np.allclose(weight, [[-1.0, 0.0], [0.0, -1.0]])
    True
    """
    return by_reflections(weight, polar)


def by_reflections(weight: Array, factor: Factor) -> Array:
    """`block_reflectors` with polar factors by `factor`."""
    read = dense_only(weight, "block_reflectors", "`aoc`, with the same factors")
    wide = read.outputs < read.inputs
    tall = B.transpose(weight) if wide else weight
    half = (tall.shape[1] + 1) // 2
    found = read.xp.eye(tall.shape[0], tall.shape[1], dtype=weight.dtype, device=read.device)
    for part in (tall[:, half:], tall[:, :half]):
        if part.shape[1]:
            basis = factor(part)
            found = found - 2 * read.xp.matmul(basis, read.xp.matmul(B.transpose(basis), found))
    return B.transpose(found) if wide else found
