"""Scaled cosine attention."""

from __future__ import annotations

from collections.abc import Sequence

from ..._typing import Array, Shape
from ...norms import Bounds
from ..base import Ord
from ..regions import Region
from .checks import check_count, check_heads, check_mask, check_positive, check_weights
from .constants import cosine_constant
from .heads import Branch, HeadsLayer, project, unit_rows
from .outputs import cosine_image


class CosineAttention(HeadsLayer):
    r"""Scaled cosine attention: queries, keys and values are normalised, which makes it Lipschitz everywhere.

    Parameters
    ----------
    wq, wk : array, shape (num_heads * head_dim, features)
        Projections of queries and keys.
    wv : array, shape (num_heads * value_dim, features)
        Projection of values.
    wo : array, shape (out_features, num_heads * value_dim), optional
        Projection of the heads' outputs side by side; none by default.
    num_heads : int
        Heads.
    tau : float
        Factor of the cosines in the softmax, positive.
    nu : float
        Factor of the output, positive.
    eps : float
        Added to the squared norms, positive.
    causal : bool
        Query i meets keys 0 to i only.
    mask : boolean array, optional
        True where attention is allowed; broadcastable to (samples, num_heads, tokens, tokens).
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
    MultiHeadAttention : Has ``qk_norm=QKNorm("l2")``, which leaves the values as they are.

    Notes
    -----
    With :math:`\hat z = z / \sqrt{\|z\|^2 + \epsilon}` of the projections of a head,

    .. math:: o_i = \nu \textstyle\sum_j p_{ij} \hat v_j, \qquad
              p_{ij} = \mathrm{softmax}_j (\tau\, \hat q_i \cdot \hat k_j) .

    The derivative of the normalisation is :math:`(I - \hat z \hat z^T) / \sqrt{\|z\|^2 + \epsilon}`, at most
    :math:`\epsilon^{-1/2}` long, so that one head has for ord 2 at most
    :math:`\nu \epsilon^{-1/2} [\sqrt n \|W_v\| + \tau (\|W_q\| + \sqrt n \|W_k\|)]`; kind "analytic". Source: Qi et al.
    2023, arXiv 2304.09856, whose bound grows with :math:`n^2`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> rng = np.random.default_rng(0)
    >>> wq, wk, wv = (rng.standard_normal((4, 4)) for _ in range(3))
    >>> layer = lc.layers.CosineAttention(wq, wk, wv, num_heads=1, tau=2.0, eps=0.01)
    >>> x = rng.standard_normal((1, 6, 4))
    >>> bool(np.all(np.linalg.norm(layer(x), axis=-1) <= 1))  # an average of rows no longer than nu
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
        tau: float = 12.0,
        nu: float = 1.0,
        eps: float = 1e-6,
        causal: bool = False,
        mask: Array | None = None,
        block_size: int | None = None,
    ) -> None:
        check_weights(wq=wq, wk=wk, wv=wv, wo=wo)
        self.num_heads = self.num_kv_heads = check_count("num_heads", num_heads)
        self.head_dim = check_heads("wq", wq.shape[0], self.num_heads)
        self.value_dim = check_heads("wv", wv.shape[0], self.num_heads)
        if tuple(wk.shape) != tuple(wq.shape):
            raise ValueError(f"`wk` must have the shape of `wq`, {tuple(wq.shape)}, got {tuple(wk.shape)}")
        if wv.shape[1] != wq.shape[1]:
            raise ValueError(f"`wv` must have {wq.shape[1]} columns like `wq`, got {wv.shape[1]}")
        if wo is not None and wo.shape[1] != wv.shape[0]:
            raise ValueError(f"`wo` must have {wv.shape[0]} columns, got {wo.shape[1]}")
        check_mask("mask", mask, wq, kinds="boolean")
        self.wq, self.wk, self.wv, self.wo = wq, wk, wv, wo
        self.tau, self.nu = check_positive("tau", tau), check_positive("nu", nu)
        self.eps = check_positive("eps", eps)
        self.scale, self.output_factor = self.tau, self.nu
        self.causal, self.mask = bool(causal), mask
        self.block_size = None if block_size is None else check_count("block_size", block_size)

    @property
    def out_features(self) -> int:
        """Features of an output token."""
        return int(self.wv.shape[0] if self.wo is None else self.wo.shape[0])

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        return cosine_constant(self, ord, region, shape)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        return cosine_image(self, regions[0], shapes[0])

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Tokens, out_features."""
        return (input_shapes[0][0], self.out_features)

    def _score_scale(self) -> float:
        return self.tau

    def _source_weights(self) -> tuple[Array, ...]:
        return (self.wq,)

    def _branches(self, *xs: Array) -> tuple[Branch, Branch, Branch]:
        (x,) = xs
        q, k, v = (
            unit_rows(project(x, weight, None, self.num_heads), 1, self.eps, None)
            for weight in (self.wq, self.wk, self.wv)
        )
        return q, k, v
