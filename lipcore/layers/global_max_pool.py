"""The maximum over an image."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array, Shape
from .regions import Region
from .window_maximum import WindowMaximum
from .windows import Windows, adaptive_windows


class GlobalMaxPool(WindowMaximum):
    r"""Maximum over all pixels of each channel.

    Parameters
    ----------
    keepdims : bool, optional
        Whether the spatial axes stay, with length one, as in ONNX and in torch's ``AdaptiveMaxPool2d(1)``.

    Raises
    ------
    ValueError
        If a sample is not ``(channels, *spatial)``.

    Notes
    -----
    The Jacobian picks one pixel of each channel: the constant is 1 in every norm, attained everywhere. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.GlobalMaxPool(keepdims=False)
    >>> layer(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 7.]])
    >>> layer.lipschitz(2)
    Bounds(1.0, 1.0, kind='rigorous')
    """

    def __init__(self, *, keepdims: bool = True) -> None:
        self.keepdims = bool(keepdims)

    def _windows(self, spatial: Shape) -> list[Windows]:
        return [adaptive_windows(n, 1) for n in spatial]

    def _shaped(self, y: Array) -> Array:
        return y if self.keepdims else B.array_namespace(y).reshape(y, tuple(y.shape[:2]))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        whole = super().output_shape(*input_shapes)
        return whole if self.keepdims else whole[:1]

    def _overlap(self, region: Region | None, shape: Shape | None) -> int:
        return 1
