"""Channels into pixels, and back."""

from __future__ import annotations

from collections.abc import Mapping

from .. import _backend as B
from .._typing import Array, Shape
from ..operators import LinearOperator
from ..operators.convolution_options import read_per_axis
from ..operators.rearrangement import Rearrangement
from .entries import EntryLayer
from .windows import spatial_axes


class PixelShuffle(EntryLayer):
    r"""Blocks of channels spread over blocks of pixels: torch's ``PixelShuffle``, for 1 to 3 spatial axes.

    Parameters
    ----------
    upscale_factor : int
        Factor r by which each spatial axis grows.

    Raises
    ------
    ValueError
        If `upscale_factor` is not a positive integer, or the channels are no multiple of :math:`r^D`.

    Notes
    -----
    ``(C r^D, *spatial)`` becomes ``(C, *(r n))``: a permutation, with the constant 1 in every norm, attained
    everywhere. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.PixelShuffle(2)
    >>> layer(np.arange(4.0).reshape(1, 4, 1, 1))
    array([[[[0., 1.],
             [2., 3.]]]])
    """

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = read_per_axis("upscale_factor", upscale_factor, 1, 1)[0]

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        spatial, r = spatial_axes(shape, "PixelShuffle"), self.upscale_factor
        axes = len(spatial)
        if shape[0] % r**axes:
            raise ValueError(f"PixelShuffle takes a multiple of {r**axes} channels, got the shape {shape}")
        channels = shape[0] // r**axes
        order = (0, *(a for i in range(axes) for a in (1 + axes + i, 1 + i)))
        grown = (channels, *(r * n for n in spatial))
        return rearranged((channels, *(r,) * axes, *spatial), order, shape, grown, like)


class PixelUnshuffle(EntryLayer):
    r"""Blocks of pixels gathered in channels, the inverse of `PixelShuffle`: torch's ``PixelUnshuffle``.

    Parameters
    ----------
    downscale_factor : int
        Factor r by which each spatial axis shrinks.

    Raises
    ------
    ValueError
        If `downscale_factor` is not a positive integer, or does not divide the image.

    Notes
    -----
    ``(C, *(r n))`` becomes ``(C r^D, *n)``: a permutation, with the constant 1 in every norm, attained everywhere.
    Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.PixelUnshuffle(2)
    >>> layer(np.arange(4.0).reshape(1, 1, 2, 2))[0, :, 0, 0]
    array([0., 1., 2., 3.])
    """

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = read_per_axis("downscale_factor", downscale_factor, 1, 1)[0]

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        spatial, r = spatial_axes(shape, "PixelUnshuffle"), self.downscale_factor
        axes = len(spatial)
        if any(n % r for n in spatial):
            raise ValueError(f"PixelUnshuffle takes images whose sides {r} divides, got the shape {shape}")
        split = (shape[0], *(m for n in spatial for m in (n // r, r)))
        order = (0, *(2 * i + 2 for i in range(axes)), *(2 * i + 1 for i in range(axes)))
        shrunk = (shape[0] * r**axes, *(n // r for n in spatial))
        return rearranged(split, order, shape, shrunk, like)


def rearranged(split: Shape, order: Shape, shape: Shape, image: Shape, like: Array) -> Rearrangement:
    """The permutation in the library, dtype and device of `like`."""
    return Rearrangement(
        split,
        order,
        domain_shape=shape,
        range_shape=image,
        dtype=like.dtype,
        xp=B.array_namespace(like),
        device=B.device_of(like),
    )
