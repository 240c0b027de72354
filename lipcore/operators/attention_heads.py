"""The Jacobian of several attention heads on tokens that hold the heads side by side."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array, Shape
from .attention import AttentionJacobian
from .base import LinearOperator


class AttentionHeads(LinearOperator):
    r"""Heads of an `AttentionJacobian` as one operator, on tensors (tokens, heads, features).

    Parameters
    ----------
    jacobian : AttentionJacobian, batch shape (*batch_shape, groups, members)
        The heads: query head ``g members + i`` is member i of group g. Keys and values are those of the group, so
        k and v have been given with one member each.

    Notes
    -----
    The domain is what `jacobian` differentiates, one after the other: q (n, groups members, d), k (m, groups, d) and
    v (m, groups, dv), as projections of tokens give them; the range is (n, groups members, dv). Forward, the tangents
    of a group's keys meet each of its query heads; the adjoint adds up what comes from them.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.attention_heads import AttentionHeads
    >>> rng = np.random.default_rng(0)
    >>> q, k, v = (rng.standard_normal((2, members, 5, 3)) for members in (4, 1, 1))
    >>> AttentionHeads(lc.AttentionJacobian(q, k, v)).shape  # 8 query heads, 2 of keys and values
    (120, 180)
    """

    def __init__(self, jacobian: AttentionJacobian) -> None:
        if len(jacobian.batch_shape) < 2:
            raise ValueError(
                f"`jacobian` must have the batch axes (..., groups, members), got the batch {jacobian.batch_shape}"
            )
        self.jacobian = jacobian
        *batch, groups, members = jacobian.batch_shape
        self._heads = {"q": (groups, members), "k": (groups,), "v": (groups,)}
        sizes = {x: self._tensor(x) for x in jacobian.wrt}
        n, dv = jacobian.range_shape
        self._setup(
            (*batch, n * groups * members * dv, sum(math.prod(t) for t in sizes.values())),
            dtype=jacobian.dtype,
            xp=jacobian.xp,
            device=jacobian.device,
            domain_shape=next(iter(sizes.values())) if len(sizes) == 1 else None,
            range_shape=(n, groups * members, dv),
        )

    def _tensor(self, x: str) -> Shape:
        tokens, features = self.jacobian.tensors[x]
        return (tokens, math.prod(self._heads[x]), features)

    def with_respect_to(self, wrt: str) -> AttentionHeads:
        """The same heads with respect to other inputs."""
        return AttentionHeads(self.jacobian.with_respect_to(wrt))

    def _matmat(self, X: Array) -> Array:
        rows = self._rows(X)
        parts: dict[str, Array | None] = {"q": None, "k": None, "v": None}
        start = 0
        for x in self.jacobian.wrt:
            size = math.prod(self._tensor(x))
            parts[x] = self._apart(rows[..., start : start + size], self._heads[x], self.jacobian.tensors[x])
            start += size
        out = self.jacobian.push(parts["q"], parts["k"], parts["v"])
        return self._columns(self._together(out, self._heads["q"], X.shape[-1]))

    def _rmatmat(self, Y: Array) -> Array:
        g = self._apart(self._rows(Y), self._heads["q"], self.jacobian.range_shape)
        parts = self.jacobian.pull(g)
        wrt = self.jacobian.wrt
        flat = [self._together(part, self._heads[x], Y.shape[-1]) for x, part in zip(wrt, parts, strict=True)]
        return self._columns(flat[0] if len(flat) == 1 else self.xp.concat(flat, axis=-1))

    def _rows(self, X: Array) -> Array:
        return B.cast(B.transpose(X), B.compute_dtype(self.xp, self.dtype))

    def _columns(self, rows: Array) -> Array:
        return B.transpose(B.cast(rows, self.dtype))

    def _apart(self, rows: Array, heads: Shape, tensor: Shape) -> Array:
        r"""Rows (\*batch_shape, K, tokens heads features) as tangents (\*lead, tokens, features) of each query head."""
        *batch, tangents, _ = rows.shape
        lead = self.jacobian.lead(tangents)
        groups, members = self._heads["q"]
        if groups * members == 1:
            return self.xp.reshape(rows, (*lead, *tensor))
        tokens, features = tensor
        split = self.xp.reshape(rows, (*batch, tangents, tokens, groups, math.prod(heads[1:]), features))
        first = len(batch)
        moved = self.xp.permute_dims(split, (*range(first), first + 2, first + 3, first, first + 1, first + 4))
        full = (*batch, groups, members, tangents, tokens, features)
        return self.xp.reshape(self.xp.broadcast_to(moved, full), (*lead, *tensor))

    def _together(self, part: Array, heads: Shape, tangents: int) -> Array:
        """The way back; heads that share an input are added up."""
        batch, (groups, members) = self.batch_shape, self._heads["q"]
        tokens, features = part.shape[-2:]
        flat = (*batch, tangents, tokens * math.prod(heads) * features)
        if groups * members == 1:
            return self.xp.reshape(part, flat)
        split = self.xp.reshape(part, (*batch, groups, members, tangents, tokens, features))
        first = len(batch)
        if len(heads) == 1 and members > 1:
            split = self.xp.sum(split, axis=first + 1, keepdims=True)
        moved = self.xp.permute_dims(split, (*range(first), first + 2, first + 3, first, first + 1, first + 4))
        return self.xp.reshape(moved, flat)
