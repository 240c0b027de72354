"""Layers: forward map, Jacobian at a point as an operator, and Lipschitz constants."""

from .activations import (
    CELU,
    ELU,
    GELU,
    SELU,
    Abs,
    Arctan,
    Exp,
    Hardshrink,
    HardSigmoid,
    HardSwish,
    Hardtanh,
    Identity,
    LeakyReLU,
    LogSigmoid,
    Mish,
    PReLU,
    QuickGELU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Sin,
    Snake,
    Softplus,
    Softshrink,
    Softsign,
    SquaredReLU,
    Swish,
    Tanh,
    TanhExp,
    Tanhshrink,
    Threshold,
)
from .adaptive_avg_pool import AdaptiveAvgPool
from .adaptive_max_pool import AdaptiveMaxPool
from .add import Add
from .attention import (
    CosineAttention,
    L2Attention,
    MultiHeadAttention,
    QKNorm,
    Rotary,
    ScaledDotProductAttention,
)
from .avg_pool import AvgPool
from .base import Layer, UnboundedError
from .batch_norm import BatchNorm
from .center_norm import CenterNorm
from .concatenate import Concatenate
from .convex_potential import ConvexPotential
from .convolution import Convolution
from .convolution_transpose import ConvolutionTranspose
from .dense import Dense
from .dropout import Dropout
from .elementwise import Elementwise
from .embedding import Embedding
from .gated import GEGLU, Bilinear, Gated, ReGLU, SwiGLU
from .global_avg_pool import GlobalAvgPool
from .global_max_pool import GlobalMaxPool
from .glu import GLU
from .group_norm import GroupNorm, InstanceNorm
from .group_sort import FullSort, GroupSort, MaxMin
from .gru import GRU
from .householder import Householder
from .l2_pool import L2NormPool
from .layer_norm import LayerNorm, RMSNorm
from .linear import LinearLayer
from .log_softmax import LogSoftmax, LogSumExp
from .lstm import LSTM
from .max_pool import MaxPool
from .multiply import Multiply
from .normalize import Normalize
from .pad import Pad
from .parallel import Parallel
from .pixel_shuffle import PixelShuffle, PixelUnshuffle
from .regions import Ball, Box, Intersection, Region
from .reshape import Flatten, Permute, Reshape
from .residual import Residual
from .rnn import RNN
from .sandwich import Sandwich
from .sequential import Sequential
from .slicing import Crop, Slice, Subsample
from .softmax import Softmax
from .upsample import Upsample

__all__ = [
    "Abs",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "Add",
    "Arctan",
    "AvgPool",
    "Ball",
    "BatchNorm",
    "Bilinear",
    "Box",
    "CELU",
    "CenterNorm",
    "Concatenate",
    "ConvexPotential",
    "Convolution",
    "ConvolutionTranspose",
    "CosineAttention",
    "Crop",
    "Dense",
    "Dropout",
    "ELU",
    "Elementwise",
    "Embedding",
    "Exp",
    "Flatten",
    "FullSort",
    "GEGLU",
    "GELU",
    "GLU",
    "GRU",
    "Gated",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "GroupSort",
    "HardSigmoid",
    "HardSwish",
    "Hardshrink",
    "Hardtanh",
    "Householder",
    "Identity",
    "InstanceNorm",
    "Intersection",
    "L2Attention",
    "L2NormPool",
    "LSTM",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LinearLayer",
    "LogSigmoid",
    "LogSoftmax",
    "LogSumExp",
    "MaxMin",
    "MaxPool",
    "Mish",
    "MultiHeadAttention",
    "Multiply",
    "Normalize",
    "PReLU",
    "Pad",
    "Parallel",
    "Permute",
    "PixelShuffle",
    "PixelUnshuffle",
    "QKNorm",
    "QuickGELU",
    "RMSNorm",
    "RNN",
    "ReGLU",
    "ReLU",
    "ReLU6",
    "Region",
    "Reshape",
    "Residual",
    "Rotary",
    "SELU",
    "ScaledDotProductAttention",
    "Sandwich",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Slice",
    "Snake",
    "Softmax",
    "Softplus",
    "Softshrink",
    "Softsign",
    "SquaredReLU",
    "Subsample",
    "SwiGLU",
    "Swish",
    "Tanh",
    "TanhExp",
    "Tanhshrink",
    "Threshold",
    "UnboundedError",
    "Upsample",
]
