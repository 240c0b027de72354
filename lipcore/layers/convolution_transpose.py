"""The transposed convolutional layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._typing import Array, Shape
from ..norms import Bounds, opnorm_bounds
from ..operators import ConvolutionTranspose as TransposeOperator
from ..operators import LinearOperator
from ..operators.convolution_options import read_groups
from .base import Ord
from .convolution import Option, channels_first, check_image, lattice_norm
from .dense import check_bias, check_weight
from .linear import LinearLayer
from .regions import Region


class ConvolutionTranspose(LinearLayer):
    r"""Transposed convolution and a bias for each channel: torch's ``ConvTranspose1d`` to ``ConvTranspose3d``.

    Parameters
    ----------
    kernel : array, shape (C_in, C_out / groups, \*k)
        Real floating array of any library, with one to three axes of taps.
    bias : array, shape (C_out,), optional
        Array of the same library.
    stride, dilation : int or tuple of int, optional
        Step between the images of neighbouring inputs, and between taps.
    padding : int or tuple, optional
        Pixels cut off around the result.
    output_padding : int or tuple of int, optional
        Pixels added at the end of each axis.
    groups : int, optional
        Number of groups into which the channels are divided.

    Raises
    ------
    TypeError
        If an array is not real floating, or the two are of different libraries.
    ValueError
        If `kernel` has not three to five axes, `bias` does not fit it, or an option is out of range beside an image.

    See Also
    --------
    Convolution : The layer whose Jacobian is the transpose of this one's.

    Notes
    -----
    The norms are those of a convolution, the 1- and inf-norm exchanged: without a known shape the supremum over all
    image sizes, which cutting pixels off does not raise; with a shape, `opnorm_bounds` of the operator.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.ConvolutionTranspose(np.ones((1, 1, 2)), stride=2)
    >>> layer(np.array([[[1.0, 3.0]]]))
    array([[[1., 1., 3., 3.]]])
    >>> bounds = layer.lipschitz()
    >>> bool(bounds.lower <= 2**0.5 <= bounds.upper), bool(layer.lipschitz(1).upper > 2)
    (True, True)
    """

    def __init__(
        self,
        kernel: Array,
        bias: Array | None = None,
        *,
        stride: Option = 1,
        padding: int | Sequence[int | Sequence[int]] = 0,
        output_padding: Option = 0,
        dilation: Option = 1,
        groups: int = 1,
    ) -> None:
        xp = check_weight("kernel", kernel)
        if not 3 <= kernel.ndim <= 5:
            raise ValueError(f"`kernel` must be (C_in, C_out / groups, *k) with 1 to 3 axes k, got {kernel.shape}")
        if kernel.shape[0] % read_groups(groups):
            raise ValueError(f"`groups` must divide the input channels of `kernel` {kernel.shape}, got {groups!r}")
        check_bias(bias, kernel, xp, kernel.shape[1] * groups)
        self.kernel, self.bias = kernel, bias
        self.options: dict[str, Any] = {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "dilation": dilation,
            "groups": groups,
        }

    def _arrays(self) -> Mapping[str, Array]:
        return {"kernel": self.kernel}

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        kernel = arrays["kernel"]
        check_image(shape, kernel.ndim - 2, type(self).__name__)
        return TransposeOperator(kernel, shape, **self.options)

    def _offset(self, shape: Shape) -> Array | None:
        return channels_first(self.bias, self.kernel.ndim - 2)

    def _terms(self, shape: Shape) -> int:
        return int(math.prod(self.kernel.shape) // self.kernel.shape[1])

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        if shape is not None:
            return opnorm_bounds(self.operator(shape), ord, rtol=self.rtol)
        turned: Ord = 2 if ord == 2 else 1 if ord == math.inf else math.inf
        return replace(lattice_norm(self.kernel, turned, self.options, self.rtol), ord=ord)

    def _ball_gain(self, shape: Shape) -> Bounds:
        return self.lipschitz(2)
