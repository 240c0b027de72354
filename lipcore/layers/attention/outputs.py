"""Where the outputs of attention lie."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ... import _backend as B
from ..._typing import Shape
from ...norms import rounding as r
from ..images import down, up
from ..regions import Ball, Box, Host, Intersection, Region
from .bounds import host, length, lengths, token_sets
from .cosine_bounds import cosine_gains
from .dot_product_bounds import multi_head_gains
from .l2_bounds import l2_gains
from .mixing import Gains

_SLACK = 1 + 1e-12


class HeadValues(NamedTuple):
    """Values of one head: rows (m, d) at the centre, how far each entry may move and how far each row."""

    center: Host
    entries: Host
    reach: Host


def projected_values(region: Region, matrix: Host, bias: Host | None) -> HeadValues | None:
    """What ``matrix x + bias`` of the tokens of a region may be; None where nothing is known."""
    found = token_sets(region)
    if not found:
        return None
    tokens = found[0]
    half = np.maximum(region.upper - tokens.center, tokens.center - region.lower)
    with np.errstate(invalid="ignore"):
        entries = np.where(np.isfinite(half), half, tokens.reach[:, None]) @ np.abs(matrix).T
    entries = np.minimum(entries, lengths(matrix)[None, :] * tokens.reach[:, None])
    center = tokens.center @ matrix.T + (0.0 if bias is None else bias)
    return HeadValues(center, entries, length(matrix) * tokens.reach)


def attended(
    queries: int, heads: Sequence[HeadValues], output: Any, output_bias: Any, *, hidden: bool, kind: str
) -> Region:
    r"""A region (queries, features) that holds the outputs.

    Parameters
    ----------
    queries : int
    heads : sequence of HeadValues
    output, output_bias : array or None
        Projection of the heads side by side, and what is added.
    hidden : bool
        Whether a query may see no key at all.
    kind : str
        Kind of the region of the inputs.

    Notes
    -----
    An output of a head is an average of its values, or zero where all keys are hidden: it lies in the smallest box that
    holds them, and in every ball that does. Behind the projection W the box is that of the intervals, by midpoint and
    radius; the ball has the radius :math:`\|W\| (\sum_h r_h^2)^{1/2}`.
    """
    lows: list[Host] = []
    highs: list[Host] = []
    middles: list[Host] = []
    square = 0.0
    for head in heads:
        low, high = np.min(head.center - head.entries, axis=0), np.max(head.center + head.entries, axis=0)
        middle = np.mean(head.center, axis=0)
        size = float(np.max(lengths(head.center - middle) + head.reach, initial=0.0))
        if hidden:
            low, high, size = np.minimum(low, 0.0), np.maximum(high, 0.0), max(size, float(lengths(middle)))
        for ends, end in ((lows, low), (highs, high), (middles, middle)):
            ends.append(end)
        square += size**2
    low, high, middle = (np.concatenate(x) for x in (lows, highs, middles))
    reach, center, half = math.sqrt(square), (low + high) / 2, (high - low) / 2
    if output is not None:
        w = host(output)
        reach, center, half, middle = length(w) * reach, w @ center, np.abs(w) @ half, w @ middle
        half = half + r.gamma(2 * w.shape[1] + 8) * (np.abs(w) @ np.maximum(np.abs(low), np.abs(high)))
    if output_bias is not None:
        center, middle = center + host(output_bias), middle + host(output_bias)
    half = half * _SLACK + 4e-16 * (np.abs(center) + half)
    weaker = kind if kind != "rigorous" else "analytic"
    shape = (queries, center.size)
    box = Box(np.broadcast_to(down(center - half), shape), np.broadcast_to(up(center + half), shape), kind=weaker)
    around = np.broadcast_to(middle, shape)
    spare = 1e-12 * (1.0 + float(np.max(np.abs(middle), initial=0.0)))
    return Intersection(box, Ball(around, reach * _SLACK + spare, "token", kind=weaker))


def multi_head_image(layer: Any, regions: Sequence[Region | None], queries: Shape | None) -> Region | None:
    """Where the outputs of `MultiHeadAttention` lie."""
    context = regions[-1]
    if context is None or queries is None:
        return None
    weight, size = host(layer.wv), layer.value_dim
    bias = np.zeros(weight.shape[0]) if layer.bv is None else host(layer.bv)
    slices = [slice(group * size, (group + 1) * size) for group in range(layer.num_kv_heads)]
    groups = [projected_values(context, weight[part], bias[part]) for part in slices]
    heads = [groups[head * len(groups) // layer.num_heads] for head in range(layer.num_heads)]
    image = _attended(layer, heads, context, queries)
    if image is None or regions[0] is None:
        return image
    gains = multi_head_gains(layer, regions[0], context)
    return image if gains is None else near_center(layer, image, regions, gains)


def l2_image(layer: Any, region: Region | None) -> Region | None:
    """Where the outputs of `L2Attention` lie."""
    if region is None:
        return None
    heads = []
    for head in range(layer.num_heads):
        w = host(layer.wq)[head * layer.head_dim : (head + 1) * layer.head_dim]
        wv = host(layer.wv)[head * layer.value_dim : (head + 1) * layer.value_dim]
        heads.append(projected_values(region, layer.scale * (wv @ w.T) @ w, None))
    image = _attended(layer, heads, region, region.shape)
    gains, _ = l2_gains(layer, region.shape[0], region, everywhere=layer.mask is None)
    return image if image is None or gains is None else near_center(layer, image, (region,), gains)


def cosine_image(layer: Any, region: Region | None, shape: Shape | None) -> Region | None:
    """Where the outputs of `CosineAttention` lie: its values are shorter than nu, wherever the tokens are."""
    if shape is None:
        return None
    size = layer.value_dim
    value = HeadValues(np.zeros((1, size)), np.full((1, size), layer.nu), np.full(1, layer.nu))
    image = _attended(layer, [value] * layer.num_heads, region, shape)
    if image is None or region is None:
        return image
    return near_center(layer, image, (region,), cosine_gains(layer, shape[0], region))


def near_center(layer: Any, image: Region, regions: Sequence[Region | None], gains: Gains) -> Region:
    """`image` cut with the balls around the output for the centres of the regions that the constants give."""
    known = [region for region in regions if region is not None]
    samples_differ = any(np.ndim(m) == 4 and np.shape(m)[0] > 1 for m in (layer.mask, layer.bias) if m is not None)
    if samples_differ or not all(np.all(np.isfinite(region.center)) for region in known):
        return image
    value = on_host(layer)(*(region.center[None] for region in known))[0]
    spare = 1e-11 * (1 + float(np.max(lengths(value), initial=0.0)))  # for the rounding of the value
    balls: list[Region] = []
    for ord, (first, second, both) in ((2, gains.euclidean), ("token", gains.token)):
        factors = (both,) if len(known) == 1 else (first, second)
        reach = sum(factor * region.spread(ord) for factor, region in zip(factors, known, strict=True))
        reach = reach * _SLACK + spare * math.sqrt(value.shape[0])
        if math.isfinite(reach):
            balls.append(Ball(value, reach, ord, kind=image.kind))
    return Intersection(image, *balls) if balls else image


def on_host(layer: Any) -> Any:
    """The same layer in double precision on the host."""
    twin = copy.copy(layer)
    for name, value in vars(layer).items():
        setattr(twin, name, _host_array(value))
    norm = getattr(layer, "qk_norm", None)
    if norm is not None:
        twin.qk_norm = replace(norm, q_gain=_host_array(norm.q_gain), k_gain=_host_array(norm.k_gain))
    return twin


def _host_array(value: Any) -> Any:
    if not B.is_array(value):
        return value
    found = B.to_numpy(value)
    return found if found.dtype == bool else found.astype(np.float64)


def _attended(layer: Any, heads: Sequence[HeadValues | None], region: Region | None, queries: Shape) -> Region | None:
    known = [head for head in heads if head is not None]
    if len(known) < len(heads):
        return None
    hidden = layer.mask is not None or layer.bias is not None
    kind = "rigorous" if region is None else region.kind
    return attended(queries[0], known, layer.wo, layer.bo, hidden=hidden, kind=kind)


def plain_image(layer: Any, values: Region | None, queries: Shape | None) -> Region | None:
    """Where the outputs of `ScaledDotProductAttention` lie."""
    if values is None or queries is None:
        return None
    low, high = (
        function(end, axis=-2, keepdims=True) for function, end in ((np.min, values.lower), (np.max, values.upper))
    )
    if layer.mask is not None:
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    # an average is computed with rounding of its own
    wide = 1e-12 * np.maximum(np.abs(low), np.abs(high))
    shape = (*queries[:-1], values.shape[-1])
    kind = values.kind if values.kind != "rigorous" else "analytic"
    box = Box(np.broadcast_to(low - wide, shape), np.broadcast_to(high + wide, shape), kind=kind)
    longest = values.norm("token")
    if not math.isfinite(longest):
        return box
    return Intersection(box, Ball(np.zeros(shape), longest * _SLACK, "token", kind=kind))
