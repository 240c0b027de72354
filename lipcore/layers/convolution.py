"""The convolutional layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds, convolution_supremum, opnorm_bounds
from ..norms.absolute_sums import matrix_norm
from ..norms.symbol import polyphase
from ..operators import Convolution as ConvolutionOperator
from ..operators import LinearOperator
from ..operators.convolution_options import read_groups, read_per_axis
from .base import Ord
from .dense import check_bias, check_weight
from .linear import LinearLayer
from .regions import Region

Option = int | Sequence[int]


class Convolution(LinearLayer):
    r"""Convolution of images and a bias for each channel: torch's ``Conv1d``, ``Conv2d`` and ``Conv3d``.

    Parameters
    ----------
    kernel : array, shape (C_out, C_in / groups, \*k)
        Real floating array of any library, with one to three axes of taps.
    bias : array, shape (C_out,), optional
        Array of the same library.
    stride, dilation : int or tuple of int, optional
        Step between outputs, and between taps.
    padding : int, tuple, "same" or "valid", optional
        Pixels added around the image, as for `lipcore.Convolution`.
    groups : int, optional
        Number of groups into which the channels are divided.
    padding_mode : {"zeros", "circular", "reflect", "replicate"}, optional
        What the added pixels hold.

    Raises
    ------
    TypeError
        If an array is not real floating, or the two are of different libraries.
    ValueError
        If `kernel` has not three to five axes, `bias` does not fit it, or an option is out of range, which may show
        only beside an image.

    See Also
    --------
    lipcore.Convolution : The operator, which is the Jacobian.

    Notes
    -----
    With a known shape the constants are `opnorm_bounds` of the operator on such images. Without one, and with zeros
    around the image, they hold for every image size and are approached as images grow:

    - 2: the supremum of the symbol's norm (`lipcore.norms.convolution_supremum`); a larger image never has less;
    - inf: the largest sum of the absolute taps of an output channel;
    - 1: the largest sum of the absolute taps that an input channel meets; with a stride, over the taps of one residue.

    The 2-norm of the kernel reshaped to a matrix is none of these, and no bound: it misses that taps overlap. Other
    modes of padding copy pixels, and need the shape. Kind: rigorous; on small images, or with reflect and replicate,
    probabilistic where a rigorous bound is wide (`opnorm_bounds`).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> layer = lc.layers.Convolution(np.ones((1, 1, 3, 3)), padding=1)
    >>> layer(np.ones((1, 1, 2, 2)))
    array([[[[4., 4.],
             [4., 4.]]]])
    >>> bounds = layer.lipschitz()
    >>> bool(bounds.lower <= 9.0 <= bounds.upper), bool(bounds.upper < 9.01)
    (True, True)
    >>> print(layer.lipschitz(input_shape=(1, 2, 2)).upper < 4.01)
    True
    """

    def __init__(
        self,
        kernel: Array,
        bias: Array | None = None,
        *,
        stride: Option = 1,
        padding: int | str | Sequence[int | Sequence[int]] = 0,
        dilation: Option = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
    ) -> None:
        xp = check_weight("kernel", kernel)
        if not 3 <= kernel.ndim <= 5:
            raise ValueError(f"`kernel` must be (C_out, C_in / groups, *k) with 1 to 3 axes k, got {kernel.shape}")
        if padding_mode not in B.PADDING_MODES:
            raise ValueError(f"`padding_mode` must be one of {', '.join(B.PADDING_MODES)}, got {padding_mode!r}")
        check_bias(bias, kernel, xp, kernel.shape[0])
        self.kernel, self.bias = kernel, bias
        self.options: dict[str, Any] = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "padding_mode": padding_mode,
        }
        _check_options(self.options, kernel)

    def _arrays(self) -> Mapping[str, Array]:
        return {"kernel": self.kernel}

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        kernel = arrays["kernel"]
        check_image(shape, kernel.ndim - 2, type(self).__name__)
        return ConvolutionOperator(kernel, shape, **self.options)

    def _offset(self, shape: Shape) -> Array | None:
        return channels_first(self.bias, self.kernel.ndim - 2)

    def _terms(self, shape: Shape) -> int:
        return math.prod(self.kernel.shape[1:])

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        if shape is None and self.options["padding_mode"] == "zeros":
            return lattice_norm(self.kernel, ord, self.options, self.rtol)
        # on small images the certificate may be wider than asked for; a narrow claim of a weaker kind costs far more
        certified = ord == 2 and self.options["padding_mode"] in ("zeros", "circular")
        operator = self.operator(self.known_shape(shape))
        return opnorm_bounds(operator, ord, rtol=self.rtol, kind="rigorous" if certified else "auto")

    def _ball_gain(self, shape: Shape) -> Bounds:
        zeros = self.options["padding_mode"] == "zeros"
        return self.lipschitz(2, input_shape=None if zeros else shape)


def _check_options(options: Mapping[str, Any], kernel: Array) -> None:
    """Raise for options that no image would make right, by trying one that the kernel fits in."""
    axes, groups = kernel.ndim - 2, read_groups(options["groups"])
    dilation = read_per_axis("dilation", options["dilation"], axes, 1)
    size = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[2:], strict=True))
    like = np.broadcast_to(np.zeros((), dtype=np.float32), tuple(kernel.shape))
    ConvolutionOperator(like, (kernel.shape[1] * groups, *size), **{**options, "padding_mode": "zeros"})


def check_image(shape: Shape, axes: int, layer: str) -> None:
    """Raise where samples have not as many spatial axes as the kernel."""
    if len(shape) != axes + 1:
        raise ValueError(f"{layer} takes samples (channels, *spatial) with {axes} spatial axes, got the shape {shape}")


def channels_first(bias: Array | None, axes: int) -> Array | None:
    """A number per channel, as it is added to an image."""
    return None if bias is None else B.array_namespace(bias).reshape(bias, (-1,) + (1,) * axes)


def lattice_norm(kernel: Array, ord: Ord, options: Mapping[str, Any], rtol: float) -> Bounds:
    """Norm of a convolution on the infinite lattice, which no image with zeros around it exceeds."""
    given = {name: options[name] for name in ("stride", "dilation", "groups")}
    if ord == 2:
        return convolution_supremum(kernel, **given, rtol=rtol)
    host = B.to_numpy(kernel)
    if ord == math.inf:
        return matrix_norm(host.reshape(len(host), -1), math.inf)
    # an input pixel meets, of each output channel, the taps of one residue: a row of the polyphase components
    components, _ = polyphase(host, **given)
    rows = np.moveaxis(components, 2, 1).reshape(components.shape[0] * components.shape[2], -1)
    return replace(matrix_norm(rows, math.inf), ord=ord)
