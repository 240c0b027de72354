"""Certified norms of linear maps, on any array library."""

__version__ = "0.1.0"
