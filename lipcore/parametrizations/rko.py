"""Reshaped kernels with orthonormal rows or columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .._typing import Array
from ..orthogonal.bjorck import bjorck as bjorck_iteration
from ..orthogonal.inputs import check_count
from ._polar import Factor, polar
from ._weights import read_weight


def rko(weight: Array, *, stride: int | Sequence[int] = 1, groups: int = 1, dilation: int | Sequence[int] = 1) -> Array:
    r"""Reshaped kernel orthogonalisation.

    Parameters
    ----------
    weight : array, shape (out, in) or (out, in / groups, \*k)
        Dense weight or kernel, float32 or float64.
    stride, dilation : int or sequence of int, default 1
        Of the convolution.
    groups : int, default 1
        Of the convolution; each group is orthogonalised by itself.

    Returns
    -------
    array
        Of the shape of `weight`.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If the options do not fit it.

    See Also
    --------
    bjorck : The same by the classical iteration.
    aoc : Orthogonal for kernels larger than their stride.

    Notes
    -----
    The kernel as a matrix ``(out, in k)`` is replaced by its polar factor and divided by :math:`\sqrt m`, where
    :math:`m = \prod \lceil k g / s \rceil`, ``g = gcd(s, d)``, is the most outputs of a channel that a pixel enters
    (stride s, dilation d). Fewer pixels enter fewer outputs at the border, but the largest number decides: the average,
    which some libraries divide by, is no bound (an all-ones kernel reaches 1.02).

    **Guarantee.** 1-Lipschitz up to rounding, dense, and as a convolution with zero padding, circular padding onto its
    own size, or none, of every image size. Orthogonal where dense, and where the windows tile the image (k = s, any
    padding that adds no partial windows), for weights whose singular values lie within a factor of 10,000; smaller
    ones stay below 1.

    **Cost.** 28 products of the reshaped kernel with itself in float32, 30 in float64. **Limits.** For windows that
    overlap, signals fade: norms lie well below 1. The scale of the weight has no effect; zero stays zero.

    M. Serrurier et al. 2021, "Achieving robustness in classification using optimal transport with hinge
    regularization" (arXiv 2006.06520); Q. Li et al. 2019 (arXiv 1911.00937).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> weight = lc.parametrizations.rko(np.array([[3.0, 0.0], [4.0, 5.0]]))
    >>> np.allclose(weight @ weight.T, np.eye(2))
    True
    >>> patches = lc.parametrizations.rko(np.random.default_rng(0).standard_normal((4, 1, 2, 2)), stride=2)
    >>> A = lc.Convolution(patches, (1, 6, 6), stride=2)
    >>> np.allclose((A.H @ A).to_dense(), np.eye(36))
    True
    """
    return reshaped(weight, polar, stride=stride, groups=groups, dilation=dilation)


def reshaped(
    weight: Array,
    factor: Factor,
    *,
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Array:
    """`rko` with polar factors by `factor`."""
    read = read_weight(weight, stride, groups, dilation)
    return read.like_weight(factor(read.by_groups(weight)) / math.sqrt(read.windows()))


def bjorck(
    weight: Array,
    *,
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    iterations: int = 15,
    beta: float = 0.5,
) -> Array:
    r"""Reshaped kernel orthogonalisation by the iteration of Björck and Bowie.

    Parameters
    ----------
    weight : array, shape (out, in) or (out, in / groups, \*k)
        Dense weight or kernel, float32 or float64.
    stride, dilation : int or sequence of int, default 1
        Of the convolution.
    groups : int, default 1
        Of the convolution; each group is orthogonalised by itself.
    iterations : int, default 15
        Number of steps :math:`X \leftarrow (1 + \beta) X - \beta X X^T X`, two products each; at least 1, since the
        first one measures the weight.
    beta : float, default 0.5
        Step length, in (0, 0.5].

    Returns
    -------
    array
        Of the shape of `weight`.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If an option is out of range.

    See Also
    --------
    rko : The same in fewer products for the same accuracy.
    spectral : The division alone.

    Notes
    -----
    **Guarantee.** 1-Lipschitz up to rounding under the same paddings as `rko`, after every step, since the
    start is divided by a bound of its norm and :math:`(1 + \beta) x - \beta x^3 \le 1` on [0, 1]. How nearly
    orthogonal the result is depends on the weight: singular values below about 0.002 of the largest are not
    brought to 1 by 15 steps.

    Å. Björck and C. Bowie 1971; C. Anil, J. Lucas, R. Grosse 2019, "Sorting out Lipschitz function approximation"
    (arXiv 1811.05381).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> weight = lc.parametrizations.bjorck(np.array([[3.0, 0.0], [4.0, 5.0]]))
    >>> np.allclose(weight @ weight.T, np.eye(2))
    True
    """
    read = read_weight(weight, stride, groups, dilation)
    # without a step nothing is divided by the norm, and the promise would not hold
    check_count(iterations, "iterations", least=1)
    found = bjorck_iteration(read.by_groups(weight), iterations=iterations, beta=beta)
    return read.like_weight(found / math.sqrt(read.windows()))
