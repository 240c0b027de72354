"""The Jacobian of dot-product attention at a point."""

from __future__ import annotations

import copy
import math
from typing import Any

from .. import _backend as B
from .._typing import Array, Shape
from .attention_checks import LETTERS, checked_batch
from .attention_kernel import AttentionKernel
from .attention_scores import Scores
from .base import LinearOperator
from .stacked_products import merged


class AttentionJacobian(LinearOperator):
    r"""Jacobian of dot-product attention with respect to queries, keys and values, in memory linear in the tokens.

    Parameters
    ----------
    q : array, shape (..., n, d)
        Queries, real floating point. Leading axes of the three arrays broadcast to a batch of independent operators,
        such as samples and heads.
    k : array, shape (..., m, d)
        Keys.
    v : array, shape (..., m, dv)
        Values.
    wrt : str, default "qkv"
        Letters of the inputs to differentiate, each at most once. The domain is the flattened chosen inputs, one after
        the other in the order q, k, v.
    mask : array, optional
        Boolean, True where a query may meet a key, or floating, added to the logits. It broadcasts to
        ``(*batch_shape, n, m)`` and is never expanded.
    causal : bool, default False
        Query i meets keys 0 to i only, also where n and m differ.
    scale : float, optional
        Factor s of the logits, ``1 / sqrt(d)`` by default.
    block_size : int, optional
        Queries per block. By default a block holds 16 MiB of scores or their tangents, and probabilities that fit
        into 32 MiB altogether are kept between products.
    softcap : float, optional
        Logits t become ``softcap * tanh(t / softcap)``, before the mask applies.
    bias : array, optional
        Floating, added to the logits like a floating mask, beside a boolean one.

    Attributes
    ----------
    value : array, shape (*batch_shape, n, dv)
        The output of the attention.
    log_sum_exp : array, shape (*batch_shape, n)
        Logarithm of the sum of the exponentials of each row of logits, minus infinity where all are masked; at least
        single precision.
    wrt : str
        The inputs of the domain, in the order q, k, v.
    tensors : dict
        Shape (tokens, features) of each of q, k and v.

    Raises
    ------
    TypeError
        If an array is not real floating point (a mask may be boolean), or of another library.
    ValueError
        If shapes do not meet, are empty, or an option is out of range.

    See Also
    --------
    Jacobian : Any function of torch or JAX, by automatic differentiation.

    Notes
    -----
    With :math:`S = s Q K^T` (capped, masked), P its softmax by rows and :math:`O = P V`,

    .. math:: T &= s (\mathrm{d}Q K^T + Q\, \mathrm{d}K^T), \qquad
              \mathrm{d}O = (P \circ T) V + P\, \mathrm{d}V - \mathrm{diag}((P \circ T) 1)\, O, \\
              \bar S &= P \circ (G V^T - \mathrm{diag}(G O^T) 1^T), \qquad
              \bar Q = s \bar S K, \quad \bar K = s \bar S^T Q, \quad \bar V = P^T G .

    A row whose keys are all masked has the output zero and no derivative. The cap multiplies T and
    :math:`\bar S` by its slope :math:`1 - \tanh^2`.

    Rows of queries are taken in blocks, all keys at a time, so that memory is that of the arrays and of one block.
    For each of the two products with one vector, :math:`n m (2 d + 2 d_v)` multiplications, and :math:`n m d` more and
    one exponential per score where probabilities are not kept. Half precision is computed in single. Products can be
    differentiated again, in torch and JAX, for second derivatives; that needs the memory of all blocks.

    Blocks as in Rabe and Staats 2021, arXiv 2112.05682; the cotangents as in Dao et al. 2022, arXiv 2205.14135.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> rng = np.random.default_rng(0)
    >>> q, k, v = (rng.standard_normal((5, 3)) for _ in range(3))
    >>> J = lc.AttentionJacobian(q, k, v, causal=True)
    >>> J.shape, J.value.shape
    ((15, 45), (5, 3))
    >>> bool(np.allclose(J.value[0], v[0]))  # the first query meets the first key alone
    True
    >>> lc.check_adjoint(J, rng=0)
    True
    """

    def __init__(
        self,
        q: Array,
        k: Array,
        v: Array,
        *,
        wrt: str = "qkv",
        mask: Array | None = None,
        causal: bool = False,
        scale: float | None = None,
        block_size: int | None = None,
        softcap: float | None = None,
        bias: Array | None = None,
    ) -> None:
        batch = checked_batch(q, k, v, mask, bias)
        xp = B.array_namespace(q, k, v)
        dtype = B.common_dtype(xp, q.dtype, k.dtype, v.dtype)
        self._kernel = _kernel(
            q, k, v, batch, mask=mask, bias=bias, causal=causal, scale=scale, softcap=softcap, block_size=block_size
        )
        n, dv = q.shape[-2], v.shape[-1]
        self.value = B.cast(xp.reshape(self._kernel.output, (*batch, n, dv)), dtype)
        self.log_sum_exp = xp.reshape(self._kernel.reported_log_sum_exp(), (*batch, n))
        self.tensors = {"q": tuple(q.shape[-2:]), "k": tuple(k.shape[-2:]), "v": tuple(v.shape[-2:])}
        self._set_wrt(wrt, batch, {"dtype": dtype, "xp": xp, "device": B.device_of(q)})

    def _set_wrt(self, wrt: str, batch: Shape, home: dict[str, Any]) -> None:
        if not wrt or len(set(wrt)) != len(wrt) or not set(wrt) <= set(LETTERS):
            raise ValueError(f"`wrt` must hold some of the letters q, k and v, each once, got {wrt!r}")
        self.wrt = "".join(x for x in LETTERS if x in wrt)
        columns = sum(math.prod(self.tensors[x]) for x in self.wrt)
        image = (self.tensors["q"][0], self.tensors["v"][1])
        domain = self.tensors[self.wrt] if len(self.wrt) == 1 else None
        self._setup((*batch, math.prod(image), columns), **home, domain_shape=domain, range_shape=image)

    def with_respect_to(self, wrt: str) -> AttentionJacobian:
        """The Jacobian with respect to other inputs at the same point; what was computed for it is shared."""
        same = copy.copy(self)
        same._set_wrt(wrt, self.batch_shape, {"dtype": self.dtype, "xp": self.xp, "device": self.device})
        return same

    def _matmat(self, X: Array) -> Array:
        if 0 in X.shape:
            return self._nothing(self.shape[-2], X)
        rows = self._rows(X)
        parts: dict[str, Array | None] = {"q": None, "k": None, "v": None}
        start = 0
        for x in self.wrt:
            size = math.prod(self.tensors[x])
            parts[x] = self.xp.reshape(rows[..., start : start + size], (*rows.shape[:-1], *self.tensors[x]))
            start += size
        return self._columns(self.push(parts["q"], parts["k"], parts["v"]), X.shape[-1])

    def _rmatmat(self, Y: Array) -> Array:
        if 0 in Y.shape:
            return self._nothing(self.shape[-1], Y)
        rows = self._rows(Y)
        parts = self.pull(self.xp.reshape(rows, (*rows.shape[:-1], *self.range_shape)))
        flat = [self.xp.reshape(part, (*part.shape[:-2], math.prod(part.shape[-2:]))) for part in parts]
        return self._columns(flat[0] if len(flat) == 1 else self.xp.concat(flat, axis=-1), Y.shape[-1])

    def _nothing(self, size: int, X: Array) -> Array:
        return self.xp.zeros((*self.batch_shape, size, X.shape[-1]), dtype=self.dtype, device=self.device)

    def lead(self, tangents: int) -> Shape:
        """Leading axes of `tangents` tangents, the batch merged into one: ``(b, K)``, and none for a single tangent."""
        stack = math.prod(self.batch_shape)
        return () if stack * tangents == 1 else (stack, tangents)

    def push(self, dq: Array | None, dk: Array | None, dv: Array | None) -> Array:
        r"""Tangents of the output for tangents (\*lead, tokens, features) of the inputs, None standing for zero."""
        given = next(t for t in (dq, dk, dv) if t is not None)
        tangents = 1 if given.ndim == 2 else given.shape[1]
        group = self._kernel.group(tangents)
        if tangents <= group:
            return self._kernel.push(dq, dk, dv)
        found = []
        for i in range(0, tangents, group):
            found.append(self._kernel.push(*(t if t is None else t[:, i : i + group, :, :] for t in (dq, dk, dv))))
        return self.xp.concat(found, axis=1)

    def pull(self, g: Array) -> tuple[Array, ...]:
        r"""Cotangents of the inputs in `wrt` for cotangents (\*lead, n, dv) of the output."""
        tangents = 1 if g.ndim == 2 else g.shape[1]
        group = self._kernel.group(tangents)
        if tangents <= group:
            return self._kernel.pull(g, self.wrt)
        found = [self._kernel.pull(g[:, i : i + group, :, :], self.wrt) for i in range(0, tangents, group)]
        return tuple(self.xp.concat(list(parts), axis=1) for parts in zip(*found, strict=True))

    def _rows(self, X: Array) -> Array:
        r"""Columns of a block as rows (\*lead, size) in the dtype of the computation."""
        rows = B.cast(B.transpose(X), self._kernel.v.dtype)
        return self.xp.reshape(rows, (*self.lead(X.shape[-1]), X.shape[-2]))

    def _columns(self, rows: Array, columns: int) -> Array:
        flat = self.xp.reshape(B.cast(rows, self.dtype), (*self.batch_shape, columns, -1))
        return B.transpose(flat)


