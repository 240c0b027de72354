"""The Cayley transform of a skew matrix."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from .inputs import check_matrices, identity, working_copy


def cayley(S: Array) -> Array:
    r"""Orthogonal matrix :math:`(I + A)^{-1} (I - A)` of the skew part A of a matrix.

    Parameters
    ----------
    S : array, shape (..., n, n)
        Matrices, real or complex. Only the skew-Hermitian part :math:`A = (S - S^H)/2` is used.

    Returns
    -------
    array, shape (..., n, n)
        Orthogonal, or unitary, without the eigenvalue -1. In the dtype of `S`; half precision is computed in single.

    Raises
    ------
    TypeError
        If `S` is not a floating array.
    ValueError
        If it is not a stack of square matrices.

    See Also
    --------
    matrix_exp : Reaches every orthogonal matrix of determinant 1.

    Notes
    -----
    :math:`I + A` has singular values :math:`\sqrt{1 + \lambda^2} \ge 1`, so the solution exists for every A. Its error
    grows with the condition number of :math:`I + A`, at most :math:`\sqrt{1 + \|A\|^2}`. Written as
    :math:`2 (I + A)^{-1} - I`, it takes one solve with n right-hand sides, about 4/3 of a product. Exact derivatives
    pass through the solve. NaN and infinity spread.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.cayley(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    array([[ 0., -1.],
           [ 1.,  0.]])
    """
    xp = check_matrices(S, "S", square=True)
    if 0 in tuple(S.shape):
        return B.copied(S)
    a = working_copy(S)
    a = (a - B.adjoint(a)) * 0.5
    eye = identity(a, a.shape[-1])
    q = xp.linalg.solve(eye + a, eye - a)
    return B.cast(q, S.dtype)
