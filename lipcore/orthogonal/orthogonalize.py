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
        times as fast. The steps after it, in the precision of `W`, make the result as orthonormal as ever, but leave
        it up to 2e-2 away from the polar factor, and further where singular values are small: good for a
        parametrisation, not for a projection. Where the products are no faster it is slower than not asking for it.
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

    *No start is taken.* These iterations have the polar factor of their own start as their limit, so they cannot begin
    at the Q of an earlier, nearby matrix. The exact correction of such a :math:`Q_0` is a Sylvester equation in the
    Hermitian part S of :math:`Q_0^H W`, :math:`S \Omega + \Omega S = Q_0^H W - W^H Q_0`, with an error of third order
    in :math:`\Omega`; solved by conjugate gradients it took more products than the steps above in every square case
    tried in single precision: 8, 11, 16 and 34 against 6, 9, 10 and 13 at condition numbers 1.25, 3, 10 and 100, for a
    relative change of 1e-3.

    *Half precision, measured.* On an AMD EPYC with AVX512-BF16, two cores, a product of 1024 x 1024 takes 6 ms in
    bfloat16 and 5 to 7 ms in NumPy's float32. To a residual of 1e-5 (``tol=3e-4``) a Gaussian matrix of that size took
    158 ms without `dtype` and 218 ms with it; fewer steps in bfloat16, replaced by rational ones, 164 ms at best. The
    looser `tol` alone saves a twentieth of the default's 166 ms.

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
