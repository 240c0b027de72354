"""Linear operators: maps known by their products."""

from .base import LinearOperator
from .dense import Dense

__all__ = ["Dense", "LinearOperator"]
