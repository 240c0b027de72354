"""Samples read as having another shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .. import _backend as B
from .._typing import Array, Shape
from ..operators import Identity, LinearOperator
from .entries import EntryLayer
from .pixel_shuffle import rearranged


class _Reshaping(EntryLayer):
    """A sample read as having another shape."""

    def _target(self, shape: Shape) -> Shape:
        raise NotImplementedError

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        return self._target(tuple(input_shapes[0]))

    def _forward(self, *xs: Array) -> Array:
        (x,) = xs
        return B.array_namespace(x).reshape(x, (x.shape[0], *self._target(tuple(x.shape[1:]))))

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        identity = Identity(math.prod(shape), like.dtype, xp=B.array_namespace(like), device=B.device_of(like))
        return identity.with_shapes(shape, self._target(shape))


class Flatten(_Reshaping):
    r"""Neighbouring axes of a sample as one: torch's ``Flatten``.

    Parameters
    ----------
    start_dim, end_dim : int, optional
        First and last axis to join. As in torch, axis 0 is that of the samples and stays; negative numbers count from
        the end.

    Raises
    ------
    ValueError
        If the axes are not those of a sample, in order.

    Notes
    -----
    The Jacobian is the identity, and the constant 1 in every norm. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Flatten()(np.ones((2, 3, 4, 5))).shape
    (2, 60)
    >>> lc.layers.Flatten(2)(np.ones((2, 3, 4, 5))).shape
    (2, 3, 20)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        given: dict[str, Any] = {"start_dim": start_dim, "end_dim": end_dim}
        for name, value in given.items():
            if not isinstance(value, int) or value == 0:
                raise ValueError(f"`{name}` must be an axis other than 0, that of the samples, got {value!r}")
        self.start_dim, self.end_dim = start_dim, end_dim

    def _target(self, shape: Shape) -> Shape:
        rank = len(shape) + 1
        first, last = (d + rank if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 1 <= first <= last < rank:
            if rank == 1 and (self.start_dim, self.end_dim) == (1, -1):
                return (1,)  # a sample that is a number
            raise ValueError(
                f"`start_dim` {self.start_dim} and `end_dim` {self.end_dim} do not fit samples of shape {shape}"
            )
        return (*shape[: first - 1], math.prod(shape[first - 1 : last]), *shape[last:])


class Reshape(_Reshaping):
    r"""A sample read as having another shape.

    Parameters
    ----------
    shape : tuple of int
        Shape of one sample, without the sample axis; one entry may be -1, for what is left.

    Raises
    ------
    ValueError
        If `shape` is not made of such integers, or does not hold as many entries as the sample.

    Notes
    -----
    The Jacobian is the identity, and the constant 1 in every norm. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Reshape((2, -1))(np.ones((5, 6))).shape
    (5, 2, 3)
    """

    def __init__(self, shape: Sequence[int]) -> None:
        sizes: tuple[Any, ...] = tuple(shape)
        if any(not isinstance(n, int) or n < -1 for n in sizes) or sizes.count(-1) > 1:
            raise ValueError(f"`shape` must be nonnegative integers with at most one -1, got {shape!r}")
        self.shape = sizes

    def _target(self, shape: Shape) -> Shape:
        n, known = math.prod(shape), math.prod(s for s in self.shape if s != -1)
        if -1 in self.shape and known and n % known == 0:
            return tuple(n // known if s == -1 else s for s in self.shape)
        if -1 in self.shape or known != n:
            raise ValueError(f"`shape` {self.shape} does not hold the {n} entries of samples of shape {shape}")
        return self.shape


class Permute(EntryLayer):
    r"""Axes of a sample in another order.

    Parameters
    ----------
    axes : sequence of int
        Permutation of the axes of a sample, counted from 0 without the sample axis: axis i of the output is axis
        ``axes[i]`` of the input.

    Raises
    ------
    ValueError
        If `axes` is no permutation, or has not as many entries as the sample has axes.

    Notes
    -----
    The Jacobian is a permutation, and the constant 1 in every norm. Kind: rigorous.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Permute((2, 0, 1))(np.ones((5, 2, 3, 4))).shape
    (5, 4, 2, 3)
    """

    def __init__(self, axes: Sequence[int]) -> None:
        self.axes: Any = tuple(axes)
        if not all(isinstance(a, int) for a in self.axes) or sorted(self.axes) != list(range(len(self.axes))):
            raise ValueError(f"`axes` must be a permutation of 0, 1, ..., the axes of a sample, got {axes!r}")

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        if len(shape) != len(self.axes):
            raise ValueError(f"`axes` {self.axes} do not fit samples of shape {shape}")
        return rearranged(shape, self.axes, shape, tuple(shape[a] for a in self.axes), like)
