"""Orthogonal matrices at the frequencies of the kernel, dilated to the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import _backend as B
from .._typing import Array
from ..operators import Convolution, LinearOperator
from ..orthogonal.matrix_exp import matrix_exp
from ._images import read_image_weight, symbols
from ._weights import limited


def eco(weight: Array, input_shape: Sequence[int]) -> LinearOperator:
    r"""Explicitly constructed orthogonal convolution: a dilated kernel with orthogonal matrices at its frequencies.

    Parameters
    ----------
    weight : array, shape (out, in, \*k)
        Kernel, float32 or float64.
    input_shape : sequence of int
        ``(in, *spatial)`` of one image; each size a multiple of the number of taps on that axis.

    Returns
    -------
    LinearOperator
        A `Convolution` from images ``(in, *spatial)`` to ``(out, *spatial)`` with a kernel of as many taps, circular
        padding and the dilation ``n / k``.

    Raises
    ------
    TypeError
        If `weight` is not float32 or float64.
    ValueError
        If it does not fit `input_shape`, or a size is not a multiple of the number of taps.

    Notes
    -----
    With a dilation of n / k, a circular convolution falls into circular ones on the lattices of k pixels with that
    distance. On them it is orthogonal if the discrete Fourier transform of the kernel **on its own k taps** has an
    orthogonal matrix at every frequency. Those are :math:`\exp(S_f - S_f^*)`, S the transform of the weight, cut to
    ``(out, in)``; the inverse transform is the kernel, real because the transform of a real weight is symmetric.
    Any other relation of dilation, taps and size meets the symbol between these frequencies, where it is not
    orthogonal, and may be longer than 1: such sizes are refused here.

    **Guarantee.** Orthogonal (columns where ``out >= in``, else rows) up to rounding, for every weight, as a circular
    convolution of images of this size. Not 1-Lipschitz under zero padding. A zero weight gives the identity.

    **Cost.** One exponential per frequency of the kernel, whatever the image. **Limits.** Each output sees pixels n / k
    apart only. Determinants are those of exponentials; norms are limited as in `soc`.

    Yu, Li, Cui, Wang and Chen 2022, "Constructing orthogonal convolutions in an explicit manner" (ICLR).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.parametrizations.eco(np.random.default_rng(0).standard_normal((2, 2, 3)), (2, 12))
    >>> A.dilation, np.allclose((A.H @ A).to_dense(), np.eye(24))
    ((4,), True)
    """
    read, size = read_image_weight(weight, input_shape, "eco")
    if any(n % k for n, k in zip(size, read.taps, strict=True)):
        raise ValueError(
            f"`input_shape` must have multiples of the taps {read.taps} as sizes for eco, got {size}: the kernel is "
            "orthogonal at its own frequencies, which must be those that the image has"
        )
    xp, c = read.xp, max(read.outputs, read.inputs)
    limit = math.pi * math.sqrt(c)
    flat = xp.reshape(read.array, (1, -1))
    field = symbols(read._replace(array=xp.reshape(limited(flat, 1e15), tuple(weight.shape))), read.taps)
    for axis, count in ((-2, c - read.outputs), (-1, c - read.inputs)):
        if count:
            shape = list(field.shape)
            shape[axis] = count
            field = xp.concat([field, xp.zeros(tuple(shape), dtype=field.dtype, device=read.device)], axis=axis)
    skew = limited(field - B.adjoint(field), limit)
    turned = matrix_exp(skew, squarings=max(0, math.ceil(math.log2(limit / 0.5))))
    turned = turned[..., : read.outputs, : read.inputs]
    axes = tuple(range(2, 2 + len(size)))
    waves = B.conj(xp.permute_dims(turned, (len(size), len(size) + 1, *range(len(size)))))
    kernel = B.cast(xp.fft.irfftn(waves, s=read.taps, axes=axes), weight.dtype)
    steps = tuple(n // k for n, k in zip(size, read.taps, strict=True))
    padding = [(0, d * (k - 1)) for d, k in zip(steps, read.taps, strict=True)]
    return Convolution(kernel, (read.inputs, *size), padding=padding, dilation=steps, padding_mode="circular")
