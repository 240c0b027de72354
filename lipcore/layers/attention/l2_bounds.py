"""Constants of L2 attention, everywhere and over a region."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import lambertw

from ...norms import opnorm_bounds
from ..regions import Host, Region
from .bounds import diameter, host, length, length_of_product, radius, token_sets, values_of
from .mixing import Gains, Head, added_up, head_gains, least, side_by_side


def spread_of_softmax(n: int) -> float:
    r"""The largest :math:`\sum_j p_j u_j` for :math:`p_j \propto e^{-u_j}`, where :math:`u_j \ge 0` and one is zero.

    Notes
    -----
    At a maximum of value c all finite :math:`u_j`, :math:`j \ne i`, are :math:`1 + c` (the derivative is
    :math:`p_j (1 - u_j + c)`), so that :math:`c\, e^{c + 1} = n - 1`: :math:`c = W((n - 1) / e)`, Lambert's function.
    """
    return 0.0 if n <= 1 else float(lambertw((n - 1) / math.e).real) * (1 + 1e-12)


def column_of_softmax(c: float) -> float:
    r"""Upper bound of :math:`p_j (1 + 2 u_j + 2 \sqrt{c u_j})`, for the same p with :math:`\sum p_j u_j \le c`.

    Notes
    -----
    It is 1 for :math:`u_j = 0`, and otherwise :math:`p_j \le e^{-u_j} / (1 + e^{-u_j})`. On a cell of a grid the first
    factor, which decreases, is taken at the left end and the second, which increases, at the right one. Beyond 40 the
    product is less than 1 for every c below e^30.
    """
    u = np.linspace(0.0, 40.0, 200_001)
    share = 1 / (1 + np.exp(u[:-1]))
    return max(1.0, float(np.max(share * (1 + 2 * u[1:] + 2 * np.sqrt(c * u[1:])))) * (1 + 1e-12))


def l2_gains(layer: Any, tokens: int, region: Region | None, *, everywhere: bool = True) -> tuple[Gains | None, float]:
    r"""Constants in norms of tokens, and another for ord inf; None and infinity where there are none.

    Parameters
    ----------
    layer : L2Attention
    tokens : int
    region : Region or None
        Where the tokens lie; everywhere if None.
    everywhere : bool
        Whether every query meets its own key, or none: then there is a constant everywhere.

    Notes
    -----
    With :math:`q_j = W x_j`, :math:`p_j \propto e^{-s \|q_i - q_j\|^2}`, values :math:`v_j = B q_j` and
    :math:`y_j = q_j - q_i`: :math:`s \sum_j p_j \|y_j\|^2 \le c = W_0((n - 1)/e)` since :math:`y_i = 0`
    (`spread_of_softmax`), and the derivative of the output is

    .. math:: \mathrm{d}o_i = 2 s B\, \mathrm{Cov}_p(y)\, \mathrm{d}q_i
              + \sum_j p_j B \bigl[ I - 2 s (y_j - \bar y) y_j^T \bigr] \mathrm{d}q_j .

    The first part is at most :math:`2 c \|B\| \|W\|`. Of the coefficients of the second, the sum of norms over j is at
    most :math:`\|B\| (1 + 2 c)` (Cauchy and Schwarz), and each is at most
    :math:`\|B\| p_j (1 + 2 u_j + 2 \sqrt{c u_j})`, :math:`u_j = s \|y_j\|^2`, bounded by :math:`\|B\| \epsilon`
    (`column_of_softmax`). By Schur's test

    .. math:: \|B\| \|W\| \bigl[ 2 c + \sqrt{(1 + 2 c)\, n\, \epsilon} \bigr]

    in the Euclidean norm, where Kim, Papamakarios and Mnih (2021, arXiv 2006.04710) have
    :math:`\sqrt n (4 c + 1) \|W\| \|B\|`; the lesser counts. In the token norm :math:`\|B\| \|W\| (1 + 4 c)`; for ord
    inf :math:`\|B\|_\infty \|W\|_\infty (1 + 2 c (\kappa + \sqrt d))`, where :math:`\kappa = (1 + \sqrt d) / 2` is the
    largest :math:`\|z\|_1 \|z\|_\infty` of unit vectors. Over a region, the bounds of `head_gains` too. A mask must let
    every query meet its own key, or none.

    Search: 300 random layers, hill climbing in the whole space: at most 0.67 of the bound in the Euclidean norm, 0.76
    in the token norm, 0.79 for ord inf.
    """
    c = spread_of_softmax(tokens)
    column = column_of_softmax(c)
    d = layer.head_dim
    inner = 1 + 2 * c * ((1 + math.sqrt(d)) / 2 + math.sqrt(d))
    plain: list[Gains] = []
    folded: list[Gains] = []
    largest = total = 0.0
    whole = None if layer.wo is None else host(layer.wo)
    for index in range(layer.num_heads):
        w, wv = (
            host(matrix)[index * size : (index + 1) * size]
            for matrix, size in ((layer.wq, d), (layer.wv, layer.value_dim))
        )
        outputs = [None] if whole is None else [None, whole[:, index * layer.value_dim : (index + 1) * layer.value_dim]]
        for output in outputs:
            b = layer.scale * wv @ w.T if output is None else layer.scale * output @ (wv @ w.T)
            size = length(b) * length(w)
            euclidean = min(2 * c + math.sqrt((1 + 2 * c) * tokens * column), math.sqrt(tokens) * (4 * c + 1))
            whole_space = _gains(size * euclidean, size * (1 + 4 * c), size * (2 * c + tokens * column))
            found = [*([whole_space] if everywhere else []), *_local(layer, w, b, region)]
            if not found:
                return None, math.inf
            (plain if output is None else folded).append(least(found))
            rows = float(opnorm_bounds(b, math.inf).upper) * float(opnorm_bounds(w, math.inf).upper) * inner
            if output is None:
                largest = max(largest, rows)
            else:
                total += rows
    largest = largest if everywhere else math.inf
    if whole is None:
        return side_by_side(plain, 1.0), largest
    joined = least([side_by_side(plain, length(whole)), added_up(folded)])
    return joined, min(total, largest * float(opnorm_bounds(whole, math.inf).upper))


def _gains(euclidean: float, token: float, total: float) -> Gains:
    """One source of queries, keys and values: only the last numbers are asked for."""
    return Gains((euclidean,) * 3, (token,) * 3, (total,) * 3)


def _local(layer: Any, w: Host, b: Host, region: Region | None) -> list[Gains]:
    if region is None:
        return []
    found = []
    norm, s = length(w), abs(layer.scale)
    for tokens in token_sets(region):
        q, reach = tokens.center @ w.T, norm * tokens.reach
        farthest, n = diameter(q, reach), reach.size
        nothing = np.zeros((n, 1))
        head = Head(
            nothing,
            nothing,
            np.zeros(n),
            np.zeros(n),
            np.full(n, s * farthest**2 / 2),  # the logits of a row lie in an interval of length s D^2
            np.ones(n),
            2 * s * norm * radius(q, reach),
            np.full(n, 2 * s * norm * farthest),
            causal=layer.causal,
            any_mask=layer.mask is not None,
        )
        found += head_gains(head, [values_of(tokens, b @ w, length_of_product(b, w))])
    return found
