"""What people train with: losses and metrics on any array library, and what a network is certified to."""

from . import losses, metrics
from ._certify import Certificate
from ._constructions import methods

__all__ = ["Certificate", "losses", "methods", "metrics"]
