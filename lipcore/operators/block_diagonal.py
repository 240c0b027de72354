"""Operators on the diagonal of a bigger one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

from .. import _backend as B
from .._typing import Array
from .algebra import broadcast_batches, common_home
from .base import LinearOperator
from .interop import aslinearoperator


class BlockDiagonal(LinearOperator):
    r"""Block-diagonal operator, with operators for blocks.

    Parameters
    ----------
    blocks : sequence of operators or arrays
        The blocks, each ``(..., M_i, N_i)``, of one array library and device; dtypes and batches broadcast. Whatever
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
        If `blocks` is empty, the batches do not broadcast, or the devices differ.

    See Also
    --------
    VStack, HStack : Blocks on top of each other, side by side.
    Kronecker : ``Kronecker(Identity(k), A)`` repeats one block k times in a single product.

    Notes
    -----
    .. math:: A = \begin{pmatrix} A_1 & & \\ & \ddots & \\ & & A_k \end{pmatrix}, \qquad
              A^H = \begin{pmatrix} A_1^H & & \\ & \ddots & \\ & & A_k^H \end{pmatrix}.

    One product costs one product with each block and one copy of the result. Equal blocks that act independently are
    cheaper as one batched operator.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = lc.BlockDiagonal([np.array([[1.0, 2.0]]), lc.Identity(2)])
    >>> A.shape
    (3, 4)
    >>> A @ np.array([1.0, 1.0, 5.0, 6.0])
    array([3., 5., 6.])
    """

    def __init__(self, blocks: Iterable[Any]) -> None:
        self.blocks = as_blocks(blocks)
        self._row_offsets = offsets(block.shape[-2] for block in self.blocks)
        self._column_offsets = offsets(block.shape[-1] for block in self.blocks)
        self._setup(
            (*broadcast_batches(*self.blocks), self._row_offsets[-1], self._column_offsets[-1]),
            **common_home(*self.blocks),
        )

    def _matmat(self, X: Array) -> Array:
        pieces = zip(self.blocks, pairwise(self._column_offsets), strict=True)
        return self.xp.concat([block.matmat(X[..., i:j, :]) for block, (i, j) in pieces], axis=-2)

    def _rmatmat(self, Y: Array) -> Array:
        pieces = zip(self.blocks, pairwise(self._row_offsets), strict=True)
        return self.xp.concat([block.rmatmat(Y[..., i:j, :]) for block, (i, j) in pieces], axis=-2)

    def adjoint(self) -> LinearOperator:
        """Adjoint blocks on the diagonal."""
        return BlockDiagonal([block.H for block in self.blocks])

    def transpose(self) -> LinearOperator:
        """Transposed blocks on the diagonal."""
        return BlockDiagonal([block.T for block in self.blocks])


def as_blocks(blocks: Iterable[Any]) -> tuple[LinearOperator, ...]:
    """Operators from the argument `blocks` of a constructor."""
    if isinstance(blocks, LinearOperator) or B.is_array(blocks) or not isinstance(blocks, Iterable):
        raise TypeError(
            f"`blocks` must be a sequence of operators or arrays, got {type(blocks).__name__}; write [block]"
        )
    operators = tuple(aslinearoperator(block) for block in blocks)
    if not operators:
        raise ValueError("`blocks` must hold at least one operator, got an empty sequence")
    return operators


def offsets(sizes: Iterable[int]) -> tuple[int, ...]:
    """Where each block begins, and where the last one ends."""
    return tuple(accumulate(sizes, initial=0))
