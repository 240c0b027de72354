"""Convolution on NumPy: patches gathered into a buffer that stays in the cache, then one product per buffer.

Forward: copy the patches of some output pixels (rows C_in taps, columns pixels), multiply the kernel matrix with them.
Adjoint: multiply first, then add each tap's rows where they came from. At stride 1 either may serve for both directions
(with a turned kernel); the one whose patches are fewer is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .._typing import Array, Shape
from .padding import Pads, pad

Block: TypeAlias = tuple[slice, tuple[slice, ...], slice]

# Bytes of the patch buffer. Single-threaded, 64 channels at 224 x 224: 0.5 MiB 48 ms, 2 MiB 41 ms, 8 MiB 55 ms.
_BUFFER = 2**21
# Fewer columns than these starve the matrix product.
_COLUMNS = 192


def convolve(x: Array, kernel: Array, stride: Shape, dilation: Shape, groups: int, pads: Pads) -> Array:
    """Cross-correlation of zero-padded `x` (b, c_in, *spatial)."""
    x = pad(x, pads, "zeros")
    size = _output(x.shape[2:], kernel.shape[2:], stride, dilation)
    if _is_pointwise(kernel, stride):
        return _pointwise(x, kernel, groups)
    if max(stride) == 1 and 2 * kernel.shape[0] < kernel.shape[1] * groups:
        reach = _reach(kernel.shape[2:], dilation)
        full = tuple(n + r for n, r in zip(x.shape[2:], reach, strict=True))
        y = _scatter(x, _turned(kernel, groups), full, stride, dilation, groups)
        return y[(..., *(slice(r, r + n) for r, n in zip(reach, size, strict=True)))]
    return _gather(x, kernel, size, stride, dilation, groups)


def convolve_transposed(
    y: Array, kernel: Array, spatial: Shape, stride: Shape, dilation: Shape, groups: int, pads: Pads
) -> Array:
    """Plain transpose of `convolve`, from `y` (b, c_out, *out) back onto `spatial`."""
    c_in = kernel.shape[1] * groups
    reach = _reach(kernel.shape[2:], dilation)
    if max(stride) == 1 and kernel.shape[0] <= c_in:
        # the same sum with a turned kernel over the fully padded y, less what falls into the padding
        around = tuple((r - before, r - after) for r, (before, after) in zip(reach, pads, strict=True))
        y = y[(..., *(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(y.shape[2:], around, strict=True)))]
        around = tuple((max(0, a), max(0, b)) for a, b in around)
        return convolve(y, _turned(kernel, groups), stride, dilation, groups, around)
    full = tuple(n + sum(p) for n, p in zip(spatial, pads, strict=True))
    if tuple(kernel.shape[:2]) == (groups, 1):
        x = _depthwise_transposed(y, kernel, full, stride, dilation)
    else:
        x = _scatter(y, kernel, full, stride, dilation, groups)
    return x[(..., *(slice(before, before + n) for n, (before, _) in zip(spatial, pads, strict=True)))]


def _is_pointwise(kernel: Array, stride: Shape) -> bool:
    return math.prod(kernel.shape[2:]) == 1 and max(stride) == 1


def _reach(taps: Shape, dilation: Shape) -> Shape:
    return tuple(d * (k - 1) for k, d in zip(taps, dilation, strict=True))


def _output(spatial: Shape, taps: Shape, stride: Shape, dilation: Shape) -> Shape:
    return tuple((n - r - 1) // s + 1 for n, r, s in zip(spatial, _reach(taps, dilation), stride, strict=True))


def _turned(kernel: Array, groups: int) -> Array:
    """The kernel of the transposed map at stride 1: taps reversed, channels exchanged within each group."""
    c_out, c_in, *taps = kernel.shape
    k = np.flip(kernel, axis=tuple(range(2, kernel.ndim))).reshape(groups, c_out // groups, c_in, *taps)
    return np.ascontiguousarray(np.swapaxes(k, 1, 2)).reshape(groups * c_in, c_out // groups, *taps)


def _blocks(batch: int, size: Shape, columns: int) -> Iterator[Block]:
    """Images, pixels as one slice per axis, and the same pixels as one run, at most `columns` in all."""
    columns = max(1, columns)
    pixels = math.prod(size)
    if pixels <= columns:
        step = columns // pixels
        for first in range(0, batch, step):
            yield slice(first, min(first + step, batch)), tuple(slice(0, n) for n in size), slice(0, pixels)
        return
    axis = next(a for a in range(len(size)) if math.prod(size[a + 1 :]) <= columns)  # the axis that is cut
    inner = math.prod(size[axis + 1 :])
    step = columns // inner
    whole = tuple(slice(0, n) for n in size[axis + 1 :])
    for image in range(batch):
        for number, index in enumerate(np.ndindex(*size[:axis])):
            single = tuple(slice(i, i + 1) for i in index)
            for first in range(0, size[axis], step):
                last = min(first + step, size[axis])
                start = number * size[axis] * inner
                run = slice(start + first * inner, start + last * inner)
                yield slice(image, image + 1), (*single, slice(first, last), *whole), run


def _buffer(batch: int, size: Shape, rows: int, dtype: Any) -> tuple[Array, Iterator[Block]]:
    """Workspace for `rows` entries per pixel, and the blocks that fit into it."""
    columns = max(_BUFFER // (rows * dtype.itemsize), _COLUMNS)
    columns = min(columns, batch * math.prod(size))
    return np.empty(rows * columns, dtype=dtype), _blocks(batch, size, columns)


def _pointwise(x: Array, kernel: Array, groups: int) -> Array:
    matrix = kernel.reshape(groups, -1, kernel.shape[1])
    y = np.matmul(matrix, x.reshape(x.shape[0], groups, kernel.shape[1], math.prod(x.shape[2:])))
    return y.reshape(x.shape[0], kernel.shape[0], *x.shape[2:])


def _gather(x: Array, kernel: Array, size: Shape, stride: Shape, dilation: Shape, groups: int) -> Array:
    batch, (c_out, c_in, *taps) = x.shape[0], kernel.shape
    rows = c_in * math.prod(taps)
    matrix = kernel.reshape(groups, c_out // groups, rows)
    steps = x.strides[2:]
    patches: Array = as_strided(
        x,
        (batch, groups, c_in, *taps, *size),
        (
            x.strides[0],
            c_in * x.strides[1],
            x.strides[1],
            *(d * w for d, w in zip(dilation, steps, strict=True)),
            *(s * w for s, w in zip(stride, steps, strict=True)),
        ),
        writeable=False,
    )
    y: Array = np.empty((batch, groups, c_out // groups, math.prod(size)), dtype=x.dtype)
    work, blocks = _buffer(batch, size, groups * rows, x.dtype)
    for images, block, run in blocks:
        view = patches[(images, ..., *block)]
        part = work[: view.size].reshape(view.shape)
        np.copyto(part, view)
        part = part.reshape(view.shape[0], groups, rows, run.stop - run.start)
        np.matmul(matrix, part, out=y[images, :, :, run])
    return y.reshape(batch, c_out, *size)


def _scatter(y: Array, kernel: Array, full: Shape, stride: Shape, dilation: Shape, groups: int) -> Array:
    batch, (c_out, c_in, *taps) = y.shape[0], kernel.shape
    size, rows = y.shape[2:], c_in * math.prod(taps)
    matrix = np.swapaxes(kernel.reshape(groups, c_out // groups, rows), 1, 2)
    flat = y.reshape(batch, groups, c_out // groups, math.prod(size))
    x: Array = np.zeros((batch, groups, c_in, *full), dtype=y.dtype)
    work, blocks = _buffer(batch, size, groups * rows, y.dtype)
    for images, block, run in blocks:
        count, pixels = images.stop - images.start, run.stop - run.start
        part = work[: count * groups * rows * pixels].reshape(count, groups, rows, pixels)
        np.matmul(matrix, flat[images, :, :, run], out=part)
        part = part.reshape(count, groups, c_in, *taps, *(b.stop - b.start for b in block))
        for tap in np.ndindex(*taps):
            x[(images, ..., *_landing(tap, block, stride, dilation))] += part[(slice(None),) * 3 + tap]
    return x.reshape(batch, groups * c_in, *full)


def _landing(tap: Shape, block: tuple[slice, ...], stride: Shape, dilation: Shape) -> tuple[slice, ...]:
    """The input pixels that `tap` joins to a block of output pixels."""
    return tuple(
        slice(t * d + s * b.start, t * d + s * (b.stop - 1) + 1, s)
        for t, b, s, d in zip(tap, block, stride, dilation, strict=True)
    )


def _planes(batch: int, channels: int, pixels: int, itemsize: int) -> Iterator[tuple[int, slice]]:
    """Channels of one image, as many as stay in the nearer cache with their operands."""
    step = max(1, _BUFFER // (16 * pixels * itemsize))
    for image in range(batch):
        for first in range(0, channels, step):
            yield image, slice(first, min(first + step, channels))


def _depthwise_transposed(y: Array, kernel: Array, full: Shape, stride: Shape, dilation: Shape) -> Array:
    """One multiplication and one addition per tap: faster here than products with columns of length one."""
    x: Array = np.zeros((y.shape[0], kernel.shape[0], *full), dtype=y.dtype)
    whole = tuple(slice(0, n) for n in y.shape[2:])
    weights = kernel.reshape(*kernel.shape, *(1,) * len(full))
    for image, channels in _planes(y.shape[0], kernel.shape[0], math.prod(full), y.dtype.itemsize):
        part, term = y[image, channels], np.empty_like(y[image, channels])
        for tap in np.ndindex(*kernel.shape[2:]):
            np.multiply(weights[(channels, 0, *tap)], part, term)
            x[(image, channels, *_landing(tap, whole, stride, dilation))] += term
    return x
