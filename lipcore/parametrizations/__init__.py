"""Constructions of layers that cannot stretch: pure, differentiable functions of arrays."""

from .aoc import aoc
from .aol import aol
from .bcop import bcop
from .block_reflectors import block_reflectors
from .cayley import cayley
from .cayley_convolution import cayley_convolution
from .cpl import cpl, cpl_weight
from .eco import eco
from .frobenius import frobenius
from .lot import lot
from .lot_convolution import lot_convolution
from .rko import bjorck, rko
from .sandwich import sandwich, sandwich_weights
from .sll import sll, sll_weight
from .soc import soc
from .soc_convolution import soc_convolution
from .spectral import spectral

__all__ = [
    "aoc",
    "aol",
    "bcop",
    "bjorck",
    "block_reflectors",
    "cayley",
    "cayley_convolution",
    "cpl",
    "cpl_weight",
    "eco",
    "frobenius",
    "lot",
    "lot_convolution",
    "rko",
    "sandwich",
    "sandwich_weights",
    "sll",
    "sll_weight",
    "soc",
    "soc_convolution",
    "spectral",
]
