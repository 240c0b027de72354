"""Functions of one variable without overflow or cancellation, with the right derivative everywhere."""

from __future__ import annotations

from .._typing import Array, Namespace


def sigmoid(xp: Namespace, x: Array) -> Array:
    """``1 / (1 + exp(-x))``, accurate in both tails.

    Automatic differentiation gives 1/4 at zero: a tie of `minimum` shares its derivative, ``|x|`` has none there.
    """
    return xp.exp(xp.minimum(x, xp.zeros_like(x))) / (1 + xp.exp(-xp.abs(x)))


def softplus(xp: Namespace, x: Array) -> Array:
    """``log(1 + exp(x))``, accurate in both tails."""
    return xp.maximum(x, xp.zeros_like(x)) + xp.log1p(xp.exp(-xp.abs(x)))


def squared_sech(xp: Namespace, x: Array) -> Array:
    """``1 / cosh(x)**2``, accurate in both tails."""
    t = xp.exp(-xp.abs(x))
    return (2 * t / (1 + t * t)) ** 2
