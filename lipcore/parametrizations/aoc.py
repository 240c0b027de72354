"""Orthogonal kernels with strides, groups and dilation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .. import _backend as B
from .._typing import Array, Shape
from ._blocks import Entries, bases, pointwise, projector_axes, projector_entries, taps_last, with_projector
from ._polar import Factor, polar
from ._weights import Weight, read_weight


def aoc(weight: Array, *, stride: int | Sequence[int] = 1, groups: int = 1, dilation: int | Sequence[int] = 1) -> Array:
    r"""Orthogonal kernel with strides, groups and dilation, for convolutions and transposed convolutions.

    Parameters
    ----------
    weight : array, shape (out, in) or (out, in / groups, \*k)
        Dense weight or kernel, float32 or float64, whose entries serve as parameters. The weight of a transposed
        convolution is laid out ``(in, out / groups, *k)``, that of the convolution which it transposes: give it as it
        is.
    stride, dilation : int or sequence of int, default 1
        Of the convolution. On every axis the kernel needs ``k >= s / gcd(s, d)``.
    groups : int, default 1
        Of the convolution; each group is orthogonal by itself.

    Returns
    -------
    array
        Of the shape of `weight`.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If the options do not fit it, or the kernel is shorter than its stride.

    See Also
    --------
    bcop : For stride 1.
    rko : For kernels shorter than their stride, where it is orthogonal on the rows.

    Notes
    -----
    A kernel of s taps that tile the image, orthonormal as a matrix, is convolved with an orthogonal kernel of stride 1
    and k - s + 1 taps out of projectors (`bcop`). A common divisor of stride and dilation leaves pixels that no tap
    meets; what is left is a convolution of stride s / gcd(s, d) on the others.

    **Guarantee.** Under circular padding onto its own size (a multiple of the stride) orthogonal: on rows where
    ``out <= in S`` per group, S the pixels per stride, :math:`S = \prod s / \gcd(s, d)`, on columns where
    ``out >= in S``, unless stride and dilation have a common divisor, when a column can be zero. With zero padding or
    none 1-Lipschitz. This for parameters whose matrices have singular values within a factor of 10,000; for any others
    1-Lipschitz. Up to rounding in each factor. The transposed convolution has the same singular values.

    **Cost.** Independent of batch and image: two or three polar factors, one of them of a stack of
    :math:`\sum (k - s)` matrices, and as many products of kernels, each through a basis of half rank.
    **Limits.** As those of `bcop`.

    Boissin, Mamalet, Fel, Picard, Massena and Serrurier 2025, "An adaptive orthogonal convolution scheme for
    efficient and flexible CNN architectures" (arXiv 2501.07930).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> kernel = lc.parametrizations.aoc(np.random.default_rng(0).standard_normal((8, 2, 3, 3)), stride=2)
    >>> A = lc.Convolution(kernel, (2, 6, 6), stride=2, padding=1, padding_mode="circular")
    >>> np.allclose((A.H @ A).to_dense(), np.eye(72))
    True
    """
    return by_projectors(weight, polar, stride=stride, groups=groups, dilation=dilation)


def by_projectors(
    weight: Array,
    factor: Factor,
    *,
    stride: int | Sequence[int] = 1,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Array:
    """`aoc` with polar factors by `factor`."""
    read = read_weight(weight, stride, groups, dilation)
    steps = tuple(s // math.gcd(s, d) for s, d in zip(read.stride, read.dilation, strict=True))
    if any(k < s for k, s in zip(read.taps, steps, strict=True)):
        raise ValueError(
            f"`weight` has {read.taps} taps, fewer than its stride {read.stride} (over common divisors with the "
            f"dilation: {steps}) needs for an orthogonal convolution; use `rko`, or `aol`"
        )
    rest = tuple(k - s + 1 for k, s in zip(read.taps, steps, strict=True))
    available = read.outputs * read.inputs * math.prod(read.taps)
    widths = list(_widths(read, steps))
    # the last one always fits
    fitting = (choice for choice in widths if _needed(read, *choice, steps, rest) <= available)
    width, first = next(fitting, widths[-1])
    return read.like_weight(taps_last(_assembled(read, width, first, steps, rest, factor)))


def _widths(read: Weight, steps: Shape) -> Iterator[tuple[int, bool]]:
    """Channels on which the projectors may act, and whether a matrix goes before them; the best first."""
    pixels = math.prod(steps)
    if pixels == 1:
        # one matrix, before or after the projectors
        for width in sorted({read.outputs, read.inputs}, reverse=True):
            yield width, width != read.inputs
        return
    if read.outputs <= read.inputs * pixels:
        yield read.inputs, False
        yield -(-read.outputs // pixels), True
    else:
        yield read.outputs // pixels, read.outputs // pixels != read.inputs
        yield read.inputs, False


def _needed(read: Weight, width: int, first: bool, steps: Shape, rest: Shape) -> int:
    total = projector_entries(width, rest) + (width * read.inputs if first else 0)
    last = math.prod(steps) > 1 or not first
    return total + (read.outputs * width * math.prod(steps) if last else 0)


def _assembled(read: Weight, width: int, first: bool, steps: Shape, rest: Shape, factor: Factor) -> Array:
    """The matrix that is there, convolved with one projector after the other, (groups, *taps, outputs, inputs)."""
    entries, axes = Entries(read), projector_axes(rest)
    outer = inner = None
    if math.prod(steps) > 1 or not first:
        outer = pointwise(entries, read.outputs, width, steps, factor)
    if first:
        inner = pointwise(entries, width, read.inputs, (1,) * len(steps), factor)
    turns = list(zip(bases(entries, width, rest, factor), axes, strict=True))
    if outer is None:
        # from the input on: the transposed kernel, since projectors are symmetric
        found = B.transpose(inner)
        for basis, axis in reversed(turns):
            found = with_projector(found, basis, axis)
        return B.transpose(found)
    found = outer
    for basis, axis in turns:
        found = with_projector(found, basis, axis)
    return found if inner is None else read.xp.matmul(found, inner)
