"""Rows of a table, picked by number or mixed."""

from __future__ import annotations

import math

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..operators import LinearOperator
from .base import Ord
from .dense import Dense, check_weight
from .regions import Host

_EXACT = 4096  # rows up to which all pairs are compared
_BLOCK = 256


class Embedding(Dense):
    r"""Rows of a table, picked by integers or mixed with weights.

    Parameters
    ----------
    weight : array, shape (entries, features)
        The table E, real floating.

    Raises
    ------
    TypeError
        If `weight` is not real floating; by ``jacobian`` if it is given integers.
    ValueError
        If `weight` is not a matrix.

    Notes
    -----
    Integers (samples, ...) give rows (samples, ..., features); floating weights p (samples, ..., entries), one-hot or
    soft, give :math:`p E`. Integers have no neighbours, so that a Jacobian exists for weights only. As a linear map of
    weights the constant is :math:`\|E^T\|`, which ``lipschitz`` gives; between one-hot vectors it is smaller, see
    ``one_hot_lipschitz``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> table = lc.layers.Embedding(np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]]))
    >>> table(np.array([[2, 0]]))
    array([[[3., 4.],
            [1., 0.]]])
    >>> table(np.array([[[0.5, 0.5, 0.0]]]))
    array([[[0.5, 0.5]]])
    >>> round(table.one_hot_lipschitz().upper, 6)
    3.162278
    """

    def __init__(self, weight: Array) -> None:
        check_weight("weight", weight)
        if weight.ndim != 2:
            raise ValueError(f"`weight` must have shape (entries, features), got {tuple(weight.shape)}")
        super().__init__(B.transpose(weight))
        self.table = weight

    def __call__(self, *xs: Array) -> Array:
        """Rows (samples, ..., features) for integers (samples, ...) or weights (samples, ..., entries)."""
        if len(xs) != 1 or not _integral(xs[0]):
            return super().__call__(*xs)
        (ids,) = xs
        xp = B.array_namespace(ids, self.table, name="x")
        if ids.ndim < 1:
            raise ValueError("`x` must have shape (samples, ...), got an array without axes")
        rows = xp.take(self.table, xp.reshape(ids, (math.prod(ids.shape),)), axis=0)
        return xp.reshape(rows, (*ids.shape, self.table.shape[1]))

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output and Jacobian at weights; integers raise."""
        if any(_integral(x) for x in xs):
            raise TypeError(
                "`x` must be weights (samples, ..., entries) for a Jacobian of Embedding, got integers, which have no "
                "neighbours; give one-hot or soft assignments in a floating dtype"
            )
        return super().linearize(*xs)

    def one_hot_lipschitz(self, ord: Ord = 2) -> Bounds:
        r"""Enclosure of the largest ratio between one-hot inputs of one token.

        Parameters
        ----------
        ord : {2, 1, inf}
            Norm of input and output.

        Returns
        -------
        Bounds
            The largest distance of two rows, divided by that of two one-hot vectors: :math:`\sqrt 2`, 2 or 1. All
            pairs are compared in tables of up to 4096 entries. In larger ones the upper end is the sum of the two
            largest distances from the middle, and the lower the largest distance from the outermost row.
        """
        if ord not in (1, 2, math.inf):
            raise ValueError(f"`ord` must be one of 1, 2, inf, got {ord!r}")
        rows: Host = np.asarray(B.to_numpy(self.table), dtype=np.float64)
        apart = {1: 2.0, 2: math.sqrt(2.0), math.inf: 1.0}[ord]
        if rows.shape[0] < 2:
            return Bounds(0.0, 0.0, "rigorous", ord=ord, method="a single row")
        # differences, squares and sums: each entry a few roundings, and one for each feature
        slack = (rows.shape[1] + 8) * 2.0**-51
        if rows.shape[0] <= _EXACT:
            low = high = max(
                float(np.max(_distances(rows[i : i + _BLOCK], rows, ord))) for i in range(0, rows.shape[0], _BLOCK)
            )
        else:
            middle = np.mean(rows, axis=0)
            lengths = _distances(rows, middle[None], ord)[:, 0]
            outermost, next_ = np.sort(lengths)[-1], np.sort(lengths)[-2]
            low, high = float(np.max(_distances(rows, rows[np.argmax(lengths)][None], ord))), float(outermost + next_)
        lower, upper = low / apart * (1 - 2 * slack), high / apart * (1 + 2 * slack)
        return Bounds(lower, upper, "analytic", ord=ord, method="distances of rows")

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample, for weights; integers gain an axis of features instead."""
        return (*input_shapes[0][:-1], int(self.table.shape[1]))


def _integral(x: Array) -> bool:
    return bool(B.is_array(x) and B.array_namespace(x).isdtype(x.dtype, "integral"))


def _distances(a: Host, b: Host, ord: Ord) -> Host:
    """Distances (rows of a, rows of b), a feature at a time so that no table of differences is made."""
    total = np.zeros((a.shape[0], b.shape[0]))
    for i in range(a.shape[1]):
        difference = np.abs(a[:, i, None] - b[None, :, i])
        if ord == math.inf:
            np.maximum(total, difference, out=total)
        else:
            total += difference * difference if ord == 2 else difference
    return np.sqrt(total) if ord == 2 else total
