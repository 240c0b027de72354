"""Division by the norm while training: power iterations that go on where the last step stopped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..._typing import Array
from ...norms.symbol import polyphase

# Entries of all symbols together: more angles than that cost more than they find.
_MOST = 2**22


class WarmSpectral(nn.Module):
    r"""Weight over an estimate of its norm, for training only.

    Parameters
    ----------
    shape : tuple of int
        Of the weight, dense or a kernel.
    stride, dilation : int or tuple of int
        Of the convolution.
    groups : int
        Of the convolution.
    steps : int
        Power iterations per call.

    Notes
    -----
    For a kernel, the symbol at angles :math:`2 \pi j / N` of half a torus; for a matrix, itself. One right singular
    vector each is kept in the buffer `vectors`, which only calls in training mode write. The largest norm found is a
    lower estimate, near enough to train with: what counts is made by the certified construction in evaluation mode.
    """

    def __init__(
        self, shape: Sequence[int], *, stride: Any = 1, groups: int = 1, dilation: Any = 1, steps: int = 1
    ) -> None:
        super().__init__()
        self.steps, self.groups = steps, groups
        shape = tuple(int(n) for n in shape)
        outputs, spatial = shape[0] // groups, len(shape) - 2
        places, cosines, sines = _symbol_tables(shape, stride, groups, dilation, outputs)
        self.inputs, self.outputs, self.spatial = places.shape[2], outputs, spatial
        # tables do not belong to the state; starting vectors do
        self.register_buffer("places", torch.from_numpy(places.reshape(-1)), persistent=False)
        self.register_buffer("cosines", torch.from_numpy(cosines).float(), persistent=False)
        self.register_buffer("sines", torch.from_numpy(sines).float(), persistent=False)
        # three axes: `Module.to(memory_format=...)` wants to lay out buffers of four or five
        start = np.random.default_rng(0).standard_normal((2, len(cosines) * groups, self.inputs))
        self.register_buffer("vectors", torch.from_numpy(start).float())

    def forward(self, weight: Array) -> Array:
        """`weight` over its norm, as far as it is known."""
        with torch.no_grad():
            real, imaginary, v = self._iterate(weight, self.steps)
            lengths = _norm(_times(real, imaginary, v))
            best = torch.argmax(lengths.reshape(-1))
            angle, group = best // self.groups, best % self.groups
            chosen = v[:, angle, group].clone()
            largest = lengths.reshape(-1)[best]
            phase = torch.stack([self.cosines[angle], self.sines[angle]]).to(weight.dtype)
        matrix = self._split(weight)[group]  # (outputs, inputs, taps)
        norm = _norm(_times(matrix @ phase[0], matrix @ phase[1], chosen))
        tiny = torch.finfo(weight.dtype).tiny * 4
        return weight / torch.where(largest > tiny, norm, torch.ones_like(norm)).reshape(())

    def warm_up(self, weight: Array, steps: int = 20) -> None:
        """Bring the vectors near to those of `weight`."""
        with torch.no_grad():
            self._iterate(weight, steps)

    def _iterate(self, weight: Array, steps: int) -> tuple[Array, Array, Array]:
        real, imaginary = self._symbols(weight)
        v = self.vectors.to(weight.dtype).reshape(2, -1, self.groups, self.inputs, 1)
        for _ in range(steps):
            v = self._step(real, imaginary, v)
        self.vectors.copy_(v.reshape(self.vectors.shape))
        return real, imaginary, v

    def _split(self, weight: Array) -> Array:
        """Polyphase components, (groups, outputs, inputs, taps)."""
        flat = torch.cat([weight.new_zeros(1), weight.reshape(-1)])
        return flat[self.places].reshape(self.groups, self.outputs, self.inputs, -1)

    def _symbols(self, weight: Array) -> tuple[Array, Array]:
        """Real and imaginary parts, (angles, groups, outputs, inputs)."""
        split = self._split(weight)
        tables = (self.cosines, self.sines)
        real, imaginary = (torch.movedim(split @ t.to(weight.dtype).mT, -1, 0) for t in tables)
        return real, imaginary

    @staticmethod
    def _step(real: Array, imaginary: Array, v: Array) -> Array:
        w = _times(real.mT, -imaginary.mT, _times(real, imaginary, v))
        length = torch.sqrt(torch.sum(w * w, dim=(0, -2, -1), keepdim=True))
        # what the matrix takes to nothing keeps its vector
        return torch.where(length > torch.finfo(v.dtype).tiny * 4, w / length, v)


def _times(real: Array, imaginary: Array, v: Array) -> Array:
    """A complex matrix times a complex vector, the parts along axis 0."""
    return torch.stack([real @ v[0] - imaginary @ v[1], real @ v[1] + imaginary @ v[0]])


def _norm(w: Array) -> Array:
    """Euclidean norm of complex columns, without the derivative's pole at zero."""
    squares = torch.sum(w * w, dim=(0, -2, -1))
    return torch.sqrt(torch.where(squares > 0, squares, torch.ones_like(squares))) * (squares > 0)


def _symbol_tables(
    shape: tuple[int, ...], stride: Any, groups: int, dilation: Any, outputs: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Places of the entries in the polyphase kernel (one up, 0 for none), and cosines and sines (angles, taps)."""
    spatial = len(shape) - 2
    if not spatial:
        entries = np.arange(1, math.prod(shape) + 1, dtype=np.int64)
        return entries.reshape(1, *shape, 1), np.ones((1, 1)), np.zeros((1, 1))
    steps, gaps = _per_axis(stride, spatial), _per_axis(dilation, spatial)
    numbers = np.arange(1.0, math.prod(shape) + 1).reshape(shape)
    split, positions = polyphase(numbers, steps, groups, gaps)
    places = split.astype(np.int64)  # (groups, outputs, inputs', *taps)
    size = max(places.shape[1] * places.shape[2] * groups, 1)
    extent = max(len(p) for p in positions)
    most = max(int((2 * _MOST / size) ** (1 / spatial)), 2)
    count = 1 if extent == 1 else min(max(4 * (extent - 1), 8), most)
    grid = np.meshgrid(*(np.arange(count),) * spatial, indexing="ij")
    index = np.stack([g.reshape(-1) for g in grid], axis=1)
    # the symbol of a real kernel has the same norm at theta and at -theta
    opposite = (-index) % count
    index = index[[tuple(a) <= tuple(b) for a, b in zip(index, opposite, strict=True)]]
    mesh = np.meshgrid(*positions, indexing="ij")
    taps = np.stack([m.reshape(-1) for m in mesh], axis=1)
    angles = 2 * np.pi / count * index @ taps.T
    return places.reshape(*places.shape[:3], -1), np.cos(angles), -np.sin(angles)


def _per_axis(option: Any, spatial: int) -> tuple[int, ...]:
    return tuple(option) if isinstance(option, Sequence) else (int(option),) * spatial
