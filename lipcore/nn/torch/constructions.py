"""What stands in for a construction while training."""

from __future__ import annotations

from .._constructions import accepted, construction, methods
from .warm import WarmSpectral

WARM: dict[str, type[WarmSpectral]] = {"spectral": WarmSpectral}

__all__ = ["WARM", "accepted", "construction", "methods"]
