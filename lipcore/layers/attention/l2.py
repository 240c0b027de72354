"""L2 attention: scores from distances."""

from __future__ import annotations

import math

from ..._typing import Array, Shape
from ..base import Layer
from .checks import check_count, check_heads, check_mask, check_weights


class L2Attention(Layer):
    r"""Self-attention by distances, with queries and keys from one projection, which is Lipschitz everywhere.

    Parameters
    ----------
    wq : array, shape (num_heads * head_dim, features)
        Projection of queries and keys.
    wv : array, shape (num_heads * value_dim, features)
        Projection of values.
    wo : array, shape (out_features, num_heads * value_dim), optional
    num_heads : int
    causal : bool
    mask : boolean array, optional
        True where attention is allowed; broadcastable to (samples, num_heads, tokens, tokens).
    scale : float, optional
        The factor s below, ``1 / sqrt(head_dim)`` by default.
    block_size : int, optional
        Queries per block; chosen from the memory that a block needs by default.
    """

    def __init__(
        self,
        wq: Array,
        wv: Array,
        wo: Array | None = None,
        *,
        num_heads: int,
        causal: bool = False,
        mask: Array | None = None,
        scale: float | None = None,
        block_size: int | None = None,
    ) -> None:
        check_weights(wq=wq, wv=wv, wo=wo)
        self.num_heads = self.num_kv_heads = check_count("num_heads", num_heads)
        self.head_dim = check_heads("wq", wq.shape[0], self.num_heads)
        self.value_dim = check_heads("wv", wv.shape[0], self.num_heads)
        if wv.shape[1] != wq.shape[1]:
            raise ValueError(f"`wv` must have {wq.shape[1]} columns like `wq`, got {wv.shape[1]}")
        if wo is not None and wo.shape[1] != wv.shape[0]:
            raise ValueError(f"`wo` must have {wv.shape[0]} columns, got {wo.shape[1]}")
        check_mask("mask", mask, wq, kinds="boolean")
        self.wq = self.wk = wq
        self.wv, self.wo = wv, wo
        self.causal, self.mask = bool(causal), mask
        self.scale = 1 / math.sqrt(self.head_dim) if scale is None else float(scale)
        self.block_size = None if block_size is None else check_count("block_size", block_size)

    @property
    def out_features(self) -> int:
        """Features of an output token."""
        return int(self.wv.shape[0] if self.wo is None else self.wo.shape[0])

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Tokens, out_features."""
        return (input_shapes[0][0], self.out_features)
