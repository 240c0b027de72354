"""Newton-Schulz iterations with given coefficients."""

from __future__ import annotations

from collections.abc import Sequence

from .._typing import Array
from .fixed import run_fixed, wants_gram_form
from .inputs import check_count, check_matrices
from .minimax import MUON, NEWTON_SCHULZ, NEWTON_SCHULZ_5, Odd

_NAMED = {"cubic": NEWTON_SCHULZ, "quintic": NEWTON_SCHULZ_5, "muon": MUON}


def newton_schulz(
    W: Array,
    *,
    iterations: int = 15,
    coefficients: str | Sequence[Sequence[float]] = "cubic",
    scale: bool = True,
    form: str = "auto",
) -> Array:
    r"""Orthonormal rows or columns by odd polynomials of the matrix.

    Parameters
    ----------
    W : array, shape (..., m, n)
        Matrices, real or complex. Their columns are made orthonormal where m >= n, else their rows.
    iterations : int
        Number of steps. Nothing is read by the host, and the whole traces under ``jax.jit``.
    coefficients : {"cubic", "quintic", "muon"} or sequence of sequences
        ``"cubic"`` (3/2, -1/2) and ``"quintic"`` (15/8, -10/8, 3/8) converge. ``"muon"`` (3.4445, -4.7750, 2.0315)
        does not: it leaves singular values between 0.68 and 1.14, quickly, and is meant for five steps. Or one
        tuple per step with the coefficients of x, x^3, x^5 and so on; the last one is repeated.
    scale : bool
        Divide by an upper bound of the 2-norm first.
    form : {"auto", "direct", "gram"}
        Iterate on the matrix, or on its small Gram matrix with the factors multiplied up. The second is cheaper where
        one side is at least three times as long as the other, which is what ``"auto"`` goes by.

    Returns
    -------
    array, shape (..., m, n)
        In the dtype of `W`; half precision is computed in single.

    Raises
    ------
    TypeError
        If `W` is not a floating array.
    ValueError
        If it has fewer than two axes, or if an option is out of range.

    See Also
    --------
    polar_express : The best polynomials for an interval of singular values.

    Notes
    -----
    A step maps :math:`W = U \Sigma V^H` to :math:`U p(\Sigma) V^H` with :math:`p(x) = a x + b x^3 + c x^5 + \dots`,
    evaluated as X times a polynomial of :math:`X^H X`: one product of the shape of W for each coefficient. On the Gram
    matrix R, a step is :math:`Z = a I + b R + c R^2`, :math:`Q \leftarrow Q Z`, :math:`R \leftarrow Z R Z`; R is formed
    anew every three steps, since its rounding errors are absolute. NaN and infinity spread; zero stays zero.

    K. Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024; Gram form: Dao-AILab, 2026.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> W = np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> Q = lc.newton_schulz(W, iterations=6, coefficients="quintic")
    >>> np.allclose(Q.T @ Q, np.eye(2))
    True
    """
    check_matrices(W)
    check_count(iterations, "iterations")
    steps = _steps(coefficients, iterations)
    return run_fixed(W, steps, normalize=scale, gram_form=wants_gram_form(W.shape, form))


def _steps(coefficients: str | Sequence[Sequence[float]], iterations: int) -> tuple[Odd, ...]:
    if isinstance(coefficients, str):
        if coefficients not in _NAMED:
            raise ValueError(
                f"`coefficients` must be one of {', '.join(map(repr, _NAMED))} or a sequence of tuples, "
                f"got {coefficients!r}"
            )
        return (_NAMED[coefficients],) * iterations
    try:
        given = [tuple(float(c) for c in step) for step in coefficients]
    except TypeError:
        raise ValueError(
            f"`coefficients` must hold one tuple of numbers per step, such as [(1.5, -0.5)], got {coefficients!r}"
        ) from None
    if not given or not all(given):
        raise ValueError("`coefficients` must hold at least one step, and each step at least one coefficient")
    return tuple(given[min(k, len(given) - 1)] for k in range(iterations))
