"""Orthogonal convolutions, made for the size of the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from keras import ops

from ... import _backend as B
from ... import parametrizations
from ...operators import LinearOperator
from ._arrays import called, lower
from ._layer import Exported, in_keras, registered
from ._numbers import per_axis
from .convolution import Size
from .image_convolution import ExponentialConv2D, FrequencyConv2D


class _ByFrequency(Exported, FrequencyConv2D):
    """A free kernel, of which each call makes the matrices at the frequencies of the image."""

    plain_class = FrequencyConv2D
    construction: ClassVar[Callable[..., LinearOperator]]

    def __init__(self, filters: int, kernel_size: Size = 3, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(filters=filters, data_format=data_format, **kwargs)
        self.kernel_size = per_axis("kernel_size", kernel_size, 2)

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, channels, self.filters)

    def constrained_kernel(self) -> Any:
        """Real above imaginary parts of the matrices, in the dtype of the variable."""
        free = self._free()
        found: Any = called(type(self).construction, free, input_shape=(int(free.shape[1]), *self.size))
        xp = B.array_namespace(found.symbols)
        parts = (lower(part(found.symbols)) for part in (xp.real, xp.imag))
        return ops.cast(ops.stack(list(parts)), free.dtype)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        return {**super().get_config(), "kernel_size": self.kernel_size}

    def plain_config(self) -> dict[str, Any]:
        """Options of `plain_class`."""
        config = super().plain_config()
        del config["kernel_size"]
        return config


@registered
class CayleyConv2D(_ByFrequency):
    r"""Orthogonal circular convolution by the Cayley transform at every frequency of the image.

    Parameters
    ----------
    filters : int
        Number of outputs.
    kernel_size : int or pair of int
        Taps along each axis.
    data_format : str, optional
        As for ``keras.layers.Conv2D``.
    **kwargs
        `use_bias`, `kernel_initializer`, `bias_initializer`, `kernel_regularizer` and `bias_regularizer` as for
        ``keras.layers.Conv2D``, and what ``keras.layers.Layer`` takes; the kernel starts orthogonal.

    Raises
    ------
    ValueError
        If a number is out of range; when the layer is built, for images of unknown size.

    See Also
    --------
    lipcore.parametrizations.cayley_convolution : The construction, its cost and its guarantee.
    FrequencyConv2D : What the layer is exported to.

    Notes
    -----
    Each call makes a matrix for each of ``n (n // 2 + 1)`` frequencies of images of n by n pixels; the exported layer
    holds them as numbers.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> x = np.ones((1, 6, 6, 2), dtype="float32")
    >>> y = keras.ops.convert_to_numpy(lk.CayleyConv2D(2, use_bias=False)(x))
    >>> bool(abs(np.linalg.norm(y) / np.linalg.norm(x) - 1) < 1e-4)
    True
    """

    construction = staticmethod(parametrizations.cayley_convolution)


@registered
class LOTConv2D(_ByFrequency):
    r"""Orthogonal circular convolution by the polar factor at every frequency of the image.

    Parameters
    ----------
    filters, kernel_size, data_format, **kwargs
        As for `CayleyConv2D`.

    Raises
    ------
    ValueError
        If a number is out of range; when the layer is built, for images of unknown size.

    See Also
    --------
    lipcore.parametrizations.lot_convolution : The construction, its cost and its guarantee.
    FrequencyConv2D : What the layer is exported to.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> x = np.ones((1, 6, 6, 2), dtype="float32")
    >>> y = keras.ops.convert_to_numpy(lk.LOTConv2D(2, use_bias=False)(x))
    >>> bool(abs(np.linalg.norm(y) / np.linalg.norm(x) - 1) < 1e-4)
    True
    """

    construction = staticmethod(parametrizations.lot_convolution)


@registered
class SOCConv2D(Exported, ExponentialConv2D):
    r"""Skew orthogonal convolution, orthogonal with zeros around the image and with its other side.

    Parameters
    ----------
    filters : int
        Number of outputs.
    kernel_size : int or pair of int
        Odd.
    padding : {"same", "circular"}
        What is around an image.
    terms : int
        Convolutions of each call; 20 are exact in single precision, 8, 12 and 16 nearly orthogonal and never longer
        than 1 (see `lipcore.parametrizations.soc_convolution`).
    data_format : str, optional
        As for ``keras.layers.Conv2D``.
    **kwargs
        `use_bias`, `kernel_initializer`, `bias_initializer`, `kernel_regularizer` and `bias_regularizer` as for
        ``keras.layers.Conv2D``, and what ``keras.layers.Layer`` takes; the kernel starts orthogonal.

    Raises
    ------
    ValueError
        If an option is out of range; when the layer is built, for images of unknown size.

    See Also
    --------
    lipcore.parametrizations.soc_convolution : The construction, its cost and its guarantee.
    ExponentialConv2D : What the layer is exported to.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> x = np.ones((1, 5, 5, 2), dtype="float32")
    >>> y = keras.ops.convert_to_numpy(lk.SOCConv2D(2, use_bias=False)(x))
    >>> bool(abs(np.linalg.norm(y) / np.linalg.norm(x) - 1) < 1e-4)
    True
    """

    plain_class = ExponentialConv2D

    def _kernel_channels(self) -> tuple[int, int]:
        return self.channels, self.filters

    def constrained_kernel(self) -> Any:
        """The skew generator, in the layout of Keras and the dtype of the variable."""
        free = self._free()
        most, shape = max(self.channels, self.filters), tuple(int(n) for n in free.shape)
        square = ops.pad(free, [(0, most - n) for n in shape[:2]] + [(0, 0)] * 2)
        found: Any = called(
            parametrizations.soc_convolution, square, input_shape=(most, *self.kernel_size), terms=self.terms
        )
        return in_keras(ops.cast(lower(found.generator.kernel), free.dtype))
