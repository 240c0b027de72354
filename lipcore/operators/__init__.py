"""Linear operators: maps known by their products."""

from .attention import AttentionJacobian
from .base import LinearOperator
from .block_diagonal import BlockDiagonal
from .checks import check_adjoint
from .convolution import Convolution
from .convolution_transpose import ConvolutionTranspose
from .dense import Dense
from .diagonal import Diagonal
from .identity import Identity
from .interop import SparseMatrix, aslinearoperator
from .jacobian import Jacobian
from .kronecker import Kronecker
from .low_rank import LowRank
from .stack import HStack, VStack

__all__ = [
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
    "SparseMatrix",
    "VStack",
    "aslinearoperator",
    "check_adjoint",
]
