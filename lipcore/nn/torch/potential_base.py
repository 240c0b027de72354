"""Steps down a convex potential, whose weight a subclass constrains."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from ... import layers as L
from ..._typing import Array
from .constrained import MODES, Constrained
from .initialise import orthogonal_


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


class ResidualLinear(_Residual):
    """The same with a matrix."""

    def __init__(
        self, features: int, hidden: int | None = None, bias: bool = True, *, device: Any = None, dtype: Any = None
    ) -> None:
        shape = (features if hidden is None else hidden, features)
        super().__init__(shape, bias, {"device": device, "dtype": dtype})


class ResidualConvolution(_Residual):
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
