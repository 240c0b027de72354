"""Attention of queries, keys and values that are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._typing import Array, Shape
from ...norms import Bounds
from ...operators import AttentionJacobian, LinearOperator
from ...operators.attention import attention
from ...operators.per_sample import Folded
from ..base import Ord
from ..regions import Region
from .checks import check_count, check_positive
from .constants import AttentionLayer, plain_constants
from .outputs import plain_image


class ScaledDotProductAttention(AttentionLayer):
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

    Raises
    ------
    ValueError
        If an option is out of range, or, in a call, if shapes do not meet.

    See Also
    --------
    AttentionJacobian : Its Jacobian.
    MultiHeadAttention : With projections.

    Notes
    -----
    .. math:: o_i = \textstyle\sum_j p_{ij} v_j, \qquad p_{ij} = \mathrm{softmax}_j (s\, q_i \cdot k_j + b_{ij}).

    Leading axes of a sample, such as heads, are independent of each other. The Jacobian is an `AttentionJacobian`, with
    respect to queries, keys and values side by side. Its norm grows with each of the three, so that constants exist
    over bounded regions only, one for each input; kind "analytic". Source: Vaswani et al. 2017, arXiv 1706.03762.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> rng = np.random.default_rng(0)
    >>> q, k, v = (rng.standard_normal((2, n, 3)) for n in (4, 5, 5))
    >>> layer = lc.layers.ScaledDotProductAttention()
    >>> layer(q, k, v).shape, layer.jacobian(q, k, v).shape
    ((2, 4, 3), (2, 12, 42))
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

    def _gains(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> tuple[Bounds, ...]:
        return plain_constants(self, ord, regions, shapes)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        return plain_image(self, regions[2], shapes[0])

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        q, _, v = input_shapes
        return (*q[:-1], v[-1])

    def _forward(self, *xs: Array) -> Array:
        return attention(*xs, **self._options())

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self.linearize(*xs)[1]

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output and Jacobians, from one pass over the scores."""
        self._checked(xs)
        whole = AttentionJacobian(*xs, **self._options())
        return whole.value, tuple(_folded(whole.with_respect_to(x)) for x in "qkv")

    def jacobian(self, *xs: Array) -> LinearOperator:
        """The Jacobian at a point of every sample, with respect to all three inputs side by side."""
        self._checked(xs)
        if xs[0].ndim > 3:
            return super().jacobian(*xs)
        return AttentionJacobian(*xs, **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "causal": self.causal,
            "mask": self.mask,
            "scale": self.scale,
            "softcap": self.softcap,
            "block_size": self.block_size,
        }

    def _checked(self, xs: Any) -> None:
        super()._checked(xs)
        if xs[0].ndim < 3 or len({tuple(x.shape[:-2]) for x in xs}) > 1:
            raise ValueError(
                "queries, keys and values must have shapes (samples, ..., tokens, features) with equal leading axes, "
                f"got {[tuple(x.shape) for x in xs]}"
            )


def _folded(operator: LinearOperator) -> LinearOperator:
    """All batch axes but the samples' as diagonal blocks of one operator."""
    while len(operator.batch_shape) > 1:
        operator = Folded(operator)
    return operator
