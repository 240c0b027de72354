"""Losses of 1-Lipschitz networks: pure, differentiable functions of arrays."""

from .cosine import cosine, cosine_margin
from .cross_entropy import offset_cross_entropy, tau_binary_cross_entropy, tau_cross_entropy
from .hinge import categorical_hinge, hinge_margin, multi_margin, multiclass_hinge
from .hkr import auto_hkr, hkr, multiclass_hkr
from .kr import kr, multiclass_kr
from .lse_hkr import lse_hkr
from .soft_hkr import soft_hkr, soft_hkr_scale

__all__ = [
    "kr",
    "multiclass_kr",
    "hkr",
    "multiclass_hkr",
    "auto_hkr",
    "soft_hkr",
    "soft_hkr_scale",
    "lse_hkr",
    "hinge_margin",
    "multiclass_hinge",
    "multi_margin",
    "categorical_hinge",
    "tau_cross_entropy",
    "tau_binary_cross_entropy",
    "offset_cross_entropy",
    "cosine",
    "cosine_margin",
]
