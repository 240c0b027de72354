"""Block Krylov approximation of fixed depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from . import validate
from .block_lanczos import BlockLanczos
from .extraction import extract
from .orthogonalization import unit_rows
from .results import SVDResult
from .row_basis import FreshRows, fresh_like
from .scaling import RowProducts
from .stopping import default_tol, positive


def block_krylov_svd(
    A: Any,
    k: int = 6,
    *,
    iterations: int = 6,
    block_size: int | None = None,
    v0: Array | None = None,
    rng: int | np.random.Generator | None = None,
) -> SVDResult:
    r"""Approximate leading singular triplets from one block Krylov space, at a cost fixed beforehand.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, M, N)
        Operator, or a stack of operators.
    k : int
        Triplets wanted.
    iterations : int
        Depth q; ``iterations * block_size`` must lie between k and min(M, N).
    block_size : int, optional
        Columns b of the start block, k by default. Any b from 1 to k needs the same order of products (Chen, Epperly,
        Meyer, Musco and Rao 2025, arXiv 2508.06486); choose what the hardware likes.
    v0 : array (*batch_shape, N) or (*batch_shape, N, c), optional
        Columns to start from, completed by random ones. A warm start keeps its gap-free bound (Wang, Zhang and Zhang
        2015, arXiv 1508.06429) as long as a random column is left.
    rng : None, int or numpy.random.Generator
        Source of the start.

    Returns
    -------
    SVDResult
        ``converged`` compares with the default tolerance; ``residuals`` say how good it is.

    Notes
    -----
    Rayleigh-Ritz on span :math:`\{X, A^H A X, \dots, (A^H A)^{q-1} X\}`: the norm of the error is within ``1 + eps`` of
    the best for :math:`q \sim \ln(N) / \sqrt{eps}` (Musco and Musco 2015, arXiv 1504.05477), whatever the gaps.

    Cost: ``2 b q + 2 k`` products of columns, ``b (q + 1)`` vectors of memory on the shorter side; no host read, so it
    traces.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = np.diag(1 / np.arange(1.0, 201.0))
    >>> lc.block_krylov_svd(A, 3, iterations=10, rng=0).S
    array([1.    , 0.5   , 0.3333])
    """
    operator = validate.operator(A)
    k = validate.count(operator, k)
    b = validate.block(operator, k if block_size is None else block_size)
    depth = positive("iterations", iterations)
    short = min(operator.shape[-2:])
    if not k <= b * depth <= short:
        raise ValueError(
            f"`iterations` * `block_size` = {depth} * {b} must lie between k = {k} and min(M, N) = {short}"
        )
    generator, xp = B.as_rng(rng), operator.xp
    p = RowProducts(operator, swap=operator.shape[-2] < operator.shape[-1])
    with B.detached(xp):
        start = unit_rows(validate.start_rows(p, v0, generator, rows=b, readable=False))
        p.prepare(start[..., :1, :], host=False)
        f = BlockLanczos(p, start, FreshRows(generator, start, b, xp=xp), b * depth, normal=True)
        f.expand(depth)
        ritz = f.ritz("LM")
        left = fresh_like(generator, start, p.sizes[0], k, xp=xp)
        return extract(p, f.vectors(ritz, k)[0], left, tol=default_tol(operator), iterations=depth, reason="iterations")
