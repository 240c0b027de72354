"""Constrained transposed convolutions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ._layer import registered
from .convolution import ConstrainedConvolution, Size


class _Transposed(ConstrainedConvolution):
    """The adjoint of a convolution with the same kernel and strides, cut at the borders."""

    paddings = ("valid", "same")

    def __init__(
        self,
        filters: Any,
        kernel_size: Size,
        strides: Size = 1,
        padding: str = "same",
        data_format: str | None = None,
        dilation_rate: Size = 1,
        **kwargs: Any,
    ) -> None:
        if "groups" in kwargs:
            raise ValueError("`groups` must not be given: transposed convolutions of Keras have none")
        super().__init__(filters, kernel_size, strides, padding, data_format, dilation_rate, **kwargs)

    def _channels(self, inputs: int) -> tuple[int, int]:
        return self.filters, inputs

    def _convolved(self, inputs: Any, kernel: Any) -> Any:
        return ops.conv_transpose(
            inputs,
            kernel,
            strides=list(self.strides),
            padding=self.padding,
            output_padding=None,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

    def _outputs(self, size: int | None, taps: int, stride: int, gap: int) -> int | None:
        if size is None:
            return None
        extra = max(gap * (taps - 1) + 1 - stride, 0)
        return size * stride + (extra if self.padding == "valid" else 0)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        config = super().get_config()
        del config["groups"]
        return config


@registered
class SpectralConv1DTranspose(_Transposed):
    r"""Transposed convolution of signals with a constrained kernel; see `SpectralConv2DTranspose`.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate
        As for `SpectralConv2DTranspose`.
    **kwargs
        As for `SpectralDense`.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.SpectralConv1DTranspose(4, 3, 2, method="aol").compute_output_shape((None, 8, 2))
    (None, 16, 4)
    """

    rank = 1
    plain_classes = (keras.layers.Conv1DTranspose, keras.layers.Conv1DTranspose)


@registered
class SpectralConv2DTranspose(_Transposed):
    r"""Transposed convolution of images with a constrained kernel: deel-lip's ``SpectralConv2DTranspose``.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate
        As for ``keras.layers.Conv2DTranspose``, but for the default of `padding`, ``"same"``.
    **kwargs
        As for `SpectralDense`; any `method` that makes kernels.

    Raises
    ------
    ValueError
        For options that Keras or the construction does not know.

    Notes
    -----
    The adjoint of the convolution with the same kernel, strides and dilation, which has the same norm: 1-Lipschitz for
    images of every size, whatever ``"same"`` cuts off. With ``method="aoc"`` and ``"valid"`` it is an isometry where
    the input has no more channels than the output has channels and pixels per stride.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> layer = lk.SpectralConv2DTranspose(2, 2, 2, method="aoc")
    >>> model = keras.Sequential([keras.Input((4, 4, 8)), layer])
    >>> model.output_shape, lk.certify(model).bounds.upper < 1.001
    ((None, 8, 8, 2), True)
    """

    rank = 2
    plain_classes = (keras.layers.Conv2DTranspose, keras.layers.Conv2DTranspose)
