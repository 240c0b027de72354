"""Padding of images at their borders, and the exact adjoints."""

from __future__ import annotations

from typing import Any

import array_api_compat as compat

from .._typing import Array, Shape
from .namespace import device_of, is_jax, is_numpy, is_torch

Pads = tuple[tuple[int, int], ...]

PADDING_MODES = ("zeros", "circular", "reflect", "replicate")


def check_pads(spatial: Shape, pads: Pads, mode: str) -> None:
    """Raise ValueError where `mode` cannot fill `pads` from images of size `spatial`, as torch does."""
    if mode not in PADDING_MODES:
        raise ValueError(f"`padding_mode` must be one of {', '.join(PADDING_MODES)}, got {mode!r}")
    for axis, (size, pair) in enumerate(zip(spatial, pads, strict=True)):
        most = {"circular": size, "reflect": size - 1}.get(mode)
        if most is not None and max(pair) > most:
            raise ValueError(
                f"`padding` {pair} on spatial axis {axis} of size {size} is too wide for "
                f"padding_mode={mode!r}, which takes at most {most} on each side"
            )


def pad(x: Array, pads: Pads, mode: str = "zeros") -> Array:
    """`x` (..., *spatial) widened by `pads`, one pair (before, after) per spatial axis.

    Modes are those of torch: zeros, circular (wraps once at most), reflect (without the border pixel), replicate.
    """
    check_pads(x.shape[x.ndim - len(pads) :], pads, mode)
    if not any(map(any, pads)):
        return x
    xp = compat.array_namespace(x)
    if is_numpy(xp):
        return _pad_in_place(x, pads, mode, xp)
    if mode == "zeros" and is_torch(xp):
        from torch.nn.functional import pad as torch_pad

        return torch_pad(x, [p for pair in reversed(pads) for p in pair])
    if mode == "zeros" and is_jax(xp):
        return xp.pad(x, [(0, 0)] * (x.ndim - len(pads)) + list(pads))
    for axis, pair in enumerate(pads, start=x.ndim - len(pads)):
        if any(pair):
            pieces = [_border(x, axis, pair, mode, side, xp) for side in (0, 1)]
            x = xp.concat([pieces[0], x, pieces[1]], axis=axis)
    return x


def pad_adjoint(y: Array, pads: Pads, mode: str = "zeros") -> Array:
    """Adjoint of `pad`: what was copied into the borders of `y` comes back to the pixel that it was copied from."""
    first = y.ndim - len(pads)
    sizes = [n - sum(pair) for n, pair in zip(y.shape[first:], pads, strict=True)]
    check_pads(tuple(sizes), pads, mode)
    inner = (..., *(slice(pair[0], pair[0] + n) for n, pair in zip(sizes, pads, strict=True)))
    if mode == "zeros" or not any(map(any, pads)):
        return y[inner]
    xp = compat.array_namespace(y)
    for axis, (pair, n) in enumerate(zip(pads, sizes, strict=True), start=first):
        before, after = pair
        middle = _cut(y, axis, before, before + n)
        if is_numpy(xp):
            middle = middle.copy()
        if before:
            middle = _fold(middle, _cut(y, axis, 0, before), axis, mode, 0, xp)
        if after:
            middle = _fold(middle, _cut(y, axis, before + n, before + n + after), axis, mode, 1, xp)
        y = middle
    return y


def _cut(x: Array, axis: int, start: int, stop: int) -> Array:
    return x[(*(slice(None),) * axis, slice(start, stop), ...)]


def _origin(size: int, width: int, mode: str, side: int) -> tuple[int, int]:
    """First and last-plus-one pixel of which a border of `width` pixels is made."""
    if mode == "circular":
        return (size - width, size) if side == 0 else (0, width)
    if mode == "reflect":
        return (1, width + 1) if side == 0 else (size - 1 - width, size - 1)
    return (0, 1) if side == 0 else (size - 1, size)


def _border(x: Array, axis: int, pair: tuple[int, int], mode: str, side: int, xp: Any) -> Array:
    shape = (*x.shape[:axis], pair[side], *x.shape[axis + 1 :])
    if mode == "zeros":
        return xp.zeros(shape, dtype=x.dtype, device=device_of(x))
    piece = _cut(x, axis, *_origin(x.shape[axis], pair[side], mode, side))
    if mode == "reflect":
        return xp.flip(piece, axis=axis)
    return xp.broadcast_to(piece, shape) if mode == "replicate" else piece


def _pad_in_place(x: Array, pads: Pads, mode: str, xp: Any) -> Array:
    """One copy of `x` for all axes, borders filled one axis after the other."""
    first = x.ndim - len(pads)
    shape = (*x.shape[:first], *(n + sum(pair) for n, pair in zip(x.shape[first:], pads, strict=True)))
    out = xp.zeros(shape, dtype=x.dtype) if mode == "zeros" else xp.empty(shape, dtype=x.dtype)
    inner = [slice(pair[0], pair[0] + n) for n, pair in zip(x.shape[first:], pads, strict=True)]
    out[(..., *inner)] = x
    if mode == "zeros":
        return out
    for axis, pair in enumerate(pads):
        filled = out[(..., *(slice(None) for _ in pads[:axis]), *inner[axis:])]  # complete along the axes before
        target = out[(..., *(slice(None) for _ in pads[: axis + 1]), *inner[axis + 1 :])]
        for side in (0, 1):
            if pair[side]:
                start = 0 if side == 0 else target.shape[first + axis] - pair[side]
                _cut(target, first + axis, start, start + pair[side])[...] = _border(
                    filled, first + axis, pair, mode, side, xp
                )
    return out


def _fold(x: Array, border: Array, axis: int, mode: str, side: int, xp: Any) -> Array:
    """`x` with `border` added to the pixels that it was made of; overwrites `x` on NumPy."""
    size, width = x.shape[axis], border.shape[axis]
    if mode == "reflect":
        border = xp.flip(border, axis=axis)
    elif mode == "replicate":
        border = xp.sum(border, axis=axis, keepdims=True, dtype=border.dtype)
    start, stop = _origin(size, width, mode, side)
    if is_numpy(xp):
        _cut(x, axis, start, stop)[...] += border
        return x
    changed = _cut(x, axis, start, stop) + border
    return xp.concat([_cut(x, axis, 0, start), changed, _cut(x, axis, stop, size)], axis=axis)
