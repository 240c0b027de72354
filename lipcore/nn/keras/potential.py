"""Steps down a convex potential, with a kernel as it is: what constrained ones are exported to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from ... import layers as L
from ._layer import Weighted, registered
from ._numbers import odd_per_axis, positive
from ._wrapping import border, check_wrapped, wrapped
from .convolution import Size, image_format
from .images import channels_first


class Potential(Weighted):
    """``x - 2 V^T relu(V x + b)`` with a kernel V, and what `call` needs of it."""

    def __init__(self, hidden: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = None if hidden is None else positive("hidden", hidden)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        return {**super().get_config(), "hidden": self.hidden}

    def _layer(self, **options: Any) -> L.Layer:
        kernel = ops.convert_to_numpy(self.used_kernel())
        weight = kernel.transpose(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2)).copy()
        bias = None if self.bias is None else ops.convert_to_numpy(self.bias.value)
        return L.ConvexPotential(weight, bias, **options)


@registered
class ConvexPotential(Potential):
    r"""Step down a convex potential, :math:`x - 2 V^T \mathrm{relu}(V x + b)`, along the last axis.

    Parameters
    ----------
    hidden : int, optional
        Rows of V; as many as there are features by default.
    **kwargs
        `use_bias`, `kernel_initializer`, `bias_initializer`, `kernel_regularizer` and `bias_regularizer` as for
        ``keras.layers.Dense``, and what ``keras.layers.Layer`` takes; the kernel starts orthogonal.

    Raises
    ------
    ValueError
        If `hidden` is not a positive integer.

    See Also
    --------
    CPLDense, SLLDense : The same with a V of norm 1, which makes the layer 1-Lipschitz.
    lipcore.layers.ConvexPotential : The layer, its Jacobian and its constants.

    Notes
    -----
    Without constraint: what the constrained layers are exported to.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> layer = lk.ConvexPotential(1, kernel_initializer="ones")
    >>> keras.ops.convert_to_numpy(layer(np.array([[1.0, 1.0], [-1.0, -1.0]], dtype="float32")))
    array([[-3., -3.],
           [-1., -1.]], dtype=float32)
    """

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        features = input_shape[-1]
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: features})
        hidden = self.hidden or features
        self._make((features, hidden), hidden)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Input less the gradient of the potential."""
        kernel = ops.cast(self.used_kernel(), self.compute_dtype)
        at = ops.matmul(inputs, kernel)
        hidden = ops.relu(at if self.bias is None else ops.add(at, self.bias))
        return inputs - 2 * ops.matmul(hidden, ops.transpose(kernel))

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        return self._layer()


@registered
class ConvexPotentialConv2D(Potential):
    r"""Step down a convex potential with a convolution, :math:`x - 2 V^T \mathrm{relu}(V x + b)`.

    Parameters
    ----------
    hidden : int, optional
        Channels inside; as many as the image has by default.
    kernel_size : int or pair of int
        Odd.
    padding : {"same", "circular"}
        What is around an image: zeros, or its other side.
    data_format : str, optional
        As for ``keras.layers.Conv2D``.
    **kwargs
        `use_bias`, `kernel_initializer`, `bias_initializer`, `kernel_regularizer` and `bias_regularizer` as for
        ``keras.layers.Conv2D``, and what ``keras.layers.Layer`` takes; the kernel starts orthogonal.

    Raises
    ------
    ValueError
        If an option is out of range; when the layer is built, if a circular kernel reaches beyond the image.

    See Also
    --------
    CPLConv2D, SLLConv2D : The same with a V of norm 1, which makes the layer 1-Lipschitz.
    lipcore.layers.ConvexPotential : The layer, its Jacobian and its constants.

    Notes
    -----
    Without constraint: what the constrained layers are exported to.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.ConvexPotentialConv2D(8).compute_output_shape((None, 6, 6, 3))
    (None, 6, 6, 3)
    """

    rank = 2
    strides = dilation_rate = (1, 1)

    def __init__(
        self,
        hidden: int | None = None,
        kernel_size: Size = 3,
        padding: str = "same",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(hidden, **kwargs)
        self.kernel_size = odd_per_axis("kernel_size", kernel_size, 2)
        self.padding, self.data_format = border(padding), image_format(data_format)

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        axis = -1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        if self.padding == "circular":
            check_wrapped(self, input_shape)
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={axis: channels})
        hidden = self.hidden or channels
        self._make((*self.kernel_size, channels, hidden), hidden)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Input less the gradient of the potential."""
        kernel = ops.cast(self.used_kernel(), self.compute_dtype)
        at = self._convolved(inputs, kernel)
        if self.bias is not None:
            shape = (1, 1, 1, -1) if self.data_format == "channels_last" else (1, -1, 1, 1)
            at = ops.add(at, ops.reshape(self.bias, shape))
        # the transpose of a convolution with a border around it is the one with turned taps, and the same border
        turned = ops.transpose(ops.flip(kernel, (0, 1)), (0, 1, 3, 2))
        return inputs - 2 * self._convolved(ops.relu(at), turned)

    def _convolved(self, x: Any, kernel: Any) -> Any:
        circular = self.padding == "circular"
        x = wrapped(x, self) if circular else x
        return ops.conv(x, kernel, padding="valid" if circular else "same", data_format=self.data_format)

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        layer = self._layer(padding_mode="circular" if self.padding == "circular" else "zeros")
        return channels_first(layer, self.data_format, shape)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        names = ("kernel_size", "padding", "data_format")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
