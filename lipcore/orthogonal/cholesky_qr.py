"""Orthonormalisation through the Cholesky factor of the Gram matrix."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from .inputs import check_matrices, identity, power_of_two, tall, working_copy
from .steps import gram


def cholesky_qr(W: Array) -> Array:
    r"""Orthonormal basis of the columns, or rows, by Cholesky factors of Gram matrices.

    Parameters
    ----------
    W : array, shape (..., m, n)
        Matrices, real or complex, of full rank. Their columns are made orthonormal where m >= n, else their rows.

    Returns
    -------
    array, shape (..., m, n)
        ``Q`` with ``W = Q R`` and R upper triangular with a positive diagonal; where m < n, ``W = L Q``. In the dtype
        of `W`; half precision is computed in single.

    Raises
    ------
    TypeError
        If `W` is not a floating array.
    ValueError
        If it has fewer than two axes.

    See Also
    --------
    orthogonalize : The nearest orthonormal matrix, which needs no full rank.

    Notes
    -----
    One pass is :math:`X^H X = R^H R,\ X \leftarrow X R^{-1}`, and its error is the square of the condition number
    times the precision. The first pass is shifted by :math:`2 (\sqrt m + n) u` times the norm of the Gram
    matrix, unless that is positive definite by more than the shift; the condition number then is below
    :math:`u^{-1/2}`. Two more passes leave an error of the order of the precision. Condition numbers up to about
    :math:`1/(20 u)` are harmless; columns that depend on each other up to rounding give a Q that is not orthonormal,
    or NaN. That takes six products of the shape of W (a triangular solve counted as one) and four Cholesky
    factorisations; nothing is read by the host.
    This is the QR factor, not the polar factor. Derivatives pass through the factorisations.

    T. Fukaya, R. Kannan, Y. Nakatsukasa, Y. Yamamoto, Y. Yanagisawa, "Shifted Cholesky QR for computing the QR
    factorization of ill-conditioned matrices", SIAM Journal on Scientific Computing 42, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.cholesky_qr(np.array([[3.0, 1.0], [4.0, 2.0]]))
    array([[ 0.6, -0.8],
           [ 0.8,  0.6]])
    """
    check_matrices(W)
    if 0 in tuple(W.shape):
        return B.copied(W)
    x, flipped = tall(working_copy(W))
    x = x / power_of_two(x)
    x = _pass(x, shifted=True)
    x = _pass(_pass(x, shifted=False), shifted=False)
    return B.cast(B.adjoint(x) if flipped else x, W.dtype)


def _pass(x: Array, *, shifted: bool) -> Array:
    xp = B.array_namespace(x)
    m, n = x.shape[-2:]
    g = gram(x)
    g = (g + B.adjoint(g)) * 0.5
    if shifted:
        # Not a choice of branches: what the host does not read can only be blended.
        unit = B.eps(xp, x.dtype) / 2
        norm = xp.sqrt(xp.sum(xp.abs(B.stop_gradient(g)) ** 2, axis=(-2, -1), keepdims=True))
        shift = 2 * (m**0.5 + n) * unit * norm
        _, safe = B.cholesky(B.stop_gradient(g) - shift * identity(x, n))
        shift = xp.where(safe[..., None, None], xp.zeros_like(norm), shift)
        g = g + shift * identity(x, n)
    factor, _ = B.cholesky(g)
    return B.adjoint(B.triangular_solve(factor, B.adjoint(x)))
