"""What stands in for a construction while training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ... import parametrizations
from ..._typing import Array
from .._constructions import accepted, construction, methods
from .polar import WarmPolar
from .warm import WarmSpectral

_POLAR = (parametrizations.rko, parametrizations.bjorck, parametrizations.lot)


def stand_in(
    function: Callable[..., Array], weight: Array, place: Mapping[str, Any], options: Mapping[str, Any]
) -> nn.Module | None:
    """A cheaper module with nearly the values of `function`, or None; `place` is of the convolution."""
    if function is parametrizations.spectral:
        warm = WarmSpectral(weight.shape, **place).to(weight.device)
        warm.warm_up(weight.detach().float())
        return warm
    # an iteration that is cut short on purpose has no other form
    if function in _POLAR and options.get("iterations", 15) >= 15 and options.get("beta", 0.5) == 0.5:
        return WarmPolar(function, weight.shape, place, options)
    return None


__all__ = ["accepted", "construction", "methods", "stand_in"]
