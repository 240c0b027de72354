"""Randomised singular value decomposition with subspace iterations."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from . import validate
from .extraction import extract
from .orthogonalization import BREAKDOWN, combine, norms, orthonormalize, unit_rows
from .results import SVDResult
from .row_basis import FreshRows, fresh_like
from .scaling import RowProducts
from .stopping import default_tol


def randomized_svd(
    A: Any,
    k: int = 6,
    *,
    oversampling: int = 10,
    iterations: int = 2,
    v0: Array | None = None,
    rng: int | np.random.Generator | None = None,
) -> SVDResult:
    r"""Approximate leading singular triplets from a random sketch, at a cost fixed beforehand.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, M, N)
        Operator, or a stack of operators.
    k : int
        Triplets wanted.
    oversampling : int
        Columns of the sketch beyond k, as far as min(M, N) allows.
    iterations : int
        Subspace iterations q, 0 or more, each orthogonalised on both sides.
    v0 : array (*batch_shape, N, c), optional
        Columns to put into the sketch, c up to ``k + oversampling``.
    rng : None, int or numpy.random.Generator
        Source of the sketch.

    Returns
    -------
    SVDResult
        ``converged`` compares with the default tolerance and is usually False for slowly decaying spectra;
        ``residuals`` say how good it is.

    Notes
    -----
    :math:`Q = \mathrm{orth}(A (A^H A)^q \Omega)`, then the best triplets within (Halko, Martinsson and Tropp 2011): the
    error in norm is about :math:`(1 + \sqrt{\min(M, N) / k})^{1 / (2 q + 1)} \sigma_{k+1}`. For the same number of
    products `block_krylov_svd` is more accurate where the spectrum decays slowly.

    Cost: with ``b = k + oversampling``, ``b (2 q + 2) + 2 k`` products of columns, 2 blocks of memory on each side; no
    host read, so it traces.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = np.diag(0.1 ** np.arange(200.0))
    >>> lc.randomized_svd(A, 3, rng=0).S
    array([1.  , 0.1 , 0.01])
    """
    operator = validate.operator(A)
    k = validate.count(operator, k)
    for name, value in (("oversampling", oversampling), ("iterations", iterations)):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
            raise ValueError(f"`{name}` must be a nonnegative integer, got {value!r}")
    generator, xp = B.as_rng(rng), operator.xp
    p = RowProducts(operator, swap=operator.shape[-2] < operator.shape[-1])
    b = min(k + oversampling, p.sizes[1])
    with B.detached(xp):
        X = unit_rows(validate.start_rows(p, v0, generator, rows=b, readable=False))
        p.prepare(X[..., :1, :], host=False)
        right, left = FreshRows(generator, X, b, xp=xp), fresh_like(generator, X, p.sizes[0], b, xp=xp)
        for _ in range(iterations):
            Q, _ = _orthonormal(p.matmat(X), left, p)
            X, _ = _orthonormal(p.rmatmat(Q), right, p)
        Q, _ = _orthonormal(p.matmat(X), left, p)
        # A is nearly Q (A^H Q)^H, and the right vectors of that are those of R^H
        X, R = _orthonormal(p.rmatmat(Q), right, p)
        Y, _, _ = xp.linalg.svd(R, full_matrices=False)
        V = combine(Y[..., :k], X)
        small = fresh_like(generator, X, p.sizes[0], k, xp=xp)
        return extract(p, V, small, tol=default_tol(operator), iterations=iterations, reason="iterations")


def _orthonormal(W: Array, fresh: FreshRows, p: RowProducts) -> tuple[Array, Array]:
    threshold = BREAKDOWN * W.shape[-2] * p.eps * p.xp.max(norms(W), axis=-2, keepdims=True)
    made = orthonormalize(None, W, threshold, fresh.rows())
    return made.rows, made.factor
