"""What people train with: losses and metrics on any array library, and what a network is certified to."""

from . import losses, metrics
from ._certify import Certificate

__all__ = ["Certificate", "losses", "metrics"]
