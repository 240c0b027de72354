"""Norms of operators, and the certificates behind them."""

# imported for the certificates and starts that they register
from . import circular_symbol, padded, row_maps, skew_exponential, wave_rows  # noqa: F401
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
