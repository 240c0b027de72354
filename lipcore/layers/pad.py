"""Padding of images at their borders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..operators import LinearOperator
from ..operators.padding import Padding
from .base import Ord
from .linear import LinearLayer
from .regions import Region
from .slicing import borders_of, read_borders
from .windows import spatial_axes


class Pad(LinearLayer):
    r"""Pixels added around an image: torch's ``ZeroPad``, ``ConstantPad``, ``ReflectionPad``, ... layers.

    Parameters
    ----------
    padding : int or tuple
        Pixels to add: one number for all spatial axes, or for each an integer or a pair (before, after). (torch lists
        the pairs in one row, the last axis first.)
    mode : {"zeros", "constant", "reflect", "replicate", "circular"}, optional
        What the added pixels hold.
    value : float, optional
        What they hold in the mode "constant".

    Raises
    ------
    ValueError
        If an option is out of range, or the image is too small for its mode.

    Notes
    -----
    The Jacobian copies pixels. With c the largest number of copies of a pixel, the product of those of the axes, the
    best constants are :math:`\sqrt c` (2), c (1) and 1 (inf), attained by an image that is zero at all other pixels.
    Zeros and constants copy nothing twice: 1. At the other modes c is up to 2 or 3 for each axis (reflect, circular) or
    the width of the border plus one (replicate), and needs the shape. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.Pad(((1, 2),), "replicate")
    >>> layer(np.array([[[5.0, 7.0]]]))
    array([[[5., 5., 7., 7., 7.]]])
    >>> layer.lipschitz(1, input_shape=(1, 2)).upper
    3.0
    >>> lc.layers.Pad(1, "constant", -1.0)(np.array([[[5.0]]]))
    array([[[-1.,  5., -1.]]])
    """

    nonnegative = True

    def __init__(self, padding: int | Sequence[int | Sequence[int]], mode: str = "zeros", value: float = 0.0) -> None:
        if mode not in ("constant", *B.PADDING_MODES):
            raise ValueError(f"`mode` must be constant or one of {', '.join(B.PADDING_MODES)}, got {mode!r}")
        if mode != "constant" and value != 0:
            raise ValueError(f'`value` is for the mode "constant", got {value!r} with {mode!r}')
        if not math.isfinite(value):
            raise ValueError(f"`value` must be finite, got {value!r}")
        self.padding: Any = read_borders("padding", padding)
        self.mode, self.value = mode, float(value)

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        return Padding(
            borders_of(self.padding, len(spatial_axes(shape, "Pad"))),
            shape,
            padding_mode="zeros" if self.mode == "constant" else self.mode,
            dtype=like.dtype,
            xp=B.array_namespace(like),
            device=B.device_of(like),
        )

    def _offset(self, shape: Shape) -> Array | None:
        if self.value == 0:
            return None
        inside = np.ones((1, *shape[1:]))
        return self.value * (1.0 - B.pad(inside, borders_of(self.padding, len(shape) - 1)))

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        shape = tuple(x.shape[1:])
        y, offset = self.operator(shape, x).apply(x), self._offset(shape)
        if offset is None:
            return y
        return y + B.from_numpy(offset, xp=B.array_namespace(x), device=B.device_of(x), dtype=x.dtype)

    def _terms(self, shape: Shape) -> int:
        return 1

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        if shape is None and self.mode in ("zeros", "constant"):
            return Bounds(1.0, 1.0, "rigorous", ord=ord, method="copies nothing twice")
        return super()._constant(ord, region, shape)
