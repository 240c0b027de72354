"""Layers that are 1-Lipschitz together with their activation."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from ... import layers as L
from ... import parametrizations
from ..._typing import Array
from .constrain import become
from .constrained import MODES, Constrained
from .convolution import AdaptiveOrthoConv2d
from .initialise import orthogonal_
from .warm import WarmSpectral


class _Residual(nn.Module):
    """``x - 2 V^T relu(V x + b)`` with a constrained weight V."""

    def __init__(self, shape: tuple[int, ...], bias: bool, factory: dict[str, Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape, **factory))
        self.bias = nn.Parameter(torch.zeros(shape[0], **factory)) if bias else None
        orthogonal_(self.weight)
        parametrize.register_parametrization(self, "weight", self._constraint())

    def _constraint(self) -> Constrained:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_constraint`")

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        return L.ConvexPotential(self.weight.detach(), None if self.bias is None else self.bias.detach())

    def forward(self, x: Array) -> Array:
        """Input less the gradient of the potential."""
        weight = self.weight  # once: each look at it makes it anew
        hidden = torch.relu(functional.linear(x, weight, self.bias))
        return x - 2 * functional.linear(hidden, weight.mT)


class _ResidualLinear(_Residual):
    """The same with a matrix."""

    def __init__(
        self, features: int, hidden: int | None = None, bias: bool = True, *, device: Any = None, dtype: Any = None
    ) -> None:
        shape = (features if hidden is None else hidden, features)
        super().__init__(shape, bias, {"device": device, "dtype": dtype})


class _ResidualConvolution(_Residual):
    """The same with a convolution that keeps the size of the image."""

    def __init__(
        self,
        channels: int,
        hidden: int | None = None,
        kernel_size: int = 3,
        padding_mode: str = "zeros",
        bias: bool = True,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if kernel_size % 2 == 0 or kernel_size < 1:
            raise ValueError(f"`kernel_size` must be odd and positive, got {kernel_size!r}")
        if padding_mode not in MODES:
            raise ValueError(f"`padding_mode` must be one of {', '.join(MODES)}, got {padding_mode!r}")
        shape = (channels if hidden is None else hidden, channels, kernel_size, kernel_size)
        super().__init__(shape, bias, {"device": device, "dtype": dtype})
        self.padding_mode, self.radius = padding_mode, kernel_size // 2

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        bias = None if self.bias is None else self.bias.detach()
        return L.ConvexPotential(self.weight.detach(), bias, padding_mode=self.padding_mode)

    def forward(self, x: Array) -> Array:
        """Input less the gradient of the potential."""
        weight = self.weight
        hidden = torch.relu(functional.conv2d(self._padded(x), weight, self.bias, padding=self._inside))
        # the transpose of a convolution with a border around it is the one with turned taps, and the same border
        turned = weight.transpose(0, 1).flip(2, 3)
        return x - 2 * functional.conv2d(self._padded(hidden), turned, padding=self._inside)

    @property
    def _inside(self) -> int:
        return self.radius if self.padding_mode == "zeros" else 0

    def _padded(self, x: Array) -> Array:
        return x if self.padding_mode == "zeros" else functional.pad(x, (self.radius,) * 4, mode="circular")


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


class CPLLinear(_Potential, _ResidualLinear):
    r"""Convex potential layer, :math:`x - 2 V^T \mathrm{relu}(V x + b)` with :math:`\|V\| \le 1`.

    Parameters
    ----------
    features : int
        Of inputs and outputs.
    hidden : int, optional
        Rows of V; `features` by default.
    bias : bool

    See Also
    --------
    lipcore.parametrizations.cpl_weight : The construction.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.CPLLinear(4, 8), (4,)).bounds.upper < 1.001
    True
    """


class SLLLinear(_Scaled, _ResidualLinear):
    r"""SDP-based Lipschitz layer: orthogonium's ``SDPBasedLipschitzDense``.

    Parameters
    ----------
    features : int
        Of inputs and outputs.
    hidden : int, optional
        Rows of the weight; `features` by default.
    bias : bool

    See Also
    --------
    lipcore.parametrizations.sll_weight : The construction.
    """


class CPLConv2d(_Potential, _ResidualConvolution):
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
    bias : bool

    See Also
    --------
    lipcore.parametrizations.cpl_weight : The construction.
    """


class SLLConv2d(_Scaled, _ResidualConvolution):
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
    bias : bool

    See Also
    --------
    lipcore.parametrizations.sll_weight : The construction.
    """


class AOCPotentialConv2d(_ResidualConvolution):
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
    bias : bool

    See Also
    --------
    lipcore.parametrizations.aoc : The construction.
    """

    def _constraint(self) -> Constrained:
        return Constrained(parametrizations.aoc)


class SLLxAOCConv2d(nn.Sequential):
    r"""An orthogonal convolution, an SDP-based layer and an orthogonal convolution with a stride, for other shapes.

    Parameters
    ----------
    in_channels, out_channels : int
    hidden : int, optional
        Channels inside the middle; `out_channels` by default.
    kernel_size : int
        Of the middle, odd.
    stride : int
        Of the last, and the size of the kernels of the outer two.
    padding_mode : {"zeros", "circular"}
        Of the middle; the outer two are circular, and with ``kernel_size == stride`` the last has no border.
    bias : bool

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
