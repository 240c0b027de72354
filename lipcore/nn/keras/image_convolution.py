"""Convolutions of images of one size, with numbers as they are: what orthogonal ones are exported to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ... import layers as L
from ._image_layers import ExponentialConvolution, FrequencyConvolution
from ._layer import Weighted, registered
from ._numbers import odd_per_axis, positive
from ._wrapping import border, wrapped
from .convolution import Size, image_format
from .images import channels_first


class ImageConvolution(Weighted):
    """A convolution of images (samples, height, width, channels), or channels first, to `filters` channels."""

    rank = 2

    def __init__(self, filters: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.data_format = positive("filters", filters), image_format(data_format)

    @property
    def last(self) -> bool:
        """Whether channels come last."""
        return self.data_format == "channels_last"

    def _image(self, input_shape: Any) -> tuple[int, ...]:
        """Channels and sizes of the image, which are to stay."""
        shape = tuple(input_shape)
        if len(shape) != 4 or any(n is None for n in shape[1:]):
            raise ValueError(
                f"layer {self.name!r} is made for images of one size: it takes batches of images of known size, got "
                f"{shape}"
            )
        self.input_spec = keras.layers.InputSpec(shape=(None, *shape[1:]))
        return (shape[3], *shape[1:3]) if self.last else shape[1:]

    def call(self, inputs: Any) -> Any:
        """Convolution, in single precision at least."""
        wide = "float64" if self.compute_dtype == "float64" else "float32"
        outputs = ops.cast(self._convolved(ops.cast(inputs, wide)), self.compute_dtype)
        if self.bias is None:
            return outputs
        return ops.add(outputs, ops.reshape(self.bias, (1, 1, 1, -1) if self.last else (1, -1, 1, 1)))

    def _convolved(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_convolved`")

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Shape of the output."""
        shape = tuple(input_shape)
        return (*shape[:3], self.filters) if self.last else (shape[0], self.filters, *shape[2:])

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        return {**super().get_config(), "filters": self.filters, "data_format": self.data_format}

    def _bias(self) -> Any:
        return None if self.bias is None else ops.convert_to_numpy(self.bias.value)


