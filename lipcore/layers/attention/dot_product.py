"""Attention of queries, keys and values that are given."""

from __future__ import annotations

from ..._typing import Array, Shape
from ..base import Layer
from .checks import check_count, check_positive


class ScaledDotProductAttention(Layer):
    r"""Attention of three inputs: queries (..., n, d), keys (..., m, d) and values (..., m, dv), without weights.

    Parameters
    ----------
    causal : bool
        Query i meets keys 0 to i only.
    mask : array, optional
        Boolean, True where attention is allowed, or floating, added to the logits; broadcastable to (..., n, m).
    scale : float, optional
        Factor of the logits, ``1 / sqrt(d)`` by default.
    softcap : float, optional
        Logits s become ``softcap * tanh(s / softcap)`` before bias and mask.
    block_size : int, optional
        Queries per block; chosen from the memory that a block needs by default.
    """

    inputs = 3

    def __init__(
        self,
        *,
        causal: bool = False,
        mask: Array | None = None,
        scale: float | None = None,
        softcap: float | None = None,
        block_size: int | None = None,
    ) -> None:
        self.causal, self.mask = bool(causal), mask
        self.scale = None if scale is None else float(scale)
        self.softcap = None if softcap is None else check_positive("softcap", softcap)
        self.block_size = None if block_size is None else check_count("block_size", block_size)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        q, _, v = input_shapes
        return (*q[:-1], v[-1])
