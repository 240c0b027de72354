"""Convolutions without constraint, with the padding that Keras lacks."""

from __future__ import annotations

from typing import Any

import keras

from ._layer import registered
from ._wrapping import check_wrapped, spatial_axes, wrapped


class _Circular:
    """A convolution of Keras whose images may go on at the other side."""

    circular: bool

    def __init__(self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", **kwargs: Any) -> None:
        self.__dict__["circular"] = padding == "circular"
        place = "valid" if self.circular else padding
        super().__init__(filters, kernel_size, strides, place, **kwargs)  # type: ignore[call-arg]

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        if self.circular:
            check_wrapped(self, input_shape)
        super().build(input_shape)  # type: ignore[misc]

    def call(self, inputs: Any) -> Any:
        """Convolution."""
        return super().call(wrapped(inputs, self) if self.circular else inputs)  # type: ignore[misc]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the output."""
        found = list(super().compute_output_shape(input_shape))  # type: ignore[misc]
        if self.circular:
            for axis, step in zip(spatial_axes(self.rank, self.data_format), self.strides, strict=True):  # type: ignore[attr-defined]
                found[axis] = None if input_shape[axis] is None else input_shape[axis] // step
        return tuple(found)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        config = super().get_config()  # type: ignore[misc]
        return {**config, "padding": "circular"} if self.circular else dict(config)


@registered
class PadConv1D(_Circular, keras.layers.Conv1D):
    """Convolution of signals without constraint, with circular padding too; see `PadConv2D`.

    Parameters
    ----------
    filters, kernel_size, strides, padding, **kwargs
        As for ``keras.layers.Conv1D``; `padding` may be ``"circular"``.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.PadConv1D(4, 3, 2, padding="circular").compute_output_shape((None, 8, 2))
    (None, 4, 4)
    """


@registered
class PadConv2D(_Circular, keras.layers.Conv2D):
    """Convolution of images without constraint, with circular padding too: deel-lip's ``PadConv2D``.

    Parameters
    ----------
    filters, kernel_size, strides, padding, **kwargs
        As for ``keras.layers.Conv2D``; `padding` may be ``"circular"``, with which images go on at the other side and
        `strides` must divide them.

    Raises
    ------
    ValueError
        When the layer is built, if the strides do not divide the image or the kernel reaches beyond it.

    Notes
    -----
    What constrained convolutions with circular padding are exported to.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> layer = lk.PadConv2D(1, (1, 3), padding="circular", kernel_initializer="ones")
    >>> x = np.arange(4, dtype="float32").reshape(1, 1, 4, 1)
    >>> keras.ops.convert_to_numpy(layer(x))[0, 0, :, 0]
    array([4., 3., 6., 5.], dtype=float32)
    """


@registered
class PadConv3D(_Circular, keras.layers.Conv3D):
    """Convolution of volumes without constraint, with circular padding too; see `PadConv2D`.

    Parameters
    ----------
    filters, kernel_size, strides, padding, **kwargs
        As for ``keras.layers.Conv3D``; `padding` may be ``"circular"``.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.PadConv3D(4, 3, padding="circular").compute_output_shape((None, 8, 8, 8, 2))
    (None, 8, 8, 8, 4)
    """
