"""What stands in for a construction while training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ... import parametrizations
from ..._typing import Array
from ...parametrizations.aoc import by_projectors
from ...parametrizations.bcop import stride_one_by_projectors
from ...parametrizations.block_reflectors import by_reflections
from ...parametrizations.rko import reshaped
from .._constructions import accepted, construction, methods
from .polar import WarmPolar
from .warm import WarmSpectral

# constructions out of polar factors, and the same with the way to make them left open
_POLAR: dict[Callable[..., Array], Callable[..., Array]] = {
    parametrizations.aoc: by_projectors,
    parametrizations.bcop: stride_one_by_projectors,
    parametrizations.bjorck: reshaped,
    parametrizations.block_reflectors: by_reflections,
    parametrizations.lot: reshaped,
    parametrizations.rko: reshaped,
}


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
        return WarmPolar(function, _POLAR[function], place, options)
    return None


__all__ = ["accepted", "construction", "methods", "stand_in"]
