"""The exponential of a skew convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..operators import Convolution, LinearOperator
from ..operators.selection import Selection
from ..operators.skew_exponential import SkewExponential
from ._images import read_image_weight
from ._weights import Weight, composed, read_weight
from .cayley_convolution import limited_kernel
from .spectral import norm_bound

# Norms of the generator; with a multiple of 4 for the degree no singular value is above 1 up to here.
LIMIT = math.pi


def soc_convolution(
    weight: Array,
    input_shape: Sequence[int],
    *,
    padding_mode: str = "zeros",
    terms: int | None = None,
    form: str = "terms",
) -> LinearOperator:
    r"""Orthogonal convolution by the exponential of a skew one, also under zero padding.

    Parameters
    ----------
    weight : array, shape (out, in, \*k)
        Kernel with odd extents, float32 or float64.
    input_shape : sequence of int
        ``(in, *spatial)`` of one image.
    padding_mode : {"zeros", "circular"}, default "zeros"
        What the generator meets outside of the image.
    terms : int, optional
        Degree of the Taylor polynomial. By default the least multiple of 4 whose remainder is below the precision,
        from the norm of this generator; under ``jax.jit`` from the largest norm.
    form : {"terms", "kernel"}, default "terms"
        Apply the polynomial term by term, or as one convolution with an explicit kernel of ``terms (k - 1) + 1`` taps,
        wrapped around where a circular image is smaller.

    Returns
    -------
    LinearOperator
        From images ``(in, *spatial)`` to ``(out, *spatial)``; ``apply`` takes batches of them.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If it does not fit `input_shape`, an extent is even, or an option is out of range.

    See Also
    --------
    soc : The same for a matrix.

    Notes
    -----
    The weight, filled up with zeros to ``c = max(in, out)`` channels, gives the generator
    :math:`L[o, i, t] = W[o, i, t] - W[i, o, -t]`, whose convolution A is a skew matrix under zero and under circular
    padding alike; the result is :math:`\sum_{t \le T} A^t / t!`, cut to ``out`` channels. Factors for single channels
    in place of the one common factor below would leave a generator that is not skew, and an exponential that is not
    orthogonal.

    **Guarantee.** Orthogonal (columns where ``out >= in``, else rows) up to the remainder
    :math:`\nu^{T + 1} / (T + 1)!`, :math:`\nu = \|A\|`, term by term under both paddings. The explicit kernel is so
    under circular padding, and 1-Lipschitz under zero padding (a part of the convolution on the infinite lattice).
    Never above 1, up to rounding, for T = 8, 12, ..., 24, and for T = 4 where :math:`\nu \le 2.8`. The generator is
    divided by a certified bound of its norm where that exceeds :math:`\pi`. The guarantee is one of this image size for
    the operator; term by term holds for any.

    **Cost.** T convolutions for each image; the default is T = 20 in float32 and 28 in float64 for the largest
    generators, and less for smaller ones. The explicit kernel costs as many products of kernels once, and a larger
    convolution. A certificate of the generator's norm (see `spectral`). **Limits.** Stride, dilation and groups do not
    exist here.

    Singla and Feizi 2021, "Skew orthogonal convolutions" (arXiv 2105.11417).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> weight = np.random.default_rng(0).standard_normal((2, 2, 3, 3))
    >>> A = lc.parametrizations.soc_convolution(weight, (2, 4, 4))
    >>> np.allclose((A.H @ A).to_dense(), np.eye(32))
    True
    """
    read, size = read_image_weight(weight, input_shape, "soc_convolution")
    if padding_mode not in ("zeros", "circular"):
        raise ValueError(f"`padding_mode` must be 'zeros' or 'circular' for soc_convolution, got {padding_mode!r}")
    if form not in ("terms", "kernel"):
        raise ValueError(f"`form` must be 'terms' or 'kernel', got {form!r}")
    if any(k % 2 == 0 for k in read.taps):
        raise ValueError(
            f"`weight` must have odd extents for soc_convolution, got {read.taps}: no middle, no skew kernel"
        )
    if terms is not None and (isinstance(terms, bool) or not hasattr(terms, "__index__") or terms < 1):
        raise ValueError(f"`terms` must be a positive integer, got {terms!r}")
    generator, norm = _generator(read)
    degree = _degree(norm, read.eps) if terms is None else int(terms)
    whole = (max(read.outputs, read.inputs), *size)
    if form == "kernel":
        kernel = _wrapped(_explicit(generator, degree), size if padding_mode == "circular" else None)
        kernel = kernel[: read.outputs, : read.inputs, ...]
        image = (read.inputs, *size)
        return Convolution(kernel, image, padding=_middle(kernel), padding_mode=padding_mode)
    skew = Convolution(generator, whole, padding="same", padding_mode=padding_mode)
    return _cut(SkewExponential(skew, degree), read, size)


def _generator(read: Weight) -> tuple[Array, float]:
    """The skew kernel, at most `LIMIT` long, and a bound of its norm."""
    xp, c = read.xp, max(read.outputs, read.inputs)
    square = limited_kernel(read.array)
    for axis, count in ((0, c - read.outputs), (1, c - read.inputs)):
        if count:
            shape = [count if a == axis else n for a, n in enumerate(square.shape)]
            fill = xp.zeros(tuple(shape), dtype=square.dtype, device=read.device)
            square = xp.concat([square, fill], axis=axis)
    turned = xp.permute_dims(square, (1, 0, *range(2, square.ndim)))
    skew = square - xp.flip(turned, axis=tuple(range(2, square.ndim)))
    bound, number = norm_bound(read_weight(skew), skew, rtol=1e-2)
    limit = LIMIT * (1 - 64 * read.eps)
    # a common factor, symmetric in the channels: what is exactly skew stays so
    skew = skew * (limit / xp.maximum(bound, limit + xp.zeros_like(bound)))
    return skew, min(LIMIT, number * (1 + 64 * read.eps))


def _degree(norm: float, eps: float) -> int:
    """The least multiple of 4 with a remainder below `eps`; no singular value is above 1 then (but for it)."""
    for degree in range(4, 100, 4):
        if norm ** (degree + 1) / math.factorial(degree + 1) <= eps:
            return degree
    raise AssertionError("the remainder of a norm of at most pi is below any precision by then")


def _explicit(generator: Array, degree: int) -> Array:
    """Kernel of the polynomial."""
    xp = B.array_namespace(generator)
    c, taps = int(generator.shape[0]), tuple(int(k) for k in generator.shape[2:])
    eye = xp.eye(c, dtype=generator.dtype, device=B.device_of(generator))
    total = power = xp.reshape(eye, (c, c, *(1 for _ in taps)))
    pads = tuple((k // 2, k // 2) for k in taps)
    for t in range(1, degree + 1):
        power = composed(generator, power) / t
        total = B.pad(total, pads) + power
    return total


def _wrapped(kernel: Array, size: Shape | None) -> Array:
    """The kernel, wrapped around a circular image where it is longer; its middle stays in the middle."""
    if size is None:
        return kernel
    xp = B.array_namespace(kernel)
    for axis, n in enumerate(size, start=2):
        k = int(kernel.shape[axis])
        if k <= n:
            continue
        # taps at the same distance from the middle, modulo n, meet the same pixel
        before = (n // 2 - k // 2) % n
        after = -(before + k) % n
        pads = tuple((before, after) if a == axis else (0, 0) for a in range(2, kernel.ndim))
        kernel = B.pad(kernel, pads)
        shape = tuple(int(s) for s in kernel.shape)
        kernel = xp.sum(xp.reshape(kernel, (*shape[:axis], -1, n, *shape[axis + 1 :])), axis=axis)
    return kernel


def _middle(kernel: Array) -> list[tuple[int, int]]:
    return [(int(k) // 2, int(k) - 1 - int(k) // 2) for k in kernel.shape[2:]]


def _cut(whole: LinearOperator, read: Weight, size: Shape) -> LinearOperator:
    """The first `outputs` channels of what is done to the first `inputs`."""
    xp, pixels, found = read.xp, math.prod(size), whole
    dtype, length = whole.dtype, whole.shape[-1]
    if read.inputs * pixels < length:
        first = B.from_numpy(np.arange(read.inputs * pixels), xp=xp, device=read.device)
        found = found @ Selection(first, length, dtype=dtype).H
    if read.outputs * pixels < length:
        first = B.from_numpy(np.arange(read.outputs * pixels), xp=xp, device=read.device)
        found = Selection(first, length, dtype=dtype) @ found
    return found.with_shapes((read.inputs, *size), (read.outputs, *size))
