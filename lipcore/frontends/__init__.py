"""Readers of model files. The only place that knows their formats."""

from __future__ import annotations

from .load import load_weights
from .records import LinearLayer, ModelFormatError, ModelOptionError, ModelWeights, Remainder

__all__ = ["LinearLayer", "ModelFormatError", "ModelOptionError", "ModelWeights", "Remainder", "load_weights"]
