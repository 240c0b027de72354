"""Average pooling onto a given size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._typing import Shape
from ..operators.axis_table import AxisTable
from ..operators.convolution_options import read_per_axis
from .separable import SeparableLayer, mean_table
from .windows import Windows, adaptive_windows, spatial_axes


class AdaptiveAvgPool(SeparableLayer):
    r"""Means over as many windows as the output has pixels: torch's ``AdaptiveAvgPool1d`` to ``AdaptiveAvgPool3d``.

    Parameters
    ----------
    output_size : int or tuple of int or None
        Pixels of the output; one number, or one for each of 1 to 3 spatial axes, where None keeps the size.

    Raises
    ------
    ValueError
        If `output_size` is out of range, or has not as many entries as the image has spatial axes.

    Notes
    -----
    Output i of m along an axis of n pixels is the mean of the pixels from :math:`\lfloor i n / m \rfloor` up to
    :math:`\lceil (i + 1) n / m \rceil`; neighbouring windows share a pixel where m does not divide n. Each norm is the
    product of those of the axes, from their matrices; where m divides n it is :math:`\sqrt{m/n}` (2), m/n (1) and 1
    (inf) for each axis. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.AdaptiveAvgPool(2)
    >>> layer(np.array([[[0.0, 1.0, 2.0]]]))
    array([[[0.5, 1.5]]])
    >>> print(layer.lipschitz(1, input_shape=(1, 3)).upper)
    1.0
    """

    def __init__(self, output_size: int | Sequence[int | None]) -> None:
        self.output_size = read_output_size(output_size)

    def _tables(self, shape: Shape) -> Sequence[AxisTable | None]:
        windows = windows_of(self.output_size, spatial_axes(shape, "AdaptiveAvgPool"))
        return [None, *(mean_table(w, w.span) for w in windows)]


def read_output_size(value: Any) -> Any:
    """`value` as an integer, or a tuple of one to three integers and None."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return read_per_axis("output_size", value, 1, 1)[0]
    if not 1 <= len(value) <= 3:
        raise ValueError(f"`output_size` must have one entry for each of 1 to 3 spatial axes, got {value!r}")
    numbers = read_per_axis("output_size", [1 if v is None else v for v in value], len(value), 1)
    return tuple(None if v is None else n for v, n in zip(value, numbers, strict=True))


def windows_of(output_size: Any, spatial: Shape) -> list[Windows]:
    """Adaptive windows of each axis of an image."""
    sizes = output_size if isinstance(output_size, tuple) else (output_size,) * len(spatial)
    if len(sizes) != len(spatial):
        raise ValueError(f"`output_size` {output_size} does not fit images of {len(spatial)} spatial axes {spatial}")
    return [adaptive_windows(n, n if m is None else m) for n, m in zip(spatial, sizes, strict=True)]
