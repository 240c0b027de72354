"""One matrix applied to each token of a sequence."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from .base import LinearOperator


class TokenMap(LinearOperator):
    r"""A matrix applied to each row of a (tokens, features) array, :math:`I \otimes W`.

    Parameters
    ----------
    weight : array, shape (out_features, in_features)
        The matrix W, in the layout of a linear layer of torch, real or complex.
    tokens : int
        Number of rows.

    Raises
    ------
    TypeError
        If `weight` is not a floating-point array.
    ValueError
        If `weight` is not a matrix or `tokens` is not positive.

    Notes
    -----
    .. math:: Y = X W^T, \qquad \|I \otimes W\| = \|W\|.

    One matrix product for all tokens and columns, on vectors as they lie in memory; `Kronecker` computes the same with
    more copies.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.token_map import TokenMap
    >>> A = TokenMap(np.array([[1.0, 1.0]]), 3)
    >>> A.apply(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    array([[ 3.],
           [ 7.],
           [11.]])
    """

    def __init__(self, weight: Array, tokens: int) -> None:
        xp = B.array_namespace(weight, name="weight")
        if not B.is_floating(xp, weight.dtype):
            raise TypeError(f"`weight` must be floating point, got dtype {B.dtype_name(weight.dtype)}; cast it first")
        if weight.ndim != 2:
            raise ValueError(f"`weight` must have shape (out_features, in_features), got {tuple(weight.shape)}")
        if tokens < 1:
            raise ValueError(f"`tokens` must be positive, got {tokens!r}")
        self.weight, self.tokens = weight, tokens
        out, size = weight.shape
        self._setup(
            (tokens * out, tokens * size),
            dtype=weight.dtype,
            xp=xp,
            device=B.device_of(weight),
            domain_shape=(tokens, size),
            range_shape=(tokens, out),
        )

    def _matmat(self, X: Array) -> Array:
        return self._through(X, B.transpose(self.weight))

    def _rmatmat(self, Y: Array) -> Array:
        return self._through(Y, B.conj(self.weight))

    def _through(self, X: Array, matrix: Array) -> Array:
        columns, (size, out) = X.shape[-1], matrix.shape
        rows = self.xp.reshape(B.transpose(X), (columns * self.tokens, size))
        return B.transpose(self.xp.reshape(rows @ matrix, (columns, self.tokens * out)))

    def adjoint(self) -> LinearOperator:
        """The adjoint matrix applied to each token."""
        return TokenMap(B.adjoint(self.weight), self.tokens)

    def transpose(self) -> LinearOperator:
        """The transposed matrix applied to each token."""
        return TokenMap(B.transpose(self.weight), self.tokens)
