"""Readers of model files. The only place that knows their formats."""

from __future__ import annotations

from lipcore.frontends.load import load_weights
from lipcore.frontends.records import LinearLayer, ModelFormatError, ModelWeights, Remainder

__all__ = ["LinearLayer", "ModelFormatError", "ModelWeights", "Remainder", "load_weights"]
