"""Constructions against their definitions, written down with dense matrices: a promise kept by the wrong map fails."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

import lipcore as lc
from lipcore import parametrizations as P

SHAPES = [(5, 5), (6, 3), (3, 6)]
dense = pytest.mark.parametrize("shape", SHAPES, ids=str)


def random(shape):
    return np.random.default_rng(4).standard_normal(shape)


def nearest(w):
    u, _, vh = np.linalg.svd(w, full_matrices=False)
    return u @ vh


def transform(w):
    """Cayley's, of a matrix with no fewer rows than columns."""
    n = w.shape[1]
    u, v = w[:n], w[n:]
    a = u - u.conj().T + v.conj().T @ v
    return np.concatenate([np.eye(n) - a, -2 * v]) @ np.linalg.inv(np.eye(n) + a)


def either_side(function, w):
    return function(w) if w.shape[0] >= w.shape[1] else function(w.conj().T).conj().T


@dense
def test_matrices(shape):
    w = random(shape)
    for function in (P.rko, P.lot):
        np.testing.assert_allclose(function(w), nearest(w), atol=1e-10)
    np.testing.assert_allclose(P.bjorck(w, iterations=60), nearest(w), atol=1e-10)
    np.testing.assert_allclose(P.cayley(w), either_side(transform, w), atol=1e-12)
    np.testing.assert_allclose(P.frobenius(w), w / np.linalg.norm(w), rtol=1e-12)
    rows = w / np.linalg.norm(w, axis=1, keepdims=True)
    np.testing.assert_allclose(P.frobenius(w, rows=True), rows, rtol=1e-12)
    c = max(shape)
    square = np.zeros((c, c))
    square[: shape[0], : shape[1]] = 0.3 * w
    expected = scipy.linalg.expm(square - square.T)[: shape[0], : shape[1]]
    np.testing.assert_allclose(P.soc(0.3 * w), expected, atol=1e-12)


@dense
def test_reflectors(shape):
    w = random(shape)

    def product(tall):
        half = (tall.shape[1] + 1) // 2
        halves = (tall[:, :half], tall[:, half:])
        first, second = (np.eye(len(tall)) - 2 * v @ np.linalg.solve(v.T @ v, v.T) for v in halves)
        return (first @ second)[:, : tall.shape[1]]

    np.testing.assert_allclose(P.block_reflectors(w), either_side(product, w), atol=1e-9)


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"groups": 2}, {"dilation": 2}], ids=str)
def test_reshaped_kernels(options):
    """Divided by the most windows over a pixel: 3 x 2 taps, less where a stride passes over some."""
    w = random((4, 3, 3, 2))
    windows = 2 * 1 if "stride" in options else 3 * 2
    groups = options.get("groups", 1)
    polar = [nearest(part.reshape(len(part), -1)).reshape(part.shape) for part in np.split(w, groups)]
    length = [part / np.linalg.norm(part) for part in np.split(w, groups)]
    np.testing.assert_allclose(P.rko(w, **options), np.concatenate(polar) / windows**0.5, atol=1e-10)
    np.testing.assert_allclose(P.frobenius(w, **options), np.concatenate(length) / windows**0.5, rtol=1e-12)


@pytest.mark.parametrize("shape", [(3, 2, 3, 3), (2, 3, 1, 3)], ids=str)
def test_at_every_frequency(shape):
    """The symbol of the weight, with its middle tap at the origin, taken through the map of matrices."""
    w, size = 0.3 * random(shape), (4, 5)

    def symbols(array):
        padded = np.zeros((*shape[:2], *size))
        for index in np.ndindex(*shape[2:]):
            place = tuple((i - k // 2) % n for i, k, n in zip(index, shape[2:], size, strict=True))
            padded[(..., *place)] += array[(..., *index)]
        return np.fft.fft2(padded)

    S = symbols(w)
    # `apply` slides the kernel over the image, which is a correlation
    x = random((shape[1], *size))
    circular = lc.Convolution(w, (shape[1], *size), padding="same", padding_mode="circular")
    np.testing.assert_allclose(
        np.fft.fft2(circular.apply(x)), np.einsum("oixy,ixy->oxy", S.conj(), np.fft.fft2(x)), atol=1e-12
    )
    for construction, function in ((P.lot_convolution, nearest), (P.cayley_convolution, transform)):
        A = construction(w, (shape[1], *size))
        got = np.fft.fft2(A.apply(x))
        for where in np.ndindex(*size):
            matrix = either_side(function, S.conj()[(..., *where)])
            np.testing.assert_allclose(got[(..., *where)], matrix @ np.fft.fft2(x)[(..., *where)], atol=1e-9)


@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_exponential_of_the_skew_convolution(mode):
    w = 0.1 * random((2, 3, 3, 3))
    square = np.zeros((3, 3, 3, 3))
    square[:2] = w
    image = (3, 4, 5)
    C = lc.Convolution(square, image, padding=1, padding_mode=mode).to_dense()
    expected = scipy.linalg.expm(C - C.T)[: 2 * 20]
    np.testing.assert_allclose(P.soc_convolution(w, image, padding_mode=mode).to_dense(), expected, atol=1e-12)
