"""Lipschitz constants of attention layers as `Bounds`, and where their outputs lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._typing import Shape
from ...norms import Bounds
from ..base import Layer, Ord
from ..composite import point_norm, raised
from ..regions import Ball, Box, Intersection, Region
from .bounds import host, in_norm
from .cosine_bounds import cosine_gains
from .dot_product_bounds import multi_head_gains, plain_gains
from .l2_bounds import l2_gains

_BALL = 'the logits grow with the tokens; give a bounded region, such as lc.Ball(center, radius, "token")'
_METHOD = "attention: diameters of values, intervals of logits, Schur test"


class AttentionLayer(Layer):
    """What attention layers share: a constant in the norm of tokens, and a lower bound from one point."""

    ords = (1, 2, math.inf, "token")

    def _bounds(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Bounds:
        bounds = super()._bounds(ord, regions, shapes)
        return bounds if ord == "token" else raised(bounds, point_norm(self, ord, regions, shapes))


def multi_head_constants(
    layer: Any, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]
) -> tuple[Bounds, ...]:
    """Constants of `MultiHeadAttention` with respect to each of its inputs."""
    known = _known(layer, regions)
    gains = multi_head_gains(layer, known[0], known[-1])
    if gains is None:
        raise layer.unbounded(_BALL)
    features = (int(layer.wq.shape[1]), int(layer.wk.shape[1]))
    first, second, both = in_norm(gains, ord, features, layer.out_features, _METHOD)
    return (first, second) if layer.cross else (both,)


def plain_constants(
    layer: Any, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]
) -> tuple[Bounds, ...]:
    """Constants of `ScaledDotProductAttention` with respect to queries, keys and values.

    Members of leading axes, such as heads, are independent of each other: the largest counts. Axes along which an input
    is shared are not taken for such.
    """
    q, k, v = _known(layer, regions)
    lead = q.shape[:-2]
    if k.shape[:-2] != lead or v.shape[:-2] != lead:
        raise ValueError(f"`region` must have the same leading axes in each input, got {[r.shape for r in (q, k, v)]}")
    found: list[tuple[Bounds, ...]] = []
    for index in np.ndindex(*lead):
        gains = plain_gains(layer, (_member(q, index), _member(k, index), _member(v, index)))
        if gains is None:
            raise layer.unbounded(_BALL)
        width, height = q.shape[-1], v.shape[-1]
        parts = [in_norm(g, ord, (w, w), height, _METHOD) for g, w in zip(gains, (width, width, height), strict=True)]
        found.append((parts[0][0], parts[1][1], parts[2][1]))
    return tuple(first.maximum(*others) for first, *others in zip(*found, strict=True))


def l2_constant(layer: Any, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
    """Constant of `L2Attention`."""
    tokens = layer.known_shape(shape)[0]
    own_key = meets_itself(layer, tokens) and layer.scale >= 0
    if region is None and not own_key:
        raise layer.unbounded(
            "a query is kept from its own key by the mask, or pushed away by a negative scale; give a bounded region, "
            "such as lc.Ball"
        )
    gains, largest = l2_gains(layer, tokens, region, everywhere=own_key)
    if gains is None:
        raise layer.unbounded(_BALL)
    width = int(layer.wq.shape[1])
    *_, bounds = in_norm(gains, ord, (width, width), layer.out_features, _METHOD)
    if ord == math.inf and largest < bounds.upper:
        return Bounds(0.0, largest * (1 + 1e-12), "analytic", ord=ord, method=_METHOD)
    return bounds


def cosine_constant(layer: Any, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
    """Constant of `CosineAttention`."""
    some = ord in ("token", math.inf)  # holds for any number of tokens
    tokens = None if shape is None and some else layer.known_shape(shape)[0]
    width = int(layer.wq.shape[1])
    *_, bounds = in_norm(cosine_gains(layer, tokens, region), ord, (width, width), layer.out_features, _METHOD)
    return bounds


def meets_itself(layer: Any, tokens: int) -> bool:
    """Whether the mask lets every query meet its own key, or none at all."""
    if layer.mask is None:
        return True
    mask = np.broadcast_to(host(layer.mask) != 0, (*np.shape(layer.mask)[:-2], tokens, tokens))
    if layer.causal:
        mask = mask & np.tri(tokens, dtype=bool)
    own = np.diagonal(mask, axis1=-2, axis2=-1)
    return bool(np.all(own | ~np.any(mask, axis=-1)))


def _known(layer: Layer, regions: Sequence[Region | None]) -> list[Region]:
    known = [region for region in regions if region is not None]
    if len(known) < len(regions):
        raise layer.unbounded(_BALL)
    return known


def _member(region: Region, index: tuple[int, ...]) -> Region:
    """One sequence of a region of several."""
    if not index:
        return region
    box = Box(region.lower[index], region.upper[index], kind=region.kind)
    if isinstance(region, Intersection):
        return Intersection(box, *(_member(part, index) for part in region.regions))
    if not isinstance(region, Ball):
        return box
    return Intersection(box, Ball(region.center[index], region.radius, region.ord, kind=region.kind))
