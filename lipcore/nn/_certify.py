"""What a network of layers is certified to, one after the other: shared by all libraries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

from .. import layers as L
from ..layers.base import Ord
from ..norms import Bounds
from . import metrics

Parts = Sequence[tuple[str | None, L.Layer]]


class Certificate(NamedTuple):
    """Lipschitz constants of a network and of its layers.

    Attributes
    ----------
    bounds : Bounds
        Of the whole: the product of those of the layers.
    layers : tuple of (str, Bounds)
        Of each module, in order, by its name.
    network : Sequential
        What was certified, as a lipcore layer.
    """

    bounds: Bounds
    layers: tuple[tuple[str, Bounds], ...]
    network: L.Sequential

    def __str__(self) -> str:
        rows = [f"{name:<12} {bounds}" for name, bounds in self.layers]
        return "\n".join([*rows, f"{'product':<12} {self.bounds}"])


def certificate(parts: Parts, input_shape: Sequence[int], *, ord: Ord = 2, rtol: float = 1e-5) -> Certificate:
    """The constants of `parts` in a row, for samples of `input_shape`, and their product.

    Those without a name, which only change the layout, are multiplied and not listed.
    """
    shape = tuple(int(n) for n in input_shape)
    found: list[tuple[str | None, Bounds]] = []
    for name, layer in parts:
        if isinstance(layer, L.LinearLayer):
            layer.rtol = rtol
        found.append((name, _constant(layer, ord, shape)))
        shape = tuple(layer.output_shape(shape))
    product = reduce(lambda earlier, later: later @ earlier, (bounds for _, bounds in found))
    named = tuple((name, bounds) for name, bounds in found if name is not None)
    return Certificate(product, named, L.Sequential(*(layer for _, layer in parts)))


def guaranteed(parts: Parts, input_shape: Sequence[int]) -> dict[str, Any]:
    """What `lipcore.nn.metrics` need to know: constants of pairs of logits where the last layer is a matrix."""
    last = parts[-1][1]
    if len(parts) < 2 or not isinstance(last, L.Dense):
        return {"lipschitz": certificate(parts, input_shape).bounds, "guarantee": "joint"}
    features = certificate(parts[:-1], input_shape).bounds
    return {"lipschitz": metrics.pairwise_constants(last.weight, lipschitz=features), "guarantee": "pairwise"}


def _constant(layer: L.Layer, ord: Ord, shape: tuple[int, ...]) -> Bounds:
    if isinstance(layer, L.ConvolutionTranspose):
        return layer.lipschitz(ord)
    if isinstance(layer, L.Convolution) and layer.options["padding_mode"] == "zeros":
        return layer.lipschitz(ord)
    return layer.lipschitz(ord, input_shape=shape)
