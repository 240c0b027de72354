"""The polar factor by dynamically weighted Halley iterations."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from .inputs import check_count, check_matrices, identity, norm_bound, power_of_two, tall, working_copy
from .minimax import NEWTON_SCHULZ
from .steps import gram, halley, halley_weights, odd_steps, rational_step

# Above this weight the Cholesky form loses digits, and the step is made with a QR factorisation.
_CHOLESKY_WEIGHT = 100.0


def qdwh(W: Array, *, iterations: int | None = None, low: float | None = None, finish: int = 1) -> Array:
    r"""Orthonormal rows or columns by the QR-based dynamically weighted Halley iteration.

    Parameters
    ----------
    W : array, shape (..., m, n)
        Matrices, real or complex. Their columns are made orthonormal where m >= n, else their rows.
    iterations : int, optional
        Number of steps. By default as many as `low` needs: 6 in double precision, 5 in single.
    low : float, optional
        Singular values, relative to the bound of the largest that the Gram matrix gives, are at least this. By default
        the precision over the fourth root of the smaller side. Smaller ones converge later; none diverges.
    finish : int
        Number of plain cubic steps at the end, after which every singular value is at most 1 up to rounding.

    Returns
    -------
    array, shape (..., m, n)
        In the dtype of `W`; half precision is computed in single.

    Raises
    ------
    TypeError
        If `W` is not a floating array.
    ValueError
        If it has fewer than two axes, or if an option is out of range.

    See Also
    --------
    orthogonalize : Takes polynomials where they are cheaper.

    Notes
    -----
    A step is :math:`X (a I + b X^H X)(I + c X^H X)^{-1}` with the weights that raise the smallest singular value most;
    condition numbers up to :math:`1/u` need six. While c > 100 it is made from the QR factorisation of
    :math:`[\sqrt c\, X; I]`, which is backward stable, and else from a Cholesky factorisation. A QR step costs about
    5 products of a square matrix, a Cholesky step 2. Nothing is read by the host. For well conditioned matrices, and
    wherever products are much faster than factorisations, polynomials win. Zero stays zero; NaN and infinity spread.

    Y. Nakatsukasa, Z. Bai, F. Gygi, "Optimizing Halley's iteration for computing the matrix polar decomposition", SIAM
    Journal on Matrix Analysis and Applications 31, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> W = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-8]])
    >>> Q = lc.qdwh(W)
    >>> np.allclose(Q.T @ Q, np.eye(2)), np.allclose(Q, np.eye(2), atol=1e-6)
    (True, True)
    """
    xp = check_matrices(W)
    if iterations is not None:
        check_count(iterations, "iterations")
    check_count(finish, "finish")
    unit = B.eps(xp, B.compute_dtype(xp, W.dtype))
    if 0 in tuple(W.shape):
        return B.copied(W)
    bottom = unit / min(W.shape[-2:]) ** 0.25 if low is None else float(low)
    if not 0.0 < bottom <= 1.0:
        raise ValueError(f"`low` must be in (0, 1], got {low}")
    x, flipped = tall(working_copy(W))
    x = x / power_of_two(x)
    g = gram(x)
    s = norm_bound(g)
    x, g = x / s, g / (s * s)
    count = 0
    while count < iterations if iterations is not None else 1.0 - bottom > unit**0.5:
        weights = halley_weights(min(bottom, 1.0))
        if weights[2] > _CHOLESKY_WEIGHT:
            x = _qr_step(x, weights)
        else:
            x = rational_step(x, gram(x) if count else g, weights)
        bottom = min(halley(bottom, weights), 1.0)
        count += 1
    x = odd_steps(x, (NEWTON_SCHULZ,) * finish, normalize=False)
    return B.cast(B.adjoint(x) if flipped else x, W.dtype)


def _qr_step(x: Array, weights: tuple[float, float, float]) -> Array:
    xp = B.array_namespace(x)
    a, b, c = weights
    m, n = x.shape[-2:]
    eye = xp.broadcast_to(identity(x, n), (*x.shape[:-2], n, n))
    q, _ = xp.linalg.qr(xp.concat([c**0.5 * x, eye], axis=-2))
    return (b / c) * x + ((a - b / c) / c**0.5) * B.matmul(q[..., :m, :], B.adjoint(q[..., m:, :]))
