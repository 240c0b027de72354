"""What the constructions for images of one size share: their symbols at the frequencies of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..operators.circular_symbol import half_size
from ..operators.convolution_options import read_image
from ._weights import Weight, read_weight


def read_image_weight(weight: Array, input_shape: Sequence[int], name: str) -> tuple[Weight, Shape]:
    """A checked kernel, and the image's spatial sizes."""
    image = read_image(input_shape)
    read = read_weight(weight)
    if len(read.taps) != len(image) - 1 or read.inputs != image[0]:
        raise ValueError(
            f"`weight` {tuple(weight.shape)} does not fit `input_shape` {image} for {name}: kernels are (out, in, *k), "
            "with as many axes of taps as the image has spatial axes"
        )
    return read, image[1:]


def symbols(read: Weight, size: Shape) -> Array:
    """Symbols (*half, out, in) of the circular convolution with the kernel, its middle tap at the origin."""
    xp = read.xp
    grids = np.meshgrid(*(np.arange(n) for n in half_size(size)), indexing="ij")
    taps = np.meshgrid(*(np.arange(k) - k // 2 for k in read.taps), indexing="ij")
    turns = sum(np.multiply.outer(g / n, t) for g, t, n in zip(grids, taps, size, strict=True))
    waves = np.exp(2j * np.pi * np.asarray(turns)).reshape(*half_size(size), -1)
    waves = waves.astype("complex64" if read.eps > 1e-10 else "complex128")
    there = B.from_numpy(waves, xp=xp, device=read.device)
    flat = xp.permute_dims(xp.reshape(read.array, (read.outputs, read.inputs, -1)), (2, 0, 1))
    return xp.tensordot(there, B.cast(flat, there.dtype), axes=1)
