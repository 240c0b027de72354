"""The Björck-Bowie iteration."""

from __future__ import annotations

import math

from .._typing import Array
from .fixed import run_fixed
from .inputs import check_count, check_matrices
from .minimax import Odd


def bjorck(W: Array, *, iterations: int = 15, beta: float = 0.5, order: int = 1, scale: bool = True) -> Array:
    r"""Orthonormal rows or columns by the Björck-Bowie iteration.

    Parameters
    ----------
    W : array, shape (..., m, n)
        Matrices, real or complex. Their columns are made orthonormal where m >= n, else their rows.
    iterations : int
        Number of steps. Nothing is read by the host, and the whole traces under ``jax.jit``.
    beta : float
        Step length, in (0, 0.5]. Anything below 0.5 converges linearly only. Of order 1.
    order : int
        Degree of the polynomial of the Gram matrix in a step, at least 1.
    scale : bool
        Divide by an upper bound of the 2-norm first, so that the iteration converges from anywhere. Without it,
        :math:`\|W\|_2 < \sqrt 3` is up to the caller (``order=1, beta=0.5``).

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
    polar_express : As accurate with half of the products.
    orthogonalize : Adapts to the matrix and checks the result.

    Notes
    -----
    With :math:`E = I - X^H X`, a step of order p is

    .. math:: X \leftarrow X \sum_{j=0}^{p} \binom{-1/2}{j} (-E)^j
              = X (I + \tfrac12 E + \tfrac38 E^2 + \dots),

    the Taylor polynomial of :math:`(X^H X)^{-1/2}`; of order 1 with beta, :math:`(1 + \beta) X - \beta X X^H X`. The
    fixed point is the polar factor. Small singular values grow by 1.5, 1.875, 2.1875 a step for orders 1, 2, 3, so
    that a condition number k needs about :math:`\log_{1.5} k` steps before quadratic convergence sets in; 15 steps do
    not orthogonalise a square Gaussian matrix of order 100. A step of order p costs p + 1 products. NaN and infinity
    spread through the result; zero stays zero.

    Å. Björck and C. Bowie, "An iterative algorithm for computing the best estimate of an orthogonal matrix", SIAM
    Journal on Numerical Analysis 8, 1971.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> Q = lc.bjorck(np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    >>> np.allclose(Q.T @ Q, np.eye(2))
    True
    """
    check_matrices(W)
    check_count(iterations, "iterations")
    check_count(order, "order", least=1)
    if not 0.0 < beta <= 0.5:
        raise ValueError(f"`beta` must be in (0, 0.5], got {beta}")
    if order > 1 and beta != 0.5:
        raise ValueError(f"`beta` other than 0.5 exists for order=1 only, got beta={beta} and order={order}")
    step: Odd = (1.0 + beta, -beta) if order == 1 else _taylor(order)
    return run_fixed(W, (step,) * iterations, normalize=scale)


def _taylor(order: int) -> Odd:
    """Coefficients of x, x^3, ... in ``x sum_j binom(-1/2, j) (-1)^j (1 - x^2)^j``."""
    total = [0.0] * (order + 1)
    weight = 1.0
    for j in range(order + 1):
        for k in range(j + 1):
            total[k] += weight * math.comb(j, k) * (-1.0) ** k
        weight *= (j + 0.5) / (j + 1)
    return tuple(total)
