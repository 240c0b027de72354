"""Derivatives of the polar factor, exact, by a Sylvester equation."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array


def pushforward(w: Array, q: Array, dw: Array) -> Array:
    """Change of the polar factor `q` of `w` (m >= n) for a change of `w`.

    ``W = Q H`` gives ``dQ = Q Y + (I - Q Q^H) dW H^-1`` with ``H Y + Y H = Q^H dW - dW^H Q``.
    """
    if B.is_torch(B.array_namespace(w)) and w.ndim - w.shape[:-2].count(1) == 2:
        # One matrix in the host's memory goes to NumPy's BLAS and LAPACK, as its polar factor does.
        views = [None if B.is_differentiated(x) else B.host_view(x) for x in (w, q, dw)]
        if all(view is not None for view in views):
            found = _in_basis_of_eigenvectors(*(view.reshape(w.shape[-2:]) for view in views if view is not None))
            return B.from_numpy(found.reshape(w.shape), xp=B.array_namespace(w), device=B.device_of(w), shared=True)
    return _in_basis_of_eigenvectors(w, q, dw)


def pullback(w: Array, q: Array, dq: Array) -> Array:
    """The adjoint of `pushforward`: ``Q Y + (I - Q Q^H) dQ H^-1`` with ``H Y + Y H = Q^H dQ - dQ^H Q``."""
    # the map is its own adjoint
    return pushforward(w, q, dq)


def _in_basis_of_eigenvectors(w: Array, q: Array, dw: Array) -> Array:
    """With ``H = V D V^H``, ``U = Q V`` and ``F = dW V``; what H maps to nothing stays nothing. Six products."""
    xp = B.array_namespace(w)
    h = B.matmul(B.adjoint(q), w)
    d, v = xp.linalg.eigh((h + B.adjoint(h)) * 0.5)
    d = xp.where(d > 0, d, xp.zeros_like(d))
    n = h.shape[-1]
    floor = n * B.eps(xp, w.dtype) * d[..., -1:]
    u, f = B.matmul(q, v), B.matmul(dw, v)
    k = B.matmul(B.adjoint(u), f)
    inner = (k - B.adjoint(k)) * _inverse(d[..., :, None] + d[..., None, :], floor[..., None])
    if w.shape[-2] == n:
        found = B.matmul(u, inner)
    else:
        inverses = _inverse(d, floor)[..., None, :]
        found = B.matmul(u, inner - k * inverses) + f * inverses
    return B.matmul(found, B.adjoint(v))


def _inverse(d: Array, floor: Array) -> Array:
    xp = B.array_namespace(d)
    one = xp.ones_like(d)
    return xp.where(d > floor, one / xp.where(d > floor, d, one), xp.zeros_like(d))
