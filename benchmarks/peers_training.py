"""The network of deel-lip's MNIST notebook as users of several packages write it, and how orthogonal it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.harness import Missing

Model = Any


def assembled(conv: Callable[..., Any], linear: Callable[..., Any], sort: Callable[[], Any], pool: Any) -> Model:
    """Two convolutions of 16 and 32 channels with pools of 2, and dense layers of 64 and 10."""
    from torch import nn

    return nn.Sequential(
        conv(1, 16, 3, padding=1),
        sort(),
        pool(2),
        conv(16, 32, 3, padding=1),
        sort(),
        pool(2),
        nn.Flatten(),
        linear(7 * 7 * 32, 64),
        sort(),
        linear(64, 10, bias=False),
    )


def ours(method: str) -> Model:
    """Constrained by `method`, with lipcore's activations and pools."""
    from torch import nn

    import lipcore.nn.torch as lt

    model = assembled(nn.Conv2d, nn.Linear, lt.GroupSort2, lt.ScaledL2NormPool2d)
    for module in model:
        if hasattr(module, "weight"):
            lt.orthogonal_(module.weight)
    return lt.constrain(model, method)


def plain() -> Model:
    """The same shapes without constraint, in torch's own modules."""
    from torch import nn

    return assembled(nn.Conv2d, nn.Linear, nn.ReLU, lambda k: nn.LPPool2d(2, k))


def torchlip() -> Model:
    """deel-torchlip, all by default."""
    from deel import torchlip as tl

    return assembled(tl.SpectralConv2d, tl.SpectralLinear, tl.GroupSort2, tl.ScaledL2NormPool2d)


def orthogonium() -> Model:
    """orthogonium's adaptive orthogonal convolutions and linear layers, with torchlip's pools."""
    from deel import torchlip as tl
    from orthogonium.layers import AdaptiveOrthoConv2d, MaxMin, OrthoLinear

    return assembled(AdaptiveOrthoConv2d, OrthoLinear, MaxMin, tl.ScaledL2NormPool2d)


def peers() -> Iterator[tuple[str, Callable[[], Model]] | Missing]:
    """Names and makers, or why there is none."""
    yield "plain torch, unconstrained", plain
    for name, make in (("deel-torchlip, Spectral layers", torchlip), ("orthogonium, adaptive layers", orthogonium)):
        try:
            make()
        except ImportError as error:
            yield Missing(name, f"{error.name or 'a package'} is not installed")
        else:
            yield name, make


def least_and_largest(model: Model) -> tuple[tuple[float, float], tuple[float, float]]:
    """Least and largest singular value of the dense layers, and of the convolutions on circular images of 14 x 14."""
    import torch
    from torch import nn

    model.eval()
    dense, kernels = [], []
    with torch.no_grad():
        for module in model:
            if isinstance(module, nn.Linear):
                dense.append(np.linalg.svd(module.weight.double().numpy(), compute_uv=False))
            elif isinstance(module, nn.Conv2d):
                waves = np.fft.fft2(module.weight.double().numpy(), (14, 14))
                kernels.append(np.linalg.svd(np.moveaxis(waves, (0, 1), (2, 3)), compute_uv=False))
    return tuple((min(s.min() for s in found), max(s.max() for s in found)) for found in (dense, kernels))
