"""What a trained network is certified to, whatever its construction promised."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from torch import nn

from ... import layers as L
from ...layers.base import Ord
from ...norms import Bounds
from .constrain import export
from .read import read


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


def certify(model: nn.Module, input_shape: Sequence[int], *, ord: Ord = 2, rtol: float = 1e-5) -> Certificate:
    r"""Lipschitz constants of a network from its numbers alone.

    Parameters
    ----------
    model : Module
        Constrained or plain. A constrained one is exported first; it stays as it is.
    input_shape : sequence of int
        Shape of one sample, without the batch.
    ord : {2, 1, inf}
        Norm of inputs and outputs.
    rtol : float
        Relative width that is asked for in the constants of linear layers and convolutions; where it is not reached
        they are as true, only wider.

    Returns
    -------
    Certificate

    Raises
    ------
    TypeError
        For a module that is not known, by its name.
    lipcore.layers.UnboundedError
        A ValueError: for a layer that has no finite constant.

    Notes
    -----
    The exported weights are read into `lipcore.layers`, whose constants are computed from the stored numbers. No
    construction is relied upon: a weight that was changed, or a construction with a mistake, shows in the constant.
    Convolutions with zeros around the image, or nothing, have the constant that holds for every image size; others are
    measured on images of the size that reaches them. The constants are those of the network in real arithmetic: the
    rounding of a forward pass comes on top.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> net = torch.nn.Sequential(lt.FrobeniusLinear(4, 8), lt.GroupSort2(), lt.FrobeniusLinear(8, 2))
    >>> found = lt.certify(net, (4,))
    >>> found.bounds.kind, found.bounds.upper < 1.0001
    ('rigorous', True)
    """
    parts = read(export(model))
    shape = tuple(int(n) for n in input_shape)
    found: list[tuple[str, Bounds]] = []
    for name, layer in parts:
        if isinstance(layer, L.LinearLayer):
            layer.rtol = rtol
        found.append((name, _constant(layer, ord, shape)))
        shape = tuple(layer.output_shape(shape))
    product = reduce(lambda earlier, later: later @ earlier, (bounds for _, bounds in found))
    network = L.Sequential(*(layer for _, layer in parts))
    return Certificate(product, tuple(found), network)


def _constant(layer: L.Layer, ord: Ord, shape: tuple[int, ...]) -> Bounds:
    if isinstance(layer, L.ConvolutionTranspose):
        return layer.lipschitz(ord)
    if isinstance(layer, L.Convolution) and layer.options["padding_mode"] == "zeros":
        return layer.lipschitz(ord)
    return layer.lipschitz(ord, input_shape=shape)
