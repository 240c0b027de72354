"""Blocks whose batch axes only broadcast with those of an operator."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape


def over_batches(product: Callable[[Array], Array], X: Array, batch_shape: Shape) -> Array:
    """Apply `product`, which takes blocks (*batch_shape, N, K) alone, to a block whose leading axes broadcast.

    Axes of `X` that the batch lacks, or has with length one, become more columns of the same operators.

    Raises
    ------
    ValueError
        If the axes do not broadcast.
    """
    if X.shape[:-2] == batch_shape:
        return product(X)
    xp = B.array_namespace(X)
    full = np.broadcast_shapes(tuple(X.shape[:-2]), batch_shape)
    size, width = X.shape[-2:]
    X = xp.broadcast_to(X, (*full, size, width))
    batch = (1,) * (len(full) - len(batch_shape)) + batch_shape
    kept = [i for i in range(len(full)) if batch[i] == full[i]]
    moved = [i for i in range(len(full)) if batch[i] != full[i]]
    if not moved:
        Y = product(xp.reshape(X, (*batch_shape, size, width)))
        return xp.reshape(Y, (*full, *Y.shape[-2:]))
    n, lead = len(full), tuple(full[i] for i in moved)
    order = (*kept, n, *moved, n + 1)
    Y = product(xp.reshape(xp.permute_dims(X, order), (*batch_shape, size, math.prod(lead) * width)))
    Y = xp.reshape(Y, (*(full[i] for i in kept), Y.shape[-2], *lead, width))
    return xp.permute_dims(Y, tuple(order.index(i) for i in range(n + 2)))
