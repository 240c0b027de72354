"""Layers that are 1-Lipschitz together with their activation."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ... import parametrizations
from ..._typing import Array
from .constrain import become
from .constrained import Constrained
from .convolution import AdaptiveOrthoConv2d
from .potential_base import ResidualConvolution, ResidualLinear
from .warm import WarmSpectral


class _Potential:
    """Weight over a certified bound of its norm."""

    weight: Any

    def _constraint(self) -> Constrained:
        warm = WarmSpectral(tuple(self.weight.shape)).to(self.weight.device)
        warm.warm_up(self.weight.detach().float())
        return Constrained(parametrizations.cpl_weight, warm=warm)


class _Scaled:
    """Weight with a factor for each hidden channel, and learned scales."""

    weight: Any

    def _constraint(self) -> Constrained:
        return Constrained(SLLWeight(self.weight.shape[0], self.weight.device))


class SLLWeight(nn.Module):
    """`lipcore.parametrizations.sll_weight` with learned scales.

    Parameters
    ----------
    hidden : int
    device : device, optional
    """

    def __init__(self, hidden: int, device: Any = None) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(hidden, device=device))

    def forward(self, weight: Array) -> Array:
        """The weight that makes a convex potential layer 1-Lipschitz."""
        return parametrizations.sll_weight(weight, log_scale=self.log_scale.to(weight.dtype))


class CPLLinear(_Potential, ResidualLinear):
    r"""Convex potential layer, :math:`x - 2 V^T \mathrm{relu}(V x + b)` with :math:`\|V\| \le 1`.

    Parameters
    ----------
    features : int
        Of inputs and outputs.
    hidden : int, optional
        Rows of V; `features` by default.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.cpl_weight : The construction.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.CPLLinear(4, 8), (4,)).bounds.upper < 1.001
    True
    """


class SLLLinear(_Scaled, ResidualLinear):
    r"""SDP-based Lipschitz layer: orthogonium's ``SDPBasedLipschitzDense``.

    Parameters
    ----------
    features : int
        Of inputs and outputs.
    hidden : int, optional
        Rows of the weight; `features` by default.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.sll_weight : The construction.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.SLLLinear(4, 8), (4,)).bounds.upper < 1.001
    True
    """


class CPLConv2d(_Potential, ResidualConvolution):
    r"""Convex potential layer with a convolution, of images of any size.

    Parameters
    ----------
    channels : int
        Of inputs and outputs.
    hidden : int, optional
        Channels inside; `channels` by default.
    kernel_size : int
        Odd.
    padding_mode : {"zeros", "circular"}
        What is around an image.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.cpl_weight : The construction.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.CPLConv2d(2, 4)(torch.ones(1, 2, 5, 5)).shape
    torch.Size([1, 2, 5, 5])
    """


class SLLConv2d(_Scaled, ResidualConvolution):
    r"""SDP-based Lipschitz layer with a convolution: orthogonium's ``SDPBasedLipschitzConv``.

    Parameters
    ----------
    channels : int
        Of inputs and outputs.
    hidden : int, optional
        Channels inside; `channels` by default.
    kernel_size : int
        Odd.
    padding_mode : {"zeros", "circular"}
        What is around an image.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.sll_weight : The construction.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.SLLConv2d(2, 4)(torch.ones(1, 2, 5, 5)).shape
    torch.Size([1, 2, 5, 5])
    """


class AOCPotentialConv2d(ResidualConvolution):
    r"""Convex potential layer with an orthogonal convolution: orthogonium's ``AOCLipschitzResBlock``.

    Parameters
    ----------
    channels : int
        Of inputs and outputs.
    hidden : int, optional
        Channels inside; `channels` by default.
    kernel_size : int
        Odd.
    padding_mode : {"zeros", "circular"}
        What is around an image.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.aoc : The construction.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lt.AOCPotentialConv2d(2, 4)(torch.ones(1, 2, 5, 5)).shape
    torch.Size([1, 2, 5, 5])
    """

    def _constraint(self) -> Constrained:
        return Constrained(parametrizations.aoc)


class SLLxAOCConv2d(nn.Sequential):
    r"""An orthogonal convolution, an SDP-based layer and an orthogonal convolution with a stride, for other shapes.

    Parameters
    ----------
    in_channels, out_channels : int
        As for ``torch.nn.Conv2d``.
    hidden : int, optional
        Channels inside the middle; `out_channels` by default.
    kernel_size : int
        Of the middle, odd.
    stride : int
        Of the last, and the size of the kernels of the outer two.
    padding_mode : {"zeros", "circular"}
        Of the middle; the outer two are circular, and with ``kernel_size == stride`` the last has no border.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    Notes
    -----
    orthogonium's ``SLLxAOCLipschitzResBlock`` is this composition with the kernels of neighbours multiplied out, which
    is the same map in the interior of an image. Here three modules stay, and are certified one by one.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.SLLxAOCConv2d(2, 4)
    >>> layer(torch.ones(1, 2, 6, 6)).shape
    torch.Size([1, 4, 3, 3])
    """

    plain = staticmethod(become(nn.Sequential))

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden: int | None = None,
        kernel_size: int = 3,
        stride: int = 2,
        padding_mode: str = "circular",
        bias: bool = True,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        place = {"bias": False, "device": device, "dtype": dtype}
        hidden = out_channels if hidden is None else hidden
        super().__init__(
            AdaptiveOrthoConv2d(in_channels, in_channels, stride, **place),
            SLLConv2d(in_channels, hidden, kernel_size, padding_mode, **{**place, "bias": bias}),
            AdaptiveOrthoConv2d(in_channels, out_channels, stride, stride, padding=0, **place),
        )
