"""Average pooling."""

from __future__ import annotations

from collections.abc import Sequence

from .._typing import Shape
from ..operators.axis_table import AxisTable
from .separable import SeparableLayer, mean_table
from .windows import PoolOptions, spatial_axes


class AvgPool(SeparableLayer):
    r"""Means over windows of an image: torch's ``AvgPool1d``, ``AvgPool2d`` and ``AvgPool3d``.

    Parameters
    ----------
    kernel_size : int or tuple of int
        Pixels of a window; one number, or one for each of 1 to 3 spatial axes.
    stride : int or tuple of int, optional
        Step between windows; `kernel_size` by default.
    padding : int or tuple of int, optional
        Zeros around the image, at most half of `kernel_size`.
    ceil_mode : bool, optional
        Whether a last window may reach beyond the image.
    count_include_pad : bool, optional
        Whether the zeros count in the mean.

    Raises
    ------
    ValueError
        If an option is out of range, or does not fit the image.

    Notes
    -----
    Samples have the shape ``(channels, *spatial)``. Means over rectangles are means along one axis after the other, so
    the Jacobian is a Kronecker product of small matrices and each norm the product of theirs (`input_shape` tells the
    sizes). Windows of k pixels that do not overlap give :math:`k^{-D/2}` (2), :math:`k^{-D}` (1) and 1 (inf) for D
    axes; windows that overlap give up to 1 (2), attained near the constant image. Kind: rigorous; probabilistic in the
    2-norm for axes of more than 2048 pixels whose windows overlap.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.AvgPool(2)
    >>> layer(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    >>> bounds = layer.lipschitz(input_shape=(1, 4, 4))
    >>> bounds.kind, bool(abs(bounds.upper - 0.5) < 1e-8)
    ('rigorous', True)
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        *,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.options = PoolOptions(kernel_size, stride, padding, 1, ceil_mode)
        self.count_include_pad = bool(count_include_pad)

    def _tables(self, shape: Shape) -> Sequence[AxisTable | None]:
        windows = self.options.windows(spatial_axes(shape, "AvgPool"))
        include = self.count_include_pad
        return [None, *(mean_table(w, w.span if include else w.valid.sum(axis=1)) for w in windows)]
