"""The constructions as they are published, in plain NumPy: dense matrices and loops, and nothing of the library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize

Kernel = np.ndarray[Any, Any]


def along(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """An option, once for each axis."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def by_groups(function: Callable[..., Kernel], w: Kernel, groups: int) -> Kernel:
    return np.concatenate([function(part) for part in np.split(w, groups)])


def matrix(
    kernel: Kernel,
    size: Sequence[int],
    pads: Sequence[tuple[int, int]] | None = None,
    *,
    circular: bool = False,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
) -> Kernel:
    """Matrix of ``y[o, p] = sum K[o, i, t] x[i, s p + d t - before]``; pixels outside are zero, or go round."""
    axes, taps = len(size), kernel.shape[2:]
    pads = pads or ((0, 0),) * axes
    steps, gaps = along(stride, axes), along(dilation, axes)
    rows = zip(size, pads, steps, gaps, taps, strict=True)
    counts = [(n + sum(pad) - d * (k - 1) - 1) // s + 1 for n, pad, s, d, k in rows]
    found = np.zeros((len(kernel), *counts, kernel.shape[1], *size))
    for p in np.ndindex(*counts):
        for t in np.ndindex(*taps):
            q = [s * a + d * b - pad[0] for s, a, d, b, pad in zip(steps, p, gaps, t, pads, strict=True)]
            if circular:
                q = [v % n for v, n in zip(q, size, strict=True)]
            if all(0 <= v < n for v, n in zip(q, size, strict=True)):
                found[(slice(None), *p, slice(None), *q)] += kernel[(..., *t)]
    return found.reshape(len(kernel) * math.prod(counts), -1)


def middle(taps: Sequence[int]) -> list[tuple[int, int]]:
    """Padding that keeps the size of the image."""
    return [(k // 2, k - 1 - k // 2) for k in taps]


def filled(w: Kernel) -> Kernel:
    """Filled up with zeros to as many outputs as inputs."""
    c = max(w.shape[:2])
    found = np.zeros((c, c, *w.shape[2:]))
    found[: w.shape[0], : w.shape[1]] = w
    return found


def after(outer: Kernel, inner: Kernel) -> Kernel:
    """Kernel of one convolution after another."""
    taps = [k + j - 1 for k, j in zip(outer.shape[2:], inner.shape[2:], strict=True)]
    found = np.zeros((outer.shape[0], inner.shape[1], *taps))
    for s in np.ndindex(*outer.shape[2:]):
        for t in np.ndindex(*inner.shape[2:]):
            found[(..., *np.add(s, t))] += outer[(..., *s)] @ inner[(..., *t)]
    return found


# ---------------------------------------------------------------------------------------------------- matrices


def nearest(w: Kernel) -> Kernel:
    """``(W W^T)^(-1/2) W``."""
    if w.shape[0] > w.shape[1]:
        return nearest(w.T).T
    values, vectors = np.linalg.eigh(w @ w.T)
    return (vectors / np.sqrt(values)) @ vectors.T @ w


def either_side(function: Callable[[Kernel], Kernel], w: Kernel) -> Kernel:
    """What is defined for as many rows as columns or more."""
    return function(w) if w.shape[0] >= w.shape[1] else function(w.conj().T).conj().T


def cayley(w: Kernel) -> Kernel:
    def tall(w: Kernel) -> Kernel:
        n = w.shape[1]
        u, v = w[:n], w[n:]
        a = u - u.conj().T + v.conj().T @ v
        return np.concatenate([np.eye(n) - a, -2 * v]) @ np.linalg.inv(np.eye(n) + a)

    return either_side(tall, w)


def exponential(w: Kernel) -> Kernel:
    """Of the skew part, which is not longer than pi sqrt(c)."""
    square = filled(w)
    skew = square - square.T
    skew *= min(1.0, math.pi * math.sqrt(len(skew)) / np.linalg.norm(skew))
    return scipy.linalg.expm(skew)[: w.shape[0], : w.shape[1]]


def reflections(w: Kernel) -> Kernel:
    def tall(w: Kernel) -> Kernel:
        half = (w.shape[1] + 1) // 2
        first, second = (np.eye(len(w)) - 2 * v @ np.linalg.solve(v.T @ v, v.T) for v in (w[:, :half], w[:, half:]))
        return (first @ second)[:, : w.shape[1]]

    return either_side(tall, w)


# ---------------------------------------------------------------------------------------------------- kernels


def most_windows(taps: Sequence[int], stride: int | Sequence[int], dilation: int | Sequence[int]) -> int:
    """The most outputs of one channel that a pixel enters, counted."""
    found = 1
    for k, s, d in zip(taps, along(stride, len(taps)), along(dilation, len(taps)), strict=True):
        pixels = [s * p + d * a for p in range(4 * d * k) for a in range(k)]
        found *= max(np.bincount(pixels))
    return found


def over_windows(
    function: Callable[[Kernel], Kernel], w: Kernel, groups: int = 1, stride: Any = 1, dilation: Any = 1
) -> Kernel:
    """A map of the kernel as a matrix, divided by the root of the windows."""
    found = by_groups(lambda part: function(part.reshape(len(part), -1)).reshape(part.shape), w, groups)
    return found / math.sqrt(most_windows(w.shape[2:], stride, dilation))


def almost_orthogonal(w: Kernel, groups: int = 1, stride: Any = 1, dilation: Any = 1) -> Kernel:
    """Every column of the convolution's matrix over the root of its sum of the absolute Gram matrix."""
    axes, taps = w.ndim - 2, w.shape[2:]
    steps, gaps = along(stride, axes), along(dilation, axes)
    reach = [d * (k - 1) for d, k in zip(gaps, taps, strict=True)]
    # a pixel that starts a stride, far from the border
    centre = [s * -(-r // s) for s, r in zip(steps, reach, strict=True)]
    size = [c + s + r for c, s, r in zip(centre, steps, reach, strict=True)]

    def one(part: Kernel) -> Kernel:
        dense = matrix(part, size, stride=stride, dilation=dilation)
        sums = np.sum(np.abs(dense.T @ dense), axis=0).reshape(part.shape[1], *size)
        found = np.zeros_like(part)
        for t in np.ndindex(*taps):
            pixel = [c + (d * a) % s for c, d, a, s in zip(centre, gaps, t, steps, strict=True)]
            found[(..., *t)] = part[(..., *t)] / np.sqrt(sums[(slice(None), *pixel)])
        return found

    return by_groups(one, w, groups)


def supremum(w: Kernel, groups: int = 1, stride: int = 1, dilation: int = 1) -> float:
    """Largest singular value over all angles, of a kernel with one axis, or dense."""
    if w.ndim == 2:
        return float(np.linalg.norm(w, 2))

    def norm(angle: float) -> float:
        values = []
        for part in np.split(w, groups):
            blocks = np.zeros((stride, *part.shape[:2]), complex)
            for a in range(w.shape[2]):
                blocks[dilation * a % stride] += part[..., a] * np.exp(1j * angle * (dilation * a // stride))
            values.append(np.linalg.norm(np.concatenate(blocks, axis=1), 2))
        return float(max(values))

    angles = np.linspace(0, np.pi, 400)
    best = angles[np.argmax([norm(angle) for angle in angles])]
    ends = (best - angles[1], best + angles[1])
    found = scipy.optimize.minimize_scalar(lambda angle: -norm(angle), bounds=ends, options={"xatol": 1e-12})
    return max(-float(found.fun), norm(0.0), norm(np.pi))


def projectors(w: Kernel, width: int, groups: int = 1, stride: Any = 1, dilation: Any = 1) -> Kernel:
    """A tile of s taps, then ``P + (I - P) z`` along one axis after the other, then a matrix; the first entries first.

    The projectors act on `width` channels, and what is the identity is left out.
    """
    axes = w.ndim - 2
    steps = [s // math.gcd(s, d) for s, d in zip(along(stride, axes), along(dilation, axes), strict=True)]

    def one(part: Kernel) -> Kernel:
        entries, (outputs, inputs), ones = part.ravel(), part.shape[:2], (1,) * axes

        def take(*shape: int) -> Kernel:
            nonlocal entries
            first, entries = entries[: math.prod(shape)], entries[math.prod(shape) :]
            return first.reshape(shape)

        found, last = np.eye(width).reshape(width, width, *ones), np.eye(width)
        if math.prod(steps) > 1 or width == inputs:
            found = nearest(take(outputs, width * math.prod(steps))).reshape(outputs, width, *steps)
        if width != inputs:
            last = nearest(take(width, inputs))
        left = [k - s for k, s in zip(part.shape[2:], steps, strict=True)]
        while any(left):
            for axis in range(axes):
                if left[axis]:
                    basis = take(width, width // 2)
                    P = basis @ np.linalg.solve(basis.T @ basis, basis.T) if width > 1 else np.zeros((1, 1))
                    factor = np.stack([P, np.eye(width) - P], axis=-1)
                    found = after(found, factor.reshape(width, width, *(2 if a == axis else 1 for a in range(axes))))
                    left[axis] -= 1
        return after(found, last.reshape(*last.shape, *ones))

    return by_groups(one, w, groups)


# ---------------------------------------------------------------------------------------------------- images


def circulant(w: Kernel, size: Sequence[int]) -> Kernel:
    return matrix(w, size, middle(w.shape[2:]), circular=True)


def exponential_on(w: Kernel, size: Sequence[int], *, circular: bool, terms: int | None = None) -> Kernel:
    """Exponential of the skew part of the convolution's matrix, or so many terms of it, cut to the channels."""
    dense = matrix(filled(w), size, middle(w.shape[2:]), circular=circular)
    skew, pixels = dense - dense.T, math.prod(size)
    found = power = np.eye(len(skew)) if terms else scipy.linalg.expm(skew)
    for t in range(1, 1 + (terms or 0)):
        power = power @ skew / t
        found = found + power
    return found[: w.shape[0] * pixels, : w.shape[1] * pixels]


def exponential_kernel_on(w: Kernel, size: int, terms: int) -> Kernel:
    """The polynomial on an image so large that no border is seen, cut to the pixels in the middle; one axis."""
    rim = terms * (w.shape[2] // 2)
    whole = exponential_on(w, (size + 2 * rim,), circular=False, terms=terms)
    whole = whole.reshape(w.shape[0], size + 2 * rim, w.shape[1], size + 2 * rim)
    return whole[:, rim : rim + size, :, rim : rim + size].reshape(w.shape[0] * size, -1)


def on_lattices(w: Kernel, size: Sequence[int]) -> Kernel:
    """The exponential of the skew circulant on an image of as many pixels as taps, on every lattice of an image."""
    taps, (outputs, inputs) = w.shape[2:], w.shape[:2]
    small = exponential_on(w, taps, circular=True).reshape(outputs, *taps, inputs, *taps)
    found = np.zeros((outputs, *size, inputs, *size))
    gaps = [n // k for n, k in zip(size, taps, strict=True)]
    for start in np.ndindex(*gaps):
        lattice = [slice(a, None, d) for a, d in zip(start, gaps, strict=True)]
        found[(slice(None), *lattice, slice(None), *lattice)] = small
    return found.reshape(outputs * math.prod(size), -1)


# ---------------------------------------------------------------------------------------------------- layers


def shares(w: Kernel) -> Kernel:
    """What two hidden channels share: absolute values of ``W W^T``, summed over the lags of a kernel."""
    flat = w.reshape(*w.shape[:2], *(w.shape[2:] or (1,)))
    taps = flat.shape[2:]
    found = np.zeros((len(w), len(w)))
    for lag in np.ndindex(*(2 * k - 1 for k in taps)):
        shift = np.subtract(lag, taps) + 1
        total = np.zeros_like(found)
        for t in np.ndindex(*taps):
            moved = np.add(t, shift)
            if np.all(moved >= 0) and np.all(moved < taps):
                total += flat[(..., *t)] @ flat[(..., *moved)].T
        found += np.abs(total)
    return found


def potential(x: Kernel, v: Kernel, bias: Kernel, factor: Any, mode: str) -> Kernel:
    """``x - V^T (factor * relu(V x + b))``, V of the weight or of its convolution on the images x."""
    size, batch = x.shape[2:], len(x)
    # the tap at the origin of an even kernel is the earlier one, as in "same" padding elsewhere
    pads = [((k - 1) // 2, k // 2) for k in v.shape[2:]]
    V = matrix(v, size, pads, circular=mode == "circular") if size else v
    pixels = V.shape[0] // len(v)
    flat = x.reshape(batch, -1)
    hidden = np.maximum(flat @ V.T + np.repeat(bias, pixels), 0) * np.repeat(factor * np.ones(len(v)), pixels)
    return (flat - hidden @ V).reshape(x.shape)


def convex_step(x: Kernel, w: Kernel, bias: Kernel, log_scale: Kernel, mode: str) -> Kernel:
    """The layer of cpl as it is published: its bias is the norm times that of the library's."""
    norm = supremum(w)
    return potential(x, w, norm * bias, 2 / norm**2, mode)


def sdp_step(x: Kernel, w: Kernel, bias: Kernel, log_scale: Kernel, mode: str) -> Kernel:
    """The layer of sll as it is published: its bias is the root of T times that of the library's."""
    q = np.exp(log_scale)
    T = np.sum(shares(w) * q[None, :] / q[:, None], axis=1)
    return potential(x, w, np.sqrt(T) * bias, 2 / T, mode)


def sandwich_step(x: Kernel, w: Kernel, bias: Kernel, log_scale: Kernel, outputs: int) -> Kernel:
    q, both = np.exp(log_scale), cayley(w)
    A, B = both[:, :outputs], both[:, outputs:]
    return math.sqrt(2) * (q * np.maximum(math.sqrt(2) / q * (x @ B.T) + bias, 0)) @ A
