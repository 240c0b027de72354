"""Dropout in evaluation, and with a fixed mask."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from ..operators import Diagonal, LinearOperator
from ..operators import Identity as IdentityOperator
from .base import Ord
from .linear import LinearLayer
from .regions import Region
from .scalars import finite


class Dropout(LinearLayer):
    r"""Dropout: nothing in evaluation, :math:`m \circ x / (1 - p)` with a fixed mask m.

    Parameters
    ----------
    p : float
        Probability of an entry to be dropped, at least 0 and below 1.
    mask : array, shape (*sample_shape), optional
        Zeros and ones, or booleans: the entries that are kept, in all samples.
    seed : int, optional
        Seed that the mask is drawn by instead, anew for each shape.

    Raises
    ------
    ValueError
        If `p` is out of range, both `mask` and `seed` are given, or `mask` holds other numbers.

    Notes
    -----
    In evaluation the constant is 1. With a fixed mask it is :math:`1/(1 - p)` in every norm, unless nothing is kept. A
    mask that is drawn anew at each call makes another function each time, to which no constant belongs.
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.layers.Dropout(0.5)(np.array([[1.0, 2.0]]))
    array([[1., 2.]])
    >>> fixed = lc.layers.Dropout(0.5, mask=np.array([1.0, 0.0]))
    >>> fixed(np.array([[1.0, 2.0]]))
    array([[2., 0.]])
    >>> fixed.lipschitz().upper
    2.0
    """

    nonnegative = True

    def __init__(self, p: float = 0.5, mask: Array | None = None, *, seed: int | None = None) -> None:
        self.p = finite(p, "p")
        if not 0 <= self.p < 1:
            raise ValueError(f"`p` must be at least 0 and below 1, got {p!r}")
        if mask is not None and seed is not None:
            raise ValueError("give either `mask` or `seed`, not both")
        self.mask, self.seed = mask, seed
        self._host = None
        if mask is not None:
            B.array_namespace(mask, name="mask")
            self._host = np.asarray(B.to_numpy(mask), dtype=np.float64)
            if not np.all((self._host == 0) | (self._host == 1)):
                raise ValueError("`mask` must hold zeros and ones, or booleans")

    def kept(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """The mask for samples of a shape, of zeros and ones."""
        if self._host is not None:
            if self._host.shape != tuple(shape):
                raise ValueError(f"`mask` has shape {self._host.shape}, a sample {tuple(shape)}")
            return self._host
        if self.seed is None:
            return np.ones(shape)
        return (np.random.default_rng(self.seed).random(shape) >= self.p).astype(np.float64)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample, that of the input."""
        return tuple(input_shapes[0])

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        xp, device = B.array_namespace(like), B.device_of(like)
        if self.mask is None and self.seed is None:
            same = IdentityOperator(math.prod(shape), dtype=like.dtype, xp=xp, device=device)
            return same.with_shapes(shape, shape)
        factors = (self.kept(shape) / (1 - self.p)).reshape(-1)
        name = B.dtype_name(like.dtype)
        host = factors.astype(name if name in ("float32", "float64") else "float32")
        return Diagonal(B.cast(B.from_numpy(host, xp=xp, device=device), like.dtype)).with_shapes(shape, shape)

    def _terms(self, shape: Shape) -> int:
        return 1

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        if self.mask is None and self.seed is None:
            return Bounds(1.0, 1.0, "rigorous", ord=ord, method="identity")
        mask = self._host if self._host is not None else self.kept(self.known_shape(shape))
        if not np.any(mask):
            return Bounds(0.0, 0.0, "rigorous", ord=ord, method="nothing is kept")
        value = 1 / (1 - self.p)
        exact = math.frexp(1 - self.p)[0] == 0.5
        ends = (value, value) if exact else (value * (1 - 4e-16), value * (1 + 4e-16))
        return Bounds(*ends, "rigorous", ord=ord, method="factor of what is kept")
