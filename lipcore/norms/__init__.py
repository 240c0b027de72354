"""Norms of operators, and the certificates behind them."""

from . import circular_symbol, padded, row_maps  # noqa: F401  (register the certificates of convolutions and of softmax)
from .bounds import Bounds
from .certify import NoCertificateError
from .condition_number import condition_number
from .convolution_supremum import convolution_supremum
from .opnorm import opnorm
from .opnorm_bounds import opnorm_bounds

__all__ = [
    "Bounds",
    "NoCertificateError",
    "condition_number",
    "convolution_supremum",
    "opnorm",
    "opnorm_bounds",
]
