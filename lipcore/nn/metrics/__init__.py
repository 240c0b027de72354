"""What a Lipschitz constant proves of a classifier: radii, and accuracies at a radius."""

from .certificates import certificates
from .certified_accuracy import accuracy, certified_accuracy, mean_certificate
from .pairwise_constants import pairwise_constants

__all__ = ["accuracy", "certificates", "certified_accuracy", "mean_certificate", "pairwise_constants"]
