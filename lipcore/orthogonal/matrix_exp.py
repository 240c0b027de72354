"""The exponential of a skew matrix."""

from __future__ import annotations

import math

from .. import _backend as B
from .._typing import Array
from .inputs import check_matrices, identity, working_copy

# Norms at which the Taylor polynomial of degree 18 (9) is as accurate as float64 (float32).
_DEGREES = {True: (18, 1.0), False: (9, 0.6)}
_POLISH_EVERY = 8


def matrix_exp(S: Array, *, squarings: int | None = None) -> Array:
    r"""Exponential of the skew part of a matrix, which is orthogonal.

    Parameters
    ----------
    S : array, shape (..., n, n)
        Matrices, real or complex. Only the skew-Hermitian part :math:`A = (S - S^H)/2` is used.
    squarings : int, optional
        Number s of squarings; the Taylor polynomial is taken of :math:`A / 2^s`, whose norm should be at most 1. By
        default from the norm of A, which the host reads; where it cannot (under ``jax.jit``) 10, good for
        :math:`\|A\|_1 \le 614` in single and 1024 in double precision.

    Returns
    -------
    array, shape (..., n, n)
        Orthogonal, or unitary, of determinant 1 where it is real. In the dtype of `S`; half precision is computed in
        single.

    Raises
    ------
    TypeError
        If `S` is not a floating array.
    ValueError
        If it is not a stack of square matrices, or if it holds NaN or infinity and the host reads it.

    See Also
    --------
    cayley : One solve, and no scaling; misses the eigenvalue -1.

    Notes
    -----
    Scaling and squaring: :math:`e^A = (e^{A / 2^s})^{2^s}`. The Taylor polynomial (degree 18 for double, 9 for single
    precision) is evaluated with 7 and 4 products (Paterson and Stockmeyer), and then pulled onto the unitary group by
    one step :math:`X (3 I - X^H X)/2`. Squaring doubles the remaining error each time, so such a step follows every
    eighth squaring and the last. The result is orthogonal to rounding for every norm; its distance from the
    exponential grows like :math:`\|A\|` times the precision, which is the condition of the problem. Derivatives pass
    through the products.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> quarter = lc.matrix_exp(np.array([[0.0, -np.pi / 2], [np.pi / 2, 0.0]]))
    >>> np.allclose(quarter, [[0.0, -1.0], [1.0, 0.0]])
    True
    """
    xp = check_matrices(S, "S", square=True)
    if 0 in tuple(S.shape):
        return B.copied(S)
    a = working_copy(S)
    a = a * 0.5 - B.adjoint(a) * 0.5
    degree, radius = _DEGREES[B.eps(xp, a.dtype) < 1e-10]
    if squarings is None:
        squarings = 10 if B.is_traced(a) else _squarings(a, radius)
    elif isinstance(squarings, bool) or not hasattr(squarings, "__index__") or squarings < 0:
        raise ValueError(f"`squarings` must be a nonnegative integer, got {squarings!r}")
    q = _polish(_taylor(a * 2.0**-squarings, degree))
    for k in range(1, squarings + 1):
        q = B.matmul(q, q)
        if k == squarings or k % _POLISH_EVERY == 0:
            q = _polish(q)
    return B.cast(q, S.dtype)


def _squarings(a: Array, radius: float) -> int:
    """Halvings after which the 1-norms of all matrices are at most `radius`."""
    xp = B.array_namespace(a)
    norm = B.to_float(xp.max(xp.sum(xp.abs(B.stop_gradient(a)), axis=-2)))
    if not math.isfinite(norm):
        raise ValueError("`S` must be finite, and so must the sums of its columns: got NaN or infinity")
    return max(0, math.ceil(math.log2(norm / radius))) if norm > 0 else 0


def _polish(q: Array) -> Array:
    """One Newton-Schulz step: the distance from the unitary matrices is squared."""
    return 1.5 * q - 0.5 * B.matmul(q, B.matmul(B.adjoint(q), q))


def _taylor(a: Array, degree: int) -> Array:
    """``sum_k a^k / k!`` up to a degree that is a multiple of 3, in blocks of powers 0, 1, 2 of a."""
    eye = identity(a, a.shape[-1])
    square = B.matmul(a, a)
    cube = B.matmul(square, a)
    total = eye / math.factorial(degree)
    for k in range(degree - 3, -1, -3):
        block = eye / math.factorial(k) + a / math.factorial(k + 1) + square / math.factorial(k + 2)
        total = block + B.matmul(cube, total) if k < degree - 3 else block + cube / math.factorial(degree)
    return total
