"""Constrained convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from ._layer import Constrained, registered
from ._numbers import per_axis, positive
from ._wrapping import check_wrapped, wrapped
from .plain_convolution import PadConv1D, PadConv2D, PadConv3D

Size = int | Sequence[int]


class ConstrainedConvolution(Constrained):
    """A convolution of `rank` spatial axes."""

    dense = False
    rank = 2
    paddings: tuple[str, ...] = ("valid", "same", "circular")
    # What it is exported to, with zeros around its images and without.
    plain_classes: tuple[type, type]

    def __init__(
        self,
        filters: Any,
        kernel_size: Size,
        strides: Size = 1,
        padding: str = "same",
        data_format: str | None = None,
        dilation_rate: Size = 1,
        groups: Any = 1,
        **kwargs: Any,
    ) -> None:
        positive("filters", filters)
        positive("groups", groups)
        if filters % groups:
            raise ValueError(f"`groups` must divide the {filters} filters, got {groups}")
        if padding not in self.paddings:
            raise ValueError(f"`padding` must be one of {', '.join(self.paddings)}, got {padding!r}")
        self.filters, self.groups, self.padding = filters, groups, padding
        self.kernel_size = per_axis("kernel_size", kernel_size, self.rank)
        self.strides = per_axis("strides", strides, self.rank)
        self.dilation_rate = per_axis("dilation_rate", dilation_rate, self.rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("`strides` and `dilation_rate` above 1 do not go together in Keras")
        self.data_format = image_format(data_format)
        super().__init__(**kwargs)

    @property
    def plain_class(self) -> type:  # type: ignore[override]
        """What the layer is exported to."""
        return self.plain_classes[self.padding == "circular"]

    def _convolution_options(self) -> dict[str, Any]:
        return {"stride": self.strides, "groups": self.groups, "dilation": self.dilation_rate}

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        axis = -1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        if channels is None or channels % self.groups:
            raise ValueError(f"`groups` {self.groups} must divide the channels of the input {tuple(input_shape)}")
        if self.padding == "circular":
            check_wrapped(self, input_shape)
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + 2, axes={axis: channels})
        self._make((*self.kernel_size, *self._channels(channels // self.groups)), self.filters)
        self.built = True

    def _channels(self, inputs: int) -> tuple[int, int]:
        """Last axes of the kernel."""
        return inputs, self.filters

    def call(self, inputs: Any) -> Any:
        """Convolution with the constrained kernel."""
        outputs = self._convolved(inputs, ops.cast(self.constrained_kernel(), self.compute_dtype))
        last = self.data_format == "channels_last"
        ones = (1,) * self.rank
        return self._finished(outputs, (1, *ones, self.filters) if last else (1, self.filters, *ones))

    def _convolved(self, inputs: Any, kernel: Any) -> Any:
        return ops.conv(
            self._padded(inputs),
            kernel,
            strides=list(self.strides),
            padding="same" if self.padding == "same" else "valid",
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

    def _padded(self, inputs: Any) -> Any:
        """What Keras has no padding for: zeros before the first step of a causal convolution, and the other side."""
        if self.padding == "circular":
            return wrapped(inputs, self)
        if self.padding != "causal":
            return inputs
        before = (self.dilation_rate[0] * (self.kernel_size[0] - 1), 0)
        last = self.data_format == "channels_last"
        return ops.pad(inputs, ((0, 0), before, (0, 0)) if last else ((0, 0), (0, 0), before))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Shape of the output."""
        last = self.data_format == "channels_last"
        spatial = input_shape[1:-1] if last else input_shape[2:]
        numbers = zip(spatial, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        found = tuple(self._outputs(*n) for n in numbers)
        return (input_shape[0], *found, self.filters) if last else (input_shape[0], self.filters, *found)

    def _outputs(self, size: int | None, taps: int, stride: int, gap: int) -> int | None:
        if size is None:
            return None
        if self.padding != "valid":
            return -(-size // stride)
        return (size - gap * (taps - 1) - 1) // stride + 1

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        names = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@registered
class SpectralConv1D(ConstrainedConvolution):
    r"""Convolution of signals with a constrained kernel; see `SpectralConv2D`.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, groups
        As for `SpectralConv2D`; `padding` may be ``"causal"`` too.
    **kwargs
        As for `SpectralDense`.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.SpectralConv1D(4, 3, method="aol").compute_output_shape((None, 8, 2))
    (None, 8, 4)
    """

    rank = 1
    paddings = ("valid", "same", "causal", "circular")
    plain_classes = (keras.layers.Conv1D, PadConv1D)


@registered
class SpectralConv2D(ConstrainedConvolution):
    r"""Convolution of images with a constrained kernel: deel-lip's ``SpectralConv2D``.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, groups
        As for ``keras.layers.Conv2D``, but for the default of `padding`, ``"same"``, and for ``"circular"``, with which
        images go on at the other side; `strides` must divide them then.
    **kwargs
        As for `SpectralDense`. By default an orthogonal reshaped kernel over the overlap, ``"bjorck"``, as in
        deel-lip; ``"aoc"`` gives orthogonal convolutions.

    Raises
    ------
    ValueError
        For options that Keras or the construction does not know.

    Notes
    -----
    1-Lipschitz for images of every size. Convolutions of ``"aoc"`` and ``"bcop"`` are orthogonal on the infinite
    lattice, and with ``"circular"`` on every image that the strides divide; with the zeros of ``"same"`` around the
    image they are parts of that, and lose what leaves it. Keras has no circular layers: one is exported to `PadConv2D`.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((8, 8, 2)), lk.SpectralConv2D(4, 3, method="aoc")])
    >>> lk.certify(model).bounds.upper < 1.001
    True
    """

    rank = 2
    plain_classes = (keras.layers.Conv2D, PadConv2D)


@registered
class SpectralConv3D(ConstrainedConvolution):
    r"""Convolution of volumes with a constrained kernel; see `SpectralConv2D`.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, groups
        As for `SpectralConv2D`.
    **kwargs
        As for `SpectralDense`.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.SpectralConv3D(4, 3, strides=2).compute_output_shape((None, 8, 8, 8, 2))
    (None, 4, 4, 4, 4)
    """

    rank = 3
    plain_classes = (keras.layers.Conv3D, PadConv3D)


@registered
class FrobeniusConv2D(SpectralConv2D):
    r"""Convolution whose kernel is divided by a Frobenius norm and the overlap: deel-lip's ``FrobeniusConv2D``.

    Parameters
    ----------
    filters, kernel_size
        As for `SpectralConv2D`.
    **kwargs
        As for `SpectralConv2D`, but for `method`.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.FrobeniusConv2D(4, 3).method
    'frobenius'
    """

    def __init__(self, filters: int, kernel_size: Size, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, method="frobenius", **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        config = super().get_config()
        del config["method"]
        return config


def image_format(data_format: str | None) -> str:
    """The data format, or that of the session."""
    found = keras.config.image_data_format() if data_format is None else data_format
    if found not in ("channels_last", "channels_first"):
        raise ValueError(f"`data_format` must be 'channels_last' or 'channels_first', got {data_format!r}")
    return str(found)
