"""One of each module of `lipcore.nn.torch`, in several forms, and what they are tried on."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import lipcore.nn.torch as lt

IMAGE = (4, 6, 6)
SIGNAL = (4, 9)
VECTOR = (6,)


def seen(module: nn.Module, spread: float) -> nn.Module:
    """The module after training on inputs with that deviation."""
    shape = IMAGE if len(module.running_mean) == 4 else VECTOR
    for _ in range(3):
        module.train()(spread * (points(shape, 8) + 1))
    return module


MODULES = {
    "SpectralLinear": (lambda: lt.SpectralLinear(6, 4), VECTOR),
    "SpectralLinear, tall": (lambda: lt.SpectralLinear(6, 9), VECTOR),
    "SpectralLinear, norm only": (lambda: lt.SpectralLinear(6, 4, iterations=0), VECTOR),
    "FrobeniusLinear": (lambda: lt.FrobeniusLinear(6, 4), VECTOR),
    **{
        f"OrthoLinear, {method}": (lambda method=method: lt.OrthoLinear(6, 4, method=method), VECTOR)
        for method in ("rko", "bjorck", "cayley", "lot", "soc", "block_reflectors")
    },
    "SpectralConv1d": (lambda: lt.SpectralConv1d(4, 5, 3, stride=2, padding=1), SIGNAL),
    "SpectralConv2d": (lambda: lt.SpectralConv2d(4, 6, 3, padding=1), IMAGE),
    "SpectralConv2d, circular": (lambda: lt.SpectralConv2d(4, 6, 3, padding=1, padding_mode="circular"), IMAGE),
    "SpectralConv2d, norm only": (lambda: lt.SpectralConv2d(4, 6, 3, padding=1, groups=2, iterations=0), IMAGE),
    "SpectralConv2d, dilated": (lambda: lt.SpectralConv2d(4, 6, 2, dilation=2, stride=2), IMAGE),
    "SpectralConvTranspose2d": (lambda: lt.SpectralConvTranspose2d(4, 3, 3, 2, 1, output_padding=1), IMAGE),
    "FrobeniusConv2d": (lambda: lt.FrobeniusConv2d(4, 6, 3, padding=1), IMAGE),
    "AOLConv2d": (lambda: lt.AOLConv2d(4, 6, 3, padding=1), IMAGE),
    "RKOConv2d": (lambda: lt.RKOConv2d(4, 6, 2, 2), IMAGE),
    "AdaptiveOrthoConv2d": (lambda: lt.AdaptiveOrthoConv2d(4, 6, 3), IMAGE),
    "AdaptiveOrthoConv2d, strided": (lambda: lt.AdaptiveOrthoConv2d(4, 8, 3, stride=2), IMAGE),
    "AdaptiveOrthoConv2d, grouped": (lambda: lt.AdaptiveOrthoConv2d(4, 8, 4, stride=2, groups=2), IMAGE),
    "AdaptiveOrthoConv2d, sparse": (lambda: lt.AdaptiveOrthoConv2d(4, 4, 2, stride=3, padding=0), IMAGE),
    "AdaptiveOrthoConvTranspose2d": (lambda: lt.AdaptiveOrthoConvTranspose2d(4, 2, 3, 2), IMAGE),
    "ScaledAvgPool2d": (lambda: lt.ScaledAvgPool2d(2), IMAGE),
    "ScaledAvgPool2d, overlapping": (lambda: lt.ScaledAvgPool2d(3, (2, 1)), IMAGE),
    "ScaledAdaptiveAvgPool2d": (lambda: lt.ScaledAdaptiveAvgPool2d((1, 3)), IMAGE),
    "ScaledAdaptiveAvgPool2d, uneven": (lambda: lt.ScaledAdaptiveAvgPool2d((4, 5)), IMAGE),
    "ScaledGlobalAvgPool2d": (lambda: lt.ScaledGlobalAvgPool2d(), IMAGE),
    "ScaledL2NormPool2d": (lambda: lt.ScaledL2NormPool2d(2), IMAGE),
    "ScaledL2NormPool2d, overlapping": (lambda: lt.ScaledL2NormPool2d((3, 2), 1), IMAGE),
    "ScaledAdaptativeL2NormPool2d": (lambda: lt.ScaledAdaptativeL2NormPool2d((2, 3)), IMAGE),
    "ScaledGlobalL2NormPool2d": (lambda: lt.ScaledGlobalL2NormPool2d(), IMAGE),
    "InvertibleDownSampling": (lambda: lt.InvertibleDownSampling(2), IMAGE),
    "InvertibleUpSampling": (lambda: lt.InvertibleUpSampling(2), IMAGE),
    "GroupSort": (lambda: lt.GroupSort(4), IMAGE),
    "GroupSort, last axis": (lambda: lt.GroupSort(3, axis=-1), IMAGE),
    "GroupSort2": (lambda: lt.GroupSort2(), IMAGE),
    "GroupSort2, last axis": (lambda: lt.GroupSort2(axis=-1), IMAGE),
    "FullSort": (lambda: lt.FullSort(), IMAGE),
    "MaxMin": (lambda: lt.MaxMin(), VECTOR),
    "MaxMin, images": (lambda: lt.MaxMin(), IMAGE),
    "CReLU": (lambda: lt.CReLU(), VECTOR),
    "CReLU, images": (lambda: lt.CReLU(), IMAGE),
    "CReLU, last axis": (lambda: lt.CReLU(-1), IMAGE),
    "HouseHolder": (lambda: lt.HouseHolder(4), IMAGE),
    "HouseHolder, vectors": (lambda: lt.HouseHolder(6), VECTOR),
    "LPReLU": (lambda: lt.LPReLU(), IMAGE),
    "LPReLU, channels": (lambda: lt.LPReLU(4, init=-2.0), IMAGE),
    "Abs": (lambda: lt.Abs(), IMAGE),
    "SoftHuber": (lambda: lt.SoftHuber(), VECTOR),
    "SoftHuber, wide": (lambda: lt.SoftHuber(2.0), IMAGE),
    "HouseHolderOrder2": (lambda: lt.HouseHolderOrder2(4), IMAGE),
    "HouseHolderOrder2, vectors": (lambda: lt.HouseHolderOrder2(6), VECTOR),
    "HouseHolderOrder2, last axis": (lambda: lt.HouseHolderOrder2(6, axis=-1), IMAGE),
    "ChannelShuffle": (lambda: lt.ChannelShuffle(2, 2), IMAGE),
    "ChannelShuffle, vectors": (lambda: lt.ChannelShuffle(2, 3), VECTOR),
    "SOCConv2d": (lambda: lt.SOCConv2d(4, 4), IMAGE),
    "SOCConv2d, circular": (lambda: lt.SOCConv2d(4, 5, padding_mode="circular"), IMAGE),
    "SOCConv2d, fewer": (lambda: lt.SOCConv2d(4, 3), IMAGE),
    "CayleyConv2d": (lambda: lt.CayleyConv2d(4, 4), IMAGE),
    "LOTConv2d": (lambda: lt.LOTConv2d(4, 6), IMAGE),
    "ECOConv2d": (lambda: lt.ECOConv2d(4, 4), IMAGE),
    "AOLConvTranspose2d": (lambda: lt.AOLConvTranspose2d(4, 3, 3, 2, 1), IMAGE),
    "RKOConvTranspose2d": (lambda: lt.RKOConvTranspose2d(4, 3, 2, 2), IMAGE),
    "AOCPotentialConv2d": (lambda: lt.AOCPotentialConv2d(4, 6), IMAGE),
    "AOCPotentialConv2d, circular": (lambda: lt.AOCPotentialConv2d(4, padding_mode="circular"), IMAGE),
    "SLLxAOCConv2d": (lambda: lt.SLLxAOCConv2d(4, 6), IMAGE),
    "SLLxAOCConv2d, wide": (lambda: lt.SLLxAOCConv2d(4, 5, 8, 1, 3, "zeros", False), IMAGE),
    "BatchLipNorm": (lambda: seen(lt.BatchLipNorm(4), 3.0), IMAGE),
    "BatchLipNorm, limited": (lambda: seen(lt.BatchLipNorm(6, max_scale=1.0, bias=False), 0.01), VECTOR),
    "BatchLipNorm, not centred": (lambda: seen(lt.BatchLipNorm(4, centering=False), 3.0), IMAGE),
    "ScaleBiasLayer": (lambda: lt.ScaleBiasLayer(-0.9, 4), IMAGE),
    "ScaleBiasLayer, scale": (lambda: lt.ScaleBiasLayer(0.9, bias=False), VECTOR),
    "AdditiveResidual": (lambda: lt.AdditiveResidual(lt.SpectralLinear(6, 6)), VECTOR),
    "PrescaledAdditiveResidual": (lambda: lt.PrescaledAdditiveResidual(lt.SpectralConv2d(4, 4, 3, padding=1)), IMAGE),
    "ConcatResidual": (lambda: lt.ConcatResidual(lt.SpectralConv2d(2, 2, 3, padding=1)), IMAGE),
    "ConcatResidual, vectors": (lambda: lt.ConcatResidual(nn.Sequential(lt.OrthoLinear(3, 3), lt.Abs())), VECTOR),
    "L2NormResidual": (lambda: lt.L2NormResidual(lt.AdaptiveOrthoConv2d(4, 4, 3)), IMAGE),
    "CPLLinear": (lambda: lt.CPLLinear(6, 9), VECTOR),
    "CPLConv2d": (lambda: lt.CPLConv2d(4, 5), IMAGE),
    "CPLConv2d, circular": (lambda: lt.CPLConv2d(4, 5, padding_mode="circular"), IMAGE),
    "SLLLinear": (lambda: lt.SLLLinear(6, 9), VECTOR),
    "SLLConv2d": (lambda: lt.SLLConv2d(4, 5), IMAGE),
    "SLLConv2d, circular": (lambda: lt.SLLConv2d(4, 3, 5, padding_mode="circular"), IMAGE),
    "SandwichLinear": (lambda: lt.SandwichLinear(6, 4, 5), VECTOR),
    "LayerCentering": (lambda: lt.LayerCentering(4), IMAGE),
    "BatchCentering": (lambda: lt.BatchCentering(4), IMAGE),
    "LipResidual": (lambda: lt.LipResidual(lt.SpectralLinear(6, 6), 0.3), VECTOR),
    "Sequential": (lambda: lt.Sequential(lt.SpectralLinear(6, 8), lt.GroupSort2(), lt.SpectralLinear(8, 3)), VECTOR),
}
ISOMETRIES = (
    "HouseHolderOrder2",
    "ChannelShuffle",
    "SOCConv2d",
    "CayleyConv2d",
    "LOTConv2d",
    "ECOConv2d",
    "AdaptiveOrthoConv2d",
    "InvertibleDownSampling",
    "MaxMin",
    "CReLU",
    "Abs",
    "FullSort",
    "HouseHolder",
)


def points(shape: tuple[int, ...], samples: int = 4) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((samples, *shape), dtype=np.float32))


def shaken(make) -> nn.Module:
    """The module with other parameters than those that it starts from."""
    torch.manual_seed(0)
    module = make()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return module.eval()
