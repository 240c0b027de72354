"""1-Lipschitz networks in Keras 3, on any of its backends: layers, losses, and certificates of what was trained."""

from .._constructions import methods
from .activations import Householder, PReLUlip
from .blocks import InvertibleDownSampling, InvertibleUpSampling
from .certify import Certificate, certify, guarantee
from .convolution import FrobeniusConv2D, SpectralConv1D, SpectralConv2D, SpectralConv3D
from .dense import FrobeniusDense, SpectralDense
from .export import export, vanilla_export
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
from .pooling import (
    ScaledAveragePooling2D,
    ScaledGlobalAveragePooling2D,
    ScaledGlobalL2NormPooling2D,
    ScaledL2NormPooling2D,
)
from .sorting import FullSort, GroupSort, GroupSort2, MaxMin

__all__ = [
    "CategoricalHinge",
    "CategoricalProvableAvgRobustness",
    "CategoricalProvableRobustAccuracy",
    "Certificate",
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
    "MaxMin",
    "MultiMargin",
    "MulticlassHKR",
    "MulticlassHinge",
    "MulticlassKR",
    "PReLUlip",
    "ScaledAveragePooling2D",
    "ScaledGlobalAveragePooling2D",
    "ScaledGlobalL2NormPooling2D",
    "ScaledL2NormPooling2D",
    "SpectralConv1D",
    "SpectralConv2D",
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
