"""Starts that know where an operator's leading singular vectors are.

What is known of a kind of operator is registered by the rooms above, beside the theory that it comes from.
"""

from __future__ import annotations

from functools import singledispatch

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from .orthogonalization import combine, gram_rows, norms, reciprocal, unit_rows
from .scaling import RowProducts

# Rows of a product, and directions that are dropped: those shorter than so many roundings (in the Gram matrix) of the
# longest.
_PANEL, _DEPENDENT = 16, 1e3


@singledispatch
def start_vector(operator: LinearOperator) -> Array | None:
    """Unit vector (*batch_shape, N) near the leading right singular vector, or None where nothing is known.

    In memory of its own, and in a dtype of at least single precision.
    """
    return None


@singledispatch
def leading_rows(operator: LinearOperator, k: int) -> Array | None:
    """Rows (p, N), of any number and rank, that nearly span the k leading right singular vectors, or None.

    None where nothing is known, and where it would cost more than it saves. In the operator's computing dtype.
    """
    return None


def best_combinations(products: RowProducts, rows: Array, count: int) -> Array:
    """Rayleigh-Ritz: the combinations of right `rows` (p, N) with the `count` largest Ritz values.

    On the side of `products`: images of rows, where that is the left one. Fewer than `count` where the rank is less.
    Costs p products and one host read.
    """
    xp = products.xp
    forward = products.rmatmat if products.swap else products.matmat
    first = unit_rows(rows[:1, :])
    products.prepare(unit_rows(forward(first)) if products.swap else first, host=True)
    p = rows.shape[0]
    part = forward(rows[: min(_PANEL, p), :])
    images = B.set_rows(B.empty_rows(part, p, xp=xp), 0, part, xp=xp)
    for i in range(_PANEL, p, _PANEL):
        images = B.set_rows(images, i, forward(rows[i : min(i + _PANEL, p), :]), xp=xp)
    # rows of norm one, by scaling the small matrices only
    lengths = norms(rows)
    unit = B.cast(reciprocal(lengths, lengths > 0), rows.dtype)
    values, Q = xp.linalg.eigh(gram_rows(rows) * unit * B.transpose(unit))
    dropped = int(B.to_numpy(xp.sum(B.cast(values <= _DEPENDENT * products.eps * values[-1], xp.int32))))
    Q = Q[:, dropped:] / B.cast(xp.sqrt(values[dropped:]), Q.dtype)
    Q = unit * Q
    inside = xp.matmul(B.adjoint(Q), xp.matmul(gram_rows(images), Q))
    C = xp.matmul(Q, xp.flip(xp.linalg.eigh(inside)[1], axis=-1)[:, : min(count, p - dropped)])
    return combine(C, images if products.swap else rows)
