"""Sums of a branch and its input."""

from __future__ import annotations

from collections.abc import Sequence

from .._typing import Array, Shape
from ..norms import Bounds
from ..operators import LinearOperator
from .add import Add
from .base import Layer, Ord
from .linear import LinearLayer
from .merging import identity_on
from .parallel import Parallel
from .regions import Region
from .sequential import as_one


class Residual(Parallel):
    r"""A branch beside a shortcut, :math:`y = a\, s(x) + b\, g(x)`.

    Parameters
    ----------
    *branch : Layer
        The layers of :math:`g`, one after the other.
    shortcut : Layer, optional
        :math:`s`; the input itself by default.
    scale : pair of float
        The numbers a and b.

    Raises
    ------
    TypeError
        If a member is not a layer, or `scale` does not hold numbers.
    ValueError
        If the branch is empty or `scale` not a pair of finite numbers; from a call, if the two outputs differ in shape.

    See Also
    --------
    Parallel : Any branches of one input.

    Notes
    -----
    The constant is at most :math:`|a| L_s + |b| L_g` and at least :math:`\bigl| |a| L_s - |b| L_g \bigr|` (triangle
    inequality). Where both are affine it is the norm of :math:`a S + b G`, which may be far less:
    :math:`\|I - G\| = 0` for :math:`G = I`. The image of a region is the weighted sum of those of the two.

    The Jacobian is :math:`a J_s + b J_g`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> half = lc.layers.Residual(lc.layers.Add((-0.5,)))
    >>> half(np.array([[2.0, 4.0]]))
    array([[1., 2.]])
    >>> half.lipschitz(2).upper
    1.5
    """

    def __init__(self, *branch: Layer, shortcut: Layer | None = None, scale: Sequence[float] = (1.0, 1.0)) -> None:
        if not branch:
            raise ValueError("`branch` must hold at least one layer, got none")
        if len(scale) != 2:
            raise ValueError(f"`scale` must be a pair of numbers, got {scale!r}")
        super().__init__(Same() if shortcut is None else shortcut, as_one(branch), merge=Add(scale))


class Same(LinearLayer):
    """The input itself."""

    ords = Add.ords

    nonnegative = True

    def _operator(self, shape: Shape, arrays: object, like: Array) -> LinearOperator:
        return identity_on(like, shape)

    def _forward(self, *xs: Array) -> Array:
        return xs[0]

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        return Bounds(1.0, 1.0, "rigorous", ord=ord)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        return regions[0]

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the input."""
        return tuple(input_shapes[0])
