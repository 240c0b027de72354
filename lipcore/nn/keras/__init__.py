"""1-Lipschitz networks in Keras 3, on any of its backends: layers, losses, and certificates of what was trained."""

from .._constructions import methods
from .activations import Householder, PReLUlip
from .blocks import InvertibleDownSampling, InvertibleUpSampling
from .certify import Certificate, certify, guarantee
from .constrained_potential import CPLConv2D, CPLDense, SLLConv2D, SLLDense
from .convolution import FrobeniusConv2D, SpectralConv1D, SpectralConv2D, SpectralConv3D
from .dense import FrobeniusDense, SpectralDense
from .export import export, vanilla_export
from .image_convolution import ExponentialConv2D, FrequencyConv2D
from .losses import (
    HKR,
    KR,
    CategoricalHinge,
    HingeMargin,
    MulticlassHinge,
    MulticlassHKR,
    MulticlassKR,
    MultiMargin,
    TauBinaryCrossentropy,
    TauCategoricalCrossentropy,
    TauSparseCategoricalCrossentropy,
)
from .metrics import CategoricalProvableAvgRobustness, CategoricalProvableRobustAccuracy
from .orthogonal_image import CayleyConv2D, LOTConv2D, SOCConv2D
from .plain_convolution import PadConv1D, PadConv2D, PadConv3D
from .pooling import (
    ScaledAveragePooling2D,
    ScaledGlobalAveragePooling2D,
    ScaledGlobalL2NormPooling2D,
    ScaledL2NormPooling2D,
)
from .potential import ConvexPotential, ConvexPotentialConv2D
from .sandwich import Sandwich, SandwichDense
from .sorting import FullSort, GroupSort, GroupSort2, MaxMin
from .transposed import SpectralConv1DTranspose, SpectralConv2DTranspose

__all__ = [
    "CPLConv2D",
    "CPLDense",
    "CategoricalHinge",
    "CategoricalProvableAvgRobustness",
    "CategoricalProvableRobustAccuracy",
    "CayleyConv2D",
    "Certificate",
    "ConvexPotential",
    "ConvexPotentialConv2D",
    "ExponentialConv2D",
    "FrequencyConv2D",
    "FrobeniusConv2D",
    "FrobeniusDense",
    "FullSort",
    "GroupSort",
    "GroupSort2",
    "HKR",
    "HingeMargin",
    "Householder",
    "InvertibleDownSampling",
    "InvertibleUpSampling",
    "KR",
    "LOTConv2D",
    "MaxMin",
    "MultiMargin",
    "MulticlassHKR",
    "MulticlassHinge",
    "MulticlassKR",
    "PReLUlip",
    "PadConv1D",
    "PadConv2D",
    "PadConv3D",
    "SLLConv2D",
    "SLLDense",
    "SOCConv2D",
    "Sandwich",
    "SandwichDense",
    "ScaledAveragePooling2D",
    "ScaledGlobalAveragePooling2D",
    "ScaledGlobalL2NormPooling2D",
    "ScaledL2NormPooling2D",
    "SpectralConv1D",
    "SpectralConv1DTranspose",
    "SpectralConv2D",
    "SpectralConv2DTranspose",
    "SpectralConv3D",
    "SpectralDense",
    "TauBinaryCrossentropy",
    "TauCategoricalCrossentropy",
    "TauSparseCategoricalCrossentropy",
    "certify",
    "export",
    "guarantee",
    "methods",
    "vanilla_export",
]
