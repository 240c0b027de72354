"""Derivatives of the polar factor, exact, by a Sylvester equation."""

from __future__ import annotations

from collections.abc import Callable

from .. import _backend as B
from .._typing import Array

Solver = Callable[[Array], Array]


def pushforward(w: Array, q: Array, dw: Array) -> Array:
    """Change of the polar factor `q` of `w` (m >= n) for a change of `w`.

    ``W = Q H`` gives ``dQ = Q Y + (I - Q Q^H) dW H^-1`` with ``H Y + Y H = Q^H dW - dW^H Q``.
    """
    solve_sylvester, times_inverse = _solvers(w, q)
    k = B.matmul(B.adjoint(q), dw)
    dq = B.matmul(q, solve_sylvester(k - B.adjoint(k)))
    return dq if w.shape[-2] == w.shape[-1] else dq + times_inverse(dw - B.matmul(q, k))


def pullback(w: Array, q: Array, dq: Array) -> Array:
    """The adjoint of `pushforward`: ``Q Y + (I - Q Q^H) dQ H^-1`` with ``H Y + Y H = Q^H dQ - dQ^H Q``."""
    # the map is its own adjoint
    return pushforward(w, q, dq)


def _solvers(w: Array, q: Array) -> tuple[Solver, Solver]:
    """Solvers of ``H Y + Y H = C`` and ``Z H = X``; what H maps to nothing stays nothing."""
    xp = B.array_namespace(w)
    h = B.matmul(B.adjoint(q), w)
    d, v = xp.linalg.eigh((h + B.adjoint(h)) * 0.5)
    d = xp.where(d > 0, d, xp.zeros_like(d))
    n = h.shape[-1]
    floor = n * B.eps(xp, w.dtype) * d[..., -1:]
    sums = d[..., :, None] + d[..., None, :]
    inverse_sums = _inverse(sums, floor[..., None])
    inverses = _inverse(d, floor)[..., None, :]

    def solve_sylvester(c: Array) -> Array:
        inner = B.matmul(B.matmul(B.adjoint(v), c), v) * inverse_sums
        return B.matmul(B.matmul(v, inner), B.adjoint(v))

    def times_inverse(x: Array) -> Array:
        return B.matmul(B.matmul(x, v) * inverses, B.adjoint(v))

    return solve_sylvester, times_inverse


def _inverse(d: Array, floor: Array) -> Array:
    xp = B.array_namespace(d)
    one = xp.ones_like(d)
    return xp.where(d > floor, one / xp.where(d > floor, d, one), xp.zeros_like(d))
