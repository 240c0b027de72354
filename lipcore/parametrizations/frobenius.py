"""Division by the Frobenius norm."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .._typing import Array
from ._weights import read_weight, root_sum_squares, scaled


def frobenius(
    weight: Array,
    *,
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    rows: bool = False,
) -> Array:
    r"""Weight over its Frobenius norm: the cheapest 1-Lipschitz layer, exact for one output.

    Parameters
    ----------
    weight : array, shape (out, in) or (out, in / groups, \*k)
        Dense weight or kernel, float32 or float64.
    stride, dilation : int or sequence of int, default 1
        Of the convolution.
    groups : int, default 1
        Of the convolution; each group is divided by its own norm.
    rows : bool, default False
        Divides every row (output neuron) by its own norm instead. Then each output by itself is 1-Lipschitz, and the
        layer as a whole is not.

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

    Notes
    -----
    **Guarantee.** 1-Lipschitz up to rounding (a few units in the last place for sums of up to thousands of entries),
    dense, and as a convolution with zero padding, circular padding onto its own size, or none, of every image size;
    not orthogonal. Reflected and replicated borders add the norm of the padding. With ``rows=True`` each output is
    1-Lipschitz under the same paddings.

    :math:`\|W\|_2 \le \|W\|_F`; a pixel enters at most :math:`m = \prod \lceil k g / s \rceil` outputs of a channel,
    ``g = gcd(s, d)`` for stride s and dilation d, so that a convolution is at most :math:`\sqrt m` times its kernel
    reshaped to ``(out, in k)``; an all-ones kernel of one channel shows that no smaller factor will do for s = 1.

    **Cost.** One pass over the weight. **Limits.** With ``n`` outputs of equal size the norm is about
    :math:`1/\sqrt n`: signals fade with depth. The scale of the weight has no effect; a zero weight stays zero.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.parametrizations.frobenius(np.array([[3.0, 0.0], [0.0, 4.0]]))
    array([[0.6, 0. ],
           [0. , 0.8]])
    """
    read = read_weight(weight, stride, groups, dilation)
    axes = (-1,) if rows else (-2, -1)
    matrices = scaled(read.by_groups(weight), axes)
    length = root_sum_squares(matrices, axes)
    return read.like_weight(matrices / (length * (math.sqrt(read.windows()) * (1 + 4 * read.eps))))
