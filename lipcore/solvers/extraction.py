"""From right Ritz vectors to singular triplets with true residuals."""

from __future__ import annotations

from typing import Any

from .. import _backend as B
from .._typing import Array
from .orthogonalization import BREAKDOWN, combine, gram_rows, inner, norms, orthonormalize, project_out
from .results import State, SVDResult
from .row_basis import FreshRows, in_order
from .scaling import RowProducts


def extract(
    products: RowProducts,
    V: Array,
    left: Array | FreshRows,
    *,
    tol: float,
    largest: Array | None = None,
    iterations: Any,
    reason: str,
    history: tuple[State, ...] = (),
    images: Array | None = None,
) -> SVDResult:
    """Best triplets in the span of the orthonormal rows `V` (*batch_shape, k, n), and their two-sided residuals.

    Rayleigh-Ritz on A itself, so nothing is squared: the SVD of the k x k matrix R with ``A V = Q R``, or of
    ``U^H A V`` where left Ritz vectors are known (`left`, rows). Those are indispensable for small singular values: the
    image of a null vector says nothing about the left one. 2 k products, or k where the `images` of V are known; no
    host read. `largest` (*batch_shape, 1), of the scaled operator, is what residuals are held against; by default the
    largest value found.
    """
    xp = products.xp
    W = products.matmat(V) if images is None else images
    if isinstance(left, FreshRows):
        threshold = BREAKDOWN * W.shape[-2] * products.eps * xp.max(norms(W), axis=-2, keepdims=True)
        Q, R = orthonormalize(None, W, threshold, left.rows())[:2]
    else:
        Q, R = left, inner(left, W)
    P, S, Zh = xp.linalg.svd(R, full_matrices=False)
    Z = B.adjoint(Zh)
    U, V = combine(P, Q), combine(Z, V)
    diagonal = B.cast(S, V.dtype)[..., None]
    forward = norms(combine(Z, W) - diagonal * U)
    backward = norms(products.rmatmat(U) - diagonal * V)
    residuals = xp.sqrt(forward * forward + backward * backward)[..., 0]
    top = S[..., :1] if largest is None else xp.maximum(B.cast(largest, S.dtype), S[..., :1])
    converged = xp.all(residuals <= tol * top, axis=-1)
    if products.swap:  # V belongs to A^H: the triplet of A is (v, s, u)
        U, V = V, U
    return SVDResult(
        U=B.transpose(U),
        S=products.unscale_device(S),
        Vh=B.conj(V),
        residuals=products.unscale_device(residuals),
        converged=converged,
        iterations=iterations,
        matvecs=products.forward + products.backward,
        reason=reason,
        history=history,
    )


def refined(products: RowProducts, V: Array) -> tuple[Array, Array]:
    """The k best vectors in the span of k orthonormal rows `V` and of ``A^H A V``, and their images: 3 k products.

    What narrower numbers have spoilt lies all over the spectrum; one step like this takes most of it away.
    """
    xp, k = products.xp, V.shape[-2]
    W = products.matmat(V)
    rest, _ = project_out(V, products.rmatmat(W))
    threshold = BREAKDOWN * k * products.eps * xp.max(norms(W), axis=-2, keepdims=True) ** 2
    new = orthonormalize(V, rest, threshold).rows
    rows, images = xp.concat([V, new], axis=-2), xp.concat([W, products.matmat(new)], axis=-2)
    C = in_order(xp.linalg.eigh(gram_rows(images)), "LM")[1][..., :k]
    return combine(C, rows), combine(C, images)
