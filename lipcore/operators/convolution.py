"""Convolution of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import _backend as B
from .._typing import Array, Shape
from .base import LinearOperator
from .convolution_options import (
    Pads,
    read_groups,
    read_image,
    read_kernel,
    read_padding,
    read_per_axis,
    to_block,
    to_images,
)


class Convolution(LinearOperator):
    r"""Convolution of images with a kernel, as deep learning defines it (a cross-correlation).

    Parameters
    ----------
    kernel : array, shape (..., C_out, C_in / groups, \*k)
        Weights, real or complex floating point, with one axis of taps per spatial axis. Axes before the last
        ``len(input_shape) + 1`` are a batch of independent operators, so ``input_shape`` decides what is what.
    input_shape : tuple of int
        ``(C_in, *spatial)`` of one image, 1 to 3 spatial axes.
    stride, dilation : int or tuple of int, optional
        Step between outputs, and between taps; one number or one per spatial axis.
    padding : int, tuple, "same" or "valid", optional
        Pixels added around the image: one number, or per spatial axis a number or a pair (before, after). "valid" is 0.
        "same" keeps the image size at stride 1; an odd total puts the extra pixel after, as torch does.
    groups : int, optional
        Number of groups into which the channels are divided; ``groups=C_in`` is a depthwise convolution.
    padding_mode : {"zeros", "circular", "reflect", "replicate"}, optional
        What the added pixels hold.

    Attributes
    ----------
    kernel : array
        The kernel that was given.
    input_shape, output_shape : tuple of int
        ``(C_in, *spatial)`` and ``(C_out, *out)``; also ``domain_shape`` and ``range_shape``.
    stride, dilation : tuple of int
        One number per spatial axis.
    padding : tuple of (int, int)
        Resolved pairs (before, after), one per spatial axis.
    groups : int
        Number of groups.
    padding_mode : str
        What the added pixels hold.

    Raises
    ------
    TypeError
        If `kernel` is not a floating-point array of an array library.
    ValueError
        If an option is out of range, the channels do not agree, the padded image is smaller than the dilated kernel, or
        `padding` is wider than its mode can fill (circular: the image; reflect: the image less one pixel).

    See Also
    --------
    ConvolutionTranspose : The plain transpose, an operator of its own in networks.

    Notes
    -----
    With the padded image :math:`\tilde x`, stride s, dilation d, and i over the channels of the group of o,

    .. math:: y[o, p] = \sum_{i,\,t} k[o, i, t]\; \tilde x[i,\; s p + d t],

    and :math:`\lfloor (n + a + b - d (k - 1) - 1) / s \rfloor + 1` outputs along an axis of n pixels with padding
    (a, b). The adjoint is exact for every mode: the transposed convolution with the conjugate kernel, then the adjoint
    of the padding, which adds a border to the pixels it was copied from. The semantics are those of
    ``torch.nn.functional.conv1d`` to ``conv3d``, and of torch's layers for the padding modes.

    A product costs :math:`C_{out} C_{in} / \mathrm{groups}` times taps times output pixels. It is the library's own
    convolution on torch and JAX, a product of cached patches on NumPy (2 MiB of workspace), and one shifted
    matrix product per tap elsewhere. Float32 stays float32: TF32 is refused per call (under ``torch.compile`` on CUDA,
    and for derivatives on CUDA, torch's process-wide ``torch.backends.cudnn`` setting decides). The members of a batch
    become groups of one convolution.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.Convolution(np.array([[[-1.0, 2.0, -1.0]]]), (1, 4), padding=1)
    >>> A.to_dense()
    array([[ 2., -1.,  0.,  0.],
           [-1.,  2., -1.,  0.],
           [ 0., -1.,  2., -1.],
           [ 0.,  0., -1.,  2.]])
    >>> B = lc.Convolution(np.ones((8, 3, 5, 5)), (3, 32, 32), stride=2, padding="valid")
    >>> B.output_shape, B.shape
    ((8, 14, 14), (1568, 3072))
    >>> B.apply(np.ones((10, 3, 32, 32))).shape
    (10, 8, 14, 14)
    """

    def __init__(
        self,
        kernel: Array,
        input_shape: Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[int | Sequence[int]] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
    ) -> None:
        image = read_image(input_shape)
        axes = len(image) - 1
        xp, batch, c_out, inner, taps = read_kernel(kernel, axes, "(..., C_out, C_in / groups, *k)")
        self.groups = read_groups(groups)
        if inner * self.groups != image[0]:
            raise ValueError(
                f"`kernel` {tuple(kernel.shape)} with groups={self.groups} takes {inner * self.groups} input channels, "
                f"but `input_shape` {image} has {image[0]}; kernels are (C_out, C_in / groups, *k)"
            )
        if c_out % self.groups:
            raise ValueError(f"`groups` must divide the output channels of `kernel`, got {self.groups} and {c_out}")
        self.kernel, self.input_shape = kernel, image
        self.stride = read_per_axis("stride", stride, axes, 1)
        self.dilation = read_per_axis("dilation", dilation, axes, 1)
        self.padding = _resolve(padding, taps, self.stride, self.dilation)
        self.padding_mode = padding_mode
        B.check_pads(image[1:], self.padding, padding_mode)
        self.output_shape = (c_out, *self._output_size(taps))
        self._stacked = math.prod(batch) * self.groups
        self._setup(
            (*batch, math.prod(self.output_shape), math.prod(image)),
            dtype=kernel.dtype,
            xp=xp,
            device=B.device_of(kernel),
            domain_shape=image,
            range_shape=self.output_shape,
        )

    def _output_size(self, taps: Shape) -> Shape:
        sizes = []
        for axis, (n, k) in enumerate(zip(self.input_shape[1:], taps, strict=True)):
            padded, reach = n + sum(self.padding[axis]), self.dilation[axis] * (k - 1) + 1
            if padded < reach:
                raise ValueError(
                    f"`kernel` spans {reach} pixels on spatial axis {axis} ({k} taps, dilation {self.dilation[axis]}), "
                    f"more than the padded image has ({padded}), so nothing is left; enlarge `padding` or `input_shape`"
                )
            sizes.append((padded - reach) // self.stride[axis] + 1)
        return tuple(sizes)

    def _matmat(self, X: Array) -> Array:
        if X.shape[-1] == 0:
            return self._nothing(self.shape[-2], X)
        x = to_images(X, self.input_shape, self.batch_shape, self.xp)
        if self.padding_mode == "zeros":
            y = B.convolve(x, self._stack(), padding=self.padding, **self._options())
        else:
            y = B.convolve(B.pad(x, self.padding, self.padding_mode), self._stack(), **self._options())
        return to_block(y, self.output_shape, self.batch_shape, self.xp)

    def _rmatmat(self, Y: Array) -> Array:
        if Y.shape[-1] == 0:
            return self._nothing(self.shape[-1], Y)
        y = to_images(Y, self.output_shape, self.batch_shape, self.xp)
        size = self.input_shape[1:]
        if self.padding_mode == "zeros":
            x = B.convolve_adjoint(y, self._stack(), size, padding=self.padding, **self._options())
        else:
            padded = tuple(n + sum(pair) for n, pair in zip(size, self.padding, strict=True))
            x = B.convolve_adjoint(y, self._stack(), padded, **self._options())
            x = B.pad_adjoint(x, self.padding, self.padding_mode)
        return to_block(x, self.input_shape, self.batch_shape, self.xp)

    def _stack(self) -> Array:
        """The kernels of a batch as the groups of one."""
        if not self.batch_shape:
            return self.kernel
        return self.xp.reshape(self.kernel, (-1, *self.kernel.shape[len(self.batch_shape) + 1 :]))

    def _options(self) -> dict[str, Any]:
        return {"stride": self.stride, "dilation": self.dilation, "groups": self._stacked}

    def _nothing(self, rows: int, X: Array) -> Array:
        return self.xp.zeros((*self.batch_shape, rows, 0), dtype=X.dtype, device=B.device_of(X))


def _resolve(padding: object, taps: Shape, stride: Shape, dilation: Shape) -> Pads:
    """`padding` as pairs, where it may also be a word."""
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * len(taps)
        if padding != "same":
            raise ValueError(f'`padding` must be "same", "valid", integers or pairs, got {padding!r}')
        if max(stride) > 1:
            raise ValueError(f'padding="same" needs stride 1, got stride {stride}; give the pairs (before, after)')
        totals = [d * (k - 1) for k, d in zip(taps, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    return read_padding(padding, len(taps))
