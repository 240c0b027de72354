"""Rotations of pairs of features by angles that depend on the token."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from .base import LinearOperator


class PairRotation(LinearOperator):
    r"""Pairs of features of each head turned by the token's angles: rotary position embedding.

    Parameters
    ----------
    cosine, sine : array, shape (tokens, pairs)
        Of the angles; the same in all heads.
    heads : int
        Heads of a token, side by side.
    features : int
        Features of a head, at least twice as many as pairs; the first ``2 pairs`` turn.
    interleaved : bool
        Whether features 2i and 2i + 1 are a pair, or i and i + pairs.

    Notes
    -----
    .. math:: (x_1, x_2) \mapsto (x_1 \cos t - x_2 \sin t,\; x_1 \sin t + x_2 \cos t).

    Orthogonal, so that all singular values are 1; the adjoint turns back. `domain_shape` is (tokens, heads, features).

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.pair_rotation import PairRotation
    >>> quarter = PairRotation(np.array([[0.0]]), np.array([[1.0]]), 1, 3)
    >>> quarter @ np.array([1.0, 2.0, 5.0])
    array([-2.,  1.,  5.])
    """

    def __init__(self, cosine: Array, sine: Array, heads: int, features: int, *, interleaved: bool = False) -> None:
        xp = B.array_namespace(cosine, sine, name="cosine")
        if not B.is_floating(xp, cosine.dtype) or B.is_complex(xp, cosine.dtype):
            raise TypeError(f"`cosine` must be real floating point, got dtype {B.dtype_name(cosine.dtype)}")
        if cosine.ndim != 2 or cosine.shape != sine.shape or 2 * cosine.shape[1] > features:
            raise ValueError(
                f"`cosine` and `sine` must have one shape (tokens, pairs), 2 pairs <= {features}, "
                f"got {tuple(cosine.shape)} and {tuple(sine.shape)}"
            )
        self.cosine, self.sine, self.heads, self.features = cosine, sine, heads, features
        self.interleaved = interleaved
        tokens = cosine.shape[0]
        size = tokens * heads * features
        tensor = (tokens, heads, features)
        self._setup(
            (size, size),
            dtype=cosine.dtype,
            xp=xp,
            device=B.device_of(cosine),
            domain_shape=tensor,
            range_shape=tensor,
        )

    def _matmat(self, X: Array) -> Array:
        return self._turned(X, self.sine)

    def _rmatmat(self, Y: Array) -> Array:
        return self._turned(Y, -self.sine)

    def _turned(self, X: Array, sine: Array) -> Array:
        rows = self.xp.reshape(B.transpose(X), (X.shape[-1], *self.domain_shape))
        turned = turn(rows, self.cosine[:, None, :], sine[:, None, :], interleaved=self.interleaved)
        return B.transpose(self.xp.reshape(turned, (X.shape[-1], X.shape[-2])))

    def adjoint(self) -> LinearOperator:
        """The rotations back."""
        return PairRotation(self.cosine, -self.sine, self.heads, self.features, interleaved=self.interleaved)

    def transpose(self) -> LinearOperator:
        """The rotations back."""
        return self.adjoint()


def turn(x: Array, cosine: Array, sine: Array, *, interleaved: bool) -> Array:
    """The first features of the last axis turned in pairs; angles broadcast to (..., pairs)."""
    xp = B.array_namespace(x)
    dim = 2 * cosine.shape[-1]
    if interleaved:
        first, second = x[..., 0:dim:2], x[..., 1:dim:2]
    else:
        first, second = x[..., : dim // 2], x[..., dim // 2 : dim]
    ends = (first * cosine - second * sine, first * sine + second * cosine)
    pairs = xp.stack(ends, axis=-1) if interleaved else xp.stack(ends, axis=-2)
    turned = xp.reshape(pairs, (*x.shape[:-1], dim))
    return turned if dim == x.shape[-1] else xp.concat([turned, x[..., dim:]], axis=-1)
