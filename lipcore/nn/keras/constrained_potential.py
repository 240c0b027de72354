"""Layers that are 1-Lipschitz together with their activation."""

from __future__ import annotations

from typing import Any

from keras import ops

from ... import parametrizations
from ._arrays import called, constrained, lower
from ._layer import Exported, in_keras, registered
from .potential import ConvexPotential, ConvexPotentialConv2D, Potential


class _CPL(Exported, Potential):
    """Kernel over a bound of its norm."""

    def constrained_kernel(self) -> Any:
        """The kernel as it is used, in the layout of Keras and the dtype of the variable."""
        return in_keras(constrained(self._free(), "spectral", {}, {}))


class _SLL(Exported, Potential):
    """Kernel with a factor for each hidden channel, and learned scales."""

    def _make(self, shape: Any, outputs: int) -> None:
        super()._make(shape, outputs)
        self.log_scale = self.add_weight(name="log_scale", shape=(outputs,), initializer="zeros", autocast=False)

    def constrained_kernel(self) -> Any:
        """The kernel as it is used, in the layout of Keras and the dtype of the variable."""
        free = self._free()
        made = called(parametrizations.sll_weight, free, log_scale=ops.convert_to_tensor(self.log_scale))
        return in_keras(ops.cast(lower(made), free.dtype))


@registered
class CPLDense(_CPL, ConvexPotential):
    r"""Convex potential layer, :math:`x - 2 V^T \mathrm{relu}(V x + b)` with :math:`\|V\| \le 1`.

    Parameters
    ----------
    hidden : int, optional
        Rows of V; as many as there are features by default.
    **kwargs
        As for `ConvexPotential`.

    See Also
    --------
    lipcore.parametrizations.cpl_weight : The construction.
    ConvexPotential : What the layer is exported to.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((4,)), lk.CPLDense(8)])
    >>> lk.certify(model).bounds.upper < 1.001
    True
    """

    plain_class = ConvexPotential


@registered
class SLLDense(_SLL, ConvexPotential):
    r"""SDP-based Lipschitz layer: a convex potential layer with a factor for each hidden feature, learned in part.

    Parameters
    ----------
    hidden : int, optional
        Rows of the weight; as many as there are features by default.
    **kwargs
        As for `ConvexPotential`.

    See Also
    --------
    lipcore.parametrizations.sll_weight : The construction.
    ConvexPotential : What the layer is exported to.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((4,)), lk.SLLDense(8)])
    >>> lk.certify(model).bounds.upper < 1.001
    True
    """

    plain_class = ConvexPotential


@registered
class CPLConv2D(_CPL, ConvexPotentialConv2D):
    r"""Convex potential layer with a convolution.

    Parameters
    ----------
    hidden : int, optional
        Channels inside; as many as the image has by default.
    kernel_size, padding, data_format, **kwargs
        As for `ConvexPotentialConv2D`.

    See Also
    --------
    lipcore.parametrizations.cpl_weight : The construction.
    ConvexPotentialConv2D : What the layer is exported to.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((5, 5, 2)), lk.CPLConv2D(4)])
    >>> lk.certify(model).bounds.upper < 1.001
    True
    """

    plain_class = ConvexPotentialConv2D


@registered
class SLLConv2D(_SLL, ConvexPotentialConv2D):
    r"""SDP-based Lipschitz layer with a convolution.

    Parameters
    ----------
    hidden : int, optional
        Channels inside; as many as the image has by default.
    kernel_size, padding, data_format, **kwargs
        As for `ConvexPotentialConv2D`.

    See Also
    --------
    lipcore.parametrizations.sll_weight : The construction.
    ConvexPotentialConv2D : What the layer is exported to.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((5, 5, 2)), lk.SLLConv2D(4, padding="circular")])
    >>> lk.certify(model).bounds.upper < 1.001
    True
    """

    plain_class = ConvexPotentialConv2D
