"""Convolution on NumPy: patches gathered into a buffer that stays in the cache, then one product per buffer.

Forward: copy the patches of some output pixels (rows C_in taps, columns pixels), multiply the kernel matrix with them.
Adjoint: multiply first, then add each tap's rows where they came from. At stride 1 either may serve for both directions
(with a turned kernel); the one whose patches are fewer is taken. Many small images are added up with the images as the
last axis, in long runs of memory.
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
# So many images make runs of memory that are longer than the rows of the images. Single-threaded, 16 to 8 channels,
# 7 x 7 to 14 x 14, stride 2, 1,250 images: 16 ms, and 6 ms with the images as the last axis.
_MANY = 64


def convolve(x: Array, kernel: Array, stride: Shape, dilation: Shape, groups: int, pads: Pads) -> Array:
    """Cross-correlation of zero-padded `x` (b, c_in, *spatial)."""
    x = pad(x, pads, "zeros")
    size = _output(x.shape[2:], kernel.shape[2:], stride, dilation)
    if _is_pointwise(kernel, stride):
        return _pointwise(x, kernel, groups)
    if max(stride) == 1 and 2 * kernel.shape[0] < kernel.shape[1] * groups:
        reach = _reach(kernel.shape[2:], dilation)
        full = tuple(n + r for n, r in zip(x.shape[2:], reach, strict=True))
        around = tuple((r, n - m - r) for n, m, r in zip(full, size, reach, strict=True))
        return _scatter(x, _turned(kernel, groups), size, stride, dilation, groups, around)
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
    if y.shape[0] >= _MANY and max(stride) > 1:
        return _scatter_many(y, kernel, spatial, stride, dilation, groups, pads)
    if tuple(kernel.shape[:2]) == (groups, 1):
        return _depthwise_transposed(y, kernel, spatial, stride, dilation, pads)
    return _scatter(y, kernel, spatial, stride, dilation, groups, pads)


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


def _scatter(y: Array, kernel: Array, spatial: Shape, stride: Shape, dilation: Shape, groups: int, pads: Pads) -> Array:
    batch, (c_out, c_in, *taps) = y.shape[0], kernel.shape
    size, rows = y.shape[2:], c_in * math.prod(taps)
    matrix = _by_rows(kernel, groups)
    flat = y.reshape(batch, groups, c_out // groups, math.prod(size))
    x: Array = np.zeros((batch, groups, c_in, *spatial), dtype=y.dtype)
    work, blocks = _buffer(batch, size, groups * rows, y.dtype)
    for images, block, run in blocks:
        count, pixels = images.stop - images.start, run.stop - run.start
        part = work[: count * groups * rows * pixels].reshape(count, groups, rows, pixels)
        np.matmul(matrix, flat[images, :, :, run], out=part)
        part = part.reshape(count, groups, c_in, *taps, *(b.stop - b.start for b in block))
        for tap in np.ndindex(*taps):
            source, target = _landing(tap, block, spatial, stride, dilation, pads)
            x[(images, ..., *target)] += part[(slice(None),) * 3 + tap + source]
    return x.reshape(batch, groups * c_in, *spatial)


def _scatter_many(
    y: Array, kernel: Array, spatial: Shape, stride: Shape, dilation: Shape, groups: int, pads: Pads
) -> Array:
    """The same with the images as the last axis in memory; `y` that lies so already is not copied.

    The answer lies as usual: what is done next to an image in pieces costs more than one copy.
    """
    batch, (c_out, c_in, *taps) = y.shape[0], kernel.shape
    size, rows = y.shape[2:], c_in * math.prod(taps)
    matrix = _by_rows(kernel, groups)
    last = np.ascontiguousarray(np.moveaxis(y, 0, -1)).reshape(groups, c_out // groups, size[0], -1)
    x: Array = np.zeros((groups, c_in, *spatial, batch), dtype=y.dtype)
    line = groups * rows * last.shape[-1]
    step = min(max(1, _BUFFER // (line * y.dtype.itemsize)), size[0])
    work = np.empty(step * line, dtype=y.dtype)
    for first in range(0, size[0], step):
        block = (slice(first, min(first + step, size[0])), *(slice(0, n) for n in size[1:]))
        columns = last[:, :, block[0]].reshape(groups, c_out // groups, -1)
        part = work[: groups * rows * columns.shape[-1]].reshape(groups, rows, -1)
        np.matmul(matrix, columns, out=part)
        part = part.reshape(groups, c_in, *taps, *(b.stop - b.start for b in block), batch)
        for tap in np.ndindex(*taps):
            source, target = _landing(tap, block, spatial, stride, dilation, pads)
            x[(slice(None), slice(None), *target)] += part[(slice(None),) * 2 + tap + source]
    return np.ascontiguousarray(np.moveaxis(x.reshape(groups * c_in, *spatial, batch), -1, 0))


def _by_rows(kernel: Array, groups: int) -> Array:
    """The matrix of each group from its output channels to its patches, (groups, c_in taps, c_out / groups)."""
    return np.swapaxes(kernel.reshape(groups, kernel.shape[0] // groups, -1), 1, 2)


def _landing(
    tap: Shape, block: tuple[slice, ...], spatial: Shape, stride: Shape, dilation: Shape, pads: Pads
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Which output pixels of a block `tap` joins to pixels of the image, and to which."""
    pairs = []
    for t, b, n, s, d, (before, _) in zip(tap, block, spatial, stride, dilation, pads, strict=True):
        offset = t * d - before  # output pixel i meets input pixel s i + offset
        first = min(max(b.start, -(offset // s)), b.stop)
        last = max(min(b.stop, (n - 1 - offset) // s + 1), first)
        start = s * first + offset
        stop = start + s * (last - first - 1) + 1 if last > first else start
        pairs.append((slice(first - b.start, last - b.start), slice(start, stop, s)))
    return tuple(source for source, _ in pairs), tuple(target for _, target in pairs)


def _planes(batch: int, channels: int, pixels: int, itemsize: int) -> Iterator[tuple[int, slice]]:
    """Channels of one image, as many as stay in the nearer cache with their operands."""
    step = max(1, _BUFFER // (16 * pixels * itemsize))
    for image in range(batch):
        for first in range(0, channels, step):
            yield image, slice(first, min(first + step, channels))


def _depthwise_transposed(y: Array, kernel: Array, spatial: Shape, stride: Shape, dilation: Shape, pads: Pads) -> Array:
    """One multiplication and one addition per tap: faster here than products with columns of length one."""
    x: Array = np.zeros((y.shape[0], kernel.shape[0], *spatial), dtype=y.dtype)
    whole = tuple(slice(0, n) for n in y.shape[2:])
    weights = kernel.reshape(*kernel.shape, *(1,) * len(spatial))
    for image, channels in _planes(y.shape[0], kernel.shape[0], math.prod(spatial), y.dtype.itemsize):
        part, term = y[image, channels], np.empty_like(y[image, channels])
        for tap in np.ndindex(*kernel.shape[2:]):
            source, target = _landing(tap, whole, spatial, stride, dilation, pads)
            np.multiply(weights[(channels, 0, *tap)], part, term)
            x[(image, channels, *target)] += term[(slice(None), *source)]
    return x
