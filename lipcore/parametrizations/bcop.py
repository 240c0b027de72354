"""Block convolution orthogonal parametrisation."""

from __future__ import annotations

from collections.abc import Sequence

from .._typing import Array
from ._polar import Factor, polar
from .aoc import by_projectors


def bcop(weight: Array, *, stride: int = 1, groups: int = 1, dilation: int | Sequence[int] = 1) -> Array:
    r"""Orthogonal kernel from projectors, for stride 1.

    Parameters
    ----------
    weight : array, shape (out, in) or (out, in / groups, \*k)
        Dense weight or kernel, float32 or float64, whose entries serve as parameters.
    stride : int, default 1
        1; `aoc` has strides.
    groups : int, default 1
        Of the convolution; each group is orthogonal by itself.
    dilation : int or sequence of int, default 1
        Of the convolution. The kernel does not depend on it.

    Returns
    -------
    array
        Of the shape of `weight`.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If the options do not fit it, or `stride` is not 1.

    See Also
    --------
    aoc : With strides, by the same factors.

    Notes
    -----
    The kernel is a matrix with orthonormal rows or columns convolved with factors of two taps,
    :math:`P + (I - P) z` along each axis, P a projector of half rank; two of them along two axes are the 2 x 2 blocks
    :math:`[P Q, P (I - Q); (I - P) Q, (I - P)(I - Q)]`.

    **Guarantee.** Orthogonal (columns where ``out >= in``, else rows) under circular padding onto its own size, for
    every image size and dilation; with zero padding or none 1-Lipschitz, since it is a part of the orthogonal one on
    the infinite lattice. This for parameters whose matrices have singular values within a factor of 10,000; for any
    others 1-Lipschitz. Up to rounding in each factor.

    **Cost.** :math:`1 + \sum (k - 1)` polar factors of order ``max(out, in)`` by half of it, all but one
    in one stack, and as many products of kernels.
    **Limits.** Not all orthogonal convolutions in two dimensions are reached, and the ranks of the projectors cut the
    set into parts (Li et al. double the channels against it). One channel gives a shift. The factors act on the larger
    of ``out`` and ``in`` where the weight has entries enough, else on the smaller.

    Li, Haque, Anil, Lucas, Grosse and Jacobsen 2019, "Preventing gradient attenuation in Lipschitz constrained
    convolutional networks" (arXiv 1911.00937).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> kernel = lc.parametrizations.bcop(np.random.default_rng(0).standard_normal((4, 4, 3, 3)))
    >>> A = lc.Convolution(kernel, (4, 5, 5), padding=1, padding_mode="circular")
    >>> np.allclose((A.H @ A).to_dense(), np.eye(100))
    True
    """
    return stride_one_by_projectors(weight, polar, stride=stride, groups=groups, dilation=dilation)


def stride_one_by_projectors(
    weight: Array, factor: Factor, *, stride: int = 1, groups: int = 1, dilation: int | Sequence[int] = 1
) -> Array:
    """`bcop` with polar factors by `factor`."""
    if stride not in (1, (1,), (1, 1), (1, 1, 1)):
        raise ValueError(f"`stride` must be 1 for bcop, got {stride!r}; use `aoc`, which is orthogonal with strides")
    return by_projectors(weight, factor, groups=groups, dilation=dilation)
