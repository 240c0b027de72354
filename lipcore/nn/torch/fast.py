"""Pairs and windows with derivatives of their own, several times as fast as what autograd makes of the parts."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch.nn import functional

from ..._typing import Array


class SwapPairs(torch.autograd.Function):
    """Neighbours along an axis exchanged where a mask says so: an involution, and its own transpose.

    ``SwapPairs.apply(x, mask, axis)``, where `mask` has the shape of `x` with half as many entries along `axis`, which
    counts from the front.
    """

    @staticmethod
    def forward(x: Array, mask: Array, axis: int) -> Array:
        """Exchanged entries."""
        first, second = _pairs(x, axis)
        y = torch.empty_like(x)
        one, two = _pairs(y, axis)
        torch.where(mask, second, first, out=one)
        torch.where(mask, first, second, out=two)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Array) -> None:
        """Keep the mask."""
        _, mask, ctx.axis = inputs
        ctx.save_for_backward(mask)
        ctx.save_for_forward(mask)

    @staticmethod
    def backward(ctx: Any, dy: Array) -> Any:
        """The same exchange."""
        return SwapPairs.apply(dy, ctx.saved_tensors[0], ctx.axis), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Array, *_: Any) -> Array:
        """The same exchange."""
        return SwapPairs.apply(dx, ctx.saved_tensors[0], ctx.axis)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Array, mask: Array, axis: int) -> Any:
        """A batch is one more axis in front."""
        x, mask = (
            t.expand(info.batch_size, *t.shape) if d is None else t.movedim(d, 0)
            for t, d in zip((x, mask), in_dims, strict=False)
        )
        return SwapPairs.apply(x, mask, axis + 1), 0


def sort_pairs(x: Array, axis: int, descending: bool = False) -> Array:
    """Neighbours along an axis, which counts from the front, in order."""
    if torch.compiler.is_compiling():  # which makes as fast a program of the parts, and does not know of forward mode
        first, second = _pairs(x, axis)
        mask = first < second if descending else first > second
        parts = torch.where(mask, second, first), torch.where(mask, first, second)
        return torch.stack(parts, dim=axis + 1).flatten(axis, axis + 1)
    first, second = _pairs(x.detach(), axis)
    return SwapPairs.apply(x, first < second if descending else first > second, axis)


def lengths(x: Array, kernel: tuple[int, ...]) -> Array:
    """Euclidean norms of windows side by side; the derivative at zero is zero."""
    if torch.compiler.is_compiling():
        return root(sum(part * part for part in _parts(x, kernel)))
    found: Array = Lengths.apply(x, kernel)
    return found


def root(squares: Array) -> Array:
    """Root whose derivative at zero is zero."""
    there = squares > 0
    return torch.sqrt(torch.where(there, squares, torch.ones_like(squares))) * there


class Lengths(torch.autograd.Function):
    """Euclidean norms of windows side by side, ``Lengths.apply(x, kernel)``; the derivative at zero is zero.

    What lies beyond the last whole window is left out.
    """

    @staticmethod
    def forward(x: Array, kernel: tuple[int, int]) -> Array:
        """Lengths."""
        total = None
        for part in _parts(x, kernel):
            total = part * part if total is None else total.addcmul_(part, part)
        return total.sqrt_()  # type: ignore[union-attr]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Array) -> None:
        """Keep input and output."""
        x, ctx.kernel = inputs
        ctx.save_for_backward(x, output)
        ctx.save_for_forward(x, output)

    @staticmethod
    def backward(ctx: Any, dy: Array) -> Any:
        """Entries over the length of their window."""
        x, y = ctx.saved_tensors
        slopes = torch.where(y > 0, dy / y, torch.zeros_like(y))
        high, wide = (n // k * k for n, k in zip(x.shape[-2:], ctx.kernel, strict=True))
        dx = functional.interpolate(slopes, scale_factor=ctx.kernel) * x[..., :high, :wide]
        rest = (0, x.shape[-1] - wide, 0, x.shape[-2] - high)
        return (functional.pad(dx, rest) if any(rest) else dx), None

    @staticmethod
    def jvp(ctx: Any, dx: Array, *_: Any) -> Array:
        """Inner products with the directions of windows."""
        x, y = ctx.saved_tensors
        inner = sum(a * b for a, b in zip(_parts(x, ctx.kernel), _parts(dx, ctx.kernel), strict=True))
        return torch.where(y > 0, inner / y, torch.zeros_like(y))

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Array, kernel: tuple[int, int]) -> Any:
        """A batch is more samples."""
        x = x.movedim(in_dims[0], 0)
        return Lengths.apply(x.flatten(0, 1), kernel).unflatten(0, (x.shape[0], x.shape[1])), 0


def _pairs(x: Array, axis: int) -> tuple[Array, Array]:
    size = x.shape[axis]
    return tuple(x.unflatten(axis, (size // 2, 2)).unbind(axis + 1))


def _parts(x: Array, kernel: tuple[int, ...]) -> list[Array]:
    """The pixels of each window, one place after the other."""
    high, wide = (n // k * k for n, k in zip(x.shape[-2:], kernel, strict=True))
    return [x[..., i : high : kernel[0], j : wide : kernel[1]] for i, j in product(*map(range, kernel))]
