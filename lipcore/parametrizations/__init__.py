"""Constructions of layers that cannot stretch: pure, differentiable functions of arrays."""

from .aol import aol
from .frobenius import frobenius
from .spectral import spectral

__all__ = [
    "aol",
    "frobenius",
    "spectral",
]
