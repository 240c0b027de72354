"""An activation between two halves of one matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from ... import layers as L
from ._arrays import constrained
from ._layer import Exported, Weighted, in_keras, registered
from ._numbers import positive


@registered
class Sandwich(Weighted):
    r"""Activation between two matrices, :math:`\sqrt 2 A^T \Psi\, \mathrm{relu}(\sqrt 2\, \Psi^{-1} B x + b)`.

    Parameters
    ----------
    units : int
        Number of outputs.
    hidden : int, optional
        Rows of A and B; `units` by default.
    **kwargs
        `use_bias`, `kernel_initializer`, `bias_initializer`, `kernel_regularizer` and `bias_regularizer` as for
        ``keras.layers.Dense``, and what ``keras.layers.Layer`` takes; the kernel, A above B, starts orthogonal.

    Raises
    ------
    ValueError
        If a number is not a positive integer.

    See Also
    --------
    SandwichDense : The same with :math:`A A^T + B B^T = I`, which makes the layer 1-Lipschitz.
    lipcore.layers.Sandwich : The layer, its Jacobian and its constants.

    Notes
    -----
    Without constraint: what `SandwichDense` is exported to.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> lk.Sandwich(2, hidden=8).compute_output_shape((None, 4))
    (None, 2)
    """

    def __init__(self, units: int, hidden: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = positive("units", units)
        self.hidden = self.units if hidden is None else positive("hidden", hidden)
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: input_shape[-1]})
        self._make((self.units + input_shape[-1], self.hidden), self.hidden)
        self.log_scale = self.add_weight(name="log_scale", shape=(self.hidden,), initializer="zeros", autocast=False)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The sandwich."""
        kernel = self.used_kernel()
        scale = ops.exp(ops.convert_to_tensor(self.log_scale))
        first = ops.cast(kernel[self.units :] * (math.sqrt(2) / scale), self.compute_dtype)
        last = ops.cast(ops.transpose(kernel[: self.units] * (math.sqrt(2) * scale)), self.compute_dtype)
        hidden = ops.matmul(inputs, first)
        return ops.matmul(ops.relu(hidden if self.bias is None else ops.add(hidden, self.bias)), last)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Shape of the output."""
        return (*input_shape[:-1], self.units)

    def as_layer(self, shape: Sequence[int]) -> L.Layer:
        """The layer of lipcore that this one is."""
        weight = ops.convert_to_numpy(self.used_kernel()).T.copy()
        bias, scale = (None if v is None else ops.convert_to_numpy(v.value) for v in (self.bias, self.log_scale))
        return L.Sandwich(weight[:, : self.units], weight[:, self.units :], bias, scale)

    def get_config(self) -> dict[str, Any]:
        """Options, as far as they can be saved."""
        return {**super().get_config(), "units": self.units, "hidden": self.hidden}


@registered
class SandwichDense(Exported, Sandwich):
    r"""Sandwich layer, :math:`\sqrt 2 A^T \Psi\, \mathrm{relu}(\sqrt 2\, \Psi^{-1} B x + b)`, A and B of one matrix.

    Parameters
    ----------
    units : int
        Number of outputs.
    hidden : int, optional
        Rows of A and B; `units` by default.
    **kwargs
        As for `Sandwich`.

    See Also
    --------
    lipcore.parametrizations.sandwich_weights : The construction.
    Sandwich : What the layer is exported to.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((4,)), lk.SandwichDense(2, hidden=8)])
    >>> lk.certify(model).bounds.upper < 1.001
    True
    """

    plain_class = Sandwich

    def constrained_kernel(self) -> Any:
        """The kernel as it is used, in the layout of Keras and the dtype of the variable."""
        return in_keras(constrained(self._free(), "cayley", {}, {}))

    def plain_weights(self) -> list[Any]:
        """Values of the weights of the exported layer."""
        return [*super().plain_weights(), ops.convert_to_numpy(self.log_scale.value)]
