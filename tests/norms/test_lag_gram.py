"""Gram matrices through lags, and certificates that never claim too much."""

import mpmath
import numpy as np
import pytest

from lipcore.norms.lag_gram import LagGram
from lipcore.norms.symbol import Symbol


def random_symbol(seed, *, shape=(6, 4, 3, 3), stride=1, groups=1, scale=1.0):
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal(shape) * scale
    if seed % 2:
        kernel = kernel + 1j * rng.standard_normal(shape)
    return Symbol.from_kernel(kernel, stride, groups), rng


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), ((1, 3), 3), (2, 6)])
def test_gram_of_lags_is_gram_of_symbol(seed, stride, groups):
    symbol, rng = random_symbol(seed, stride=stride, groups=groups)
    gram = LagGram(symbol)
    where = np.sort(rng.integers(0, symbol.groups, 20))
    angles = rng.uniform(-np.pi, np.pi, (20, symbol.dimension))
    for chunk in gram.chunks(where):
        for precision, tolerance in (("float64", 1e-12), ("float32", 1e-4)):
            found = gram.matrices(where[chunk], angles[chunk], precision)
            matrices = np.stack([symbol.evaluate(where[i], angles[i : i + 1])[0] for i in chunk])
            exact = np.conj(np.swapaxes(matrices, 1, 2)) @ matrices
            assert np.max(np.abs(found - exact)) <= tolerance * np.max(np.abs(exact))


def test_chunks_hold_every_node_once_in_small_and_large_groups():
    symbol, rng = random_symbol(0, shape=(24, 1, 3, 3), groups=24)
    gram = LagGram(symbol)
    for count in (30, 3000):
        where = rng.integers(0, 24, count)
        chunks = gram.chunks(where)
        assert np.array_equal(np.sort(np.concatenate(chunks)), np.arange(count))
        mixed = any(len(np.unique(where[c])) > 1 for c in chunks)
        assert mixed == (count == 30)


def exact_square(symbol, angle):
    """Square of the largest singular value in 40 digits."""
    total = mpmath.zeros(*symbol.taps.shape[2:])
    for offset, tap in zip(symbol.offsets, symbol.taps[0], strict=True):
        turn = mpmath.fsum(int(a) * mpmath.mpf(float(t)) for a, t in zip(offset, angle, strict=True))
        total += mpmath.expj(-turn) * mpmath.matrix(tap.tolist())
    return mpmath.svd_c(total, compute_uv=False)[0] ** 2


@pytest.mark.parametrize("seed", range(16))
def test_certificates_are_true_in_exact_arithmetic_and_sharp(seed):
    shapes = [(1, 1, 5), (3, 3, 3), (4, 2, 2, 3), (2, 2, 4)]
    symbol, rng = random_symbol(seed, shape=shapes[seed % 4], scale=10.0 ** rng_scale(seed))
    gram = LagGram(symbol)
    angle = rng.uniform(-np.pi, np.pi, symbol.dimension)
    with mpmath.workdps(40):
        exact = exact_square(symbol, angle)
        steps = np.concatenate([-np.logspace(-17, -3, 60), [0.0], np.logspace(-17, -3, 60)])
        squares = np.array([float(exact * (1 + mpmath.mpf(float(s)))) for s in steps])
        true = np.array([mpmath.mpf(float(s)) >= exact for s in squares])
    where, angles = np.zeros(len(squares), dtype=int), np.tile(angle, (len(squares), 1))
    for precision, sharp in (("float64", 1e-11), ("float32", 1e-4)):
        proved = gram.at_most(where, angles, squares, precision)
        assert not np.any(proved & ~true)
        assert np.all(proved[steps >= sharp])


def rng_scale(seed):
    return (-200, 0, 200, -3)[seed % 4]


@pytest.mark.parametrize("count", [8, 40, 120])
def test_float32_slack_covers_the_rounding_of_its_gram_and_factor(count):
    # Equal singular values: the Gram matrix is a multiple of the identity, the hardest case for the threshold.
    orthogonal = np.linalg.qr(np.random.default_rng(2).standard_normal((count, count)))[0]
    symbol = Symbol.from_kernel(orthogonal[:, :, None])
    gram = LagGram(symbol)
    norm = 2.0 ** (-2 * symbol.exponent)
    below = norm * (1 - np.logspace(-12, -2, 200))
    where, angles = np.zeros(200, dtype=int), np.zeros((200, 0))
    for precision in ("float32", "float64"):
        assert not np.any(gram.at_most(where, angles, below, precision))
    relative, absolute = gram.slack("float32", 0.0)
    enough = np.full(200, norm * (1 + 2 * relative) + 2 * absolute[0])
    assert np.all(gram.at_most(where, angles, enough, "float32"))


def test_zero_negative_and_hopeless_levels_prove_nothing():
    symbol, _ = random_symbol(0)
    gram = LagGram(symbol)
    levels = np.array([0.0, -1.0, 1e-300])
    assert not np.any(gram.at_most(np.zeros(3, dtype=int), np.zeros((3, 2)), levels))


@pytest.mark.parametrize("seed", range(8))
def test_oscillation_bounds_the_distance_from_the_mean(seed):
    symbol, rng = random_symbol(seed, shape=(4, 3, 2, 3))
    gram = LagGram(symbol)
    angles = rng.uniform(-np.pi, np.pi, (200, 2))
    matrices = symbol.evaluate(0, angles)
    deviation = np.conj(np.swapaxes(matrices, 1, 2)) @ matrices - np.mean(
        [s.conj().T @ s for s in symbol.evaluate(0, full_grid(8))], axis=0
    )
    largest = np.max(np.linalg.norm(deviation, 2, axis=(1, 2)))
    assert largest <= gram.oscillation[0]


def full_grid(count):
    points = 2 * np.pi * np.arange(count) / count
    return np.array(np.meshgrid(points, points)).reshape(2, -1).T


@pytest.mark.parametrize("size", [4, 20, 40])
def test_top_is_a_lower_estimate_with_its_vector(size):
    symbol, rng = random_symbol(3, shape=(size + 1, size, 3))
    gram = LagGram(symbol)
    angles = rng.uniform(-np.pi, np.pi, (7, 1))
    squares, vectors = gram.top(np.zeros(7, dtype=int), angles, 12)
    exact = np.linalg.norm(symbol.evaluate(0, angles), 2, axis=(1, 2)) ** 2
    assert np.all(squares <= exact * (1 + 1e-5))
    assert np.all(squares >= exact * 0.98)
    images = np.linalg.norm(np.matmul(symbol.evaluate(0, angles), vectors[:, :, None])[:, :, 0], axis=1)
    assert np.allclose(images**2, squares, rtol=1e-4)
