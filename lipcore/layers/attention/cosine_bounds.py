"""Constants of scaled cosine attention, everywhere and over a region."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..regions import Host, Region
from .bounds import host, length, lengths, mask_of_head, token_sets
from .mixing import Gains, Head, Values, added_up, head_gains, least, side_by_side


def cosine_gains(layer: Any, tokens: int | None, region: Region | None) -> Gains:
    r"""Constants in norms of tokens.

    Parameters
    ----------
    layer : CosineAttention
    tokens : int or None
        Number of tokens; None for what holds in the token norm for any number.
    region : Region or None
        Where the tokens lie; everywhere if None.

    Notes
    -----
    Queries, keys and values are normalised, :math:`\hat z = z / \sqrt{\|z\|^2 + \epsilon}`, with the derivative
    :math:`(\|z\|^2 + \epsilon)^{-1/2} \le \epsilon^{-1/2}` and norms below 1. The logits
    :math:`\tau \hat q_i \cdot \hat k_j` lie between :math:`-\tau` and :math:`\tau`; in the terms of `head_gains`
    :math:`a = \tau \epsilon^{-1/2} \|W_q\|`, :math:`b = \tau \epsilon^{-1/2} \|W_k\|`,
    :math:`W = \nu \epsilon^{-1/2} \|W_v\|` and the values lie in a ball of radius :math:`\nu`. That is at most
    :math:`\nu \epsilon^{-1/2} [\sqrt n \|W_v\| + \tau (\|W_q\| + \sqrt n \|W_k\|)]` in the Euclidean norm: the root of
    n instead of its square in Qi et al. (2023, arXiv 2304.09856). On a region that keeps projections away from zero,
    :math:`\epsilon` grows by the square of the distance.

    Search: 300 random layers, hill climbing in the whole space: at most 0.53 of the bound in the Euclidean norm, 0.81
    in the token norm.
    """
    n = 1 if tokens is None else tokens
    whole = None if layer.wo is None else host(layer.wo)
    plain, folded = [], []
    for index in range(layer.num_heads):
        slopes = [
            _slope(host(w)[index * size : (index + 1) * size], layer.eps, region)
            for w, size in ((layer.wq, layer.head_dim), (layer.wk, layer.head_dim), (layer.wv, layer.value_dim))
        ]
        allowed, apart = mask_of_head(layer.mask, index, n)
        nothing = np.zeros((n, 1))
        head = Head(
            nothing,
            nothing,
            np.zeros(n),
            np.zeros(n),
            np.full(n, layer.tau),
            np.ones(n),
            layer.tau * slopes[0],
            np.full(n, layer.tau * slopes[1]),
            allowed=allowed,
            causal=layer.causal,
            any_mask=apart or tokens is None,
        )
        several = [Values(layer.nu * slopes[2], 2 * layer.nu, layer.nu)]
        if whole is not None:
            output = length(whole[:, index * layer.value_dim : (index + 1) * layer.value_dim])
            several.append(Values(*(output * x for x in several[0])))
        gains = head_gains(head, several)
        plain.append(gains[0])
        folded += gains[1:]
    if whole is None:
        return side_by_side(plain, 1.0)
    return least([side_by_side(plain, length(whole)), added_up(folded)])


def _slope(w: Host, eps: float, region: Region | None) -> float:
    """Constant of the normalised projection."""
    norm, nearest = length(w), 0.0
    for tokens in token_sets(region) if region is not None else ():
        away = np.maximum(lengths(tokens.center @ w.T) - norm * tokens.reach, 0.0)
        nearest = max(nearest, float(np.min(away)))
    return norm / math.sqrt(nearest**2 + eps)
