"""Small sparse matrices in a form that gathers can apply: few entries in each row, and the same of the transpose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Host = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a sparse matrix: entry ``(i, index[i, j])`` is ``weights[i, j]``; entries of weight zero are none.

    Parameters
    ----------
    index : int64 ndarray, shape (rows, width)
    weights : float64 ndarray, shape (rows, width)
    """

    index: Host
    weights: Host

    def __post_init__(self) -> None:
        for array in (self.index, self.weights):
            array.flags.writeable = False

    @cached_property
    def common(self) -> float | None:
        """The weight of all entries, where there is only one."""
        return _single(self.weights)

    @cached_property
    def columns(self) -> tuple[tuple[slice | None, float | None], ...]:
        """For each column of the table the slice that it is, and its single weight, where it is or has one."""
        return tuple((_progression(i), _single(w)) for i, w in zip(self.index.T, self.weights.T, strict=True))

    @cached_property
    def is_slice(self) -> bool:
        """Whether the rows only pick what a slice does."""
        return self.index.shape[1] == 1 and self.common == 1 and self.columns[0][0] is not None


@dataclass(frozen=True, eq=False)
class AxisTable:
    """A sparse matrix of `size` columns by its rows, and by those of its transpose.

    Notes
    -----
    Tables are made on the host in double precision, from the geometry of a layer alone.
    """

    size: int
    rows: Rows
    transposed: Rows

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix."""
        return len(self.rows.index), self.size

    @cached_property
    def absolute(self) -> AxisTable:
        """The matrix of absolute entries."""
        rows, transposed = (Rows(r.index, np.abs(r.weights)) for r in (self.rows, self.transposed))
        return AxisTable(self.size, rows, transposed)

    @cached_property
    def is_exact(self) -> bool:
        """Whether all entries are powers of two, so that none was rounded."""
        return bool(np.all(np.isin(np.abs(np.frexp(self.rows.weights)[0]), (0.0, 0.5))))

    def to_dense(self) -> Host:
        """The matrix itself."""
        dense = np.zeros(self.shape)
        rows = np.arange(len(dense))
        for index, weights in zip(self.rows.index.T, self.rows.weights.T, strict=True):
            dense[rows, index] += weights
        return dense


def axis_table(index: Any, weights: Any, size: int) -> AxisTable:
    """Matrix with the entries ``(i, index[i, j])`` of value ``weights[i, j]``, of which no two of a row may meet.

    Parameters
    ----------
    index : array_like of int, shape (rows, width)
        Column numbers, 0 to ``size - 1``, also where the weight is zero.
    weights : array_like of float, broadcastable to (rows, width)
    size : int
        Number of columns.

    Returns
    -------
    AxisTable

    Examples
    --------
    >>> axis_table([[0, 1], [1, 2]], 0.5, 3).to_dense()
    array([[0.5, 0.5, 0. ],
           [0. , 0.5, 0.5]])
    """
    index = np.array(index, dtype=np.int64)
    weights = np.array(np.broadcast_to(np.asarray(weights, dtype=np.float64), index.shape))
    if index.ndim != 2 or (index.size and (np.min(index) < 0 or np.max(index) >= size)):
        raise ValueError(f"`index` must be (rows, width) of numbers below {size}, got shape {index.shape}")
    row, at = np.nonzero(weights)
    column = index[row, at]
    order = np.lexsort((row, column))
    row, column, value = row[order], column[order], weights[row, at][order]
    counts = np.bincount(column, minlength=size)
    place = np.arange(len(column)) - (np.cumsum(counts) - counts)[column]
    width = max(int(np.max(counts, initial=0)), 1)
    back, back_weights = np.zeros((size, width), dtype=np.int64), np.zeros((size, width))
    back[column, place], back_weights[column, place] = row, value
    return AxisTable(size, Rows(index, weights), Rows(back, back_weights))


def _single(weights: Host) -> float | None:
    if weights.size and np.all(weights == weights.flat[0]):
        return float(weights.flat[0])
    return None


def _progression(index: Host) -> slice | None:
    """The slice with a positive step that `index` counts through."""
    if len(index) == 0:
        return slice(0, 0)
    step = int(index[1] - index[0]) if len(index) > 1 else 1
    if step < 1 or np.any(np.diff(index) != step):
        return None
    return slice(int(index[0]), int(index[-1]) + 1, step)
