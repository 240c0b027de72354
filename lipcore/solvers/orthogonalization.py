"""Orthonormal bases held as rows, made by Gram matrices and matrix products only.

A basis is an array (..., p, n) of orthonormal rows, a block (..., b, n) a few rows to be added to it. Nothing here
reads the device and nothing calls a QR factorisation of a tall block, which would gather a sharded array.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from .. import _backend as B
from .._typing import Array

# Directions below this many roundings of the operator's norm are noise.
BREAKDOWN = 10.0
# A Gram pass that finds axes no shorter than this leaves rows that are orthonormal to rounding.
_STRETCHED = 0.5


class Orthonormal(NamedTuple):
    """What `orthonormalize` made of a block."""

    rows: Array
    factor: Array
    """(..., b, b): column j holds the coordinates of block row j in `rows`."""
    kept: Array
    """(..., b): as many False as directions were missing from the block, and replaced or left zero."""
    along: Array | None = None
    """(..., p, b): what the normalised block still had along the basis, before the pass that took it out."""


def inner(V: Array, W: Array) -> Array:
    """Inner products ``<v_i, w_j>``, shape (..., p, b), of the rows of `V` (..., p, n) and `W` (..., b, n)."""
    # conjugating block and result spares a conjugated copy of the basis
    return B.conj(B.transpose(B.thin_product(B.conj(W), B.transpose(V))))


def combine(coefficients: Array, V: Array) -> Array:
    """Rows ``sum_i c_ij v_i``, shape (..., b, n), for `coefficients` (..., p, b) and a basis `V` (..., p, n)."""
    return B.thin_product(B.transpose(coefficients), V)


def norms(W: Array) -> Array:
    """Euclidean norms of the rows, shape (..., b, 1)."""
    return B.array_namespace(W).sqrt(B.sum_squares(W))


def squares(x: Array) -> Array:
    """``|x|^2``, real."""
    xp = B.array_namespace(x)
    return xp.real(x * B.conj(x)) if B.is_complex(xp, x.dtype) else x * x


def reciprocal(x: Array, keep: Array) -> Array:
    """``1 / x`` where `keep`, else 0, without dividing by zero."""
    xp = B.array_namespace(x)
    return B.cast(keep, x.dtype) / xp.where(keep, x, xp.ones_like(x))


def unit_rows(W: Array) -> Array:
    """Rows scaled to norm 1, whatever their scale; zero rows stay zero."""
    xp = B.array_namespace(W)
    largest = xp.max(xp.abs(W), axis=-1, keepdims=True)
    # a division: the reciprocal of a denormal number overflows
    W = W / B.cast(xp.where(largest > 0, largest, xp.ones_like(largest)), W.dtype)
    size = norms(W)
    return W * B.cast(reciprocal(size, size > 0), W.dtype)


def project_out(V: Array, W: Array) -> tuple[Array, Array]:
    """`W` less its components along the orthonormal (or zero) rows of `V`, and those components (..., p, b).

    One classical Gram-Schmidt pass: two reads of `V`.
    """
    H = inner(V, W)
    return less(W, H, V), H


def less(W: Array, H: Array, V: Array) -> Array:
    """``W - combine(H, V)``, in fresh memory."""
    return B.overwrite(B.array_namespace(W).add, combine(-H, V), W)


def polished(W: Array) -> Array:
    """Rows that are orthonormal to d^2 from rows that are orthonormal to d: one Newton-Schulz step."""
    xp = B.array_namespace(W)
    G = gram_rows(W)
    eye = xp.eye(W.shape[-2], dtype=G.dtype, device=B.device_of(W))
    return combine((3 * eye - G) / 2, W)


def gram_rows(W: Array) -> Array:
    """``<w_i, w_j>``, shape (..., b, b), exactly Hermitian; its diagonal, all of one sign, by an accurate sum."""
    xp = B.array_namespace(W)
    G = B.gram(B.transpose(W))
    eye = xp.eye(W.shape[-2], dtype=G.dtype, device=B.device_of(W))
    return G * (1 - eye) + B.cast(B.sum_squares(W), G.dtype) * eye


def _spectral_pass(W: Array) -> tuple[Array, Array, Array]:
    """Rows along the principal axes of the block, the (..., b, b) factor, and the rows' true lengths (..., b, 1).

    The rows come out orthonormal except for axes shorter than sqrt(eps) of the longest, which are only stretched by its
    inverse: the Gram matrix cannot resolve them, the next pass can.
    """
    xp = B.array_namespace(W)
    b = W.shape[-2]
    largest = xp.max(norms(W), axis=-2, keepdims=True)
    inverse = reciprocal(largest, largest > 0)
    W = W * B.cast(inverse, W.dtype)
    values, Q = xp.linalg.eigh(gram_rows(W))
    floor = 4 * b * B.eps(xp, W.dtype)
    root = xp.sqrt(xp.clip(values, floor, None))[..., None, :]
    # columns: W = X R with X = W Q / root and R = root Q^H; rows are the transposes
    factor = B.adjoint(Q * B.cast(root * largest, Q.dtype))
    lengths = xp.sqrt(xp.clip(values, 0.0, None))[..., None] * largest
    return combine(Q * B.cast(xp.ones_like(root) / root, Q.dtype), W), factor, lengths


def orthonormalize(
    V: Array | None,
    W: Array,
    threshold: Array,
    fresh: Array | None = None,
    *,
    lengths: Array | None = None,
    tolerated: float = 0.0,
) -> Orthonormal:
    r"""Orthonormal rows spanning a block, orthogonal to a basis.

    Parameters
    ----------
    V : array (..., p, n) or None
        Orthonormal rows; zero rows are allowed and ignored.
    W : array (..., b, n)
        Block, already orthogonal to `V` up to a few roundings of the operator's norm (one pass of `project_out`).
    threshold : array (..., 1, 1)
        Directions of `W` below this are rounding noise: a few units of rounding of the operator's norm.
    fresh : array (..., b, n), optional
        Random rows, of norm about one, that replace such directions; without it they become zero rows.
    lengths : array (..., b, 1), optional
        Norms of the rows of `W`, where the caller knows them.
    tolerated : float
        Loss of orthogonality with which the caller is content, in blocks.

    Returns
    -------
    Orthonormal
        Rows Q, the factor R with ``W^T = Q^T R`` up to `threshold`, and which rows are genuine.

    Notes
    -----
    Single rows: normalise, one more pass against `V`, normalise (twice is enough: Giraud, Langou, Rozloznik and van den
    Eshof 2005). Blocks: an eigenvector-scaled Gram pass that cannot fail (SVQB: Stathopoulos and Wu 2002), a second
    pass against `V`, a second Gram pass with the test for lost directions, and both once more for what was put in their
    place. Two reads of `V` a pass. No data-dependent branch and no host read, but for arrays in the host's memory:
    there passes are left out where nothing was lost, or no more than is tolerated.

    Examples
    --------
    >>> import numpy as np
    >>> W = np.array([[3.0, 4.0, 0.0], [3.0, 4.0, 1e-20]])  # numerically one direction
    >>> Q, R, kept, _ = orthonormalize(None, W, np.array([[1e-14]]), np.eye(3)[1:])
    >>> bool(np.allclose(Q @ Q.T, np.eye(2))), bool(np.allclose(Q.T @ R, W.T)), int(kept.sum())
    (True, True, 1)
    """
    if W.shape[-2] == 1:
        return _single(V, W, norms(W) if lengths is None else lengths, threshold, fresh)
    return _block(V, W, threshold, fresh, tolerated)


def crowded(V: Array) -> bool:
    """Whether a random row may lie almost inside the basis, so that one pass does not make it orthogonal."""
    return bool(2 * V.shape[-2] > V.shape[-1])


def _single(V: Array | None, W: Array, size: Array, threshold: Array, fresh: Array | None) -> Orthonormal:
    xp = B.array_namespace(W)
    kept = size > threshold
    Q = W * B.cast(reciprocal(size, kept), W.dtype)
    if fresh is not None:
        Q = xp.where(kept, Q, fresh)
    along = None
    if V is not None:
        Q, along = project_out(V, Q)
    rest = norms(Q)
    size = size * rest
    kept = kept & (size > threshold)
    alive = kept if fresh is None else rest > BREAKDOWN * B.eps(xp, W.dtype)
    Q = Q * B.cast(reciprocal(rest, alive), W.dtype)
    if V is not None and fresh is not None and crowded(V):
        Q, _ = project_out(V, Q)
        rest = norms(Q)
        Q = Q * B.cast(reciprocal(rest, rest > 0.5), W.dtype)
    return Orthonormal(Q, B.cast(xp.where(kept, size, xp.zeros_like(size)), W.dtype), kept[..., 0], along)


def _lost(lengths: Array, threshold: Array, eps: float) -> float:
    """What one pass against a basis and one Gram pass leave, at most about, in rows of those lengths along their axes.

    The first some roundings of the operator's norm, which is what the threshold is, the second some roundings times the
    square of the condition.
    """
    xp = B.array_namespace(lengths)
    shortest, longest = lengths[..., :1, :], lengths[..., -1:, :]
    inverse = reciprocal(shortest, shortest > 0)
    lost = xp.maximum(threshold * inverse, BREAKDOWN * eps * (longest * inverse) ** 2)
    return float(xp.max(xp.where(shortest > 0, lost, xp.ones_like(lost))))


def _block(V: Array | None, W: Array, threshold: Array, fresh: Array | None, tolerated: float) -> Orthonormal:
    xp = B.array_namespace(W)
    Q, R, lengths = _spectral_pass(W)
    if tolerated and B.is_in_host_memory(W) and _lost(lengths, threshold, B.eps(xp, W.dtype)) <= tolerated:
        return Orthonormal(Q, R, xp.ones_like(lengths[..., 0], dtype=xp.bool))
    along = None
    if V is not None:
        Q, along = project_out(V, Q)
    Q, S, lengths = _spectral_pass(Q)
    R = xp.matmul(S, R)
    # row i of R: how much of the block lies along axis i, where the second pass could see it
    stretched = norms(S)
    seen = xp.minimum(lengths * reciprocal(stretched, stretched > 0), xp.ones_like(lengths))
    keep = norms(R) * seen > threshold
    R = xp.where(keep, R, xp.zeros_like(R))
    if B.is_in_host_memory(W) and bool(xp.all(keep & (lengths > _STRETCHED))):  # nothing to put in anyone's place
        return Orthonormal(Q, R, keep[..., 0], along)
    genuine = xp.where(keep, Q, xp.zeros_like(Q))
    Q = genuine if fresh is None else xp.where(keep, Q, project_out(genuine, fresh)[0])
    if V is not None:
        Q, _ = project_out(V, Q)
    Q, S, lengths = _spectral_pass(Q)
    # nothing is left of a fresh row where basis and block fill the space
    alive = lengths > math.sqrt(B.eps(xp, W.dtype))
    Q = xp.where(alive, Q, xp.zeros_like(Q))
    S = xp.where(alive, S, xp.zeros_like(S))
    if V is not None and fresh is not None and crowded(V):
        Q, _ = project_out(V, Q)
        Q, last, lengths = _spectral_pass(Q)
        Q = xp.where(lengths > 0.5, Q, xp.zeros_like(Q))
        S = xp.matmul(xp.where(lengths > 0.5, last, xp.zeros_like(last)), S)
    return Orthonormal(Q, xp.matmul(S, R), keep[..., 0], along)
