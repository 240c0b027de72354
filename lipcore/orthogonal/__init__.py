"""Orthogonalisation: the polar factor and other maps onto matrices with orthonormal rows or columns."""

from .bjorck import bjorck
from .cayley import cayley
from .cholesky_qr import cholesky_qr
from .matrix_exp import matrix_exp
from .newton_schulz import newton_schulz
from .orthogonalize import orthogonalize
from .polar import PolarResult, polar
from .polar_express import polar_express
from .qdwh import qdwh

__all__ = [
    "PolarResult",
    "bjorck",
    "cayley",
    "cholesky_qr",
    "matrix_exp",
    "newton_schulz",
    "orthogonalize",
    "polar",
    "polar_express",
    "qdwh",
]
