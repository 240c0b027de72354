"""1-Lipschitz networks in PyTorch: parametrizations, modules, and certificates of what was trained."""

from .activations import Abs, CReLU, FullSort, GroupSort, GroupSort2, LPReLU, MaxMin, SoftHuber
from .certify import Certificate, certify
from .constrain import constrain, export
from .constrained import Constrained, constrain_weight, parametrization
from .constructions import methods
from .convolution import (
    AdaptiveOrthoConv2d,
    AdaptiveOrthoConvTranspose2d,
    AOLConv2d,
    AOLConvTranspose2d,
    FrobeniusConv2d,
    PadConv1d,
    PadConv2d,
    RKOConv2d,
    RKOConvTranspose2d,
)
from .householder import HouseHolder, HouseHolderOrder2
from .image_convolution import CayleyConv2d, ECOConv2d, LOTConv2d, SOCConv2d
from .initialise import bjorck_, conv_orthogonal_, orthogonal_, spectral_
from .linear import FrobeniusLinear, OrthoLinear, SpectralLinear, UnitNormLinear
from .losses import (
    HKRLoss,
    HKRMulticlassAutoLoss,
    HKRMulticlassLoss,
    KRLoss,
    KRMulticlassLoss,
    LseHKRMulticlassLoss,
    SoftHKRMulticlassLoss,
)
from .margin_losses import (
    CategoricalHingeLoss,
    CosineLoss,
    CosineMarginLoss,
    HingeMarginLoss,
    HingeMulticlassLoss,
    MultiMarginLoss,
    OffsetCrossEntropyLoss,
    TauBCELoss,
    TauCrossEntropyLoss,
)
from .metrics import CategoricalProvableAvgRobustness, CategoricalProvableRobustAccuracy, guarantee
from .normalize import BatchCentering, BatchLipNorm, LayerCentering, ScaleBiasLayer, SharedLipFactory
from .pooling import (
    ScaledAdaptativeL2NormPool2d,
    ScaledAdaptiveAvgPool2d,
    ScaledAvgPool2d,
    ScaledGlobalAvgPool2d,
    ScaledGlobalL2NormPool2d,
    ScaledL2NormPool2d,
)
from .potential import AOCPotentialConv2d, CPLConv2d, CPLLinear, SLLConv2d, SLLLinear, SLLxAOCConv2d
from .read import as_layer
from .rearrange import ChannelShuffle, InvertibleDownSampling, InvertibleUpSampling
from .residual import AdditiveResidual, ConcatResidual, L2NormResidual, LipResidual, PrescaledAdditiveResidual
from .sandwich import SandwichLinear
from .sequential import Sequential, evaluate_lip_const, vanilla_export
from .spectral_convolution import SpectralConv1d, SpectralConv2d, SpectralConvTranspose2d

__all__ = [
    "AOCPotentialConv2d",
    "AOLConv2d",
    "AOLConvTranspose2d",
    "Abs",
    "AdaptiveOrthoConv2d",
    "AdaptiveOrthoConvTranspose2d",
    "AdditiveResidual",
    "BatchCentering",
    "BatchLipNorm",
    "CPLConv2d",
    "CPLLinear",
    "CReLU",
    "CategoricalHingeLoss",
    "CategoricalProvableAvgRobustness",
    "CategoricalProvableRobustAccuracy",
    "CayleyConv2d",
    "Certificate",
    "ChannelShuffle",
    "ConcatResidual",
    "Constrained",
    "CosineLoss",
    "CosineMarginLoss",
    "ECOConv2d",
    "FrobeniusConv2d",
    "FrobeniusLinear",
    "FullSort",
    "GroupSort",
    "GroupSort2",
    "HKRLoss",
    "HKRMulticlassAutoLoss",
    "HKRMulticlassLoss",
    "HingeMarginLoss",
    "HingeMulticlassLoss",
    "HouseHolder",
    "HouseHolderOrder2",
    "InvertibleDownSampling",
    "InvertibleUpSampling",
    "KRLoss",
    "KRMulticlassLoss",
    "L2NormResidual",
    "LOTConv2d",
    "LPReLU",
    "LayerCentering",
    "LipResidual",
    "LseHKRMulticlassLoss",
    "MaxMin",
    "MultiMarginLoss",
    "OffsetCrossEntropyLoss",
    "OrthoLinear",
    "PadConv1d",
    "PadConv2d",
    "PrescaledAdditiveResidual",
    "RKOConv2d",
    "RKOConvTranspose2d",
    "SLLConv2d",
    "SLLLinear",
    "SLLxAOCConv2d",
    "SOCConv2d",
    "SandwichLinear",
    "ScaleBiasLayer",
    "ScaledAdaptativeL2NormPool2d",
    "ScaledAdaptiveAvgPool2d",
    "ScaledAvgPool2d",
    "ScaledGlobalAvgPool2d",
    "ScaledGlobalL2NormPool2d",
    "ScaledL2NormPool2d",
    "Sequential",
    "SharedLipFactory",
    "SoftHKRMulticlassLoss",
    "SoftHuber",
    "SpectralConv1d",
    "SpectralConv2d",
    "SpectralConvTranspose2d",
    "SpectralLinear",
    "TauBCELoss",
    "TauCrossEntropyLoss",
    "UnitNormLinear",
    "as_layer",
    "bjorck_",
    "certify",
    "constrain",
    "constrain_weight",
    "conv_orthogonal_",
    "evaluate_lip_const",
    "export",
    "guarantee",
    "methods",
    "orthogonal_",
    "parametrization",
    "spectral_",
    "vanilla_export",
]
