"""Attention logits of some rows of queries, and their tangents."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from .stacked_products import matmul, merged, over_tangents, scalar, shared_right

Tangent = Callable[[Any, int, int], Array]


class Scores:
    """Logits ``s q k^T``, capped, with bias and masks.

    Parameters
    ----------
    q, k : array, shapes (..., n, d) and (..., m, d)
    batch : tuple of int
        Batch that `q` and `k` are expanded to, merged into one axis of length b.
    scale : float
    softcap : float or None
    mask, bias : array or None
        Boolean and floating; they broadcast to (*batch, n, m) and are never expanded.
    causal : bool

    Attributes
    ----------
    sq, sk, k : array
        Scaled queries, scaled keys and keys, (b, tokens, d).
    shape : tuple of int
        ``(b, n, m)``.
    """

    def __init__(
        self,
        q: Array,
        k: Array,
        batch: Shape,
        *,
        scale: float,
        softcap: float | None,
        mask: Array | None,
        bias: Array | None,
        causal: bool,
    ) -> None:
        self.sq, self.k = merged(q * scale, batch), merged(k, batch)
        self.sk = self.k * scale
        self.batch, self.softcap, self.causal = batch, softcap, causal
        self.mask, self.bias = mask, bias
        self.shape = (math.prod(batch), q.shape[-2], k.shape[-2])

    def rows(self, start: Any, count: int, keys: int) -> tuple[Array, Array | None]:
        """Logits (b, count, keys) of `count` queries from `start` on, and the slopes of their caps."""
        xp = B.array_namespace(self.k)
        logits = matmul(part(self.sq, start, count, xp=xp), B.transpose(self.k[:, :keys, :]))
        slope = None
        if self.softcap is not None:
            capped = xp.tanh(logits / self.softcap)
            logits, slope = capped * self.softcap, 1 - capped * capped
        if self.bias is not None:
            logits = self._with(logits, lambda x, bias: x + bias, self._part(self.bias, start, count, keys))
        nothing = scalar(logits, -math.inf)
        if self.mask is not None:
            allowed = self._part(self.mask, start, count, keys)
            logits = self._with(logits, lambda x, allowed: xp.where(allowed, x, nothing), allowed)
        if self.causal:
            logits = xp.where(self._earlier(start, count, keys), logits, nothing)
        return logits, slope

    def _part(self, mask: Array, start: Any, count: int, keys: int) -> Array:
        """Rows and keys of a mask, where it has them."""
        if mask.shape[-2] != 1:
            mask = B.get_rows(mask, start, count, xp=B.array_namespace(mask))
        return mask if mask.shape[-1] == 1 else mask[..., :keys]

    def _with(self, logits: Array, combine: Callable[[Array, Array], Array], mask: Array) -> Array:
        """`combine` with the batch axes apart, which the mask may lack."""
        xp = B.array_namespace(logits)
        return xp.reshape(combine(xp.reshape(logits, (*self.batch, *logits.shape[1:])), mask), logits.shape)

    def _earlier(self, start: Any, count: int, keys: int) -> Array:
        xp, device = B.array_namespace(self.k), B.device_of(self.k)
        queries = xp.arange(count, device=device) + start
        return xp.arange(keys, device=device)[None, :] <= queries[:, None]

    @staticmethod
    def tangent(dq: Array | None, dk: Array | None, sq: Array, sk: Array) -> Tangent | None:
        """Tangents of ``s q k^T`` (b, K, count, keys), by start, count and keys; None where they are zero.

        Both parts in one product, ``s [dq, q] [k, dk]^T``. Without the axes b and K where `sq` and `sk` have no b.
        """
        xp = B.array_namespace(sq)
        if dq is not None and dk is not None:
            tangents = 1 if dq.ndim == 2 else dq.shape[1]
            left = xp.concat([dq, over_tangents(sq, tangents)], axis=-1)
            right = xp.matrix_transpose(xp.concat([over_tangents(sk, tangents), dk], axis=-1))
            return lambda start, count, keys: matmul(part(left, start, count, xp=xp), right[..., :keys])
        if dq is not None:
            keyed = xp.matrix_transpose(sk)
            return lambda start, count, keys: shared_right(part(dq, start, count, xp=xp), keyed[..., :keys])
        if dk is not None:
            tangents, keyed = 1 if dk.ndim == 2 else dk.shape[1], xp.matrix_transpose(dk)
            return lambda start, count, keys: matmul(
                over_tangents(part(sq, start, count, xp=xp), tangents), keyed[..., :keys]
            )
        return None


def part(x: Array, start: Any, count: int, *, xp: Namespace) -> Array:
    """Rows ``start .. start + count``, or `x` where that is all of them."""
    return x if count == x.shape[-2] else B.get_rows(x, start, count, xp=xp)
