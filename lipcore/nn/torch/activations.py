"""Activations that do not stretch."""

from __future__ import annotations

import torch
from torch import nn

from ... import layers as L
from ..._typing import Array
from .fast import sort_pairs
from .sign_split import SignSplit
from .soft_huber import SoftAbs


class GroupSort(nn.Module):
    r"""Entries sorted in ascending order within groups of neighbouring channels.

    Parameters
    ----------
    group_size : int or None
        Entries of a group; None for all channels.
    axis : int
        Axis of the batched input; 1 is the channels.

    Raises
    ------
    ValueError
        From a call, if `group_size` does not divide the axis.

    See Also
    --------
    lipcore.layers.GroupSort : The layer, its Jacobian and its constants.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.GroupSort(2)(torch.tensor([[3.0, 1.0, 0.0, 2.0]]))
    tensor([[1., 3., 0., 2.]])
    """

    descending = False

    def __init__(self, group_size: int | None = 2, axis: int = 1) -> None:
        super().__init__()
        self.group_size, self.axis = group_size, axis
        self.as_layer()

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        if self.group_size is None:
            return L.FullSort(self.axis)
        return L.GroupSort(self.group_size, self.axis)

    def forward(self, x: Array) -> Array:
        """Sorted entries."""
        size, n = self.group_size or x.shape[self.axis], x.shape[self.axis]
        if n % size:
            raise ValueError(f"`group_size` {size} must divide the axis {self.axis}, which has {n} entries")
        axis = self.axis if self.axis >= 0 else self.axis + x.ndim
        if size == 2:
            return sort_pairs(x, axis, self.descending)
        groups = x.unflatten(axis, (n // size, size))
        return groups.sort(dim=axis + 1, descending=self.descending, stable=True).values.reshape(x.shape)

    def extra_repr(self) -> str:
        """Options."""
        return f"group_size={self.group_size}, axis={self.axis}"


class GroupSort2(GroupSort):
    """Pairs of neighbouring channels in ascending order.

    Parameters
    ----------
    axis : int
        Axis of the batched input; 1 is the channels.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.GroupSort2()(torch.tensor([[3.0, 1.0, 0.0, 2.0]]))
    tensor([[1., 3., 0., 2.]])
    """

    def __init__(self, axis: int = 1) -> None:
        super().__init__(2, axis)


class FullSort(GroupSort):
    """All channels in ascending order.

    Parameters
    ----------
    axis : int
        Axis of the batched input; 1 is the channels.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.FullSort()(torch.tensor([[3.0, 1.0, 0.0, 2.0]]))
    tensor([[0., 1., 2., 3.]])
    """

    def __init__(self, axis: int = 1) -> None:
        super().__init__(None, axis)


class MaxMin(GroupSort):
    """The larger and the smaller of each pair of neighbouring channels, the MaxMin of the literature.

    Parameters
    ----------
    axis : int
        Axis of the batched input; 1 is the channels.

    Notes
    -----
    torchlip's class of this name is `CReLU`. orthogonium pairs channel c with c + C/2 instead of its neighbour, which
    is the same up to a permutation of channels before and after.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.MaxMin()(torch.tensor([[3.0, 1.0, 0.0, 2.0]]))
    tensor([[3., 1., 2., 0.]])
    """

    descending = True

    def __init__(self, axis: int = 1) -> None:
        super().__init__(2, axis)

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return L.MaxMin(self.axis)


class CReLU(nn.Module):
    r"""Positive and negative parts, ``[relu(x), relu(-x)]``, one behind the other along an axis: torchlip's ``MaxMin``.

    Parameters
    ----------
    axis : int
        Axis of the batched input, which becomes twice as long.

    Notes
    -----
    Shang et al. 2016 (arXiv 1603.05201). The Jacobian has one entry of size 1 in each column: the constant is 1.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.CReLU()(torch.tensor([[3.0, -1.0]]))
    tensor([[3., 0., 0., 1.]])
    """

    def __init__(self, axis: int = 1) -> None:
        super().__init__()
        self.axis = axis

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return SignSplit(self.axis)

    def forward(self, x: Array) -> Array:
        """Both parts."""
        return torch.cat([torch.relu(x), torch.relu(-x)], dim=self.axis)


class LPReLU(nn.Module):
    r"""Rectifier with learned slopes that are kept in [-1, 1].

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels.
    init : float
        Slope of the negative side at the start.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.LPReLU()(torch.tensor([[3.0, -1.0]])).detach()
    tensor([[ 3.0000, -0.2500]])
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((num_parameters,), float(init)))

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return L.PReLU(self.weight.detach().clamp(-1, 1))

    def forward(self, x: Array) -> Array:
        """Rectified values."""
        return nn.functional.prelu(x, self.weight.clamp(-1, 1).to(x.dtype))


class Abs(nn.Module):
    """Absolute values.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.Abs()(torch.tensor([[3.0, -1.0]]))
    tensor([[3., 1.]])
    """

    def __init__(self) -> None:
        super().__init__()

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return L.Abs()

    def forward(self, x: Array) -> Array:
        """Absolute values."""
        return torch.abs(x)


class SoftHuber(nn.Module):
    r"""Absolute values with a round bottom, :math:`\sqrt{\delta^2 + x^2} - \delta`: orthogonium's ``SoftHuber``.

    Parameters
    ----------
    delta : float
        Where the function turns from a parabola into a line; positive.

    Raises
    ------
    ValueError
        If `delta` is not positive and finite.

    Notes
    -----
    The slope :math:`x / \sqrt{\delta^2 + x^2}` lies in (-1, 1). Computed without a difference of near numbers or a
    square that overflows.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.SoftHuber(3.0)(torch.tensor([4.0, 0.0]))
    tensor([2., 0.])
    """

    def __init__(self, delta: float = 0.05) -> None:
        super().__init__()
        self.delta = float(delta)
        self.as_layer()

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return SoftAbs(self.delta)

    def forward(self, x: Array) -> Array:
        """Values."""
        # x^2 / (sqrt(delta^2 + x^2) + delta), with the root as a length
        return x * (x / (torch.hypot(x, torch.full_like(x, self.delta)) + self.delta))

    def extra_repr(self) -> str:
        """Options."""
        return f"delta={self.delta:g}"
