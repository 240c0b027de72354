"""Branches of one input, joined again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._typing import Array, Shape
from ..norms import Bounds
from ..operators import LinearOperator
from ..operators.algebra import ProductOperator, SumOperator
from .add import Add
from .base import Layer, Ord
from .composite import Composite, Known, affine_norm, linear_part, passed, through
from .concatenate import Concatenate
from .regions import Region
from .sequential import checked_layer, common_ords


class Parallel(Composite):
    r"""Branches side by side, whose outputs one layer joins.

    Parameters
    ----------
    *branches : Layer
        At least one, of one input each.
    merge : {"add", "concatenate"} or Layer
        How the outputs are joined; `Multiply` or any other layer that takes as many inputs as there are branches.
    axis : int
        Axis of a sample along which "concatenate" joins.
    separate : bool
        Whether each branch has an input of its own, and the layer as many inputs as branches, rather than one that all
        branches share.

    Attributes
    ----------
    branches : tuple of Layer
        What was given.
    merger : Layer
        The layer that joins.

    Raises
    ------
    TypeError
        If a branch or `merge` is not a layer.
    ValueError
        If there is no branch, `merge` is an unknown word, or numbers of inputs do not fit.

    See Also
    --------
    Residual : The sum of a branch and its input.

    Notes
    -----
    With branches :math:`f_i` of constants :math:`L_i` and a merging layer whose constants with respect to its inputs
    are :math:`M_i`, on the images of the branches, the constant is at most :math:`\sum M_i L_i`; for a concatenation
    :math:`\sqrt{\sum L_i^2}` (ord 2), :math:`\sum L_i` (ord 1), :math:`\max L_i` (ord inf). Where all branches are
    affine and the sum is too, it is the norm of the one operator that they make, from both sides. With separate inputs
    a concatenation has the constant :math:`\max L_i`: its Jacobian is block diagonal.

    The Jacobian is :math:`\sum_i M_i J_i`, one product with each branch.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> both = lc.layers.Parallel(lc.layers.Add((2,)), lc.layers.Add((3,)), merge="concatenate")
    >>> both(np.array([[1.0]]))
    array([[2., 3.]])
    >>> float(np.round(both.lipschitz(2, input_shape=(1,)).upper, 12))
    3.605551275464
    """

    def __init__(self, *branches: Layer, merge: str | Layer = "add", axis: int = 0, separate: bool = False) -> None:
        if not branches:
            raise ValueError("`branches` must hold at least one layer, got none")
        for place, branch in enumerate(branches):
            checked_layer(branch, f"branches[{place}]")
            if branch.inputs not in (1, None):
                raise ValueError(f"`branches[{place}]` must take one input, {type(branch).__name__} takes more")
        self.branches = branches
        self.merger = _merger(merge, axis)
        if self.merger.inputs not in (None, len(branches)):
            raise ValueError(f"`merge` takes {self.merger.inputs} inputs, there are {len(branches)} branches")
        self.separate = separate
        self.inputs = len(branches) if separate else 1
        self.ords = common_ords((*branches, self.merger))

    def _shared(self, members: Sequence[Any]) -> list[Any]:
        """One member for each branch."""
        return list(members) if self.separate else [members[0]] * len(self.branches)

    def _forward(self, *xs: Array) -> Array:
        return self.merger(*(branch(x) for branch, x in zip(self.branches, self._shared(xs), strict=True)))

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self.linearize(*xs)[1]

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output and Jacobians of one forward pass."""
        pairs = [branch.linearize(x) for branch, x in zip(self.branches, self._shared(xs), strict=True)]
        y, outer = self.merger.linearize(*(value for value, _ in pairs))
        parts = tuple(ProductOperator(last, first) for last, (_, (first,)) in zip(outer, pairs, strict=True))
        return y, parts if self.separate or len(parts) == 1 else (SumOperator(*parts),)

    def _through(
        self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]
    ) -> tuple[tuple[Bounds, ...], Known]:
        before, images, outputs = self._before(ord, regions, shapes)
        gains = self.merger.gains(ord, images, input_shape=outputs)
        known = passed(self.merger, images, outputs)
        if self.separate:
            # a multiple of columns of the identity has the norm of the factor exactly; nothing is known of others
            exact = isinstance(self.merger, Add | Concatenate)
            pairs = zip(gains, before, strict=True)
            return tuple(gain * earlier if exact else gain @ earlier for gain, earlier in pairs), known
        total = self.merger.constant_after(ord, gains, before)
        whole = self._whole(ord, shapes[0])
        return (whole if whole is not None and whole.upper < total.upper else total,), known

    def _before(
        self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]
    ) -> tuple[tuple[Bounds, ...], tuple[Region | None, ...], tuple[Shape | None, ...]]:
        """Constants, images and output shapes of the branches."""
        triples = zip(self.branches, self._shared(regions), self._shared(shapes), strict=True)
        found = [through(branch, ord, (region,), (shape,)) for branch, region, shape in triples]
        images, outputs = zip(*(known for _, known in found), strict=True)
        return tuple(gain for (gain,), _ in found), images, outputs

    def _bounds(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Bounds:
        if self.separate and isinstance(self.merger, Concatenate):
            return self.merger.constant_beside(ord, self._before(ord, regions, shapes)[0])
        return super()._bounds(ord, regions, shapes)

    def _whole(self, ord: Ord, shape: Shape | None) -> Bounds | None:
        """Norm of the whole where it is affine and more than one branch says something."""
        if shape is None or ord == "token" or len(self.branches) == 1:
            return None
        return affine_norm(self, ord, shape)

    def linear_part(self, shape: Shape, like: Array) -> LinearOperator | None:
        """Sum of the branches' linear parts behind the merging layer's, where all are affine."""
        if self.separate or not isinstance(self.merger, Add | Concatenate):
            return None
        parts = [linear_part(branch, shape, like) for branch in self.branches]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        outer = self.merger.operators([tuple(part.range_shape) for part in known], like)
        products = [ProductOperator(last, first) for last, first in zip(outer, known, strict=True)]
        return SumOperator(*products)

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        triples = zip(self.branches, self._shared(regions), self._shared(shapes), strict=True)
        images, outputs = zip(*(passed(branch, (region,), (shape,)) for branch, region, shape in triples), strict=True)
        return self.merger.image(images, input_shape=outputs)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the joined outputs."""
        pairs = zip(self.branches, self._shared(input_shapes), strict=True)
        return self.merger.output_shape(*(branch.output_shape(shape) for branch, shape in pairs))


def _merger(merge: str | Layer, axis: int) -> Layer:
    if merge == "add":
        return Add()
    if merge == "concatenate":
        return Concatenate(axis)
    if isinstance(merge, str):
        raise ValueError(f'`merge` must be "add", "concatenate" or a layer, got {merge!r}')
    return checked_layer(merge, "merge")
