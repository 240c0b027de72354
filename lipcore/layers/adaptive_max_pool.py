"""Max pooling onto a given size."""

from __future__ import annotations

from collections.abc import Sequence

from .._typing import Shape
from .adaptive_avg_pool import read_output_size, windows_of
from .window_maximum import WindowMaximum
from .windows import Windows


class AdaptiveMaxPool(WindowMaximum):
    r"""Maxima over as many windows as the output has pixels: torch's ``AdaptiveMaxPool1d`` to ``AdaptiveMaxPool3d``.

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
    Windows are those of `AdaptiveAvgPool`. The constants are :math:`\sqrt c` (2), c (1) and 1 (inf) with c the largest
    number of windows that one input is in: 1 where the output divides the image, and up to 2 for each axis that it does
    not divide, if it is no larger than the image. Attained by an image with one peak. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.AdaptiveMaxPool(2)
    >>> layer(np.array([[[0.0, 3.0, 2.0]]]))
    array([[[3., 3.]]])
    >>> layer.lipschitz(1, input_shape=(1, 3)).upper, layer.lipschitz(1, input_shape=(1, 4)).upper
    (2.0, 1.0)
    """

    def __init__(self, output_size: int | Sequence[int | None]) -> None:
        self.output_size = read_output_size(output_size)

    def _windows(self, spatial: Shape) -> list[Windows]:
        return windows_of(self.output_size, spatial)
