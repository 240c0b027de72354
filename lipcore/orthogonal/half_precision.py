"""The first steps of an iteration in half precision: products are cheap there, and each one rounds once."""

from __future__ import annotations

from typing import Any

from .. import _backend as B
from .._typing import Array
from .inputs import identity, norm_bound
from .minimax import Odd, composition

# Best quintics for [6e-5, 1] with room for rounding: no interval is taken to be wider than 1 to 41, and arguments
# are divided by 1.01. In exact arithmetic they end within 0.6 % of 1.
STEPS: tuple[Odd, ...] = composition(6e-5, 1.0, (5,) * 8, 0.02407327424182761, 1.01)[0]


def is_half(x: Array) -> bool:
    """Whether these are numbers of at most three digits."""
    return B.eps(B.array_namespace(x), x.dtype) > 1e-4


def narrowed(x: Array, dtype: Any) -> Array:
    """The matrices in half precision, divided by a bound of their norm. Entries may be 2 at most.

    The Gram matrix that bounds it is formed in half precision as well, whose rounding errors are allowed for.
    """
    x = x / float(x.shape[-2]) ** 0.5  # no entry of the Gram matrix beyond 4, which float16 would not bear otherwise
    half = B.cast(x, dtype)
    bound = norm_bound(B.cast(half_gram(half), x.dtype)) * (1.0 + 4.0 * B.eps(B.array_namespace(x), dtype))
    return B.cast(x / bound, dtype)


def half_gram(x: Array) -> Array:
    """``X^H X``, in half precision, from sums in single precision."""
    return B.multiply_add(B.adjoint(x), x)


def half_step(x: Array, p: Odd) -> Array:
    """An odd polynomial of ``X``, by Horner's rule on its Gram matrix, each product with its sum in one rounding."""
    first, *others = p
    if not others:
        return x * first
    g = half_gram(x)
    total, alpha = g, others[-1]
    for coefficient in reversed(others[:-1]):
        total, alpha = B.multiply_add(g, total, g, alpha=alpha, beta=coefficient), 1.0
    return B.multiply_add(x, total, x, alpha=alpha, beta=first)


def half_start(x: Array, dtype: Any) -> Array:
    r"""Polynomials in half precision, and a correction of what that leaves; in the precision of `x`.

    Rounding X itself to half precision leaves :math:`E = X^H X - I` of some thousandths. E is formed in half precision
    *without* cancellation, because the sum takes -I along before it is rounded, so the entries of E have their own
    three digits; :math:`X - X E / 2`, with X in full, is then orthonormal to the square of E and the rounding of
    X E, some 1e-4.
    """
    y = narrowed(x, dtype)
    for p in STEPS:
        y = half_step(y, p)
    e = B.multiply_add(B.adjoint(y), y, identity(y, y.shape[-1]), beta=-1.0)
    return corrected(B.cast(y, x.dtype), y, e)


def corrected(x: Array, y: Array, e: Array) -> Array:
    """``X - X E / 2`` of a small E with the product in half precision, whose errors are E's size less three digits.

    X is given in half precision too; E is ``X^H X - I``.
    """
    change = B.cast(B.multiply_add(y, B.cast(e, y.dtype), alpha=-0.5), x.dtype)
    return B.overwrite(B.array_namespace(x).add, change, x)
