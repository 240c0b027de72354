"""Constrained dense layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from ._layer import Constrained, registered
from ._numbers import positive


@registered
class SpectralDense(Constrained):
    r"""Dense layer with a constrained kernel: deel-lip's ``SpectralDense``.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer
        As for ``keras.layers.Dense``; the kernel starts orthogonal. An activation has to be 1-Lipschitz by itself.
    k_coef_lip : float
        Lipschitz constant.
    method : str
        How the kernel is made, one of `methods()`.
    options : dict, optional
        Of the construction, ``{"iterations": 25}`` for example.
    **kwargs
        As for ``keras.layers.Layer``.

    Raises
    ------
    ValueError
        For an unknown `method` or option.

    See Also
    --------
    lipcore.parametrizations : The constructions.

    Notes
    -----
    The variable `kernel` is free; what is used is ``constrained_kernel()``, a function of it alone, on every backend
    and in a compiled step as well as outside of one. In mixed precision it is made in single precision and cast then.
    By ``"spectral"`` it is divided by an upper bound of its norm in exact arithmetic with an allowance for rounding,
    for kernels of a convolution from a grid of angles: see `lipcore.parametrizations.spectral` on ``jax.jit``.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> layer = lk.SpectralDense(2)
    >>> layer.build((None, 4))
    >>> kernel = keras.ops.convert_to_numpy(layer.constrained_kernel())
    >>> np.allclose(kernel.T @ kernel, np.eye(2), atol=1e-5)
    True
    """

    plain_class = keras.layers.Dense

    def __init__(
        self,
        units: Any,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        k_coef_lip: float = 1.0,
        method: str = "bjorck",
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        positive("units", units)
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            k_coef_lip=k_coef_lip,
            method=method,
            options=options,
            **kwargs,
        )
        self.units = units
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: input_shape[-1]})
        self._make((input_shape[-1], self.units), self.units)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Product with the constrained kernel."""
        outputs = ops.matmul(inputs, ops.cast(self.constrained_kernel(), self.compute_dtype))
        return self._finished(outputs, (self.units,))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Shape of the output."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        return {**super().get_config(), "units": self.units}


@registered
class FrobeniusDense(SpectralDense):
    r"""Dense layer whose kernel is divided by its Frobenius norm: deel-lip's ``FrobeniusDense``.

    Parameters
    ----------
    units : int
        Number of outputs.
    disjoint_neurons : bool
        Divides each column by its own norm, so that each output is 1-Lipschitz and the layer is not: for heads of
        several outputs that are looked at one by one. deel-lip's default is True; here a layer is 1-Lipschitz by
        default.
    **kwargs
        As for `SpectralDense`, but for `method`.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> layer = lk.FrobeniusDense(2)
    >>> layer.build((None, 4))
    >>> bool(abs(np.linalg.norm(keras.ops.convert_to_numpy(layer.constrained_kernel())) - 1) < 1e-5)
    True
    """

    def __init__(self, units: int, *, disjoint_neurons: bool = False, **kwargs: Any) -> None:
        super().__init__(units, method="rows" if disjoint_neurons else "frobenius", **kwargs)
        self.disjoint_neurons = bool(disjoint_neurons)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        config = {**super().get_config(), "disjoint_neurons": self.disjoint_neurons}
        del config["method"]
        return config
