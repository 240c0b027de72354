"""Resampling of images by interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from .._typing import Shape
from ..operators.axis_table import AxisTable
from ..operators.convolution_options import read_per_axis
from .interpolation import interpolation_table
from .separable import SeparableLayer
from .windows import spatial_axes

# torch's names, with the number of spatial axes that each is for
_MODES = {
    "nearest": ("nearest", (1, 2, 3)),
    "nearest-exact": ("nearest-exact", (1, 2, 3)),
    "linear": ("linear", (1,)),
    "bilinear": ("linear", (2,)),
    "trilinear": ("linear", (3,)),
    "bicubic": ("cubic", (2,)),
}


class Upsample(SeparableLayer):
    r"""Images resampled onto another size by interpolation: torch's ``Upsample``.

    Parameters
    ----------
    size : int or tuple of int, optional
        Pixels of the output; one number, or one for each spatial axis.
    scale_factor : float or tuple of float, optional
        Pixels of the output for each of the input, instead of `size`.
    mode : {"nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic"}, optional
        How pixels between pixels are made; each but the first two is for one number of spatial axes.
    align_corners : bool, optional
        Whether the centres of the corner pixels stay in the corners, instead of the corners themselves. Not for the
        nearest pixel.

    Raises
    ------
    ValueError
        Unless just one of `size` and `scale_factor` is given, and the options fit each other and the image.

    Notes
    -----
    Semantics are torch's, in exact arithmetic: torch computes positions in floating point and may pick a neighbour
    where one falls on an edge. The output is a matrix along each axis, of one ("nearest"), two ("linear") or four
    ("bicubic") entries in a row. Each norm is the product of the norms of the axes, which need the sizes
    (`input_shape`): r for an axis in the 1-norm, the root of r in the 2-norm and 1 in the inf-norm for the nearest
    pixel at an integer scale r, attained by any image; less for linear interpolation in the 2-norm; in the inf-norm
    more than 1 only for cubic interpolation, whose weights are partly negative. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.Upsample(scale_factor=2, mode="linear")
    >>> layer(np.array([[[0.0, 4.0]]]))
    array([[[0., 1., 3., 4.]]])
    >>> nearest = lc.layers.Upsample(scale_factor=2)
    >>> bounds = nearest.lipschitz(2, input_shape=(3, 8, 8))
    >>> bool(bounds.lower <= 2.0 <= bounds.upper < 2.000001)
    True
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        *,
        align_corners: bool = False,
    ) -> None:
        if (size is None) == (scale_factor is None):
            raise ValueError(f"give one of `size` and `scale_factor`, got {size!r} and {scale_factor!r}")
        if mode not in _MODES:
            raise ValueError(f"`mode` must be one of {', '.join(_MODES)}, got {mode!r}")
        if align_corners and mode.startswith("nearest"):
            raise ValueError(f"`align_corners` is for interpolation between pixels, not for mode {mode!r}")
        self.mode, self.align_corners = mode, bool(align_corners)
        self.size: Any = None
        self.scale_factor: Any = None
        if size is not None:
            several = isinstance(size, Sequence)
            self.size = read_per_axis("size", size, len(size) if isinstance(size, Sequence) else 1, 1)
            self.size = self.size if several else self.size[0]
        else:
            several = isinstance(scale_factor, Sequence)
            factors = [_factor(f) for f in (scale_factor if isinstance(scale_factor, Sequence) else [scale_factor])]
            self.scale_factor = tuple(factors) if several else factors[0]

    def _tables(self, shape: Shape) -> Sequence[AxisTable | None]:
        spatial = spatial_axes(shape, "Upsample")
        method, axes = _MODES[self.mode]
        if len(spatial) not in axes:
            raise ValueError(f"mode {self.mode!r} is for images of {axes[0]} spatial axes, got the shape {shape}")
        given = self.size if self.scale_factor is None else self.scale_factor
        several = given if isinstance(given, tuple) else (given,) * len(spatial)
        if len(several) != len(spatial):
            raise ValueError(f"{given} does not fit images of {len(spatial)} spatial axes, got the shape {shape}")
        tables = []
        for n, value in zip(spatial, several, strict=True):
            count = value if self.scale_factor is None else math.floor(n * value)
            if n < 1 or count < 1:
                raise ValueError(f"an axis of {n} pixels resampled by {value} has none left")
            step = Fraction(n, count) if self.scale_factor is None else 1 / value
            tables.append(interpolation_table(n, count, step, method, self.align_corners))
        return [None, *tables]


def _factor(value: Any) -> Fraction:
    try:
        factor = Fraction(value)
    except (TypeError, ValueError, OverflowError):
        factor = Fraction(0)
    if factor <= 0:
        raise ValueError(f"`scale_factor` must be positive and finite, got {value!r}")
    return factor
