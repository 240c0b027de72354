"""What the constrained layers share."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from .._constructions import accepted, construction
from ._arrays import constrained

# Options that layers of Keras do not have.
_OWN = ("method", "options", "k_coef_lip", "disjoint_neurons")


class Weighted(keras.layers.Layer):
    """A layer with a kernel, perhaps a bias, and where they start from."""

    def __init__(
        self,
        *,
        use_bias: bool = True,
        kernel_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)

    def _make(self, shape: Sequence[int], outputs: int) -> None:
        """The variables."""
        # not cast in mixed precision: what is constrained is constrained in single precision, and cast then
        self.kernel = self.add_weight(
            name="kernel",
            shape=tuple(shape),
            initializer=self._start,
            regularizer=self.kernel_regularizer,
            autocast=False,
        )
        self._make_bias(outputs)

    def _make_bias(self, outputs: int) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(outputs,), initializer=self.bias_initializer, regularizer=self.bias_regularizer
            )

    def used_kernel(self) -> Any:
        """The kernel in the layout of Keras, as `call` uses it."""
        return ops.convert_to_tensor(self.kernel)

    def _start(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """The kernel to start from, drawn in at least single precision: half precision has no factorisations."""
        wide = "float64" if dtype == "float64" else "float32"
        return ops.cast(self.kernel_initializer(shape, dtype=wide), dtype)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        return {
            **super().get_config(),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }


class Exported(Weighted):
    """A layer whose kernel is made anew in each call, and which is exported to another with that kernel as it is.

    Subclasses have `constrained_kernel`.
    """

    # What the layer is exported to.
    plain_class: type

    def plain_config(self) -> dict[str, Any]:
        """Options of `plain_class`."""
        config = {name: value for name, value in self.get_config().items() if name not in _OWN}
        # overwritten at once: nothing is drawn, and nothing factorised in half precision
        return {**config, "kernel_initializer": "zeros"}

    def plain_weights(self) -> list[Any]:
        """Values of the weights of the exported layer."""
        values = [self.constrained_kernel()]
        if self.bias is not None:
            values.append(self.bias.value)
        return [ops.convert_to_numpy(value) for value in values]

    def used_kernel(self) -> Any:
        """The constrained kernel."""
        return self.constrained_kernel()

    def constrained_kernel(self) -> Any:
        """The kernel as it is used."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `constrained_kernel`")

    def _free(self) -> Any:
        """The variable, in the order of axes that constructions take."""
        if not self.built:
            raise ValueError(f"layer {self.name!r} is not built: call it, or build it with an input shape")
        return ops.transpose(ops.convert_to_tensor(self.kernel), from_keras(len(self.kernel.shape) - 2))


class Constrained(Exported):
    """A layer whose kernel is what a construction makes of a free variable.

    Subclasses make the variable in `build` and use `constrained_kernel` in `call`.
    """

    # Whether the kernel is a matrix.
    dense = True

    def __init__(
        self,
        *,
        activation: Any = None,
        k_coef_lip: float = 1.0,
        method: str = "bjorck",
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)
        self.k_coef_lip = checked_lipschitz(k_coef_lip)
        self.method, self.options = method, dict(options or {})
        self._check_method()

    def _check_method(self) -> None:
        function, fixed = construction(self.method, self.dense)
        known = set(inspect.signature(function).parameters) - {"weight", "stride", "groups", "dilation", *fixed}
        for name in self.options:
            if name not in known:
                raise ValueError(
                    f"`options` of method {self.method!r} may be {', '.join(sorted(known)) or 'nothing'}, got {name!r}"
                )
        self._place = accepted(function, self._convolution_options(), self.method)

    def _convolution_options(self) -> dict[str, Any]:
        """Stride, groups and dilation."""
        return {}

    def constrained_kernel(self) -> Any:
        """The kernel as it is used, in the layout of Keras and the dtype of the variable."""
        return in_keras(constrained(self._free(), self.method, self._place, self.options, self.k_coef_lip))

    def _finished(self, outputs: Any, bias_shape: Sequence[int]) -> Any:
        if self.bias is not None:
            outputs = ops.add(outputs, ops.reshape(self.bias, tuple(bias_shape)))
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "k_coef_lip": self.k_coef_lip,
            "method": self.method,
            "options": self.options,
        }


def from_keras(taps: int) -> tuple[int, ...]:
    """Axes of ``(*k, in, out)`` in the order ``(out, in, *k)`` that is used elsewhere."""
    return (taps + 1, taps, *range(taps))


def in_keras(kernel: Any) -> Any:
    """The other way round.

    Entries lie in order, as in an exported layer: products of another layout round in another order on some backends.
    """
    made = ops.transpose(kernel, (*range(2, len(kernel.shape)), 1, 0))
    return ops.reshape(ops.reshape(made, (-1,)), tuple(made.shape))


def checked_lipschitz(value: Any) -> float:
    """A positive finite number."""
    number = float(value)
    if not 0 < number < float("inf"):
        raise ValueError(f"`k_coef_lip` must be positive and finite, got {value!r}")
    return number


def registered(kind: type) -> type:
    """The class, which Keras finds again in saved models."""
    return keras.saving.register_keras_serializable(package="lipcore")(kind)  # type: ignore[no-any-return]
