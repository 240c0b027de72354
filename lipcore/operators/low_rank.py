"""Products of a tall and a wide factor."""

from __future__ import annotations

import numpy as np

from .. import _backend as B
from .._typing import Array
from .base import LinearOperator


class LowRank(LinearOperator):
    r"""Low-rank matrix :math:`A = U V^H`, stored as its two factors.

    Parameters
    ----------
    u : array, shape (..., M, r)
        Left factor, real or complex floating point.
    v : array, shape (..., N, r)
        Right factor, of the same array library and device. It enters conjugated and transposed: ``A = u @ v^H``.
        Batch axes of the two factors broadcast, and so do their dtypes.

    Attributes
    ----------
    u, v : array
        The factors, in the common dtype.

    Raises
    ------
    TypeError
        If a factor is not a floating-point array, or the two belong to different libraries.
    ValueError
        If a factor has fewer than two axes, or the numbers of columns or the batches do not agree.

    See Also
    --------
    Dense : The same map, stored as the product.

    Notes
    -----
    .. math:: A x = U (V^H x), \qquad A^H y = V (U^H y).

    One product costs (M + N) r multiplications and holds r numbers in between, against M N for the dense matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.LowRank(np.array([[1.0], [2.0]]), np.array([[1.0], [0.0], [-1.0]]))
    >>> A.to_dense()
    array([[ 1.,  0., -1.],
           [ 2.,  0., -2.]])
    >>> A @ np.array([3.0, 5.0, 1.0])
    array([2., 4.])
    """

    def __init__(self, u: Array, v: Array) -> None:
        for name, factor in (("u", u), ("v", v)):
            xp = B.array_namespace(factor, name=name)
            if not B.is_floating(xp, factor.dtype):
                raise TypeError(
                    f"`{name}` must be real or complex floating point, got dtype {B.dtype_name(factor.dtype)}; "
                    f"convert it first, e.g. with {name}.astype(float)"
                )
            if factor.ndim < 2:
                raise ValueError(
                    f"`{name}` must have shape (..., size, rank), got shape {tuple(factor.shape)}; "
                    f"for rank one write {name}[:, None]"
                )
        xp = B.array_namespace(u, v, name="u, v")
        if u.shape[-1] != v.shape[-1]:
            raise ValueError(
                f"`u` and `v` must have the same number of columns (the rank), got shapes {tuple(u.shape)} and "
                f"{tuple(v.shape)}; the operator is u @ v^H, so `v` is stored (N, rank)"
            )
        try:
            batch = np.broadcast_shapes(tuple(u.shape[:-2]), tuple(v.shape[:-2]))
        except ValueError:
            raise ValueError(
                f"`u` and `v` have batch shapes {tuple(u.shape[:-2])} and {tuple(v.shape[:-2])}, which do not broadcast"
            ) from None
        dtype = B.common_dtype(xp, u.dtype, v.dtype)
        self.u = B.cast(u, dtype)
        self.v = B.cast(v, dtype)
        self._setup((*batch, u.shape[-2], v.shape[-2]), dtype=dtype, xp=xp, device=B.device_of(u))

    def _matmat(self, X: Array) -> Array:
        return self.xp.matmul(self.u, self.xp.matmul(B.adjoint(self.v), X))

    def _rmatmat(self, Y: Array) -> Array:
        return self.xp.matmul(self.v, self.xp.matmul(B.adjoint(self.u), Y))

    def adjoint(self) -> LinearOperator:
        """The factors exchanged."""
        return LowRank(self.v, self.u)

    def transpose(self) -> LinearOperator:
        """The factors exchanged and conjugated."""
        return LowRank(B.conj(self.v), B.conj(self.u))
