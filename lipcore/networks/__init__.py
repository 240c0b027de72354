"""Networks: their Jacobian at a point, and what it says."""

from .local_lipschitz import local_lipschitz

__all__ = ["local_lipschitz"]
