"""Almost orthogonal layers: a factor for each input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from ._weights import Weight, nonzero, read_weight, scaled


def aol(weight: Array, *, stride: int | Sequence[int] = 1, groups: int = 1, dilation: int | Sequence[int] = 1) -> Array:
    r"""Almost orthogonal weight: every input is scaled by what it shares with the others.

    Parameters
    ----------
    weight : array, shape (out, in) or (out, in / groups, \*k)
        Dense weight or kernel, float32 or float64.
    stride, dilation : int or sequence of int, default 1
        Of the convolution. With a stride, the pixels of one channel have a factor for each residue.
    groups : int, default 1
        Of the convolution.

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
    :math:`W = P D` with :math:`D_{jj} = (\sum_i |P^T P|_{ij})^{-1/2}`, and zero where the column is zero. For a
    kernel the sum runs over the channels and all lags of the kernel's correlation with itself (lags counted from the
    middle: a wrapped order would give a number that bounds nothing). A stride is taken out by polyphase components,
    whose factors go back into the taps.

    **Guarantee.** 1-Lipschitz up to rounding, dense, and as a convolution with zero padding, circular padding onto its
    own size, or none, of every image size, since :math:`2 |ab| \le a^2 + b^2` in every term of
    :math:`x^T D P^T P D x`. Not orthogonal, exactly so only if :math:`P^T P` is diagonal; training drives it there.

    **Cost.** One correlation of the kernel with itself, :math:`c^3 (2k - 1)^2 k^2` products for a square kernel with c
    channels. **Limits.** Gaussian weights start well below norm 1. The scale of the weight has no effect.

    Prach and Lampert 2022, "Almost-Orthogonal Layers for Efficient General-Purpose Lipschitz Networks"
    (arXiv 2208.03160).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.parametrizations.aol(np.array([[2.0, 0.0], [0.0, 3.0]]))
    array([[1., 0.],
           [0., 1.]])
    >>> kernel = lc.parametrizations.aol(np.ones((1, 1, 3)))
    >>> lc.norms.convolution_supremum(kernel).upper <= 1 + 1e-5
    True
    """
    read = read_weight(weight, stride, groups, dilation)
    array = scaled(weight)
    if read.dense:
        gram = read.xp.abs(read.xp.matmul(B.transpose(array), array))
        return array * _factors(read, read.xp.sum(gram, axis=0, keepdims=True))
    if max(read.stride) == 1:
        return array * _factors(read, _per_input(array, read.groups))
    index, back = _residues(read)
    flat = read.xp.concat([read.xp.reshape(array, (-1,)), read.xp.zeros_like(read.xp.reshape(array, (-1,))[:1])])
    split = read.xp.reshape(read.xp.take(flat, _moved(index, read)), index.shape)
    split = split * _factors(read, _per_input(split, read.groups))
    return read.like_weight(read.xp.take(read.xp.reshape(split, (-1,)), _moved(back, read)))


def _moved(index: np.ndarray[Any, Any], read: Weight) -> Array:
    return B.from_numpy(index.reshape(-1), xp=read.xp, device=read.device)


def _factors(read: Weight, sums: Array) -> Array:
    """Inverse roots of the sums, lowered by the rounding of one entry; 1 where there is nothing to scale."""
    return (1 - 8 * read.eps) / read.xp.sqrt(nonzero(sums))


def _per_input(kernel: Array, groups: int) -> Array:
    """Sums of absolute correlations of each input channel, (groups * outputs, inputs, 1, ...) by repetition."""
    xp = B.array_namespace(kernel)
    outputs, inputs, ones = kernel.shape[0] // groups, kernel.shape[1], (1,) * (kernel.ndim - 2)
    sums = xp.expand_dims(xp.sum(shared(kernel, groups), axis=-1), axis=1)
    return xp.reshape(xp.broadcast_to(sums, (groups, outputs, inputs)), (groups * outputs, inputs, *ones))


def shared(kernel: Array, groups: int) -> Array:
    """What two input channels share: sums of absolute correlations over all lags, (groups, inputs, inputs)."""
    xp = B.array_namespace(kernel)
    outputs, inputs, taps = kernel.shape[0] // groups, kernel.shape[1], tuple(kernel.shape[2:])
    ones, pads = (1,) * len(taps), tuple((k - 1, k - 1) for k in taps)
    images = xp.moveaxis(kernel, 1, 0)  # (inputs, groups * outputs, *k)
    filters = xp.moveaxis(xp.reshape(kernel, (groups, outputs, inputs, *taps)), 2, 1)
    filters = xp.reshape(filters, (groups * inputs, outputs, *taps))
    lags = xp.abs(B.convolve(images, filters, stride=ones, dilation=ones, groups=groups, padding=pads))
    lags = xp.reshape(lags, (inputs, groups, inputs, math.prod(lags.shape[2:])))
    return xp.moveaxis(xp.sum(lags, axis=-1), 0, 1)


def _residues(read: Weight) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Where the entries of the polyphase kernel come from, and where those of the kernel went.

    Tap a meets the pixel ``s p + d a``, of residue ``d a mod s``, at the position ``d a // s`` of its component.
    """
    shape = tuple(int(n) for n in read.array.shape)
    size = math.prod(shape)
    places = [d * np.arange(k) for k, d in zip(read.taps, read.dilation, strict=True)]
    residues = [p % s for p, s in zip(places, read.stride, strict=True)]
    steps = [p // s for p, s in zip(places, read.stride, strict=True)]
    extents = [int(q[-1]) + 1 for q in steps]
    index = np.full((*shape[:2], *read.stride, *extents), size, dtype=np.int64)
    back = np.arange(index.size).reshape(index.shape)
    grids = np.meshgrid(*residues, indexing="ij"), np.meshgrid(*steps, indexing="ij")
    where: Any = (slice(None), slice(None), *grids[0], *grids[1])
    index[where] = np.arange(size).reshape(shape)
    channels = shape[1] * math.prod(read.stride)
    return index.reshape(shape[0], channels, *extents), back[where].reshape(shape)