def attention(
    q: Array,
    k: Array,
    v: Array,
    *,
    mask: Array | None = None,
    causal: bool = False,
    scale: float | None = None,
    block_size: int | None = None,
    softcap: float | None = None,
    bias: Array | None = None,
) -> Array:
    """Output of dot-product attention, block by block of queries; parameters as in `AttentionJacobian`."""
    batch = checked_batch(q, k, v, mask, bias)
    xp = B.array_namespace(q, k, v)
    kernel = _kernel(
        q, k, v, batch, mask=mask, bias=bias, causal=causal, scale=scale, softcap=softcap, block_size=block_size,
        keep=False,
    )  # fmt: skip
    dtype = B.common_dtype(xp, q.dtype, k.dtype, v.dtype)
    return B.cast(xp.reshape(kernel.output, (*batch, q.shape[-2], v.shape[-1])), dtype)


def _kernel(
    q: Array,
    k: Array,
    v: Array,
    batch: Shape,
    *,
    mask: Array | None,
    bias: Array | None,
    causal: bool,
    scale: float | None,
    softcap: float | None,
    block_size: int | None,
    keep: bool = True,
) -> AttentionKernel:
    xp = B.array_namespace(q, k, v)
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else float(scale)
    if not math.isfinite(factor):
        raise ValueError(f"`scale` must be finite, got {scale!r}")
    if softcap is not None and not 0 < float(softcap) < math.inf:
        raise ValueError(f"`softcap` must be positive and finite, got {softcap!r}")
    if block_size is not None and (isinstance(block_size, bool) or int(block_size) != block_size or block_size < 1):
        raise ValueError(f"`block_size` must be a positive integer, got {block_size!r}")
    if mask is not None and mask.dtype != xp.bool:
        mask, bias = None, mask if bias is None else mask + bias
    work = B.compute_dtype(xp, B.common_dtype(xp, q.dtype, k.dtype, v.dtype))
    q, k, v = (B.cast(x, work) for x in (q, k, v))
    scores = Scores(
        q,
        k,
        batch,
        scale=factor,
        softcap=None if softcap is None else float(softcap),
        mask=mask,
        bias=None if bias is None else B.cast(bias, work),
        causal=bool(causal),
    )
    size = None if block_size is None else int(block_size)
    return AttentionKernel(scores, merged(v, batch), size, keep=keep)
