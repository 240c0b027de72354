"""What people train with: losses and metrics on any array library."""

from . import losses, metrics

__all__ = ["losses", "metrics"]
