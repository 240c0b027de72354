"""The dot test, which finds wrong adjoints."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from .base import LinearOperator
from .interop import aslinearoperator

_COLUMNS = 8


def check_adjoint(A: Any, *, rng: int | np.random.Generator | None = None, rtol: float | None = None) -> bool:
    r"""Test that the adjoint of an operator is its adjoint.

    Parameters
    ----------
    A : operator, array or anything that `aslinearoperator` takes
        The operator to test, single or batched.
    rng : None, int or numpy.random.Generator, optional
        Source of the random vectors.
    rtol : float, optional
        Largest relative discrepancy that passes. Default: ``10 * eps * sqrt(M + N)``, at most 0.1, with eps the spacing
        of the operator's dtype.

    Returns
    -------
    bool
        True, always: a wrong adjoint raises, so that ``assert check_adjoint(A)`` and ``check_adjoint(A)`` both test.

    Raises
    ------
    AssertionError
        If the two products disagree, or give NaN or infinity.
    ValueError
        If `rtol` is not positive.

    Notes
    -----
    With Gaussian blocks U and V of eight columns, the matrices :math:`(A U)^H V` and :math:`U^H (A^H V)` must agree.
    The discrepancy is the Frobenius norm of their difference over that of their mean: it does not depend on the scale
    of A and is of order one for a wrong adjoint, whereas a single inner product may vanish by chance. Complex
    operators get complex blocks, so that a transpose in place of the adjoint is found. Cost: one product with A and
    one with its adjoint, on blocks of eight columns. The test is evidence, not proof: an error in one of n entries
    moves the discrepancy by about one part in :math:`\sqrt{n}`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.check_adjoint(lc.LowRank(np.ones((3, 1)), np.ones((4, 1))), rng=0)
    True
    >>> wrong = lc.LinearOperator((2, 2), matvec=lambda x: 2 * x, rmatvec=lambda y: y, dtype=float)
    >>> lc.check_adjoint(wrong, rng=0)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    AssertionError: ...
    """
    operator = aslinearoperator(A)
    rows, columns = operator.shape[-2:]
    xp, dtype = operator.xp, operator.dtype
    if rtol is None:
        rtol = min(0.1, 10 * B.eps(xp, dtype) * math.sqrt(rows + columns))
    elif not rtol > 0:
        raise ValueError(f"`rtol` must be positive, got {rtol!r}")
    if rows == 0 or columns == 0 or 0 in operator.batch_shape:
        return True
    discrepancy = _discrepancies(operator, B.as_rng(rng))
    # a NaN must not pass
    if not (discrepancy <= rtol).all():
        worst = np.unravel_index(np.argmax(np.where(np.isnan(discrepancy), np.inf, discrepancy)), discrepancy.shape)
        where = f", batch member {tuple(map(int, worst))}" if operator.batch_shape else ""
        raise AssertionError(
            f"the adjoint of {operator!r}{where} does not match: (A U)^H V and U^H (A^H V) differ by a relative "
            f"{discrepancy[worst]:.3g}, tolerance {rtol:.3g}. A discrepancy of about 1 means another map altogether "
            "(for complex data often the transpose without conjugation), one near the rounding unit a `rtol` too small"
        )
    return True


def _discrepancies(operator: LinearOperator, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Relative difference of the two sides, per batch member, on the host."""
    xp, dtype, batch = operator.xp, operator.dtype, operator.batch_shape
    rows, columns = operator.shape[-2:]

    def draw(size: int) -> Array:
        block = B.random_normal(rng, (*batch, size, _COLUMNS), xp=xp, device=operator.device, dtype=dtype)
        return B.cast(block, dtype)

    with B.detached(xp):
        U, V = draw(columns), draw(rows)
        work = B.compute_dtype(xp, dtype)
        forward, backward = B.cast(operator.matmat(U), work), B.cast(operator.rmatmat(V), work)
        U, V = B.cast(U, work), B.cast(V, work)
        # One common scale keeps the sums below from overflowing; it cancels in the ratio.
        scale = xp.maximum(_largest(forward), _largest(backward))
        scale = xp.where(scale > 0, scale, xp.ones_like(scale))
        left = xp.matmul(B.adjoint(forward / scale), V)
        right = xp.matmul(B.adjoint(U), backward / scale)
        difference, mean = _frobenius(left - right), (_frobenius(left) + _frobenius(right)) / 2
        mean = xp.where(mean > 0, mean, xp.ones_like(mean))  # both sides zero: the zero map
        return B.to_numpy(difference / mean)


def _largest(X: Array) -> Array:
    return B.array_namespace(X).max(abs(X), axis=(-2, -1), keepdims=True)


def _frobenius(X: Array) -> Array:
    xp = B.array_namespace(X)
    return xp.sqrt(xp.sum(abs(X) ** 2, axis=(-2, -1)))
