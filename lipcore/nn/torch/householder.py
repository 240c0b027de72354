"""Pairs of channels, reflected or turned by learned angles."""

from __future__ import annotations

import math

import torch
from torch import nn

from ... import layers as L
from ..._typing import Array
from .sector_turns import SectorTurns, sector_entries


class HouseHolder(nn.Module):
    r"""Pairs of neighbouring channels, reflected in a learned line where they lie on one side of it.

    Parameters
    ----------
    channels : int
        An even number.
    axis : int
        Axis of the batched input; 1 is the channels.

    Raises
    ------
    ValueError
        If `channels` is odd.

    See Also
    --------
    lipcore.layers.Householder : The layer, its Jacobian and its constants.

    Notes
    -----
    A pair keeps its length: no division by :math:`\sqrt 2` is needed. The angles start at :math:`\pi/2`, `MaxMin`.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.HouseHolder(2)(torch.tensor([[1.0, 2.0]])).detach().round(decimals=4)
    tensor([[2., 1.]])
    """

    def __init__(self, channels: int, axis: int = 1) -> None:
        super().__init__()
        if channels % 2 or channels < 2:
            raise ValueError(f"`channels` must be even and positive, got {channels!r}")
        self.axis = axis
        self.theta = nn.Parameter(torch.full((channels // 2,), math.pi / 2))

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return L.Householder(self.theta.detach(), self.axis)

    def forward(self, x: Array) -> Array:
        """Pairs, reflected or not."""
        pairs = x.unflatten(self.axis, (x.shape[self.axis] // 2, 2))
        inner = self.axis + 1 if self.axis >= 0 else self.axis
        first, second = pairs.unbind(inner)
        shape = [1] * first.ndim
        shape[self.axis] = len(self.theta)
        theta = self.theta.to(x.dtype).reshape(shape)
        stays = first * torch.sin(theta / 2) > second * torch.cos(theta / 2)
        c, s = torch.cos(theta), torch.sin(theta)
        one = torch.where(stays, first, c * first + s * second)
        two = torch.where(stays, second, s * first - c * second)
        return torch.stack([one, two], dim=inner).reshape(x.shape)


class HouseHolderOrder2(nn.Module):
    r"""Pairs of neighbouring channels, turned or reflected by the sector they lie in: orthogonium's order 2.

    Parameters
    ----------
    channels : int
        An even number.
    axis : int
        Axis of the batched input; 1 is the channels.

    Raises
    ------
    ValueError
        If `channels` is odd.

    Notes
    -----
    With the angle :math:`\varphi` of a pair from the direction :math:`\theta_0 / 2`: nothing below
    :math:`\theta_1 / 2`, a reflection to :math:`(\theta_1 + \theta_2) / 2`, a turn by :math:`-\theta_2` to
    :math:`\pi + \theta_2 / 2`, and a reflection in the rest. The four agree where they meet, so that the map is
    continuous and keeps the length of a pair; no division by :math:`\sqrt 2` is needed. The angles are kept in
    :math:`[0, 2\pi]`, and start uniform in :math:`[0, \pi]`.
    Singla, Singla and Feizi 2022 (arXiv 2108.04062).

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> turn = lt.HouseHolderOrder2(4)
    >>> x = torch.ones(1, 4)
    >>> bool(abs(turn(x).norm() - x.norm()) < 1e-6)
    True
    """

    def __init__(self, channels: int, axis: int = 1) -> None:
        super().__init__()
        if channels % 2 or channels < 2:
            raise ValueError(f"`channels` must be even and positive, got {channels!r}")
        self.axis = axis
        self.theta = nn.Parameter(math.pi * torch.rand(3, channels // 2))

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return SectorTurns(self._angles().detach(), self.axis)

    def _angles(self) -> Array:
        return self.theta.clamp(0.0, 2 * math.pi)

    def forward(self, x: Array) -> Array:
        """Pairs, turned or reflected."""
        inner = self.axis + 1 if self.axis >= 0 else self.axis
        first, second = x.unflatten(self.axis, (x.shape[self.axis] // 2, 2)).unbind(inner)
        shape = [1] * first.ndim
        shape[self.axis] = self.theta.shape[1]
        angles = self._angles().to(x.dtype).reshape(3, *shape)
        c, s, t = sector_entries(torch, first, second, angles)
        pairs = [c * first - t * s * second, s * first + t * c * second]
        return torch.stack(pairs, dim=inner).reshape(x.shape)
