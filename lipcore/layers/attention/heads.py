"""What attention layers with projections share: heads from tokens, and the Jacobian of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import _backend as B
from ..._typing import Array
from ...operators import AttentionJacobian, LinearOperator, VStack
from ...operators.attention import attention
from ...operators.attention_heads import AttentionHeads
from ...operators.pair_rotation import PairRotation, turn
from ...operators.row_maps import RowNormalization
from ...operators.token_map import TokenMap, TokenMaps
from .constants import AttentionLayer
from .options import QKNorm, Rotary


@dataclass(frozen=True)
class Branch:
    """Queries, keys or values on their way from the tokens.

    Attributes
    ----------
    value : array, shape (samples, tokens, heads, features)
    operator : LinearOperator
        Derivative of a flattened sample of `value` with respect to the flattened sample of tokens.
    """

    value: Array
    operator: LinearOperator


def project(x: Array, weight: Array, bias: Array | None, heads: int) -> Branch:
    """``x W^T + b`` of tokens x (samples, tokens, features), head after head."""
    xp = B.array_namespace(x)
    operator = TokenMap(weight, x.shape[1], batch_shape=(x.shape[0],))
    y = operator.apply(x)
    y = y if bias is None else y + bias
    return Branch(xp.reshape(y, (*y.shape[:2], heads, y.shape[-1] // heads)), operator)


def normalize(branch: Branch, norm: QKNorm, gain: Array | None) -> Branch:
    """Each row of each head divided by its length."""
    count = branch.value.shape[-1] if norm.kind == "rms" else 1
    return unit_rows(branch, count, norm.eps, gain)


def unit_rows(branch: Branch, count: float, eps: float, gain: Array | None) -> Branch:
    """Rows ``g x / sqrt(|x|^2 / count + eps)``."""
    value = branch.value
    xp = B.array_namespace(value)
    inverse = 1 / xp.sqrt(xp.sum(value * value, axis=-1, keepdims=True) / count + eps)
    unit = value * inverse
    samples, tokens, heads, features = value.shape
    derivative = RowNormalization(
        xp.reshape(unit, (samples, tokens * heads, features, 1)),
        xp.reshape(inverse, (samples, tokens * heads, 1, 1)),
        None if gain is None else xp.reshape(gain, (1, features, 1)),
        centered=False,
        count=count,
    )
    return Branch(unit if gain is None else unit * gain, derivative @ branch.operator)


def rotate(branch: Branch, rotary: Rotary) -> Branch:
    """Rows turned by the angles of their positions."""
    value = branch.value
    xp = B.array_namespace(value)
    _, tokens, heads, features = value.shape
    dim = features if rotary.dim is None else rotary.dim
    if dim > features or dim % 2:
        raise ValueError(f"`rotary` turns {dim} features, which must be even and at most head_dim = {features}")
    angles = np.arange(tokens)[:, None] * rotary.base ** (-np.arange(0, dim, 2) / dim)
    cosine, sine = (
        B.from_numpy(a, xp=xp, device=B.device_of(value), dtype=value.dtype) for a in (np.cos(angles), np.sin(angles))
    )
    turned = turn(value, cosine[:, None, :], sine[:, None, :], interleaved=rotary.interleaved)
    turning = PairRotation(cosine, sine, heads, features, interleaved=rotary.interleaved)
    return Branch(turned, turning @ branch.operator)


class HeadsLayer(AttentionLayer):
    r"""Attention of projected tokens, one or more heads side by side.

    Notes
    -----
    A subclass implements ``_branches(*xs)``, queries, keys and values, and ``_scores()``, the options of the scores.
    Queries come from the first input, keys and values from the last. With the derivatives of the branches
    :math:`A_q, A_k, A_v`, that of the heads :math:`J` and the projection of outputs :math:`W_o`, the Jacobian is
    :math:`W_o J (A_q; A_k; A_v)`; with two inputs :math:`W_o J_q A_q` and :math:`W_o J_{kv} (A_k; A_v)`.
    """

    num_heads: int
    num_kv_heads: int
    wo: Array | None
    bo: Array | None = None
    bias: Array | None = None
    mask: Array | None
    causal: bool
    softcap: float | None = None
    block_size: int | None
    output_factor = 1.0

    def _branches(self, *xs: Array) -> tuple[Branch, Branch, Branch]:
        raise NotImplementedError

    def _score_scale(self) -> float:
        raise NotImplementedError

    def _combined(self, branches: Sequence[Branch]) -> LinearOperator:
        """Derivatives of branches with respect to their one source."""
        maps = [branch.operator for branch in branches]
        plain = [one for one in maps if isinstance(one, TokenMap)]
        if len(plain) == len(maps):
            return TokenMaps([one.weight for one in plain], plain[0].tokens, batch_shape=plain[0].batch_shape)
        return VStack(maps)

    def _forward(self, *xs: Array) -> Array:
        branches = self._branches(*xs)
        return self._projected(attention(*self._stacks(branches), **self._options()))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self._together(*xs)[1]

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output and Jacobians, from one pass over the scores."""
        self._checked(xs)
        return self._together(*xs)

    def _together(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        branches = self._branches(*xs)
        at = AttentionJacobian(*self._stacks(branches), **self._options())
        heads = AttentionHeads(at)
        if len(xs) == 1:
            parts: tuple[LinearOperator, ...] = (heads @ self._combined(branches),)
        else:
            parts = (
                heads.with_respect_to("q") @ branches[0].operator,
                heads.with_respect_to("kv") @ self._combined(branches[1:]),
            )
        if self.output_factor != 1:
            parts = tuple(self.output_factor * part for part in parts)
        if self.wo is not None:
            output = TokenMap(self.wo, xs[0].shape[1], batch_shape=(xs[0].shape[0],))
            parts = tuple(output @ part for part in parts)
        return self._projected(at.value), parts

    def _stacks(self, branches: tuple[Branch, Branch, Branch]) -> tuple[Array, Array, Array]:
        """(samples, groups, members, tokens, features) of queries, and of keys and values with one member."""
        xp = B.array_namespace(branches[0].value)
        found = []
        for branch, members in zip(branches, (self.num_heads // self.num_kv_heads, 1, 1), strict=True):
            samples, tokens, _, features = branch.value.shape
            split = xp.reshape(branch.value, (samples, tokens, self.num_kv_heads, members, features))
            found.append(xp.permute_dims(split, (0, 2, 3, 1, 4)))
        q, k, v = found
        return q, k, v

    def _options(self) -> dict[str, Any]:
        return {
            "mask": self._grouped(self.mask),
            "bias": self._grouped(self.bias),
            "causal": self.causal,
            "scale": self._score_scale(),
            "softcap": self.softcap,
            "block_size": self.block_size,
        }

    def _grouped(self, mask: Array | None) -> Array | None:
        """A mask (samples, heads, n, m) with the axis of the heads split into groups and members."""
        if mask is None or mask.ndim == 2:
            return mask
        heads = mask.shape[-3]
        if heads not in (1, self.num_heads):
            raise ValueError(f"`mask` and `bias` must have 1 or {self.num_heads} heads, got shape {tuple(mask.shape)}")
        split = (1, 1) if heads == 1 else (self.num_kv_heads, self.num_heads // self.num_kv_heads)
        return B.array_namespace(mask).reshape(mask, (*mask.shape[:-3], *split, *mask.shape[-2:]))

    def _projected(self, value: Array) -> Array:
        """Heads (samples, groups, members, n, dv) side by side, and through the projection of outputs."""
        xp = B.array_namespace(value)
        samples, _, _, n, dv = value.shape
        y = xp.reshape(xp.permute_dims(value, (0, 3, 1, 2, 4)), (samples, n, self.num_heads * dv))
        y = y if self.output_factor == 1 else y * self.output_factor
        y = y if self.wo is None else TokenMap(self.wo, n, batch_shape=(samples,)).apply(y)
        return y if self.bo is None else y + self.bo

    def _checked(self, xs: Any) -> None:
        super()._checked(xs)
        for x, weight in zip(xs, self._source_weights(), strict=True):
            if x.ndim != 3 or x.shape[-1] != weight.shape[1] or 0 in x.shape[1:]:
                raise ValueError(
                    f"`x` must have shape (samples, tokens, {weight.shape[1]}) for {type(self).__name__}, "
                    f"got {tuple(x.shape)}"
                )

    def _source_weights(self) -> tuple[Array, ...]:
        """A weight for each input, which says how many features its tokens have."""
        raise NotImplementedError
