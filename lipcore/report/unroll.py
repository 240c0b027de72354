"""Convolutions of any image size as small matrices and kernels: what their norms over all sizes are made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._typing import Array, Shape


def spread(kernel: Array, stride: Shape, dilation: Shape) -> Array:
    """Write the dilation into the kernel where a stride above 1 makes it matter.

    Notes
    -----
    Without a stride the symbol of a dilated kernel takes the same values at other angles, so its supremum is that of
    the undilated one. With a stride the zeros between the taps decide which taps meet, and are written out.

    Examples
    --------
    >>> import numpy as np
    >>> spread(np.ones((1, 1, 3)), (2,), (2,))
    array([[[1., 0., 1., 0., 1.]]])
    >>> spread(np.ones((1, 1, 3)), (1,), (2,)).shape
    (1, 1, 3)
    """
    factors = [d if s > 1 else 1 for s, d in zip(stride, dilation, strict=True)]
    if all(f == 1 for f in factors):
        return kernel
    spatial = [f * (k - 1) + 1 for f, k in zip(factors, kernel.shape[2:], strict=True)]
    wide = np.zeros((*kernel.shape[:2], *spatial), dtype=kernel.dtype)
    taps: tuple[Any, ...] = (..., *(slice(None, None, f) for f in factors))
    wide[taps] = kernel
    return wide


def row_matrix(kernel: Array) -> Array:
    """Matrix whose inf-norm is that of the convolution on every image on which one output sees all taps.

    Examples
    --------
    >>> import numpy as np
    >>> row_matrix(np.ones((2, 3, 5, 5))).shape
    (2, 75)
    """
    return kernel.reshape(kernel.shape[0], -1)


def column_matrices(kernel: Array, stride: Shape, dilation: Shape, groups: int) -> Iterator[Array]:
    """Matrices whose largest 1-norm is that of the convolution on every large enough image.

    Notes
    -----
    An input pixel meets the taps whose offset, modulo the stride, is its own: one matrix per residue, its columns the
    input channels, its rows the outputs of the same group at these taps.

    Examples
    --------
    >>> import numpy as np
    >>> [m.shape for m in column_matrices(np.ones((4, 3, 3)), (2,), (1,), 1)]
    [(8, 3), (4, 3)]
    """
    out, channels = kernel.shape[0] // groups, kernel.shape[1]
    grouped = kernel.reshape(groups, out, channels, *kernel.shape[2:])
    axes = []
    for taps, s, d in zip(kernel.shape[2:], stride, dilation, strict=True):
        residues = [[a for a in range(taps) if a * d % s == r] for r in range(s)]
        axes.append([chosen for chosen in residues if chosen])
    for chosen in itertools.product(*axes):
        block = grouped
        for axis, taps_here in enumerate(chosen):
            block = np.take(block, taps_here, axis=3 + axis)
        yield np.moveaxis(block, (0, 2), (-2, -1)).reshape(-1, groups * channels)
