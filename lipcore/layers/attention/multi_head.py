"""Multi-head attention with projections."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..._typing import Array, Shape
from ...norms import Bounds
from ..base import Ord
from ..regions import Region
from .checks import check_count, check_heads, check_mask, check_positive, check_vector, check_weights
from .constants import multi_head_constants
from .heads import Branch, HeadsLayer, normalize, project, rotate
from .options import QKNorm, Rotary
from .outputs import multi_head_image


class MultiHeadAttention(HeadsLayer):
    r"""Dot-product attention with projections, self or cross, with grouped heads, masks, rotation and normalisation.

    Parameters
    ----------
    wq : array, shape (num_heads * head_dim, features)
        Projection of queries, in torch's layout of a linear layer; head after head.
    wk : array, shape (num_kv_heads * head_dim, context_features)
        Projection of keys.
    wv : array, shape (num_kv_heads * value_dim, context_features)
        Projection of values.
    wo : array, shape (out_features, num_heads * value_dim), optional
        Projection of the heads' outputs side by side; none by default.
    num_heads : int
        Query heads.
    num_kv_heads : int, optional
        Grouped-query attention: query heads ``g h ... g h + g - 1``, ``g = num_heads / num_kv_heads``, share key and
        value head h. By default as many as query heads.
    bq, bk, bv, bo : array, optional
        Biases of the projections.
    cross : bool
        Two inputs, queries' source and context, instead of one.
    causal : bool
        Query i meets keys 0 to i only.
    mask : boolean array, optional
        True where attention is allowed; broadcastable to (samples, num_heads, queries, keys).
    bias : floating array, optional
        Added to the logits; shaped like a mask.
    scale : float, optional
        Factor of the logits, ``1 / sqrt(head_dim)`` by default.
    softcap : float, optional
        Logits s become ``softcap * tanh(s / softcap)`` before bias and mask.
    rotary : Rotary, optional
        Rotary position embedding of queries and keys.
    qk_norm : QKNorm, optional
        Normalisation of queries and keys, before rotation.
    block_size : int, optional
        Queries per block; chosen from the memory that a block needs by default.

    Raises
    ------
    TypeError
        If a weight, bias or mask is not of a fitting dtype, or of another library.
    ValueError
        If shapes do not meet, or an option is out of range.

    See Also
    --------
    AttentionJacobian : The Jacobian of the heads.
    ScaledDotProductAttention : Without projections.

    Notes
    -----
    Inputs are tokens (samples, n, features) and, for ``cross=True``, a context (samples, m, context_features). With
    :math:`q_i = W_q x_i + b_q`, :math:`k_j = W_k y_j + b_k`, :math:`v_j = W_v y_j + b_v` of a head, normalised and
    turned where asked for, and :math:`y = x` in self-attention, an output token is

    .. math:: W_o \bigl( \textstyle\sum_j p_{ij} v_j \bigr)_{\text{heads}} + b_o, \qquad
              p_{ij} = \mathrm{softmax}_j (s\, q_i \cdot k_j + b_{ij}),

    and zero for a head whose keys are all masked. The Jacobian is :math:`W_o J (A_q; A_k; A_v)` with the heads'
    `AttentionJacobian` J and the derivatives A of the three paths; neither it nor the scores are ever formed, and
    probabilities only where they are few.

    No finite constant holds for all inputs: the derivative with respect to a query grows with the square of the keys
    (Kim, Papamakarios and Mnih 2021, arXiv 2006.04710). Over a region constants are "analytic"; on tokens of norm at
    most R, with :math:`t = |s| \, \|W_q^T W_k\| R^2`, one head has at most :math:`\|W_v\| (1 + 2 t)` in the norm
    "token", which is approached, and :math:`\|W_v\| [t + \sqrt{n (1 + t) (1 + 2 t)}]` or less for ord 2; intervals of
    the logits and diameters of the values over the region make it less. Source of the layer: Vaswani et al. 2017, arXiv
    1706.03762; grouped heads: Ainslie et al. 2023, arXiv 2305.13245.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> rng = np.random.default_rng(0)
    >>> wq, wk, wv, wo = (rng.standard_normal((8, 8)) / 3 for _ in range(4))
    >>> layer = lc.layers.MultiHeadAttention(wq, wk, wv, wo, num_heads=2, causal=True)
    >>> x = rng.standard_normal((3, 5, 8))
    >>> layer(x).shape, layer.jacobian(x).shape
    ((3, 5, 8), (3, 40, 40))
    >>> ball = lc.Ball(x[0], 0.1, "token")
    >>> bool(lc.opnorm(layer.jacobian(x[:1]))[0] <= layer.lipschitz(2, ball).upper)
    True
    """

    def __init__(
        self,
        wq: Array,
        wk: Array,
        wv: Array,
        wo: Array | None = None,
        *,
        num_heads: int,
        num_kv_heads: int | None = None,
        bq: Array | None = None,
        bk: Array | None = None,
        bv: Array | None = None,
        bo: Array | None = None,
        cross: bool = False,
        causal: bool = False,
        mask: Array | None = None,
        bias: Array | None = None,
        scale: float | None = None,
        softcap: float | None = None,
        rotary: Rotary | None = None,
        qk_norm: QKNorm | None = None,
        block_size: int | None = None,
    ) -> None:
        check_weights(wq=wq, wk=wk, wv=wv, wo=wo)
        self.wq, self.wk, self.wv, self.wo = wq, wk, wv, wo
        self.bq, self.bk, self.bv, self.bo = bq, bk, bv, bo
        self.num_heads = check_count("num_heads", num_heads)
        self.num_kv_heads = self.num_heads if num_kv_heads is None else check_count("num_kv_heads", num_kv_heads)
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"`num_kv_heads` must divide `num_heads`, {self.num_heads}, got {self.num_kv_heads}")
        self.head_dim = check_heads("wq", wq.shape[0], self.num_heads)
        self.value_dim = check_heads("wv", wv.shape[0], self.num_kv_heads)
        self.cross, self.inputs = bool(cross), 2 if cross else 1
        self._check_shapes()
        for name, size in (("bq", wq.shape[0]), ("bk", wk.shape[0]), ("bv", wv.shape[0]), ("bo", self.out_features)):
            check_vector(name, getattr(self, name), size, wq)
        check_mask("mask", mask, wq, kinds="boolean")
        check_mask("bias", bias, wq, kinds="floating")
        self.causal, self.mask, self.bias = bool(causal), mask, bias
        self.scale = 1 / math.sqrt(self.head_dim) if scale is None else float(scale)
        self.softcap = None if softcap is None else check_positive("softcap", softcap)
        self.rotary, self.qk_norm = rotary, qk_norm
        self.block_size = None if block_size is None else check_count("block_size", block_size)

    def _check_shapes(self) -> None:
        wq, wk, wv, wo = self.wq, self.wk, self.wv, self.wo
        if wk.shape[0] != self.num_kv_heads * self.head_dim:
            raise ValueError(
                f"`wk` must have num_kv_heads x head_dim rows, {self.num_kv_heads} x {self.head_dim}, got {wk.shape[0]}"
            )
        if wv.shape[1] != wk.shape[1]:
            raise ValueError(f"`wk` and `wv` must have as many columns, got {wk.shape[1]} and {wv.shape[1]}")
        if not self.cross and wk.shape[1] != wq.shape[1]:
            raise ValueError(f"`wk` must have {wq.shape[1]} columns like `wq` in self-attention, got {wk.shape[1]}")
        if wo is not None and wo.shape[1] != self.num_heads * self.value_dim:
            raise ValueError(f"`wo` must have {self.num_heads * self.value_dim} columns, got {wo.shape[1]}")

    @property
    def out_features(self) -> int:
        """Features of an output token."""
        return int(self.num_heads * self.value_dim if self.wo is None else self.wo.shape[0])

    def _gains(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> tuple[Bounds, ...]:
        return multi_head_constants(self, ord, regions, shapes)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        return multi_head_image(self, regions, shapes[0])

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Queries, out_features."""
        return (input_shapes[0][0], self.out_features)

    def _score_scale(self) -> float:
        return self.scale

    def _source_weights(self) -> tuple[Array, ...]:
        return (self.wq, self.wk) if self.cross else (self.wq,)

    def _branches(self, *xs: Array) -> tuple[Branch, Branch, Branch]:
        q = project(xs[0], self.wq, self.bq, self.num_heads)
        k = project(xs[-1], self.wk, self.bk, self.num_kv_heads)
        if self.qk_norm is not None:
            q = normalize(q, self.qk_norm, self.qk_norm.q_gain)
            k = normalize(k, self.qk_norm, self.qk_norm.k_gain)
        if self.rotary is not None:
            q, k = rotate(q, self.rotary), rotate(k, self.rotary)
        return q, k, project(xs[-1], self.wv, self.bv, self.num_kv_heads)
