"""Norms of operators, and the certificates behind them."""

from . import padded  # noqa: F401  (registers the certificates of convolutions)
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
