"""Certified norms of linear maps, on any array library."""

__version__ = "0.1.0"

from . import layers, norms, parametrizations
from .frontends import ModelFormatError, load_weights
from .layers.regions import Ball, Box
from .networks import local_lipschitz
from .norms import Bounds, NoCertificateError, condition_number, opnorm, opnorm_bounds
from .operators import (
    AttentionJacobian,
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
from .solvers import (
    ConvergenceError,
    block_krylov_svd,
    eigsh,
    lanczos_svd,
    lobpcg,
    power_method,
    randomized_svd,
    svds,
)

__all__ = [
    "Ball",
    "Bounds",
    "Box",
    "NoCertificateError",
    "condition_number",
    "layers",
    "local_lipschitz",
    "norms",
    "opnorm",
    "opnorm_bounds",
    "parametrizations",
    "AttentionJacobian",
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
    "ConvergenceError",
    "block_krylov_svd",
    "eigsh",
    "lanczos_svd",
    "lobpcg",
    "power_method",
    "randomized_svd",
    "svds",
    "ModelFormatError",
    "load_weights",
]
