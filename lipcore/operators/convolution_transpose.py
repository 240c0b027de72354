"""Transposed convolution of images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import _backend as B
from .._typing import Array, Shape
from .base import LinearOperator
from .convolution import Convolution
from .convolution_options import Pads, read_groups, read_image, read_kernel, read_padding, read_per_axis


class ConvolutionTranspose(LinearOperator):
    r"""Transposed convolution of images, the upsampling layer of networks.

    Parameters
    ----------
    kernel : array, shape (..., C_in, C_out / groups, \*k)
        Weights, real or complex floating point, laid out as torch's ``conv_transpose``. Axes before the last
        ``len(input_shape) + 1`` are a batch of independent operators.
    input_shape : tuple of int
        ``(C_in, *spatial)`` of one image, 1 to 3 spatial axes.
    stride, dilation : int or tuple of int, optional
        Step between the images of neighbouring inputs, and between taps; one number or one per spatial axis.
    padding : int or tuple, optional
        Pixels cut off around the result: one number, or per spatial axis a number or a pair (before, after).
    output_padding : int or tuple of int, optional
        Pixels added at the end of each axis, fewer than the stride or than the dilation.
    groups : int, optional
        Number of groups into which the channels are divided.

    Attributes
    ----------
    kernel : array
        The kernel that was given.
    convolution : Convolution
        The convolution whose plain transpose this operator is.
    input_shape, output_shape : tuple of int
        ``(C_in, *spatial)`` and ``(C_out, *out)``; also ``domain_shape`` and ``range_shape``.
    stride, dilation, output_padding : tuple of int
        One number per spatial axis.
    padding : tuple of (int, int)
        Resolved pairs (before, after), one per spatial axis.
    groups : int
        Number of groups.

    Raises
    ------
    TypeError
        If `kernel` is not a floating-point array of an array library.
    ValueError
        If an option is out of range, the channels do not agree, or nothing is left of the image. Also for an
        `output_padding` of at least the stride that is wider than the padding after: the result then ends in pixels
        that no input reaches, and is no transpose of a convolution.

    See Also
    --------
    Convolution : The operator that this one transposes.

    Notes
    -----
    .. math:: y[o, s p + d t - a] = \sum_{i,\,t,\,p} k[i, o, t]\; x[i, p]

    with stride s, dilation d and padding (a, b): every input adds its scaled kernel to the result, whose axes have
    :math:`(n - 1) s - a - b + d (k - 1) + \mathrm{output\_padding} + 1` pixels. It is the plain transpose of
    ``convolution``, not conjugated; the two have the same singular values, and cost the same.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.ConvolutionTranspose(np.array([[[1.0, 2.0, 1.0]]]), (1, 3), stride=2, padding=1)
    >>> A.apply(np.array([[1.0, 0.0, -1.0]]))
    array([[ 2.,  1.,  0., -1., -2.]])
    >>> bool((A.to_dense() == A.convolution.to_dense().T).all())
    True
    """

    def __init__(
        self,
        kernel: Array,
        input_shape: Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int | Sequence[int]] = 0,
        output_padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> None:
        image = read_image(input_shape)
        axes = len(image) - 1
        xp, batch, c_in, inner, taps = read_kernel(kernel, axes, "(..., C_in, C_out / groups, *k)")
        self.kernel, self.input_shape, self.groups = kernel, image, read_groups(groups)
        if c_in != image[0]:
            raise ValueError(
                f"`kernel` {tuple(kernel.shape)} takes {c_in} input channels, but `input_shape` {image} has "
                f"{image[0]}; transposed kernels are (C_in, C_out / groups, *k)"
            )
        if c_in % self.groups:
            raise ValueError(f"`groups` must divide the input channels of `kernel`, got {self.groups} and {c_in}")
        self.stride = read_per_axis("stride", stride, axes, 1)
        self.dilation = read_per_axis("dilation", dilation, axes, 1)
        self.output_padding = read_per_axis("output_padding", output_padding, axes, 0)
        self.padding = read_padding(padding, axes)
        self.output_shape = (inner * self.groups, *self._output_size(taps))
        self.convolution = self._convolution(kernel)
        # The adjoint of a convolution conjugates its kernel, the transpose does not.
        is_complex = B.is_complex(xp, kernel.dtype)
        self._conjugate = self._convolution(B.conj(kernel)) if is_complex else self.convolution
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
            s, d, extra = self.stride[axis], self.dilation[axis], self.output_padding[axis]
            if extra >= max(s, d):
                raise ValueError(
                    f"`output_padding` must be smaller than stride or dilation, got {extra} on spatial axis {axis} "
                    f"with stride {s} and dilation {d}"
                )
            full = (n - 1) * s + d * (k - 1) + 1 + extra
            if full <= sum(self.padding[axis]):
                raise ValueError(
                    f"`padding` {self.padding[axis]} cuts all {full} pixels of spatial axis {axis} away; "
                    "it takes pixels off a transposed convolution"
                )
            sizes.append(full - sum(self.padding[axis]))
        return tuple(sizes)

    def _convolution(self, kernel: Array) -> Convolution:
        return Convolution(
            kernel,
            self.output_shape,
            stride=self.stride,
            padding=self._pads(),
            dilation=self.dilation,
            groups=self.groups,
        )

    def _pads(self) -> Pads:
        """Padding of the convolution: whole strides of output padding would give it more windows than inputs here."""
        pads = []
        for axis, ((before, after), extra) in enumerate(zip(self.padding, self.output_padding, strict=True)):
            after -= extra - extra % self.stride[axis]
            if after < 0:
                raise ValueError(
                    f"`output_padding` {extra} on spatial axis {axis} reaches beyond every kernel (stride "
                    f"{self.stride[axis]}, padding after {self.padding[axis][1]}); keep it below the stride, and "
                    "append the zeros separately"
                )
            pads.append((before, after))
        return tuple(pads)

    def _matmat(self, X: Array) -> Array:
        return self._conjugate._rmatmat(X)

    def _rmatmat(self, Y: Array) -> Array:
        return self._conjugate._matmat(Y)

    def transpose(self) -> LinearOperator:
        """The convolution."""
        return self.convolution
