"""Operators on top of each other, and side by side."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

from .._typing import Array
from .algebra import broadcast_batches, common_home
from .base import LinearOperator
from .block_diagonal import as_blocks, offsets


class VStack(LinearOperator):
    r"""Operators on top of each other.

    Parameters
    ----------
    blocks : sequence of operators or arrays
        The blocks, each ``(..., M_i, N)``, of one array library and device; dtypes and batches broadcast. Whatever
        `aslinearoperator` takes is a block.

    Attributes
    ----------
    blocks : tuple of LinearOperator
        The blocks, as operators.

    Raises
    ------
    TypeError
        If `blocks` is not a sequence of operators or arrays of one library.
    ValueError
        If `blocks` is empty, the numbers of columns differ, the batches do not broadcast, or the devices differ.

    See Also
    --------
    HStack : Blocks side by side.
    BlockDiagonal : Blocks on the diagonal.

    Notes
    -----
    .. math:: A x = \begin{pmatrix} A_1 x \\ \vdots \\ A_k x \end{pmatrix}, \qquad A^H y = \sum_i A_i^H y_i.

    One product costs one product with each block, and one copy (forward) or k - 1 additions (adjoint).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.VStack([np.array([[1.0, 2.0]]), lc.Identity(2)])
    >>> A @ np.array([1.0, 1.0])
    array([3., 1., 1.])
    """

    def __init__(self, blocks: Iterable[Any]) -> None:
        self.blocks = as_blocks(blocks)
        _check_equal(self.blocks, axis=-1, what="columns")
        self._row_offsets = offsets(block.shape[-2] for block in self.blocks)
        self._setup(
            (*broadcast_batches(*self.blocks), self._row_offsets[-1], self.blocks[0].shape[-1]),
            **common_home(*self.blocks),
            domain_shape=_common([block.domain_shape for block in self.blocks]),
        )

    def _matmat(self, X: Array) -> Array:
        return self.xp.concat([block.matmat(X) for block in self.blocks], axis=-2)

    def _rmatmat(self, Y: Array) -> Array:
        pieces = zip(self.blocks, pairwise(self._row_offsets), strict=True)
        return reduce(add, [block.rmatmat(Y[..., i:j, :]) for block, (i, j) in pieces])

    def adjoint(self) -> LinearOperator:
        """Adjoint blocks side by side."""
        return HStack([block.H for block in self.blocks])

    def transpose(self) -> LinearOperator:
        """Transposed blocks side by side."""
        return HStack([block.T for block in self.blocks])


class HStack(LinearOperator):
    r"""Operators side by side.

    Parameters
    ----------
    blocks : sequence of operators or arrays
        The blocks, each ``(..., M, N_i)``, of one array library and device; dtypes and batches broadcast. Whatever
        `aslinearoperator` takes is a block.

    Attributes
    ----------
    blocks : tuple of LinearOperator
        The blocks, as operators.

    Raises
    ------
    TypeError
        If `blocks` is not a sequence of operators or arrays of one library.
    ValueError
        If `blocks` is empty, the numbers of rows differ, the batches do not broadcast, or the devices differ.

    See Also
    --------
    VStack : Blocks on top of each other.
    BlockDiagonal : Blocks on the diagonal.

    Notes
    -----
    .. math:: A x = \sum_i A_i x_i, \qquad A^H y = \begin{pmatrix} A_1^H y \\ \vdots \\ A_k^H y \end{pmatrix}.

    One product costs one product with each block, and k - 1 additions (forward) or one copy (adjoint).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.HStack([np.array([[1.0], [2.0]]), lc.Identity(2)])
    >>> A @ np.array([1.0, 10.0, 20.0])
    array([11., 22.])
    """

    def __init__(self, blocks: Iterable[Any]) -> None:
        self.blocks = as_blocks(blocks)
        _check_equal(self.blocks, axis=-2, what="rows")
        self._column_offsets = offsets(block.shape[-1] for block in self.blocks)
        self._setup(
            (*broadcast_batches(*self.blocks), self.blocks[0].shape[-2], self._column_offsets[-1]),
            **common_home(*self.blocks),
            range_shape=_common([block.range_shape for block in self.blocks]),
        )

    def _matmat(self, X: Array) -> Array:
        pieces = zip(self.blocks, pairwise(self._column_offsets), strict=True)
        return reduce(add, [block.matmat(X[..., i:j, :]) for block, (i, j) in pieces])

    def _rmatmat(self, Y: Array) -> Array:
        return self.xp.concat([block.rmatmat(Y) for block in self.blocks], axis=-2)

    def adjoint(self) -> LinearOperator:
        """Adjoint blocks on top of each other."""
        return VStack([block.H for block in self.blocks])

    def transpose(self) -> LinearOperator:
        """Transposed blocks on top of each other."""
        return VStack([block.T for block in self.blocks])


def _check_equal(blocks: tuple[LinearOperator, ...], axis: int, what: str) -> None:
    sizes = [block.shape[axis] for block in blocks]
    if len(set(sizes)) > 1:
        raise ValueError(f"`blocks` must have the same number of {what}, got {sizes}")


def _common(shapes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The tensor shape that all blocks share, if they do."""
    return shapes[0] if len(set(shapes)) == 1 else None
