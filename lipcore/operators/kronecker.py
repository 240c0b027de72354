"""Kronecker products."""

from __future__ import annotations

from typing import Any

from .. import _backend as B
from .._typing import Array
from .algebra import broadcast_batches, common_home
from .base import LinearOperator
from .interop import aslinearoperator


class Kronecker(LinearOperator):
    r"""Kronecker product :math:`A \otimes B`, applied through its factors.

    Parameters
    ----------
    a : operator or array, shape (..., M_a, N_a)
        Left factor; whatever `aslinearoperator` takes.
    b : operator or array, shape (..., M_b, N_b)
        Right factor, of the same array library and device; dtypes and batches broadcast.

    Attributes
    ----------
    a, b : LinearOperator
        The factors, as operators.

    Raises
    ------
    TypeError
        If a factor is neither operator nor array, or the two belong to different libraries.
    ValueError
        If the batches do not broadcast, or the devices differ.

    See Also
    --------
    BlockDiagonal : ``Kronecker(Identity(k), b)`` with different blocks.

    Notes
    -----
    Vectors are flattened row by row, as in `numpy.kron`. With :math:`X` the :math:`N_a \times N_b` matrix of the
    entries of x,

    .. math:: (A \otimes B)\,\mathrm{vec}(X) = \mathrm{vec}(A X B^T), \qquad
              (A \otimes B)^H = A^H \otimes B^H, \qquad \|A \otimes B\|_2 = \|A\|_2 \|B\|_2 .

    The factor that is applied first is the one that makes the two steps cheaper for dense factors, at
    :math:`\min(M_a N_b (N_a + M_b),\; N_a M_b (N_b + M_a))` multiplications against :math:`M_a M_b N_a N_b` for the
    dense matrix. `domain_shape` is ``(*a.domain_shape, *b.domain_shape)``, likewise the range.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> a, b = np.array([[1.0, 2.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> K = lc.Kronecker(a, b)
    >>> np.array_equal(K.to_dense(), np.kron(a, b))
    True
    >>> K @ np.array([1.0, 2.0, 3.0, 4.0])
    array([10.,  7.])
    >>> K.apply(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[10.,  7.]])
    """

    def __init__(self, a: Any, b: Any) -> None:
        self.a = aslinearoperator(a)
        self.b = aslinearoperator(b)
        (m_a, n_a), (m_b, n_b) = self.a.shape[-2:], self.b.shape[-2:]
        self._setup(
            (*broadcast_batches(self.a, self.b), m_a * m_b, n_a * n_b),
            **common_home(self.a, self.b),
            domain_shape=(*self.a.domain_shape, *self.b.domain_shape),
            range_shape=(*self.a.range_shape, *self.b.range_shape),
        )

    def _matmat(self, X: Array) -> Array:
        (m_a, n_a), (m_b, n_b) = self.a.shape[-2:], self.b.shape[-2:]
        left_first = m_a * n_b * (n_a + m_b) <= n_a * m_b * (n_b + m_a)
        return _two_sided(self.a.matmat, self.b.matmat, X, (n_a, n_b), left_first)

    def _rmatmat(self, Y: Array) -> Array:
        (m_a, n_a), (m_b, n_b) = self.a.shape[-2:], self.b.shape[-2:]
        left_first = n_a * m_b * (m_a + n_b) <= m_a * n_b * (m_b + n_a)
        return _two_sided(self.a.rmatmat, self.b.rmatmat, Y, (m_a, m_b), left_first)

    def adjoint(self) -> LinearOperator:
        """Kronecker product of the adjoints."""
        return Kronecker(self.a.H, self.b.H)

    def transpose(self) -> LinearOperator:
        """Kronecker product of the transposes."""
        return Kronecker(self.a.T, self.b.T)


def _two_sided(left: Any, right: Any, X: Array, sizes: tuple[int, int], left_first: bool) -> Array:
    """``vec(A X B^T)`` for each of K columns, with A = left and B = right acting on blocks of columns."""
    columns = X.shape[-1]
    blocks = _split(X, *sizes, columns)  # (..., n_a, n_b, K)
    if left_first:
        return _merge(_on_second(right, _on_first(left, blocks)), columns)
    return _merge(_on_first(left, _on_second(right, blocks)), columns)


def _split(X: Array, first: int, second: int, columns: int) -> Array:
    return B.array_namespace(X).reshape(X, (*X.shape[:-2], first, second, columns))


def _merge(T: Array, columns: int) -> Array:
    return B.array_namespace(T).reshape(T, (*T.shape[:-3], T.shape[-3] * T.shape[-2], columns))


def _on_first(product: Any, T: Array) -> Array:
    """`product` along the first of the three axes, the other two being columns."""
    *batch, first, second, columns = T.shape
    xp = B.array_namespace(T)
    Y = product(xp.reshape(T, (*batch, first, second * columns)))
    return xp.reshape(Y, (*Y.shape[:-1], second, columns))


def _on_second(product: Any, T: Array) -> Array:
    """`product` along the second axis. The swap costs a copy, and gives one wide block instead of many narrow ones."""
    return _swap(_on_first(product, _swap(T)))


def _swap(T: Array) -> Array:
    axes = list(range(T.ndim))
    axes[-3], axes[-2] = axes[-2], axes[-3]
    return B.array_namespace(T).permute_dims(T, tuple(axes))
