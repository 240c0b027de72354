"""One matrix applied to each token of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .. import _backend as B
from .._typing import Array, Shape
from .algebra import common_home
from .base import LinearOperator
from .block_diagonal import offsets


class TokenMap(LinearOperator):
    r"""A matrix applied to each row of a (tokens, features) array, :math:`I \otimes W`.

    Parameters
    ----------
    weight : array, shape (out_features, in_features)
        The matrix W, in the layout of a linear layer of torch, real or complex.
    tokens : int
        Number of rows.
    batch_shape : tuple of int
        A stack of the same operator, for products with stacks that are one matrix product.

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

    def __init__(self, weight: Array, tokens: int, *, batch_shape: Shape = ()) -> None:
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
            (*batch_shape, tokens * out, tokens * size),
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
        rows = self.xp.reshape(B.transpose(X), (-1, size))
        return B.transpose(self.xp.reshape(rows @ matrix, (*self.batch_shape, columns, self.tokens * out)))

    def adjoint(self) -> LinearOperator:
        """The adjoint matrix applied to each token."""
        return TokenMap(B.adjoint(self.weight), self.tokens, batch_shape=self.batch_shape)

    def transpose(self) -> LinearOperator:
        """The transposed matrix applied to each token."""
        return TokenMap(B.transpose(self.weight), self.tokens, batch_shape=self.batch_shape)


class TokenMaps(LinearOperator):
    r"""Several matrices applied to each token, their results one after the other: ``VStack`` in one product.

    Parameters
    ----------
    weights : sequence of arrays, each of shape (out_features_i, in_features)
        The matrices.
    tokens : int
        Number of rows.
    batch_shape : tuple of int
        A stack of the same operator.

    Notes
    -----
    With the matrices stacked to W, the norm is that of W.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.operators.token_map import TokenMaps
    >>> A = TokenMaps([np.array([[1.0]]), np.array([[2.0], [3.0]])], 2)
    >>> A @ np.array([1.0, 10.0])
    array([ 1., 10.,  2.,  3., 20., 30.])
    """

    def __init__(self, weights: Sequence[Array], tokens: int, *, batch_shape: Shape = ()) -> None:
        maps = [TokenMap(weight, tokens) for weight in weights]
        self.tokens, self._sizes = tokens, [m.weight.shape[0] for m in maps]
        self.weight = maps[0].xp.concat([B.cast(m.weight, maps[0].dtype) for m in maps], axis=0)
        out, size = self.weight.shape
        self._setup((*batch_shape, tokens * out, tokens * size), **common_home(*maps), domain_shape=(tokens, size))

    def _matmat(self, X: Array) -> Array:
        columns, (out, size) = X.shape[-1], self.weight.shape
        y = self.xp.reshape(B.transpose(X), (-1, size)) @ B.transpose(self.weight)
        y = self.xp.reshape(y, (*self.batch_shape, columns, self.tokens, out))
        flat = [
            self.xp.reshape(y[..., a:b], (*self.batch_shape, columns, self.tokens * (b - a)))
            for a, b in pairwise(offsets(self._sizes))
        ]
        return B.transpose(self.xp.concat(flat, axis=-1))

    def _rmatmat(self, Y: Array) -> Array:
        columns, rows = Y.shape[-1], B.transpose(Y)
        parts = [
            self.xp.reshape(rows[..., a * self.tokens : b * self.tokens], (-1, b - a))
            for a, b in pairwise(offsets(self._sizes))
        ]
        x = self.xp.concat(parts, axis=-1) @ B.conj(self.weight)
        return B.transpose(self.xp.reshape(x, (*self.batch_shape, columns, self.tokens * self.weight.shape[1])))
