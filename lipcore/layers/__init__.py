"""Layers: forward map, Jacobian at a point as an operator, and Lipschitz constants."""

from .base import Layer, UnboundedError
from .linear import LinearLayer
from .regions import Ball, Box, Intersection, Region

__all__ = ["Ball", "Box", "Intersection", "Layer", "LinearLayer", "Region", "UnboundedError"]
