"""Sums, halves and lengths of an input and a branch."""

from __future__ import annotations

import torch
from torch import nn

from ... import layers as L
from ..._typing import Array
from .branch_layers import HalfBranch, PairedLengths
from .fast import root
from .read import as_layer


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

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.LipResidual(torch.nn.ReLU())(torch.tensor([[2.0, -2.0]])).detach()
    tensor([[ 2., -1.]])
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


class AdditiveResidual(LipResidual):
    """`LipResidual` as orthogonium starts it, with more of the input.

    Parameters
    ----------
    fn : Module
        The branch, of inputs and outputs of one shape.
    init_val : float
        Where the learned number starts whose sigmoid is the weight of the input.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.AdditiveResidual(torch.nn.ReLU(), 0.0)(torch.tensor([[2.0, -2.0]])).detach()
    tensor([[ 2., -1.]])
    """

    def __init__(self, fn: nn.Module, init_val: float = 1.0) -> None:
        super().__init__(fn, init_val)


class PrescaledAdditiveResidual(nn.Module):
    r"""A branch of a scaled input, :math:`(x + g(a x)) / (1 + |a|)`: orthogonium's class of this name.

    Parameters
    ----------
    fn : Module
        The branch g, of inputs and outputs of one shape.
    init_val : float
        Where the learned number a starts.

    Notes
    -----
    The constant is at most :math:`(1 + |a| L_g) / (1 + |a|)`.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.PrescaledAdditiveResidual(torch.nn.ReLU(), 3.0)(torch.tensor([[1.0, -1.0]])).detach()
    tensor([[ 1.0000, -0.2500]])
    """

    def __init__(self, fn: nn.Module, init_val: float = 1.0) -> None:
        super().__init__()
        self.fn = fn
        self.alpha = nn.Parameter(torch.tensor(float(init_val)))

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        a = float(self.alpha.detach().double())
        share = 1 / (1 + abs(a))
        return L.Residual(L.Add((a,)), as_layer(self.fn), scale=(share, share))

    def forward(self, x: Array) -> Array:
        """The sum."""
        a = self.alpha.to(x.dtype)
        share = 1 / (1 + a.abs())
        return x * share + self.fn(x * a) * share


class ConcatResidual(nn.Module):
    r"""The first half of the channels as it is beside a branch of the second: orthogonium's ``ConcatResidual``.

    Parameters
    ----------
    fn : Module
        The branch, of half of the channels.

    Notes
    -----
    The Jacobian is block diagonal: the constant is :math:`\max(1, L_g)`.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.ConcatResidual(lt.Abs())(torch.tensor([[-1.0, -2.0]]))
    tensor([[-1.,  2.]])
    """

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return HalfBranch(as_layer(self.fn))

    def forward(self, x: Array) -> Array:
        """Both halves."""
        kept, changed = x.tensor_split(2, dim=1)
        return torch.cat([kept, self.fn(changed)], dim=1)


class L2NormResidual(nn.Module):
    r"""Root mean square of the input and a branch, :math:`\sqrt{(x^2 + g(x)^2) / 2}`: orthogonium's class of this name.

    Parameters
    ----------
    fn : Module
        The branch g, of inputs and outputs of one shape.

    Notes
    -----
    The constant is at most :math:`\sqrt{(1 + L_g^2) / 2}`. No number is added under the root; the derivative where
    both are zero is taken to be zero.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.L2NormResidual(torch.nn.Identity())(torch.tensor([[-1.0, 0.0]]))
    tensor([[1., 0.]])
    """

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return PairedLengths(as_layer(self.fn))

    def forward(self, x: Array) -> Array:
        """Lengths."""
        y = self.fn(x)
        return root((x * x + y * y) / 2)
