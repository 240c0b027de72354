"""L2 attention: scores from distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from ... import _backend as B
from ..._typing import Array, Shape
from ...norms import Bounds
from ...operators import LinearOperator, VStack
from ...operators.algebra import ProductOperator
from ...operators.row_extension import RowExtension
from ..base import Ord
from ..regions import Region
from .checks import check_count, check_heads, check_mask, check_weights
from .constants import l2_constant
from .heads import Branch, HeadsLayer, project
from .outputs import l2_image


class L2Attention(HeadsLayer):
    r"""Self-attention by distances, with queries and keys from one projection, which is Lipschitz everywhere.

    Parameters
    ----------
    wq : array, shape (num_heads * head_dim, features)
        Projection of queries and keys.
    wv : array, shape (num_heads * value_dim, features)
        Projection of values.
    wo : array, shape (out_features, num_heads * value_dim), optional
        Projection of the heads' outputs side by side; none by default.
    num_heads : int
        Heads.
    causal : bool
        Query i meets keys 0 to i only.
    mask : boolean array, optional
        True where attention is allowed; broadcastable to (samples, num_heads, tokens, tokens).
    scale : float, optional
        The factor s below, ``1 / sqrt(head_dim)`` by default.
    block_size : int, optional
        Queries per block; chosen from the memory that a block needs by default.

    Raises
    ------
    TypeError
        If a weight or mask is not of a fitting dtype, or of another library.
    ValueError
        If shapes do not meet, or an option is out of range.

    See Also
    --------
    MultiHeadAttention : Scores from inner products, which are Lipschitz on bounded sets only.

    Notes
    -----
    With :math:`q_i = W x_i` of a head, W being its rows of `wq`,

    .. math:: p_{ij} = \mathrm{softmax}_j (-s \|q_i - q_j\|^2), \qquad
              o_i = s\, W_v W^T W \textstyle\sum_j p_{ij} x_j ,

    heads side by side through `wo`. Up to a constant for each row the scores are inner products of :math:`(q_i, 1)` and
    :math:`(2 s q_j, -s \|q_j\|^2)`, so that the Jacobian is that of dot-product attention between derivatives of these
    rows.

    For one head and ord 2 the constant is at most :math:`\sqrt n\, s (4 c + 1) \|W\|^2 \|W_v\|` with
    :math:`c = W_0((n - 1)/e)`, Lambert's function; kind "analytic". It holds for all inputs where every query meets its
    own key. Source: Kim, Papamakarios and Mnih 2021, arXiv 2006.04710.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> rng = np.random.default_rng(0)
    >>> wq, wv = (rng.standard_normal((4, 4)) / 4 for _ in range(2))
    >>> layer = lc.layers.L2Attention(wq, wv, num_heads=2)
    >>> x = 100 * rng.standard_normal((1, 6, 4))
    >>> bool(lc.opnorm(layer.jacobian(x))[0] <= layer.lipschitz(2, input_shape=(6, 4)).upper)
    True
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

        self._value_weight = self._through_queries()

    def _through_queries(self) -> Array:
        """Weight (num_heads * value_dim, features) of the values, ``s Wv W^T W`` head by head."""
        xp = B.array_namespace(self.wq)
        w, wv = (xp.reshape(a, (self.num_heads, -1, a.shape[1])) for a in (self.wq, self.wv))
        return xp.reshape(self.scale * ((wv @ B.transpose(w)) @ w), (self.num_heads * self.value_dim, w.shape[-1]))

    @property
    def out_features(self) -> int:
        """Features of an output token."""
        return int(self.wv.shape[0] if self.wo is None else self.wo.shape[0])

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        return l2_constant(self, ord, region, shape)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        return l2_image(self, regions[0])

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Tokens, out_features."""
        return (input_shapes[0][0], self.out_features)

    def _score_scale(self) -> float:
        return 1.0

    def _source_weights(self) -> tuple[Array, ...]:
        return (self.wq,)

    def _branches(self, *xs: Array) -> tuple[Branch, Branch, Branch]:
        """Queries (q, 1) and keys (2 s k, -s |k|^2), whose products are the scores up to a constant for each row."""
        (x,) = xs
        xp = B.array_namespace(x)
        both = project(x, self.wq, None, self.num_heads)
        y, s = both.value, self.scale
        square = xp.sum(y * y, axis=-1, keepdims=True)
        q = xp.concat([y, xp.ones_like(square)], axis=-1)
        k = xp.concat([2 * s * y, -s * square], axis=-1)
        return (
            Branch(q, RowExtension(y * 0, 1.0, rows=2) @ both.operator),
            Branch(k, RowExtension(-2 * s * y, 2 * s, rows=2) @ both.operator),
            project(x, self._value_weight, None, self.num_heads),
        )

    def _combined(self, branches: Sequence[Branch]) -> LinearOperator:
        """The projection of queries and keys is computed once."""
        queries, keys = (cast("ProductOperator", branch.operator).operands for branch in branches[:2])
        return VStack([VStack([queries[0], keys[0]]) @ queries[1], branches[2].operator])
