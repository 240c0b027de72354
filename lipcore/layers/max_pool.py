"""Max pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .._typing import Shape
from .regions import Region
from .window_maximum import WindowMaximum
from .windows import PoolOptions, Windows


class MaxPool(WindowMaximum):
    r"""Maxima over windows of an image: torch's ``MaxPool1d``, ``MaxPool2d`` and ``MaxPool3d``.

    Parameters
    ----------
    kernel_size : int or tuple of int
        Pixels of a window; one number, or one for each of 1 to 3 spatial axes.
    stride : int or tuple of int, optional
        Step between windows; `kernel_size` by default.
    padding : int or tuple of int, optional
        Pixels around the image that are never the largest, at most half of `kernel_size`.
    dilation : int or tuple of int, optional
        Step between the pixels of a window.
    ceil_mode : bool, optional
        Whether a last window may reach beyond the image.

    Raises
    ------
    ValueError
        If an option is out of range, or does not fit the image.

    Notes
    -----
    The Jacobian picks, for each output, the input that is the largest in its window (of equal ones the first). Let c be
    the largest number of windows that one input is in. The best constants are :math:`\sqrt c` (2), c (1) and 1 (inf),
    attained by an image with one peak, which all of its windows pick. With kernel k, stride t and dilation d, an axis
    has :math:`c = \lceil k g / t \rceil`, g the greatest common divisor of d and t, or fewer if the image is small: 1,
    and a constant of 1, only where windows do not overlap. On a region, windows that cannot pick an input are not
    counted. Kind: rigorous. Without a known shape (and with an option that says the number of axes) the constants are
    those of all large images.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.MaxPool(3, 1)
    >>> layer(np.array([[[0.0, 1.0, 5.0, 2.0, 0.0]]]))
    array([[[5., 5., 5.]]])
    >>> print(layer.lipschitz(2, input_shape=(1, 5)))
    [1.73205, 1.73206] (rigorous)
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        self.options = PoolOptions(kernel_size, stride, padding, dilation, ceil_mode)

    def _windows(self, spatial: Shape) -> list[Windows]:
        return self.options.windows(spatial)

    def _overlap(self, region: Region | None, shape: Shape | None) -> int:
        if shape is None and self.options.axes is not None:
            options = self.options.per_axis(self.options.axes)
            # a pixel meets tap j of some window where d j is its residue modulo the stride: every t / g taps
            return math.prod(-(-kernel * math.gcd(d, stride) // stride) for kernel, stride, _, d in options)
        return super()._overlap(region, shape)
