"""Multiplication by a diagonal matrix."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from .base import LinearOperator


class Diagonal(LinearOperator):
    r"""Diagonal matrix :math:`D = \mathrm{diag}(d)`, stored as its diagonal.

    Parameters
    ----------
    diagonal : array, shape (..., n)
        The diagonals, real or complex floating point. Leading axes are a batch of independent operators.

    Attributes
    ----------
    diagonal : array, shape (..., n)
        The array that was given.

    Raises
    ------
    TypeError
        If `diagonal` is not an array of an array library, or not floating point.
    ValueError
        If `diagonal` has no axis.

    See Also
    --------
    Identity : The special case of ones, which stores nothing.
    BlockDiagonal : Operators instead of numbers on the diagonal.

    Notes
    -----
    .. math:: (D x)_i = d_i x_i, \qquad (D^H y)_i = \overline{d_i} y_i.

    One product costs n multiplications. Adjoint and transpose are diagonal operators again.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> D = lc.Diagonal(np.array([1.0, -2.0, 3.0]))
    >>> D @ np.array([1.0, 1.0, 2.0])
    array([ 1., -2.,  6.])
    >>> D.shape
    (3, 3)
    """

    def __init__(self, diagonal: Array) -> None:
        xp = B.array_namespace(diagonal, name="diagonal")
        if not B.is_floating(xp, diagonal.dtype):
            raise TypeError(
                f"`diagonal` must be real or complex floating point, got dtype {B.dtype_name(diagonal.dtype)}; "
                "convert it first, e.g. with diagonal.astype(float)"
            )
        if diagonal.ndim < 1:
            raise ValueError(
                "`diagonal` must have shape (..., n), got a scalar array; for c * I write c * lc.Identity(n)"
            )
        self.diagonal = diagonal
        shape = tuple(diagonal.shape)
        self._setup((*shape, shape[-1]), dtype=diagonal.dtype, xp=xp, device=B.device_of(diagonal))

    def _matmat(self, X: Array) -> Array:
        return self.diagonal[..., :, None] * X

    def _rmatmat(self, Y: Array) -> Array:
        return B.conj(self.diagonal)[..., :, None] * Y

    def adjoint(self) -> LinearOperator:
        """The conjugate diagonal."""
        return Diagonal(B.conj(self.diagonal))

    def transpose(self) -> LinearOperator:
        """The operator itself."""
        return self
