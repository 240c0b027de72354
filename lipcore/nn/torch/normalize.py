"""Centring, and sums with a shortcut."""

from __future__ import annotations

import torch
from torch import nn

from ... import layers as L
from ..._typing import Array
from .read import as_layer
from .scaled_layers import Centring


class LayerCentering(nn.Module):
    """Each sample less its mean over the spatial axes of a channel: an orthogonal projection.

    Parameters
    ----------
    num_features : int
        Channels.
    axes : int
        How many of the last axes the mean runs over.
    bias : bool
        Whether a learned number is added to each channel.
    """

    def __init__(self, num_features: int, axes: int = 2, bias: bool = True) -> None:
        super().__init__()
        self.axes = axes
        self.bias = nn.Parameter(torch.zeros(num_features)) if bias else None

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return Centring(self.axes, None if self.bias is None else self.bias.detach())

    def forward(self, x: Array) -> Array:
        """Differences from the mean."""
        y = x - x.mean(dim=tuple(range(-self.axes, 0)), keepdim=True)
        return y if self.bias is None else y + _per_channel(self.bias, y)


class BatchCentering(nn.Module):
    """Each channel less its mean over the batch; in evaluation, less the running mean: a shift.

    Parameters
    ----------
    num_features : int
        Channels.
    momentum : float
        Weight of a new batch in the running mean.
    bias : bool
        Whether a learned number is added to each channel.

    Notes
    -----
    In evaluation mode the constant is 1. In training mode the mean ties the samples of a batch together.
    """

    def __init__(self, num_features: int, momentum: float = 0.05, bias: bool = True) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features)) if bias else None

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        ones = torch.ones_like(self.running_mean)
        return L.BatchNorm(self.running_mean, ones, None, None if self.bias is None else self.bias.detach(), eps=0.0)

    def forward(self, x: Array) -> Array:
        """Differences from the mean."""
        mean = self.running_mean
        if self.training:
            mean = x.mean(dim=[axis for axis in range(x.ndim) if axis != 1])
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        y = x - _per_channel(mean, x)
        return y if self.bias is None else y + _per_channel(self.bias, y)


class LipResidual(nn.Module):
    r"""Convex combination of the input and a branch, :math:`a x + (1 - a) g(x)`: torchlip's ``LipResidual``.

    Parameters
    ----------
    module : Module
        The branch g, of inputs and outputs of one shape.
    init_alpha : float
        Where the learned number starts whose sigmoid is a; 0 gives a half.

    Notes
    -----
    The constant is at most :math:`a + (1 - a) L_g`.
    """

    def __init__(self, module: nn.Module, init_alpha: float = 0.0) -> None:
        super().__init__()
        self.module = module
        self.alpha = nn.Parameter(torch.tensor(float(init_alpha)))

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        a = float(torch.sigmoid(self.alpha.detach().double()))
        return L.Residual(as_layer(self.module), scale=(a, 1 - a))

    def forward(self, x: Array) -> Array:
        """The combination."""
        a = torch.sigmoid(self.alpha).to(x.dtype)
        return a * x + (1 - a) * self.module(x)


def _per_channel(values: Array, x: Array) -> Array:
    return values.to(x.dtype).reshape((-1,) + (1,) * (x.ndim - 2))
