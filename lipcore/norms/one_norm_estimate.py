"""1-norm of an operator known by its products: a lower bound that is nearly always the norm."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator

__all__ = ["OneNormEstimate", "one_norm_estimate"]


class OneNormEstimate(NamedTuple):
    """`value` is attained by `vector`, ``||A x||_1 / ||x||_1``; `matvecs` counts products with operator and adjoint."""

    value: np.ndarray[Any, Any]
    vector: Array
    matvecs: int


def one_norm_estimate(
    operator: LinearOperator, *, columns: int = 4, cycles: int = 6, rng: int | np.random.Generator | None = None
) -> OneNormEstimate:
    r"""Block 1-norm estimator.

    Parameters
    ----------
    operator : LinearOperator, shape (*batch_shape, M, N)
        With products and adjoint products.
    columns : int
        Width of the block.
    cycles : int
        Most iterations; each takes a product and an adjoint product with the block.
    rng : None, int or numpy.random.Generator
        For the random signs of the start.

    Returns
    -------
    OneNormEstimate
        `value` (*batch_shape,), on the host; `vector` (*batch_shape, N) on the operator's device.

    Notes
    -----
    The norm is a convex function of x on the ball of the 1-norm, so it is attained at a unit vector. From the signs S
    of ``A X`` the subgradient ``A^H S`` tells which unit vectors to try next; ends when none of them is better (Hager
    1984; Higham and Tisseur, "A block algorithm for matrix 1-norm estimation", SIAM J. Matrix Anal. Appl. 21, 2000). A
    lower bound always; how often it is below the norm nothing proves.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.norms.one_norm_estimate import one_norm_estimate
    >>> A = lc.Dense(np.array([[1.0, -2.0], [3.0, 4.0]]))
    >>> float(one_norm_estimate(A, rng=0).value)
    6.0
    """
    xp, n = operator.xp, operator.shape[-1]
    with B.detached(xp):
        block = _start(operator, min(columns, n), B.as_rng(rng))
        best_value, best_vector, matvecs = np.full(operator.batch_shape, -1.0), block[..., 0], 0
        tried = np.zeros((*operator.batch_shape, n), dtype=bool)
        for cycle in range(max(cycles, 1)):
            image = B.stop_gradient(operator.matmat(block))
            sums = B.to_numpy(xp.sum(xp.abs(image), axis=-2)).astype(np.float64)
            matvecs += block.shape[-1]
            top = np.argmax(sums, axis=-1)
            value = np.take_along_axis(sums, top[..., None], axis=-1)[..., 0]
            better = value > best_value
            best_value = np.where(better, value, best_value)
            best_vector = _replaced(xp, best_vector, _picked(xp, block, top), better)
            if cycle and not np.any(better):
                break
            gradient = B.stop_gradient(operator.rmatmat(_signs(xp, image)))
            matvecs += block.shape[-1]
            height = np.max(np.abs(B.to_numpy(gradient)), axis=-1)
            chosen = np.argsort(np.where(tried, -1.0, height), axis=-1)[..., ::-1][..., : block.shape[-1]]
            if np.all(np.take_along_axis(tried, chosen, axis=-1)):
                break
            np.put_along_axis(tried, chosen, True, axis=-1)
            units = np.zeros((*operator.batch_shape, n, chosen.shape[-1]))
            np.put_along_axis(units, chosen[..., None, :], 1.0, axis=-2)
            block = _moved(operator, units)
    return OneNormEstimate(best_value, best_vector, matvecs)


def _moved(operator: LinearOperator, a: np.ndarray[Any, Any]) -> Array:
    moved = B.from_numpy(a.astype(np.float32), xp=operator.xp, device=operator.device)
    return B.cast(moved, B.compute_dtype(operator.xp, operator.dtype))


def _start(operator: LinearOperator, columns: int, rng: np.random.Generator) -> Array:
    """A column of equal entries, and random signs; all of 1-norm one."""
    shape = (*operator.batch_shape, operator.shape[-1], columns)
    signs = rng.choice([-1.0, 1.0], size=shape)
    signs[..., 0] = 1.0
    return _moved(operator, signs) / operator.shape[-1]


def _signs(xp: Any, x: Array) -> Array:
    """``x / |x|``, one where x is zero."""
    size = xp.abs(x)
    zero = size == 0
    return xp.where(zero, xp.ones_like(x), x / B.cast(xp.where(zero, xp.ones_like(size), size), x.dtype))


def _picked(xp: Any, block: Array, index: np.ndarray[Any, Any]) -> Array:
    """One column of the block of each member."""
    mask = np.arange(block.shape[-1]) == index[..., None]
    weights = B.cast(B.from_numpy(mask.astype(np.float32), xp=xp, device=B.device_of(block)), block.dtype)
    return xp.sum(block * weights[..., None, :], axis=-1)


def _replaced(xp: Any, old: Array, new: Array, where: np.ndarray[Any, Any]) -> Array:
    mask = B.from_numpy(np.asarray(where, dtype=np.float32), xp=xp, device=B.device_of(new)) > 0.5
    return xp.where(mask[..., None], new, old)
