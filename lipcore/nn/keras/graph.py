"""A layer of lipcore for networks that branch and join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ... import layers as L
from ..._typing import Array, Shape
from ...layers.base import Ord
from ...layers.composite import Composite, Known, affine_norm, linear_part, passed, through
from ...layers.merging import identity_on
from ...layers.sequential import common_ords
from ...norms import Bounds
from ...operators import LinearOperator
from ...operators.algebra import ProductOperator, SumOperator
from .._certify import certificate

Region = L.Region | None


class Node(NamedTuple):
    """A layer, and which values it takes: 0 is the input of the graph, i what the node number i - 1 makes."""

    layer: L.Layer
    sources: tuple[int, ...]


class Graph(Composite):
    r"""Layers of which each takes the outputs of earlier ones; the last one's output is the result.

    Parameters
    ----------
    nodes : sequence of Node
        In an order in which they can be evaluated.

    Notes
    -----
    A node with the gains :math:`M_i` with respect to its inputs, which are maps of the common input with constants
    :math:`L_i`, has the constant :math:`\sum M_i L_i` (triangle inequality), a concatenation :math:`\sqrt{\sum L_i^2}`
    in the 2-norm (`Layer.constant_after`). Where all layers are affine the norm of the whole is used if it is less.
    """

    rtol = 1e-5

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)
        self.ords = common_ords([node.layer for node in self.nodes])

    def _forward(self, *xs: Array) -> Array:
        values = list(xs)
        for layer, sources in self.nodes:
            values.append(layer(*(values[s] for s in sources)))
        return values[-1]

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self.linearize(*xs)[1]

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output and Jacobian of one forward pass."""
        (x,) = xs
        values, before = [x], [identity_on(x, tuple(x.shape[1:]))]
        for layer, sources in self.nodes:
            y, parts = layer.linearize(*(values[s] for s in sources))
            values.append(y)
            before.append(_total(parts, [before[s] for s in sources]))
        return values[-1], (before[-1],)

    def _through(
        self, ord: Ord, regions: Sequence[Region], shapes: Sequence[Shape | None]
    ) -> tuple[tuple[Bounds, ...], Known]:
        gains, known = [Bounds(1.0, 1.0, "rigorous", ord=ord)], [(regions[0], shapes[0])]
        for layer, sources in self.nodes:
            inner, outer = tuple(known[s][0] for s in sources), tuple(known[s][1] for s in sources)
            earlier = [gains[s] for s in sources]
            if len(sources) > 1:
                several = layer.gains(ord, inner, input_shape=outer)
                gains.append(layer.constant_after(ord, several, earlier))
                known.append(passed(layer, inner, outer))
            else:
                gain, after = self._alone(layer, ord, inner[0], outer[0])
                gains.append(gain @ earlier[0])
                known.append(after)
        found = gains[-1]
        whole = None if shapes[0] is None or ord == "token" else affine_norm(self, ord, shapes[0])
        # a little less is not worth a weaker kind
        return (found if whole is None or whole.upper >= 0.99 * found.upper else whole,), known[-1]

    def _alone(self, layer: L.Layer, ord: Ord, region: Region, shape: Shape | None) -> tuple[Bounds, Known]:
        """Constant of a layer of one input, the one that it has in a row of layers where no region is given."""
        if region is None and shape is not None:
            bounds = certificate([(None, layer)], shape, ord=ord, rtol=self.rtol).bounds
            return bounds, (None, tuple(layer.output_shape(shape)))
        (bounds,), after = through(layer, ord, (region,), (shape,))
        return bounds, after

    def linear_part(self, shape: Shape, like: Array) -> LinearOperator | None:
        """The linear part where all layers are affine."""
        before = [identity_on(like, shape)]
        for layer, sources in self.nodes:
            shapes = [tuple(before[s].range_shape) for s in sources]
            parts: Sequence[LinearOperator | None]
            if isinstance(layer, L.Add | L.Concatenate):
                parts = layer.operators(shapes, like)
            else:
                parts = [linear_part(layer, shapes[0], like)] if len(sources) == 1 else [None]
            known = [part for part in parts if part is not None]
            if len(known) < len(sources):
                return None
            before.append(_total(known, [before[s] for s in sources]))
        return before[-1]

    def _image(self, regions: Sequence[Region], shapes: Sequence[Shape | None]) -> Region:
        known: list[Known] = [(regions[0], shapes[0])]
        for layer, sources in self.nodes:
            known.append(passed(layer, [known[s][0] for s in sources], [known[s][1] for s in sources]))
        return known[-1][0]

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the last layer's output."""
        shapes = [tuple(input_shapes[0])]
        for layer, sources in self.nodes:
            shapes.append(tuple(layer.output_shape(*(shapes[s] for s in sources))))
        return shapes[-1]


def _total(outer: Sequence[LinearOperator], inner: Sequence[LinearOperator]) -> LinearOperator:
    products = [ProductOperator(last, first) for last, first in zip(outer, inner, strict=True)]
    return SumOperator(*products) if len(products) > 1 else products[0]
