"""Constrained convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from ._layer import Constrained, registered

Size = int | Sequence[int]


class _Convolution(Constrained):
    """A convolution of `rank` spatial axes."""

    dense = False
    rank = 2

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
        for name, value in (("filters", filters), ("groups", groups)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` must be a positive integer, got {value!r}")
        if filters % groups:
            raise ValueError(f"`groups` must divide the {filters} filters, got {groups}")
        known = ("valid", "same", "causal") if self.rank == 1 else ("valid", "same")
        if padding not in known:
            raise ValueError(f"`padding` must be one of {', '.join(known)}, got {padding!r}")
        self.filters, self.groups, self.padding = filters, groups, padding
        self.kernel_size = _tuple("kernel_size", kernel_size, self.rank)
        self.strides = _tuple("strides", strides, self.rank)
        self.dilation_rate = _tuple("dilation_rate", dilation_rate, self.rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("`strides` and `dilation_rate` above 1 do not go together in Keras")
        self.data_format = image_format(data_format)
        super().__init__(**kwargs)

    def _convolution_options(self) -> dict[str, Any]:
        return {"stride": self.strides, "groups": self.groups, "dilation": self.dilation_rate}

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        axis = -1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        if channels is None or channels % self.groups:
            raise ValueError(f"`groups` {self.groups} must divide the channels of the input {tuple(input_shape)}")
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + 2, axes={axis: channels})
        self._make((*self.kernel_size, channels // self.groups, self.filters), self.filters)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Convolution with the constrained kernel."""
        outputs = ops.conv(
            self._padded(inputs),
            ops.cast(self.constrained_kernel(), self.compute_dtype),
            strides=list(self.strides),
            padding="valid" if self.padding == "causal" else self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        last = self.data_format == "channels_last"
        ones = (1,) * self.rank
        return self._finished(outputs, (1, *ones, self.filters) if last else (1, self.filters, *ones))

    def _padded(self, inputs: Any) -> Any:
        """Zeros before the first step of a causal convolution."""
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
class SpectralConv1D(_Convolution):
    r"""Convolution of signals with a constrained kernel; see `SpectralConv2D`.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, groups
        As for ``keras.layers.Conv1D``, but for the default of `padding`, ``"same"``.
    **kwargs
        As for `SpectralDense`.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.SpectralConv1D(4, 3, method="aol").compute_output_shape((None, 8, 2))
    (None, 8, 4)
    """

    rank = 1
    plain_class = keras.layers.Conv1D


@registered
class SpectralConv2D(_Convolution):
    r"""Convolution of images with a constrained kernel: deel-lip's ``SpectralConv2D``.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, groups
        As for ``keras.layers.Conv2D``, but for the default of `padding`, ``"same"``.
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
    lattice; with the zeros of ``"same"`` around the image they are parts of that, and lose what leaves it.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((8, 8, 2)), lk.SpectralConv2D(4, 3, method="aoc")])
    >>> lk.certify(model).bounds.upper < 1.001
    True
    """

    rank = 2
    plain_class = keras.layers.Conv2D


@registered
class SpectralConv3D(_Convolution):
    r"""Convolution of volumes with a constrained kernel; see `SpectralConv2D`.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, groups
        As for ``keras.layers.Conv3D``, but for the default of `padding`, ``"same"``.
    **kwargs
        As for `SpectralDense`.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.SpectralConv3D(4, 3, strides=2).compute_output_shape((None, 8, 8, 8, 2))
    (None, 4, 4, 4, 4)
    """

    rank = 3
    plain_class = keras.layers.Conv3D


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


def _tuple(name: str, value: Any, rank: int) -> tuple[int, ...]:
    found = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(found) != rank or not all(isinstance(n, int) and n > 0 for n in found):
        raise ValueError(f"`{name}` must be a positive integer or {rank} of them, got {value!r}")
    return found
