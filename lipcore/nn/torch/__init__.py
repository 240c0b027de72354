"""1-Lipschitz networks in PyTorch: parametrizations, modules, and certificates of what was trained."""

from .activations import Abs, CReLU, FullSort, GroupSort, GroupSort2, HouseHolder, LPReLU, MaxMin
from .certify import Certificate, certify
from .constrain import constrain, export
from .constrained import Constrained, constrain_weight, parametrization
from .constructions import methods
from .convolution import (
    AdaptiveOrthoConv2d,
    AdaptiveOrthoConvTranspose2d,
    AOLConv2d,
    FrobeniusConv2d,
    PadConv1d,
    PadConv2d,
    RKOConv2d,
    SpectralConv1d,
    SpectralConv2d,
    SpectralConvTranspose2d,
)
from .initialise import bjorck_, orthogonal_, spectral_
from .linear import FrobeniusLinear, OrthoLinear, SpectralLinear, UnitNormLinear
from .normalize import BatchCentering, LayerCentering, LipResidual
from .pooling import (
    InvertibleDownSampling,
    InvertibleUpSampling,
    ScaledAdaptativeL2NormPool2d,
    ScaledAdaptiveAvgPool2d,
    ScaledAvgPool2d,
    ScaledGlobalAvgPool2d,
    ScaledGlobalL2NormPool2d,
    ScaledL2NormPool2d,
)
from .read import as_layer
from .sequential import Sequential, evaluate_lip_const, vanilla_export

__all__ = [
    "AOLConv2d",
    "Abs",
    "AdaptiveOrthoConv2d",
    "AdaptiveOrthoConvTranspose2d",
    "BatchCentering",
    "CReLU",
    "Certificate",
    "Constrained",
    "FrobeniusConv2d",
    "FrobeniusLinear",
    "FullSort",
    "GroupSort",
    "GroupSort2",
    "HouseHolder",
    "InvertibleDownSampling",
    "InvertibleUpSampling",
    "LPReLU",
    "LayerCentering",
    "LipResidual",
    "MaxMin",
    "OrthoLinear",
    "PadConv1d",
    "PadConv2d",
    "RKOConv2d",
    "ScaledAdaptativeL2NormPool2d",
    "ScaledAdaptiveAvgPool2d",
    "ScaledAvgPool2d",
    "ScaledGlobalAvgPool2d",
    "ScaledGlobalL2NormPool2d",
    "ScaledL2NormPool2d",
    "Sequential",
    "SpectralConv1d",
    "SpectralConv2d",
    "SpectralConvTranspose2d",
    "SpectralLinear",
    "UnitNormLinear",
    "as_layer",
    "bjorck_",
    "certify",
    "constrain",
    "constrain_weight",
    "evaluate_lip_const",
    "export",
    "methods",
    "orthogonal_",
    "parametrization",
    "spectral_",
    "vanilla_export",
]
