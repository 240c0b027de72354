"""1-Lipschitz networks in PyTorch: parametrizations, modules, and certificates of what was trained."""

from .activations import Abs, CReLU, FullSort, GroupSort, GroupSort2, HouseHolder, LPReLU, MaxMin
from .certify import Certificate, certify
from .constrain import constrain, export
from .constrained import Constrained, constrain_weight, parametrization
from .constructions import methods
from .initialise import bjorck_, orthogonal_, spectral_
from .linear import FrobeniusLinear, OrthoLinear, SpectralLinear, UnitNormLinear
from .read import as_layer

__all__ = [
    "Abs",
    "CReLU",
    "Certificate",
    "Constrained",
    "FrobeniusLinear",
    "FullSort",
    "GroupSort",
    "GroupSort2",
    "HouseHolder",
    "LPReLU",
    "MaxMin",
    "OrthoLinear",
    "SpectralLinear",
    "UnitNormLinear",
    "as_layer",
    "bjorck_",
    "certify",
    "constrain",
    "constrain_weight",
    "export",
    "methods",
    "orthogonal_",
    "parametrization",
    "spectral_",
]
