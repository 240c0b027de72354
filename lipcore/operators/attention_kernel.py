"""Attention and its derivatives, block by block of query rows: no array of queries times keys beyond a block."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .. import _backend as B
from .._typing import Array
from .attention_scores import Scores
from .attention_sweep import Sweep
from .stacked_products import matmul, over_tangents, scalar, shared_left, shared_right

# A block of probabilities up to this size is kept between products, which then need neither scores nor exponentials.
KEPT_BYTES = 2**25
# Scores, or their tangents, of one block.
BLOCK_BYTES = 2**24
# Fewer rows than this make poor matrix products; tangents are taken in smaller groups first.
_GOOD_ROWS = 64


class Probabilities(NamedTuple):
    """Attention probabilities of some rows, and their factors: ``dP = slope * (dS - row mean of dS)``."""

    value: Array  # (b, rows, keys)
    slope: Array  # the same array where the logits are not capped


class AttentionKernel:
    """Attention at a point, on stacks of one batch axis.

    Parameters
    ----------
    q, k, v : array, shapes (b, n, d), (b, m, d), (b, m, dv)
        In the dtype that everything is computed in.
    scores : Scores
    block_size : int or None
        Rows per block.

    Attributes
    ----------
    output : array, shape (b, n, dv)
    log_sum_exp : array, shape (b, n, 1)
        Of each row of logits; 0 where all are minus infinity, and such a row has the output 0.
    empty : boolean array, shape (b, n, 1)
        Those rows.
    """

    def __init__(self, scores: Scores, v: Array, block_size: int | None, *, keep: bool = True) -> None:
        self.scores, self.v, self.block_size = scores, v, block_size
        xp = B.array_namespace(v)
        b, n, m = scores.shape
        itemsize = B.numpy_dtype(v.dtype).itemsize
        self._entries = BLOCK_BYTES // itemsize
        size = b * n * m * (1 if scores.softcap is None else 2) * itemsize
        self.keeps = keep and size <= KEPT_BYTES and (block_size is None or block_size >= n)
        self._kept: Probabilities | None = None
        if self.keeps:
            block = self._forward(0, n, m)
            self.output, self.log_sum_exp, self.empty, self._kept = block
        else:
            rows, _ = self._sweep(1).run(lambda start, count, keys, _: (self._forward(start, count, keys)[:3], ()), ())
            self.output, self.log_sum_exp, self.empty = rows
        ones = xp.ones((*v.shape[:-1], 1), dtype=v.dtype, device=B.device_of(v))
        self._v1 = xp.concat([v, ones], axis=-1)

    def reported_log_sum_exp(self) -> Array:
        """Log-sum-exp of each row, minus infinity where nothing is allowed."""
        xp = B.array_namespace(self.v)
        return xp.where(self.empty, scalar(self.log_sum_exp, -math.inf), self.log_sum_exp)

    def _forward(self, start: Any, count: int, keys: int) -> tuple[Array, Array, Array, Probabilities | None]:
        """Output, log-sum-exp and emptiness of some rows, and their probabilities where they are kept."""
        xp = B.array_namespace(self.v)
        logits, slope = self.scores.rows(start, count, keys)
        nothing = scalar(logits, -math.inf)
        top = B.stop_gradient(xp.max(logits, axis=-1, keepdims=True))
        top = xp.where(top == nothing, scalar(logits, 0.0), top)
        e = B.overwrite(xp.exp, B.overwrite(xp.subtract, logits, top))
        total = xp.sum(e, axis=-1, keepdims=True)
        empty = total == scalar(logits, 0.0)
        total = xp.where(empty, scalar(logits, 1.0), total)
        log_sum_exp = top + xp.log(total)
        if not self.keeps:
            return matmul(e, self.v[:, :keys, :]) / total, log_sum_exp, empty, None
        p = B.overwrite(xp.divide, e, total)
        return matmul(p, self.v), log_sum_exp, empty, Probabilities(p, p if slope is None else p * slope)

    def _probabilities(self, start: Any, count: int, keys: int) -> Probabilities:
        xp = B.array_namespace(self.v)
        if self._kept is not None:
            n, m = self.scores.shape[1:]
            if (count, keys) == (n, m):
                return self._kept
            return Probabilities(*(B.get_rows(p, start, count, xp=xp)[..., :keys] for p in self._kept))
        logits, slope = self.scores.rows(start, count, keys)
        lse = B.get_rows(self.log_sum_exp, start, count, xp=xp)
        p = B.overwrite(xp.exp, B.overwrite(xp.subtract, logits, lse))
        return Probabilities(p, p if slope is None else p * slope)

    def _sweep(self, tangents: int) -> Sweep:
        b, n, m = self.scores.shape
        rows = self.block_size or self._entries // max(1, b * m * tangents)
        arrays = (self.scores.sq, self.scores.k, self.v)
        return Sweep(n, m, max(1, min(n, rows)), causal=self.scores.causal, arrays=arrays)

    def group(self, tangents: int) -> int:
        """How many tangents to push or pull at a time."""
        b, n, m = self.scores.shape
        rows = min(n, self.block_size or _GOOD_ROWS)
        return max(1, min(tangents, self._entries // max(1, b * m * rows)))

    def push(self, dq: Array | None, dk: Array | None, dv: Array | None) -> Array:
        r"""Tangents of the output (b, K, n, dv) for tangents (b, K, tokens, features); None stands for zero.

        Notes
        -----
        With logits S, :math:`T = \mathrm{d}S`, :math:`U = P \circ T` and the output O,
        :math:`\mathrm{d}O = U V + P\, \mathrm{d}V - \mathrm{diag}(U 1)\, O`.
        """
        xp = B.array_namespace(self.v)
        given = next(t for t in (dq, dk, dv) if t is not None)
        tangents = given.shape[1]
        tangent = self.scores.tangent(dq, dk)

        def body(start: Any, count: int, keys: int, carry: tuple[()]) -> tuple[tuple[Array], tuple[()]]:
            p = self._probabilities(start, count, keys)
            out = None if dv is None else shared_left(p.value, dv[..., :keys, :])
            if tangent is not None:
                u = B.overwrite(xp.multiply, tangent(start, count, keys), p.slope[:, None, :, :])
                mean = xp.sum(u, axis=-1, keepdims=True)
                o = B.get_rows(self.output, start, count, xp=xp)[:, None, :, :]
                moved = shared_right(u, self.v[:, :keys, :]) - mean * o
                out = moved if out is None else out + moved
            return (out,), carry

        (out,), _ = self._sweep(tangents).run(body, ())
        return out

    def pull(self, g: Array, wrt: str) -> tuple[Array, ...]:
        r"""Cotangents of q, k, v, those that `wrt` names, for cotangents of the output (b, K, n, dv).

        Notes
        -----
        With :math:`\delta_i = \langle G_i, O_i \rangle` and
        :math:`\bar S = P \circ (G V^T - \delta 1^T)`, they are :math:`s \bar S K`, :math:`s \bar S^T Q` and
        :math:`P^T G`.
        """
        xp = B.array_namespace(self.v)
        tangents = g.shape[1]
        scores = self.scores
        delta = xp.sum(g * self.output[:, None, :, :], axis=-1, keepdims=True)
        extended = xp.concat([g, -delta], axis=-1)
        b, _, m = scores.shape
        zeros = {"k": scores.k.shape[-1], "v": self.v.shape[-1]}
        carry = tuple(
            xp.zeros((b, tangents, m, zeros[x]), dtype=g.dtype, device=B.device_of(g)) for x in "kv" if x in wrt
        )

        def body(
            start: Any, count: int, keys: int, carry: tuple[Array, ...]
        ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
            p = self._probabilities(start, count, keys)
            rows, added = [], []
            if "q" in wrt or "k" in wrt:
                block = B.get_rows(extended, start, count, xp=xp)
                s = shared_right(block, B.transpose(self._v1[:, :keys, :]))
                s = B.overwrite(xp.multiply, s, p.slope[:, None, :, :])
                if "q" in wrt:
                    rows.append(shared_right(s, scores.sk[:, :keys, :]))
                if "k" in wrt:
                    sq = B.get_rows(scores.sq, start, count, xp=xp)
                    added.append(matmul(B.transpose(s), over_tangents(sq, tangents)))
            if "v" in wrt:
                added.append(shared_left(B.transpose(p.value), B.get_rows(g, start, count, xp=xp)))
            sums = tuple(_add_rows(total, part) for total, part in zip(carry, added, strict=True))
            return tuple(rows), sums

        rows, sums = self._sweep(tangents).run(body, carry)
        return (*rows, *sums)


def _add_rows(total: Array, part: Array) -> Array:
    """`total`, an array of the caller's, with `part` added to its first rows."""
    xp = B.array_namespace(total)
    rows = part.shape[-2]
    head = total[..., :rows, :]
    if B.overwritable(total, part):
        xp.add(head, part, out=head)
        return total
    return total + part if rows == total.shape[-2] else xp.concat([head + part, total[..., rows:, :]], axis=-2)
