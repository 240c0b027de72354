"""1-Lipschitz networks in JAX: constraints on trees of weights, layers as pure functions, and certificates."""

from .certify import Certificate, certify, guarantee
from .constrain import constrain, export
from .constraint import Constraint, methods
from .initialise import init_convolution, init_dense, init_potential, init_sandwich, orthogonal
from .plan import Plan, PlannedLeaf, plan
from .read import as_layer, as_potential, as_sandwich, scaled

__all__ = [
    "Certificate",
    "Constraint",
    "Plan",
    "PlannedLeaf",
    "as_layer",
    "as_potential",
    "as_sandwich",
    "certify",
    "constrain",
    "export",
    "guarantee",
    "init_convolution",
    "init_dense",
    "init_potential",
    "init_sandwich",
    "methods",
    "orthogonal",
    "plan",
    "scaled",
]
