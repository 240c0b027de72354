"""The nearest matrix with orthonormal rows or columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import Array
from .inputs import check_matrices
from .polar import polar_factor


def orthogonalize(
    W: Array,
    *,
    method: str = "auto",
    tol: float | None = None,
    dtype: Any = None,
    rng: int | np.random.Generator | None = None,
) -> Array:
    r"""Nearest matrix with orthonormal rows or columns: the polar factor.

    Parameters
    ----------
    W : array, shape (..., m, n)
        Matrices, real or complex. Their columns are made orthonormal where m >= n, else their rows.
    method : {"auto", "polynomial", "rational", "svd"}
        ``"polynomial"`` uses products only. ``"rational"`` raises small singular values by steps with a Cholesky
        factorisation, and then uses polynomials. ``"auto"`` is rational in the host's memory and polynomial on
        accelerators, where factorisations are slow. ``"svd"`` is one SVD.
    tol : float, optional
        Bound of :math:`\|Q^H Q - I\|_F`. By default :math:`4 \epsilon \sqrt{\min(m, n)}`; the rounding of the last
        product comes on top of it.
    dtype : dtype, optional
        A half precision for the first steps, such as ``xp.bfloat16``, for processors whose products in it are several
        times as fast. The steps after it, in the precision of `W`, make the result as orthonormal as ever, but not the
        polar factor: in bfloat16 it is off by 1.5e-2 in the 2-norm to condition number 10, by 3e-2 at 100 and 0.3 at
        2000. Good for a parametrisation, not for a projection. Without such products it takes longer than without it.
    rng : None, int or numpy.random.Generator
        Start vectors of the estimates. A fixed seed gives the same run.

    Returns
    -------
    array, shape (..., m, n)
        In the dtype of `W`; half precision is computed in single. No singular value exceeds 1 by more than rounding.

    Raises
    ------
    TypeError
        If `W` is not a floating array.
    ValueError
        If it has fewer than two axes, holds NaN or infinity, or if an option is out of range.

    See Also
    --------
    polar : The same with H, the residual and the work.
    polar_express, newton_schulz, bjorck, qdwh : Iterations with a fixed number of steps.
    cholesky_qr : A triangular factor instead of a Hermitian one.

    Notes
    -----
    W is divided by a power of two, so that nothing overflows between the ends of the range. From the Gram matrix,
    which every step needs anyway, a few Lanczos steps estimate the largest and the smallest singular value, and the
    host reads them: once per cycle, not per step. Then, with l the ratio of the smallest to the largest,

    - where l < 0.1, a rational step :math:`X (a I + b G)(I + c G)^{-1}` (weighted Halley with c limited to 1e3 in
      single and 1e5 in double precision, so that its Cholesky form keeps the digits), or three quintics;
    - else the cheapest composition of best quintics and cubics for [l, 1]; on the Gram matrix alone where one side is
      three times as long as the other;
    - once one step is enough, the plain cubic :math:`X (3 I - G)/2`, which maps :math:`[0, \sqrt 3]` into [0, 1].

    An estimate that was too high for the smallest singular value shows in the next Gram matrix, and the schedule is
    extended. One too low for the largest does no harm, since no step used on it changes a sign.

    A product of an m x n by an n x n matrix (m >= n) counts as 1. In double precision and to a residual of 1e-6, a
    condition number of 1000 takes less than 24, where Björck's iteration takes 42.

    *Without full rank* (singular values of at most :math:`\sqrt{\max(m, n)}\,\epsilon` times the largest count as
    zero), Q is the partial isometry of an SVD: it maps the null space to zero, and :math:`\|Q^H Q - I\|_F` is the root
    of the number of dimensions lost. Zero gives zero. An empty matrix is returned as it is. Where the values cannot be
    read, as under ``jax.jit``, a fixed schedule of polynomials serves condition numbers up to 1e4, singular values
    below that are left below 1, and NaN spreads.

    *A warm start is W itself.* A matrix that is nearly orthonormal, such as an orthonormal one after a step of an
    optimiser, is recognised by the first look: 2 products where it is off by some 1e-4 (single precision), 4 to a
    percent, 5 to some percent. The Q of an earlier, nearby W that is not orthonormal is not taken. These iterations
    have the polar factor of their own start as their limit, and the exact correction of such a :math:`Q_0` is a
    Sylvester equation in the Hermitian part S of :math:`Q_0^H W`,
    :math:`S \Omega + \Omega S = Q_0^H W - W^H Q_0`, with an error of third order in :math:`\Omega`; solved by
    conjugate gradients it took more products than the steps above in every square case tried in single precision: 8,
    11, 16 and 34 against 6, 9, 10 and 13 at condition numbers 1.25, 3, 10 and 100, for a relative change of 1e-3.

    *Half precision.* Eight quintics for singular values from 6e-5 of the largest, sums in single precision; then
    E, the deviation :math:`X^H X - I`, from a sum that includes -I before it is rounded, and :math:`X - X E / 2` in the
    precision of `W`. What is left is off by some 1e-5 to 1e-4, for which one look and one cubic are enough.

    *Derivatives* are those of the polar factor itself, not of the steps: with :math:`H Y + Y H = Q^H G - G^H Q`, the
    gradient G with respect to Q becomes :math:`Q Y + (I - Q Q^H) G H^{-1}` with respect to W; forward mode is the same
    map. It takes an eigendecomposition of H and six products, which are NumPy's for one matrix in the host's memory:
    170 ms for a Gaussian one of 1024 x 1024 in single precision, beside 146 ms for Q. Products alone would take longer:
    conjugate gradients needed 11 products at a condition number of 3, 21 at 10 and 69 at 100, where the decomposition
    takes as long as some 18. Where W has no full rank there is no derivative; what is returned then ignores the null
    space. Second derivatives need distinct singular values.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> W = np.array([[3.0, 0.0], [4.0, 5.0]])
    >>> Q = lc.orthogonalize(W)
    >>> U, _, Vh = np.linalg.svd(W)
    >>> np.allclose(Q, U @ Vh), np.allclose(Q.T @ Q, np.eye(2))
    (True, True)
    """
    return polar_factor(check_matrices(W), W, method, tol, dtype, rng)[0]