@registered
class FrequencyConv2D(ImageConvolution):
    r"""Circular convolution of images of one size, by a matrix at each of their frequencies.

    Parameters
    ----------
    filters : int
        Number of outputs.
    data_format : str, optional
        As for ``keras.layers.Conv2D``.
    **kwargs
        `use_bias`, `kernel_initializer`, `bias_initializer`, `kernel_regularizer` and `bias_regularizer` as for
        ``keras.layers.Conv2D``, and what ``keras.layers.Layer`` takes; the kernel holds real above imaginary parts, (2,
        half the frequencies, filters, channels).

    Raises
    ------
    ValueError
        If a number is out of range; when the layer is built, for images of unknown size.

    See Also
    --------
    CayleyConv2D, LOTConv2D : The same with orthogonal matrices.

    Notes
    -----
    Without constraint: what the orthogonal layers are exported to. A real image needs ``n // 2 + 1`` frequencies along
    its last axis. Half precision is computed in single precision.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> layer = lk.FrequencyConv2D(4, kernel_initializer="zeros")
    >>> layer.build((None, 6, 6, 3))
    >>> tuple(layer.kernel.shape)
    (2, 6, 4, 4, 3)
    """

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        channels, high, wide = self._image(input_shape)
        self.size = (high, wide)
        self._make(self._kernel_shape(channels), self.filters)
        self.built = True

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (2, self.size[0], self.size[1] // 2 + 1, self.filters, channels)

    def _convolved(self, x: Any) -> Any:
        """Fourier transform, products, and back."""
        kernel = ops.cast(self.used_kernel(), x.dtype)
        x = ops.transpose(x, (0, 3, 1, 2)) if self.last else x
        # (samples, channels, wide / 2 + 1, high), the last axis the one that is transformed
        half = [ops.swapaxes(part, 2, 3) for part in ops.rfft(x)]
        waves = [ops.transpose(part, (3, 2, 1, 0)) for part in ops.fft(tuple(half))]
        a, b = kernel[0], kernel[1]
        real = ops.matmul(a, waves[0]) - ops.matmul(b, waves[1])
        imaginary = ops.matmul(a, waves[1]) + ops.matmul(b, waves[0])
        real, imaginary = (ops.transpose(part, (3, 2, 1, 0)) for part in (real, imaginary))
        # the inverse transform is the conjugate of the transform of the conjugate
        real, imaginary = ops.fft((real, ops.negative(imaginary)))
        back = [ops.swapaxes(part, 2, 3) / self.size[0] for part in (real, ops.negative(imaginary))]
        y = ops.irfft(tuple(back), fft_length=self.size[1])
        return ops.transpose(y, (0, 2, 3, 1)) if self.last else y

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        real, imaginary = np.asarray(ops.convert_to_numpy(self.used_kernel()))
        return channels_first(FrequencyConvolution(real, imaginary, self.size, self._bias()), self.data_format, shape)


@registered
class ExponentialConv2D(ImageConvolution):
    r"""Taylor polynomial of the exponential of a convolution, :math:`\sum_{t \le T} A^t x / t!`.

    Parameters
    ----------
    filters : int
        Number of outputs.
    kernel_size : int or pair of int
        Of the generator A, odd.
    padding : {"same", "circular"}
        What is around an image: zeros, or its other side.
    terms : int
        Degree T of the polynomial.
    data_format : str, optional
        As for ``keras.layers.Conv2D``.
    **kwargs
        `use_bias`, `kernel_initializer`, `bias_initializer`, `kernel_regularizer` and `bias_regularizer` as for
        ``keras.layers.Conv2D``, and what ``keras.layers.Layer`` takes; the kernel has as many input as output channels,
        the larger of the two numbers.

    Raises
    ------
    ValueError
        If an option is out of range; when the layer is built, for images of unknown size.

    See Also
    --------
    SOCConv2D : The same with a skew generator.

    Notes
    -----
    Without constraint: what the orthogonal layer is exported to. Channels of zeros fill up the input, and the first
    `filters` channels of the result are kept. Half precision is computed in single precision.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.ExponentialConv2D(4, kernel_initializer="zeros").compute_output_shape((None, 6, 6, 3))
    (None, 6, 6, 4)
    """

    strides = dilation_rate = (1, 1)

    def __init__(
        self,
        filters: int,
        kernel_size: Size = 3,
        padding: str = "same",
        terms: int = 20,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, data_format, **kwargs)
        self.kernel_size = odd_per_axis("kernel_size", kernel_size, 2)
        self.padding, self.terms = border(padding), positive("terms", terms)

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        self.channels = self._image(input_shape)[0]
        self._make((*self.kernel_size, *self._kernel_channels()), self.filters)
        self.built = True

    def _kernel_channels(self) -> tuple[int, int]:
        return (max(self.channels, self.filters),) * 2

    def _convolved(self, x: Any) -> Any:
        kernel, circular = ops.cast(self.used_kernel(), x.dtype), self.padding == "circular"
        axis, more = 3 if self.last else 1, max(self.filters - self.channels, 0)
        x = ops.pad(x, [(0, more if a == axis else 0) for a in range(4)]) if more else x
        y = x
        for t in range(self.terms, 0, -1):
            image = wrapped(y, self) if circular else y
            made = ops.conv(image, kernel, padding="valid" if circular else "same", data_format=self.data_format)
            y = x + made / t
        return y[..., : self.filters] if self.last else y[:, : self.filters]

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        kernel = np.ascontiguousarray(np.moveaxis(ops.convert_to_numpy(self.used_kernel()), (-1, -2), (0, 1)))
        mode = "circular" if self.padding == "circular" else "zeros"
        layer = ExponentialConvolution(kernel, (self.channels, self.filters), self.terms, mode, self._bias())
        return channels_first(layer, self.data_format, shape)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        names = ("kernel_size", "padding", "terms")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
