"""Convolution of images and its adjoint: native on torch and JAX, patch products on NumPy, shifted products elsewhere.

All functions compute what deep learning calls convolution: the cross-correlation

    y[b, o, p] = sum over i, t of kernel[o, i, t] x[b, i, stride p + dilation t - before]

with `x` zero outside. `x` and `kernel` have one dtype.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import array_api_compat as compat

from .._typing import Array, Namespace, Shape
from . import patches
from .linalg import conj
from .namespace import device_of, is_complex, is_jax, is_numpy, is_sharded, is_torch
from .padding import Pads, pad


def convolve(
    x: Array, kernel: Array, *, stride: Shape, dilation: Shape, groups: int, padding: Pads | None = None
) -> Array:
    """Cross-correlation of `x` (b, c_in, *spatial) with `kernel` (c_out, c_in / groups, *k), giving (b, c_out, *out).

    `padding` pads with zeros, one pair (before, after) per spatial axis, without a padded copy where the library can.
    No product is rounded to TF32 or bfloat16, except under ``torch.compile`` on CUDA, where the process-wide
    ``torch.backends.cudnn`` setting rules when the compiled program runs.
    """
    xp = compat.array_namespace(x, kernel)
    pads = ((0, 0),) * (x.ndim - 2) if padding is None else padding
    if is_numpy(xp):
        return patches.convolve(x, kernel, stride, dilation, groups, pads)
    if (is_torch(xp) or is_jax(xp)) and is_complex(xp, x.dtype):
        return _by_real_parts(lambda a, k: _forward(xp, a, k, stride, dilation, groups, pads), x, kernel, xp)
    return _forward(xp, x, kernel, stride, dilation, groups, pads)


def convolve_adjoint(
    y: Array,
    kernel: Array,
    spatial: Shape,
    *,
    stride: Shape,
    dilation: Shape,
    groups: int,
    padding: Pads | None = None,
) -> Array:
    """Adjoint of `convolve` from images of size `spatial`: `y` (b, c_out, *out) to (b, c_in, *spatial)."""
    xp = compat.array_namespace(y, kernel)
    pads = ((0, 0),) * (y.ndim - 2) if padding is None else padding
    kernel, spatial = conj(kernel), tuple(spatial)
    if is_torch(xp) and not is_complex(xp, y.dtype):
        few = kernel.shape[1] <= (4 if y.shape[0] < 64 else 16)  # where that was measured to be quicker
        if few and max(stride) > 1 and groups == 1 and max(dilation) == 1:
            return _transposed_by_phases(xp, y, kernel, spatial, stride, pads)
    if is_numpy(xp):
        return patches.convolve_transposed(y, kernel, spatial, stride, dilation, groups, pads)
    if (is_torch(xp) or is_jax(xp)) and is_complex(xp, y.dtype):
        return _by_real_parts(
            lambda a, k: _transposed(xp, a, k, spatial, stride, dilation, groups, pads), y, kernel, xp
        )
    return _transposed(xp, y, kernel, spatial, stride, dilation, groups, pads)


def _forward(xp: Namespace, x: Array, kernel: Array, stride: Shape, dilation: Shape, groups: int, pads: Pads) -> Array:
    if is_torch(xp):
        if any(before != after for before, after in pads):
            x, pads = pad(x, pads), ((0, 0),) * len(pads)
        return _torch_convolution(x, kernel, stride, [before for before, _ in pads], dilation, None, groups)
    if is_jax(xp):
        from jax import lax

        return lax.conv_general_dilated(
            x,
            kernel,
            stride,
            pads,
            rhs_dilation=dilation,
            feature_group_count=groups,
            precision=lax.Precision.HIGHEST,
        )
    return _forward_by_shifts(xp, pad(x, pads), kernel, stride, dilation, groups)


def _transposed(
    xp: Namespace,
    y: Array,
    kernel: Array,
    spatial: Shape,
    stride: Shape,
    dilation: Shape,
    groups: int,
    pads: Pads,
) -> Array:
    if is_torch(xp):
        symmetric = all(before == after for before, after in pads)
        inner = [before if symmetric else 0 for before, _ in pads]
        rest = [
            n + sum(pair) - (d * (k - 1) + 1 + (m - 1) * s)  # pixels that no window covers
            for n, pair, d, k, m, s in zip(spatial, pads, dilation, kernel.shape[2:], y.shape[2:], stride, strict=True)
        ]
        x = _torch_convolution(y, kernel, stride, inner, dilation, rest, groups)
        return x if symmetric else x[_inside(spatial, pads)]
    if is_jax(xp):
        return _transposed_jax(y, kernel, spatial, stride, dilation, groups, pads)
    full = tuple(n + sum(pair) for n, pair in zip(spatial, pads, strict=True))
    return _transposed_by_shifts(xp, y, kernel, full, stride, dilation, groups)[_inside(spatial, pads)]


def _transposed_by_phases(xp: Namespace, y: Array, kernel: Array, spatial: Shape, stride: Shape, pads: Pads) -> Array:
    """The adjoint of a strided convolution on torch, as one convolution of stride 1 whose channels are the phases.

    Pixel ``s q + p`` of the padded image meets the taps ``s a + p`` only, so phase p is a convolution with every s-th
    tap. For few input channels that is two to three times faster than a strided transpose.
    """
    n, (c_out, c_in, *size) = len(stride), kernel.shape
    counts = [-(-k // s) for k, s in zip(size, stride, strict=True)]  # taps of a phase
    taps = pad(kernel, tuple((0, s * m - k) for s, m, k in zip(stride, counts, size, strict=True)))
    taps = xp.reshape(taps, (c_out, c_in, *(x for pair in zip(counts, stride, strict=True) for x in pair)))
    # (c_out, c_in, m, s, m, s) -> (c_in, s, s, c_out, m, m), the taps of a phase in reverse
    taps = xp.permute_dims(taps, (1, *range(3, 3 + 2 * n, 2), 0, *range(2, 2 + 2 * n, 2)))
    taps = xp.flip(xp.reshape(taps, (c_in * math.prod(stride), c_out, *counts)), axis=tuple(range(2, 2 + n)))
    one, around = (1,) * n, tuple((m - 1, m - 1) for m in counts)
    phases = convolve(y, taps, stride=one, dilation=one, groups=1, padding=around)
    sizes = tuple(phases.shape[2:])
    phases = xp.reshape(phases, (y.shape[0], c_in, *stride, *sizes))
    whole = xp.permute_dims(phases, (0, 1, *(axis for i in range(n) for axis in (2 + n + i, 2 + i))))
    whole = xp.reshape(whole, (y.shape[0], c_in, *(m * s for m, s in zip(sizes, stride, strict=True))))
    # the part inside the padding, with zeros where no window reaches; torch's padding may be negative
    from torch.nn.functional import pad as torch_pad

    edges = [(-before, m + before - have) for m, (before, _), have in zip(spatial, pads, whole.shape[2:], strict=True)]
    return torch_pad(whole, [width for pair in reversed(edges) for width in pair])


def _inside(spatial: Shape, pads: Pads) -> tuple[Any, ...]:
    return (..., *(slice(before, before + n) for n, (before, _) in zip(spatial, pads, strict=True)))


def _by_real_parts(real_map: Any, x: Array, kernel: Array, xp: Namespace) -> Array:
    """Complex convolution through real ones.

    Four real products: the three-product scheme of the libraries' own complex convolutions loses the small part of a
    result whose other part is large.
    """
    parts = xp.concat([xp.real(x), xp.imag(x)], axis=0)
    by_real, by_imag = real_map(parts, xp.real(kernel)), real_map(parts, xp.imag(kernel))
    b = x.shape[0]
    real, imag = by_real[:b, ...] - by_imag[b:, ...], by_real[b:, ...] + by_imag[:b, ...]
    if is_torch(xp):
        import torch

        return torch.complex(real, imag)
    from jax import lax

    return lax.complex(real, imag)


def _torch_convolution(
    x: Array,
    kernel: Array,
    stride: Shape,
    padding: list[int],
    dilation: Shape,
    output_padding: list[int] | None,
    groups: int,
) -> Array:
    """Convolution, or, with `output_padding`, transposed convolution."""
    import torch

    transposed = output_padding is not None
    if not x.is_cuda or is_sharded(x):
        options = [list(stride), padding, list(dilation), transposed, output_padding or [0] * len(stride), groups]
        return torch.ops.aten.convolution(x, kernel, None, *options)
    # This form takes the permission for TF32 per call; the public one follows a setting of the whole process,
    # which allows it unless the user forbids it. The derivative still follows that setting.
    if torch.compiler.is_compiling():
        benchmark, deterministic = False, False
    else:
        benchmark, deterministic = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    line = x.ndim == 3  # computed as an image of one row, as torch does itself
    if line:
        x, kernel = x.unsqueeze(2), kernel.unsqueeze(2)
    y = torch.ops.aten._convolution(
        x,
        kernel,
        None,
        [1] * line + list(stride),
        [0] * line + padding,
        [1] * line + list(dilation),
        transposed,
        [0] * line + (output_padding or [0] * len(stride)),
        groups,
        benchmark,
        deterministic,
        True,  # cuDNN may be used
        False,  # TF32 may not
    )
    return y.squeeze(2) if line else y


def _transposed_jax(
    y: Array, kernel: Array, spatial: Shape, stride: Shape, dilation: Shape, groups: int, pads: Pads
) -> Array:
    from jax import lax
    from jax import numpy as jnp

    c_out, c_in, *taps = kernel.shape
    turned = jnp.flip(kernel, axis=tuple(range(2, kernel.ndim))).reshape(groups, c_out // groups, c_in, *taps)
    turned = jnp.swapaxes(turned, 1, 2).reshape(groups * c_in, c_out // groups, *taps)
    before = [d * (k - 1) - p for d, k, (p, _) in zip(dilation, taps, pads, strict=True)]
    after = [
        n - 1 - (m - 1) * s + d * (k - 1) - b  # what makes the result `spatial` long; negative where it crops
        for n, m, s, d, k, b in zip(spatial, y.shape[2:], stride, dilation, taps, before, strict=True)
    ]
    return lax.conv_general_dilated(
        y,
        turned,
        (1,) * len(taps),
        list(zip(before, after, strict=True)),
        lhs_dilation=stride,
        rhs_dilation=dilation,
        feature_group_count=groups,
        precision=lax.Precision.HIGHEST,
    )


def _windows(taps: Shape, size: Shape, stride: Shape, dilation: Shape) -> list[tuple[Shape, tuple[Any, ...]]]:
    """Each tap with the pixels that it meets."""
    found = []
    for tap in itertools.product(*map(range, taps)):
        numbers = zip(tap, dilation, stride, size, strict=True)
        found.append((tap, (..., *(slice(t * d, t * d + s * (m - 1) + 1, s) for t, d, s, m in numbers))))
    return found


def _forward_by_shifts(xp: Namespace, x: Array, kernel: Array, stride: Shape, dilation: Shape, groups: int) -> Array:
    batch, (c_out, c_in, *taps) = x.shape[0], kernel.shape
    size = tuple((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], taps, stride, dilation, strict=True))
    y = None
    for tap, window in _windows(tuple(taps), size, stride, dilation):
        matrix = xp.reshape(kernel[(..., *tap)], (groups, c_out // groups, c_in))
        term = xp.matmul(matrix, xp.reshape(x[window], (batch, groups, c_in, math.prod(size))))
        y = term if y is None else y + term
    return xp.reshape(y, (batch, c_out, *size))


def _transposed_by_shifts(
    xp: Namespace, y: Array, kernel: Array, full: Shape, stride: Shape, dilation: Shape, groups: int
) -> Array:
    batch, (c_out, c_in, *taps) = y.shape[0], kernel.shape
    size = tuple(y.shape[2:])
    flat = xp.reshape(y, (batch, groups, c_out // groups, math.prod(size)))
    x = xp.zeros((batch, groups * c_in, *full), dtype=y.dtype, device=device_of(y))
    for tap, window in _windows(tuple(taps), size, stride, dilation):
        matrix = xp.matrix_transpose(xp.reshape(kernel[(..., *tap)], (groups, c_out // groups, c_in)))
        x[window] += xp.reshape(xp.matmul(matrix, flat), (batch, groups * c_in, *size))
    return x
