"""Norms of operators that copy, pick, move and average entries: from counts and from small matrices."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce, singledispatch
from typing import Any

import numpy as np
import scipy.sparse

from .. import _backend as B
from ..operators.axis_table import AxisTable
from ..operators.base import LinearOperator
from ..operators.padding import Padding
from ..operators.rearrangement import Rearrangement
from ..operators.selection import Selection
from ..operators.separable import Separable
from . import rounding as r
from .absolute_sums import matrix_norm
from .bounds import Bounds
from .dense import dense_bounds

__all__ = ["INDEX_MAPS", "index_map_bounds", "table_bounds"]

INDEX_MAPS = (Padding, Rearrangement, Selection, Separable)

# Larger pieces of one axis, those of overlapping windows on long sequences, are not written down.
_LARGEST = 2048


@singledispatch
def index_map_bounds(operator: LinearOperator, ord: Any, rtol: float) -> Bounds | None:
    r"""Rigorous bounds of the 1-, 2-, inf- or Frobenius norm of one of `INDEX_MAPS`.

    Parameters
    ----------
    operator : Padding, Rearrangement, Selection or Separable
    ord : {1, 2, inf, "fro"}
    rtol : float
        Relative width for the 2-norm of separable operators; all else is exact.

    Returns
    -------
    Bounds or None
        None for the 2-norm of a separable operator with an axis on which very many windows hang together.

    Notes
    -----
    Where every output copies one input, or none, columns are orthogonal: with c the largest number of copies of an
    input, the 2-norm is :math:`\sqrt c`, the 1-norm c, the inf-norm 1. A separable operator is a Kronecker product,
    whose norms are the products of those of its axes.
    """
    raise TypeError(f"no closed form for {type(operator).__name__}")


def _of_counts(largest: Any, total: Any, ord: Any, method: str) -> Bounds:
    """Norm of a map that copies: an input at most `largest` times, `total` copies altogether."""
    most, every = np.asarray(largest, dtype=np.float64), np.asarray(total, dtype=np.float64)
    if ord in (2, "fro"):
        count = most if ord == 2 else every
        low, high = r.sqrt_down(count), r.sqrt_up(count)
    else:
        low = high = most if ord == 1 else np.minimum(most, 1.0)
    if np.ndim(most) == 0:
        low, high = float(low), float(high)
    return Bounds(low, high, "rigorous", ord=ord, method=method)


@index_map_bounds.register
def _(operator: Selection, ord: Any, rtol: float) -> Bounds:
    m, n = operator.shape[-2:]
    index = B.to_numpy(operator.index).reshape(-1, m).astype(np.int64)
    largest = [np.max(np.bincount(row, minlength=n), initial=0) for row in index]
    most = np.asarray(largest, dtype=np.float64).reshape(operator.batch_shape)
    return _of_counts(most, np.full(most.shape, float(m)), ord, "largest number of picks")


@index_map_bounds.register
def _(operator: Padding, ord: Any, rtol: float) -> Bounds:
    zeros = operator.padding_mode == "zeros"
    return _of_counts(operator.copies(), operator.shape[-1 if zeros else -2], ord, "largest number of copies")


@index_map_bounds.register
def _(operator: Rearrangement, ord: Any, rtol: float) -> Bounds:
    n = operator.shape[-1]
    return _of_counts(min(n, 1), n, ord, "permutation")


@index_map_bounds.register
def _(operator: Separable, ord: Any, rtol: float) -> Bounds | None:
    factors = [table for table in operator.tables if table is not None]
    rest = math.prod(n for n, table in zip(operator.domain_shape, operator.tables, strict=False) if table is None)
    found = [_of_counts(min(rest, 1), rest, ord, "")]
    for table in factors:
        bounds = table_bounds(table, ord, rtol / (1.1 * len(factors)))
        if bounds is None:
            return None
        found.append(bounds)
    return replace(reduce(Bounds.__mul__, found), method="product of the axes")


def table_bounds(table: AxisTable, ord: Any, rtol: float) -> Bounds | None:
    """Rigorous bounds of the norm of the matrix of one axis; None where a piece of it is too large for its 2-norm."""
    if 0 in table.shape:
        return Bounds(0.0, 0.0, "rigorous", ord=ord)
    if ord != 2:
        # rows of the tables hold the entries of the matrix, or of its transpose, and zeros
        sums = matrix_norm((table.transposed if ord == 1 else table.rows).weights, "fro" if ord == "fro" else math.inf)
        return replace(sums, ord=ord)
    pieces = _pieces(table)
    if pieces is None:
        return None
    stacks = [dense_bounds(np.stack(stack), rtol=rtol).max() for stack in pieces]
    return stacks[0].maximum(*stacks[1:])


def _pieces(table: AxisTable) -> list[list[np.ndarray[Any, Any]]] | None:
    """Diagonal blocks into which a matrix falls, each pattern once, by shape; None where one is too large."""
    m, n = table.shape
    row, at = np.nonzero(table.rows.weights)
    column, value = table.rows.index[row, at], table.rows.weights[row, at]
    if not len(row):
        return [[np.zeros((1, 1))]]
    graph = scipy.sparse.coo_array((np.ones(len(row)), (row, m + column)), shape=(m + n, m + n))
    _, label = scipy.sparse.csgraph.connected_components(graph, directed=False)
    order = np.argsort(label[row], kind="stable")
    row, column, value = row[order], column[order], value[order]
    starts = np.flatnonzero(np.diff(label[row], prepend=-1))
    found: dict[tuple[Any, ...], np.ndarray[Any, Any]] = {}
    for begin, end in zip(starts, [*starts[1:], len(row)], strict=True):
        rows, columns, values = row[begin:end], column[begin:end], value[begin:end]
        key = (tuple(rows - rows.min()), tuple(columns - columns.min()), values.tobytes())
        if key in found:
            continue
        _, i = np.unique(rows, return_inverse=True)
        _, j = np.unique(columns, return_inverse=True)
        # a single row or column is its own length
        if max(i.max(), j.max()) >= _LARGEST and min(i.max(), j.max()) > 0:
            return None
        block = np.zeros((i.max() + 1, j.max() + 1))
        block[i, j] = values
        found[key] = block
    stacks: dict[tuple[int, ...], list[np.ndarray[Any, Any]]] = {}
    for block in found.values():
        stacks.setdefault(block.shape, []).append(block)
    return list(stacks.values())
