"""Centring, and division by one deviation for all channels."""

from __future__ import annotations

import torch
from torch import nn

from ... import layers as L
from ..._typing import Array
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

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.LayerCentering(1, axes=1)(torch.tensor([[[1.0, 3.0]]])).detach()
    tensor([[[-1.,  1.]]])
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

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.BatchCentering(1)(torch.tensor([[1.0], [3.0]])).detach()
    tensor([[-1.],
            [ 1.]])
    """

    def __init__(self, num_features: int, momentum: float = 0.05, bias: bool = True) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features)) if bias else None

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return _affine_layer(torch.ones_like(self.running_mean), self.bias, self.running_mean)

    def forward(self, x: Array) -> Array:
        """Differences from the mean."""
        y = x - _per_channel(self._mean(x), x)
        return y if self.bias is None else y + _per_channel(self.bias, y)

    def _mean(self, x: Array) -> Array:
        """Mean of each channel: of the batch, which is counted, or the running one."""
        if not self.training:
            return self.running_mean
        mean = x.mean(dim=_all_but_channels(x))
        self._count(self.running_mean, mean)
        return mean

    def _count(self, running: Array, batch: Array) -> None:
        with torch.no_grad():
            running.lerp_(batch.to(running.dtype), self.momentum)


class BatchLipNorm(BatchCentering):
    r"""Channels less their means, over the largest of their deviations: torchlip's ``BatchLipNorm``.

    Parameters
    ----------
    num_features : int
        Channels.
    momentum : float
        Weight of a new batch in the running statistics.
    bias : bool
        Whether a learned number is added to each channel.
    centering : bool
        Whether the mean is taken off.
    max_scale : float, optional
        Largest factor; 1 makes a module that is 1-Lipschitz in evaluation mode whatever it has seen. By default there
        is no limit.
    eps : float
        Added to the variance.
    factory : SharedLipFactory, optional
        What keeps the product of the factors of several modules.

    Raises
    ------
    ValueError
        If `max_scale` or `eps` is not positive; from a call in training mode, for one entry in each channel.

    Notes
    -----
    :math:`y = s (x - m) + b`, with one factor :math:`s = 1 / \sqrt{\max_c v_c + \epsilon}` for all channels, at most
    `max_scale`. In evaluation mode m and v are the running mean and variance, two buffers, and s is the constant of
    the module in every norm: `certify` computes it from the stored numbers and multiplies it into that of the network.
    In training mode the statistics are those of the batch, as in ``torch.nn.BatchNorm2d``: an output then depends on
    all samples, and no constant of one sample exists. torchlip averages over an epoch instead of by a momentum, and
    over processes; here each process has its own batch, as in torch.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> norm = lt.BatchLipNorm(2, momentum=1.0)
    >>> _ = norm(torch.tensor([[8.0, 1.0], [0.0, 1.0]]))
    >>> bool(abs(lt.certify(norm, (2,)).bounds.upper - 32**-0.5) < 1e-6)
    True
    """

    def __init__(
        self,
        num_features: int,
        momentum: float = 0.05,
        bias: bool = True,
        *,
        centering: bool = True,
        max_scale: float | None = None,
        eps: float = 1e-5,
        factory: SharedLipFactory | None = None,
    ) -> None:
        super().__init__(num_features, momentum, bias)
        for name, value in (("max_scale", max_scale), ("eps", eps)):
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"`{name}` must be positive and finite, got {value!r}")
        self.centering, self.max_scale, self.eps = centering, max_scale, eps
        self.register_buffer("running_var", torch.ones(num_features))
        if factory is not None:
            factory.register(self)

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        mean = self.running_mean if self.centering else torch.zeros_like(self.running_mean)
        return _affine_layer(self.get_scaling().expand_as(mean), self.bias, mean)

    def get_scaling(self) -> Array:
        """The factor of evaluation mode, shape ()."""
        return self._scale(self.running_var)

    def _scale(self, variance: Array) -> Array:
        scale = torch.rsqrt(variance.max() + self.eps)
        return scale if self.max_scale is None else scale.clamp(max=self.max_scale)

    def forward(self, x: Array) -> Array:
        """Scaled differences from the mean."""
        mean, variance = self._mean(x), self.running_var
        if self.training:
            entries = x.numel() // x.shape[1]
            if entries < 2:
                raise ValueError(f"`x` must have more than one entry in each channel to train, got {tuple(x.shape)}")
            variance = x.var(dim=_all_but_channels(x))
            self._count(self.running_var, variance)
        y = x - _per_channel(mean, x) if self.centering else x
        y = y * self._scale(variance).to(x.dtype)
        return y if self.bias is None else y + _per_channel(self.bias, y)

    def extra_repr(self) -> str:
        """Options."""
        return f"{len(self.running_mean)}, centering={self.centering}, max_scale={self.max_scale}"


class ScaleBiasLayer(nn.Module):
    """A fixed factor and a learned shift of each channel: torchlip's ``ScaleBiasLayer``.

    Parameters
    ----------
    scalar : float
        The factor, whose size is the constant.
    num_features : int
        Channels.
    bias : bool
        Whether a learned number is added to each channel.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.ScaleBiasLayer(0.5, 2, bias=False)(torch.tensor([[2.0, 4.0]]))
    tensor([[1., 2.]])
    """

    def __init__(self, scalar: float = 1.0, num_features: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.scalar = float(scalar)
        self.bias = nn.Parameter(torch.zeros(num_features)) if bias else None

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        if self.bias is None:
            return L.Add((self.scalar,))
        factor = torch.full_like(self.bias.detach(), self.scalar)
        return _affine_layer(factor, self.bias, torch.zeros_like(factor))

    def forward(self, x: Array) -> Array:
        """Scaled and shifted values."""
        y = x * self.scalar
        return y if self.bias is None else y + _per_channel(self.bias, y)

    def extra_repr(self) -> str:
        """Options."""
        return f"scalar={self.scalar:g}"


class SharedLipFactory:
    """The product of the factors of several `BatchLipNorm`: torchlip's ``SharedLipFactory``.

    Notes
    -----
    What it knows is the running statistics, without a derivative: the temperature or margin of a loss may be divided
    by the product. A certificate needs none of it: `certify` reads the factors themselves.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> factory = lt.SharedLipFactory()
    >>> norm = lt.BatchLipNorm(2, factory=factory, max_scale=0.5)
    >>> factory.get_current_product_value()
    tensor(0.5000)
    """

    def __init__(self) -> None:
        self.modules: list[BatchLipNorm] = []

    def register(self, module: BatchLipNorm) -> None:
        """Count a module; `BatchLipNorm` does so itself."""
        self.modules.append(module)

    def get_current_product_value(self) -> Array:
        """The product of the factors, shape ()."""
        with torch.no_grad():
            factors = [module.get_scaling() for module in self.modules]
            return torch.stack(factors).prod() if factors else torch.ones(())


def _affine_layer(factor: Array, bias: Array | None, mean: Array) -> L.Layer:
    """``factor * (x - mean) + bias`` of each channel."""
    shift = None if bias is None else bias.detach()
    return L.BatchNorm(mean, torch.ones_like(mean), factor.detach(), shift, eps=0.0)


def _all_but_channels(x: Array) -> list[int]:
    return [axis for axis in range(x.ndim) if axis != 1]


def _per_channel(values: Array, x: Array) -> Array:
    return values.to(x.dtype).reshape((-1,) + (1,) * (x.ndim - 2))
