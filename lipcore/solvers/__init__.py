"""Solvers: iterations that find singular values and eigenvalues of operators from their products."""

from .block_krylov_svd import block_krylov_svd
from .eigsh import eigsh
from .lanczos_eigh import lanczos_eigh
from .lanczos_svd import lanczos_svd
from .lobpcg import lobpcg
from .power_method import power_method
from .randomized_svd import randomized_svd
from .results import ConvergenceError, EighPairs, EighResult, State, SVDResult, SVDTriplets
from .svds import svds

__all__ = [
    "ConvergenceError",
    "EighPairs",
    "EighResult",
    "SVDResult",
    "SVDTriplets",
    "State",
    "block_krylov_svd",
    "eigsh",
    "lanczos_eigh",
    "lanczos_svd",
    "lobpcg",
    "power_method",
    "randomized_svd",
    "svds",
]
