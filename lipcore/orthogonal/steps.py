"""Single steps of the iterations: an odd polynomial of X, through its Gram matrix; and a rational function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _backend as B
from .._typing import Array
from .half_precision import half_step, is_half
from .inputs import identity, norm_bound
from .minimax import NEWTON_SCHULZ, Odd

# From this aspect ratio on, several steps on the small Gram matrix cost less than as many on the whole.
GRAM_ASPECT = 3
# Order from which NumPy's symmetric product is avoided.
_LARGE = 512
# Steps on a Gram matrix before it is formed anew: its rounding errors are absolute, and small eigenvalues drown.
_RESTART = 3


def gram(x: Array) -> Array:
    """``X^H X``, Hermitian up to rounding (a pass to make it so would cost a fifth of the product)."""
    if B.is_numpy(B.array_namespace(x)) and x.ndim == 2 and x.shape[-1] >= _LARGE:
        # NumPy sees a matrix times its own transpose and calls syrk, which takes 1.6 times as long as gemm at n = 1024
        return B.matmul(B.adjoint(x), B.copied(x))
    return B.matmul(B.adjoint(x), x)


def shifted(x: Array, shift: Any) -> Array:
    """``X + shift I`` for a number, or one per matrix (..., 1, 1), in the memory of `x`, which the caller gives up."""
    n = x.shape[-1]
    if not B.overwritable(x, shift):
        return x + shift * identity(x, n)
    i = B.array_namespace(x).arange(n, device=B.device_of(x))
    x[..., i, i] += shift if isinstance(shift, float) else shift[..., 0]
    return x


def multiplier(g: Array, p: Odd, s: Array = None) -> Array:
    """``p(X / s) X^-1`` as a polynomial of the Gram matrix: ``len(p) - 2`` products of its order."""
    first, *others = p if s is None else [c / s ** (2 * k + 1) for k, c in enumerate(p)]
    total = g * (others[-1] if others else 0.0)
    for coefficient in reversed(others[:-1]):
        total = B.matmul(g, shifted(total, coefficient))
    return shifted(total, first)


def cubic_step(x: Array, g: Array) -> Array:
    """The plain cubic ``X (3 I - G) / 2``, as a correction to X: its rounding errors are those of a sum."""
    return B.overwrite(B.array_namespace(x).add, B.matmul(x, shifted(g * -0.5, 0.5)), x)


def odd_steps(x: Array, steps: Sequence[Odd], *, normalize: bool, gram_form: bool = False) -> Array:
    """One odd polynomial after the other, of ``X`` (..., m, n) with m >= n.

    Normalized, the first is applied to ``X / s``, where s >= ||X||_2 comes from the Gram matrix that it needs anyway.
    """
    if gram_form:
        return _odd_steps_on_gram(x, steps, normalize=normalize)
    for k, p in enumerate(steps):
        if is_half(x):
            x = half_step(x, p)
            continue
        g = gram(x)
        if normalize and k == 0:
            s = norm_bound(g)
            x, g = x / s, g / (s * s)
        x = cubic_step(x, g) if p == NEWTON_SCHULZ else B.matmul(x, multiplier(g, p))
    return x


def _odd_steps_on_gram(x: Array, steps: Sequence[Odd], *, normalize: bool) -> Array:
    for start in range(0, len(steps), _RESTART):
        g = gram(x)
        if normalize and start == 0:
            s = norm_bound(g)
            x, g = x / s, g / (s * s)
        x = B.matmul(x, accumulated(g, steps[start : start + _RESTART]))
    return x


def accumulated(g: Array, steps: Sequence[Odd]) -> Array:
    """The product of the multipliers of several steps, all from one Gram matrix."""
    total = None
    for k, p in enumerate(steps):
        z = multiplier(g, p)
        total = z if total is None else B.matmul(total, z)
        if k + 1 < len(steps):
            g = B.matmul(z, B.matmul(g, z))
    return total


def halley_weights(low: float, most: float = float("inf")) -> tuple[float, float, float]:
    """Weights (a, b, c) of ``x (a + b x^2) / (1 + c x^2)``, best for [low, 1]; c is at most `most`.

    Nakatsukasa, Bai, Gygi 2010: 1 is a fixed point, and the image of [low, 1] reaches down as little as possible.
    """
    for _ in range(200):
        d = (4.0 * (1.0 - low * low) / low**4) ** (1.0 / 3.0)
        root = (1.0 + d) ** 0.5
        a = root + 0.5 * (8.0 - 4.0 * d + 8.0 * (2.0 - low * low) / (low * low * root)) ** 0.5
        b = (a - 1.0) ** 2 / 4.0
        c = a + b - 1.0
        if c <= most:
            break
        low *= 1.25
    return a, b, c


def halley(x: Any, weights: tuple[float, float, float]) -> Any:
    """The function with these weights."""
    a, b, c = weights
    return x * (a + b * x * x) / (1.0 + c * x * x)


def rational_step(x: Array, g: Array, weights: tuple[float, float, float], s: Array = 1.0) -> Array:
    """``Y (a I + b Y^H Y) (I + c Y^H Y)^-1`` of ``Y = X / s``, ``G = X^H X``, by the inverse of a Cholesky factor.

    Costs a factorisation and the inversion of its factor, one product of order n and one with X. Rounding errors grow
    with c. Of G the lower triangle counts.
    """
    a, b, c = weights
    half = B.inverse_factor(shifted(g * (c / (s * s)), 1.0))
    return B.matmul(x, shifted(gram(half) * ((a - b / c) / s), (b / c) / s))
