"""Certified norms of linear maps, on any array library."""

__version__ = "0.1.0"

from .operators import (
    BlockDiagonal,
    Convolution,
    ConvolutionTranspose,
    Dense,
    Diagonal,
    HStack,
    Identity,
    Jacobian,
    Kronecker,
    LinearOperator,
    LowRank,
    VStack,
    aslinearoperator,
    check_adjoint,
)

__all__ = [
    "BlockDiagonal",
    "Convolution",
    "ConvolutionTranspose",
    "Dense",
    "Diagonal",
    "HStack",
    "Identity",
    "Jacobian",
    "Kronecker",
    "LinearOperator",
    "LowRank",
    "VStack",
    "aslinearoperator",
    "check_adjoint",
]
