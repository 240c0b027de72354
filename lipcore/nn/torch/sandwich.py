"""Layers between two matrices that share one orthogonal one."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from ... import layers as L
from ... import parametrizations
from ..._typing import Array
from .constrained import Constrained
from .initialise import orthogonal_


class SandwichLinear(nn.Module):
    r"""Sandwich layer, :math:`\sqrt 2 A^T \Psi\, \mathrm{relu}(\sqrt 2\, \Psi^{-1} B x + b)`.

    Parameters
    ----------
    in_features, out_features : int
        As for ``torch.nn.Linear``.
    hidden : int, optional
        Rows of A and B; `out_features` by default.
    bias : bool
        Whether a shift is learned.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.sandwich_weights : The construction.
    lipcore.layers.Sandwich : The layer.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.SandwichLinear(4, 2, hidden=8), (4,)).bounds.upper < 1.001
    True
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: int | None = None,
        bias: bool = True,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        hidden = out_features if hidden is None else hidden
        self.out_features = out_features
        self.weight = nn.Parameter(torch.empty((hidden, out_features + in_features), **factory))
        self.bias = nn.Parameter(torch.zeros(hidden, **factory)) if bias else None
        self.log_scale = nn.Parameter(torch.zeros(hidden, **factory))
        orthogonal_(self.weight)
        parametrize.register_parametrization(self, "weight", Constrained(parametrizations.cayley))

    def as_layer(self) -> L.Layer:
        """The layer of lipcore that this module is."""
        weight = self.weight.detach()
        bias = None if self.bias is None else self.bias.detach()
        return L.Sandwich(weight[:, : self.out_features], weight[:, self.out_features :], bias, self.log_scale.detach())

    def forward(self, x: Array) -> Array:
        """The sandwich."""
        a, b = self.weight.tensor_split((self.out_features,), dim=1)
        scale = torch.exp(self.log_scale)
        hidden = functional.linear(x, b * (math.sqrt(2) / scale)[:, None], self.bias)
        return functional.linear(torch.relu(hidden), a.mT * (math.sqrt(2) * scale))
