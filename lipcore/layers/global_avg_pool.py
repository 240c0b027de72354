"""The mean over an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._typing import Array, Shape
from ..operators import LinearOperator
from ..operators.axis_table import AxisTable
from .separable import SeparableLayer, mean_table
from .windows import adaptive_windows, spatial_axes


class GlobalAvgPool(SeparableLayer):
    r"""Mean over all pixels of each channel.

    Parameters
    ----------
    keepdims : bool, optional
        Whether the spatial axes stay, with length one, as in ONNX and in torch's ``AdaptiveAvgPool2d(1)``.

    Raises
    ------
    ValueError
        If a sample is not ``(channels, *spatial)``.

    Notes
    -----
    With N pixels the best constants are :math:`N^{-1/2}` (2, attained by the constant image), :math:`1/N` (1) and 1
    (inf). Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.GlobalAvgPool(keepdims=False)
    >>> layer(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[1.5, 5.5]])
    >>> bounds = layer.lipschitz(input_shape=(2, 2, 2))
    >>> bounds.lower <= 0.5 <= bounds.upper
    True
    """

    def __init__(self, *, keepdims: bool = True) -> None:
        self.keepdims = bool(keepdims)

    def _tables(self, shape: Shape) -> Sequence[AxisTable | None]:
        windows = [adaptive_windows(n, 1) for n in spatial_axes(shape, "GlobalAvgPool")]
        return [None, *(mean_table(w, w.span) for w in windows)]

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        operator = super()._operator(shape, arrays, like)
        return operator if self.keepdims else operator.with_shapes(None, shape[:1])

    def _sizes(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        return self._operator(shape, arrays, like)  # means have positive weights

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        whole = super().output_shape(*input_shapes)
        return whole if self.keepdims else whole[:1]
