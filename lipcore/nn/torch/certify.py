"""What a trained network is certified to, whatever its construction promised."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ...layers.base import Ord
from .._certify import Certificate, certificate
from .constrain import export
from .read import read


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
    return certificate(read(export(model)), input_shape, ord=ord, rtol=rtol)


__all__ = ["Certificate", "certify"]
