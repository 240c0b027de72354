"""Layers one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from .._typing import Array, Shape
from ..norms import Bounds
from ..operators import LinearOperator
from ..operators.algebra import ProductOperator
from .base import Layer, Ord
from .composite import Composite, Known, affine_norm, linear_part, passed, through
from .regions import Region


class Sequential(Composite):
    r"""Layers applied one after the other, :math:`f = f_k \circ \dots \circ f_1`.

    Parameters
    ----------
    *layers : Layer
        At least one. The first may take several inputs; a `Sequential` is a layer like any other.

    Attributes
    ----------
    layers : tuple of Layer
        What was given.

    Raises
    ------
    TypeError
        If a member is not a layer.
    ValueError
        If there is no layer, or one but the first takes several inputs.

    See Also
    --------
    Residual : A sum of layers and their input.
    Parallel : Branches of one input.

    Notes
    -----
    The Jacobian is the product :math:`J_k \cdots J_1` of those of the layers, at the points that the forward pass goes
    through, kept as factors: a product with it is one with each.

    The constant is at most the product of the constants. On a region each layer is asked for its constant on a region
    that holds what reaches it (`image`), and globally from the first layer on whose outputs nothing bounded is known
    of. Where all layers are affine and the shape is known, the norm of the whole is used if it is less. The kind is the
    weakest of what was used. From below: the norm of the Jacobian at a point inside the region, or anywhere where the
    shape is known; otherwise 0, since the product need not be attained.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> twice = lc.layers.Residual(lc.layers.Add((1,)))
    >>> net = lc.layers.Sequential(twice, twice)
    >>> net(np.array([[1.0, -1.0]]))
    array([[ 4., -4.]])
    >>> net.lipschitz(2, input_shape=(2,)).upper
    4.0
    """

    def __init__(self, *layers: Layer) -> None:
        if not layers:
            raise ValueError("`layers` must hold at least one layer, got none")
        for place, layer in enumerate(layers):
            checked_layer(layer, f"layers[{place}]")
            if place and layer.inputs not in (1, None):
                raise ValueError(
                    f"`layers[{place}]`, {type(layer).__name__}, takes {layer.inputs} inputs; only the first of a "
                    "Sequential may take several"
                )
        self.layers = layers
        self.inputs = layers[0].inputs
        self.ords = common_ords(layers)

    def _forward(self, *xs: Array) -> Array:
        y = self.layers[0](*xs)
        for layer in self.layers[1:]:
            y = layer(y)
        return y

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self.linearize(*xs)[1]

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output and Jacobians of one forward pass."""
        y, parts = self.layers[0].linearize(*xs)
        later: list[LinearOperator] = []
        for layer in self.layers[1:]:
            y, (part,) = layer.linearize(y)
            later.insert(0, part)
        return y, tuple(ProductOperator(*later, part) for part in parts) if later else parts

    def _through(
        self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]
    ) -> tuple[tuple[Bounds, ...], Known]:
        gains, (region, shape) = through(self.layers[0], ord, regions, shapes)
        for layer in self.layers[1:]:
            (gain,), (region, shape) = through(layer, ord, (region,), (shape,))
            gains = tuple(gain @ earlier for earlier in gains)
        whole = (
            None if len(gains) > 1 or len(self.layers) == 1 or shapes[0] is None else affine_norm(self, ord, shapes[0])
        )
        # a little less is not worth a weaker kind
        if whole is not None and whole.upper < 0.99 * gains[0].upper:
            gains = (gains[0].tightened(whole),)
        return gains, (region, shape)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        for layer in self.layers:
            region, shape = passed(layer, regions, shapes)
            regions, shapes = (region,), (shape,)
        return regions[0]

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the last layer's output."""
        shape = self.layers[0].output_shape(*input_shapes)
        return reduce(lambda shape, layer: layer.output_shape(shape), self.layers[1:], shape)

    def linear_part(self, shape: Shape, like: Array) -> LinearOperator | None:
        """Product of the linear parts, where all layers are affine."""
        parts: list[LinearOperator] = []
        for layer in self.layers:
            part = linear_part(layer, shape, like)
            if part is None:
                return None
            parts.insert(0, part)
            shape = tuple(part.range_shape)
        return ProductOperator(*parts) if len(parts) > 1 else parts[0]


def checked_layer(layer: Layer, name: str) -> Layer:
    """`layer`, or an error that names what was given instead."""
    if not isinstance(layer, Layer):
        raise TypeError(f"`{name}` must be a layer, got {type(layer).__name__}")
    return layer


def common_ords(layers: Sequence[Layer]) -> tuple[Ord, ...]:
    """The norms that all layers know."""
    return tuple(ord for ord in layers[0].ords if all(ord in layer.ords for layer in layers[1:]))


def as_one(layers: Sequence[Layer]) -> Layer:
    """Several layers as a Sequential, one as itself."""
    return layers[0] if len(layers) == 1 and isinstance(layers[0], Layer) else Sequential(*layers)
