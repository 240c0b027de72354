"""lipcore layers of an input and a branch that are not their sum."""

from __future__ import annotations

import math

from ... import _backend as B
from ... import layers as L
from ..._typing import Array, Shape
from ...layers.base import Ord
from ...layers.merging import identity_on
from ...norms import Bounds
from ...norms import rounding as r
from ...operators import BlockDiagonal, Diagonal, LinearOperator


class _Branch(L.Layer):
    """A layer around one other."""

    def __init__(self, branch: L.Layer) -> None:
        self.branch = branch
        self.ords = tuple(ord for ord in (1, 2, math.inf) if ord in branch.ords)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the input."""
        return tuple(input_shapes[0])


class HalfBranch(_Branch):
    r"""The first half of a sample along its first axis as it is, and a branch of the second.

    Parameters
    ----------
    branch : Layer
        Keeps the shape of its half.

    Notes
    -----
    The Jacobian is block diagonal: the constant is the larger of 1 and the branch's in the 1-, 2- and inf-norm. Of an
    odd number of channels the first part has one more.
    """

    def _split(self, shape: Shape) -> tuple[int, Shape, Shape]:
        """Where the second half begins, and the shapes of both."""
        if shape[0] < 2:
            raise ValueError(f"HalfBranch takes samples with at least two channels, got the shape {shape}")
        start = -(-shape[0] // 2)
        return start, (start, *shape[1:]), (shape[0] - start, *shape[1:])

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        start, _, _ = self._split(tuple(x.shape[1:]))
        return B.array_namespace(x).concat([x[:, :start, ...], self.branch(x[:, start:, ...])], axis=1)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        start, first, _ = self._split(tuple(x.shape[1:]))
        return (BlockDiagonal([identity_on(x, first), self.branch.jacobian(x[:, start:, ...])]),)

    def _constant(self, ord: Ord, region: L.Region | None, shape: Shape | None) -> Bounds:
        known = region.shape if region is not None else shape
        if known is None:
            return Bounds(1.0, 1.0, "rigorous", ord=ord).maximum(self.branch.lipschitz(ord))
        start, _, second = self._split(tuple(known))
        part = None if region is None else L.Slice(slice(start, None)).image(region)
        return Bounds(1.0, 1.0, "rigorous", ord=ord).maximum(self.branch.lipschitz(ord, part, input_shape=second))


class PairedLengths(_Branch):
    r"""Root mean squares of an input and a branch, :math:`\sqrt{(x^2 + g(x)^2) / 2}`, entry by entry.

    Parameters
    ----------
    branch : Layer
        Keeps the shape of a sample.

    Notes
    -----
    An entry of the output is the length of a pair, which moves by no more than the pair: the constant is at most
    :math:`\sqrt{(1 + L^2) / 2}` in the 2- and inf-norm and :math:`(1 + L) / \sqrt 2` in the 1-norm.
    """

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        y = self.branch(x)
        return B.array_namespace(x).sqrt((x * x + y * y) / 2)

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        (x,) = xs
        xp = B.array_namespace(x)
        y, (inner,) = self.branch.linearize(x)
        length = xp.sqrt((x * x + y * y) / 2)
        there = length > 0
        shares = (
            xp.where(there, part / (2 * xp.where(there, length, xp.ones_like(length))), xp.zeros_like(part))
            for part in (x, y)
        )
        one, two = (Diagonal(xp.reshape(share, (x.shape[0], -1))) for share in shares)
        return (one + two @ inner,)

    def _constant(self, ord: Ord, region: L.Region | None, shape: Shape | None) -> Bounds:
        gain = self.branch.lipschitz(ord, region, input_shape=shape)
        if ord == 1:
            top = r.mul_up(r.add_up(1.0, gain.upper), r.sqrt_up(0.5))
        else:
            top = r.sqrt_up(r.mul_up(0.5, r.add_up(1.0, r.mul_up(gain.upper, gain.upper))))
        return Bounds(0.0, float(top), gain.kind, gain.failure_probability, ord=ord, method="lengths of pairs")


__all__ = ["HalfBranch", "PairedLengths"]
