"""Attention and its derivatives, block by block of query rows: no array of queries times keys beyond a block."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .. import _backend as B
from .._typing import Array
from .attention_scores import Scores, part
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


class Point(NamedTuple):
    """Where the derivative is taken: arrays (b, tokens, features), or without b where there is but one tangent."""

    sq: Array  # scaled queries
    sk: Array  # scaled keys
    v: Array
    v1: Array  # values and a column of ones
    negative: Array  # minus the output
    kept: Probabilities | None

    def single(self) -> Point:
        """The same without the axis b, of length one."""
        kept = None if self.kept is None else Probabilities(self.kept.value[0, ...], self.kept.slope[0, ...])
        sq, sk, v, v1, negative = (x[0, ...] for x in self[:-1])
        return Point(sq, sk, v, v1, negative, kept)


class AttentionKernel:
    """Attention at a point, on stacks of one batch axis.

    Parameters
    ----------
    scores : Scores
        Of q (b, n, d) and k (b, m, d), in the dtype that everything is computed in.
    v : array, shape (b, m, dv)
    block_size : int or None
        Rows per block.
    keep : bool
        Whether derivatives will be asked for.

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
        kept: Probabilities | None = None
        if self.keeps:
            self.output, self.log_sum_exp, self.empty, kept = self._forward(0, n, m)
        else:
            sweep = self._sweep(1, v)
            rows, _ = sweep.run(lambda start, count, keys, _: (self._forward(start, count, keys)[:3], ()), ())
            self.output, self.log_sum_exp, self.empty = rows
        if keep:
            ones = xp.ones((*v.shape[:-1], 1), dtype=v.dtype, device=B.device_of(v))
            self._point = Point(scores.sq, scores.sk, v, xp.concat([v, ones], axis=-1), -self.output, kept)
            self._single = self._point.single() if b == 1 else None

    def _at(self, tangents: Array) -> Point:
        return self._single if tangents.ndim == 2 and self._single is not None else self._point

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

    def _probabilities(self, at: Point, start: Any, count: int, keys: int) -> Probabilities:
        xp = B.array_namespace(self.v)
        if at.kept is not None:
            n, m = self.scores.shape[1:]
            if (count, keys) == (n, m):
                return at.kept
            return Probabilities(*(part(p, start, count, xp=xp)[..., :keys] for p in at.kept))
        logits, slope = self.scores.rows(start, count, keys)
        p = B.overwrite(xp.exp, B.overwrite(xp.subtract, logits, part(self.log_sum_exp, start, count, xp=xp)))
        p, slope = (x if x is None or at.v.ndim == 3 else x[0, ...] for x in (p, slope))
        return Probabilities(p, p if slope is None else p * slope)

    def _sweep(self, tangents: int, like: Array) -> Sweep:
        b, n, m = self.scores.shape
        rows = self.block_size or self._entries // max(1, b * m * tangents)
        arrays = (self.scores.sq, self.scores.sk, self.v, like)
        return Sweep(n, m, max(1, min(n, rows)), causal=self.scores.causal, arrays=arrays)

    def group(self, tangents: int) -> int:
        """How many tangents to push or pull at a time."""
        b, n, m = self.scores.shape
        rows = min(n, self.block_size or _GOOD_ROWS)
        return int(max(1, min(tangents, self._entries // max(1, b * m * rows))))

    def push(self, dq: Array | None, dk: Array | None, dv: Array | None) -> Array:
        r"""Tangents of the output (b, K, n, dv) for tangents (b, K, tokens, features); None stands for zero.

        Notes
        -----
        With logits S, :math:`T = \mathrm{d}S`, :math:`U = P \circ T` and the output O,
        :math:`\mathrm{d}O = U V + P\, \mathrm{d}V - \mathrm{diag}(U 1)\, O`. Where b = K = 1, both axes may be left
        out, which saves time on small stacks.
        """
        xp = B.array_namespace(self.v)
        given = next(t for t in (dq, dk, dv) if t is not None)
        at = self._at(given)
        tangent = self.scores.tangent(dq, dk, at.sq, at.sk)

        def body(start: Any, count: int, keys: int, carry: None) -> tuple[tuple[Array], None]:
            p = self._probabilities(at, start, count, keys)
            out = None if dv is None else shared_left(p.value, keys_of(dv, keys))
            if tangent is not None:
                u = B.overwrite(xp.multiply, tangent(start, count, keys), lifted(p.slope))
                mean = xp.sum(u, axis=-1, keepdims=True)
                moved = mean * lifted(part(at.negative, start, count, xp=xp)) + shared_right(u, keys_of(at.v, keys))
                out = moved if out is None else out + moved
            return (out,), carry

        (out,), _ = self._sweep(_count(given), given).run(body, None)
        return out

    def pull(self, g: Array, wrt: str) -> tuple[Array, ...]:
        r"""Cotangents of q, k, v, those that `wrt` names, for cotangents of the output (b, K, n, dv).

        Notes
        -----
        With :math:`\delta_i = \langle G_i, O_i \rangle` and
        :math:`\bar S = P \circ (G V^T - \delta 1^T)`, they are :math:`s \bar S K`, :math:`s \bar S^T Q` and
        :math:`P^T G`. Axes as in `push`.
        """
        xp = B.array_namespace(self.v)
        tangents, at = _count(g), self._at(g)
        negative = xp.sum(g * lifted(at.negative), axis=-1, keepdims=True)
        extended = xp.concat([g, negative], axis=-1)

        def body(start: Any, count: int, keys: int, carry: Any) -> tuple[tuple[Array, ...], Any]:
            p = self._probabilities(at, start, count, keys)
            rows, added = [], []
            if "q" in wrt or "k" in wrt:
                block = part(extended, start, count, xp=xp)
                s = shared_right(block, xp.matrix_transpose(keys_of(at.v1, keys)))
                s = B.overwrite(xp.multiply, s, lifted(p.slope))
                if "q" in wrt:
                    rows.append(shared_right(s, keys_of(at.sk, keys)))
                if "k" in wrt:
                    sq = over_tangents(part(at.sq, start, count, xp=xp), tangents)
                    added.append(matmul(xp.matrix_transpose(s), sq))
            if "v" in wrt:
                added.append(shared_left(xp.matrix_transpose(p.value), part(g, start, count, xp=xp)))
            before = [None] * len(added) if carry is None else carry
            sums = (_add_rows(total, new, at.v.shape[-2]) for total, new in zip(before, added, strict=True))
            return tuple(rows), tuple(sums)

        rows, sums = self._sweep(tangents, g).run(body, None)
        return (*rows, *sums)


def lifted(x: Array) -> Array:
    """`x` (b, ...) as it meets tangents (b, K, ...), or itself where they have neither axis."""
    return x if x.ndim == 2 else x[:, None, ...]


def keys_of(x: Array, keys: int) -> Array:
    """The first `keys` tokens."""
    return x if x.shape[-2] == keys else x[..., :keys, :]


def _count(tangents: Array) -> int:
    return 1 if tangents.ndim == 2 else int(tangents.shape[1])


def _add_rows(total: Array | None, new: Array, keys: int) -> Array:
    """`total`, an array of the caller's or nothing, with `new` added to the first of `keys` rows."""
    xp, rows = B.array_namespace(new), new.shape[-2]
    if total is None:
        if rows == keys:
            return new
        shape = (*new.shape[:-2], keys - rows, new.shape[-1])
        return xp.concat([new, xp.zeros(shape, dtype=new.dtype, device=B.device_of(new))], axis=-2)
    head = total[..., :rows, :]
    if B.overwritable(total, new):
        xp.add(head, new, out=head)
        return total
    return total + new if rows == keys else xp.concat([head + new, total[..., rows:, :]], axis=-2)
