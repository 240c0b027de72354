"""Constructions against their definitions, written down with dense matrices: a promise kept by the wrong map fails."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
from parametrizations import references as R
from parametrizations.definitions import DEFINITIONS

import lipcore as lc
from lipcore import parametrizations as P

SEEN: dict[str, int] = {}
FEW = [d for d in DEFINITIONS if SEEN.setdefault(d.function.__name__, id(d)) == id(d)]


def random(shape, seed=6):
    return np.random.default_rng(seed).standard_normal(shape)


def check(definition, backend):
    found = definition.values(definition.build(backend.asarray(definition.weight)))
    single = "float64" not in backend.dtypes
    np.testing.assert_allclose(
        backend.to_numpy(found), definition.expected, rtol=0, atol=2e-4 if single else definition.atol
    )


def test_every_construction_has_a_definition():
    # the weights of a sandwich are those of its layer
    assert {d.function.__name__ for d in DEFINITIONS} == set(P.__all__) - {"sandwich_weights"}


# JAX compiles every shape anew, and the other namespaces change no formula
@pytest.mark.backends("numpy", "torch")
@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda d: d.name)
def test_is_what_is_published(definition, backend):
    check(definition, backend)


# single precision in JAX is compared with NumPy elsewhere
@pytest.mark.backends("strict-device1", "strict-no_float64", "jax-x64", "torch-cuda", "cupy")
@pytest.mark.parametrize("definition", FEW, ids=lambda d: d.name)
def test_one_of_each_is_what_is_published(definition, backend):
    check(definition, backend)


# JAX compiles every shape anew
@pytest.mark.backends("numpy", "torch", "strict")
@pytest.mark.parametrize(("iterations", "beta"), [(1, 0.5), (4, 0.5), (3, 0.3)])
def test_bjorck_takes_as_many_steps_as_it_is_told(iterations, beta, backend):
    """What the weight is divided by first is free: at least its norm, and not much more."""
    w = random((4, 2, 3))
    u, sigma, vh = np.linalg.svd(w.reshape(4, 6), full_matrices=False)
    one = backend.to_numpy(P.bjorck(backend.asarray(w), iterations=1, beta=beta)).reshape(4, 6) * math.sqrt(3)
    stretch = np.linalg.norm(one, 2)
    # of the largest value, where the step began: the only root in [0, 1]
    start = next(r.real for r in np.roots([-beta, 0, 1 + beta, -stretch]) if abs(r.imag) < 1e-9 and 0 <= r.real <= 1)
    assert 0.5 <= start <= 1
    x = u @ np.diag(sigma * start / sigma[0]) @ vh
    for _ in range(iterations):
        x = (1 + beta) * x - beta * x @ x.T @ x
    found = P.bjorck(backend.asarray(w), iterations=iterations, beta=beta)
    np.testing.assert_allclose(backend.to_numpy(found), x.reshape(w.shape) / math.sqrt(3), atol=1e-10)


def test_bjorck_takes_a_step_at_least():
    """Without one the weight would be divided by a power of two only, and could stretch."""
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="`iterations` must be an integer of at least 1"):
            P.bjorck(random((3, 4)), iterations=wrong)
    for w in (random((3, 4)), np.ones((3, 4)), np.zeros((3, 4))):
        assert np.linalg.norm(P.bjorck(w, iterations=1), 2) <= 1 + 1e-14


# JAX compiles every shape anew
@pytest.mark.backends("numpy", "torch", "strict")
def test_bcop_of_two_by_two_taps_is_the_block_of_the_paper(backend):
    w = random((4, 4, 2, 2))
    H, M, N = (part.reshape(shape) for part, shape in zip(
        np.split(w.ravel()[:32], [16, 24]), [(4, 4), (4, 2), (4, 2)], strict=True
    ))  # fmt: skip
    P_, Q = (basis @ np.linalg.inv(basis.T @ basis) @ basis.T for basis in (M, N))
    one = np.eye(4)
    block = [[P_ @ Q, P_ @ (one - Q)], [(one - P_) @ Q, (one - P_) @ (one - Q)]]
    u, _, vh = np.linalg.svd(H)
    expected = np.einsum("om,abmi->oiab", u @ vh, block)
    np.testing.assert_allclose(backend.to_numpy(P.bcop(backend.asarray(w))), expected, atol=1e-10)


# JAX compiles every shape anew
@pytest.mark.backends("numpy", "torch", "strict")
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_generators_longer_than_pi_are_divided_by_a_bound_of_their_norm(mode, backend):
    w = random((2, 2, 3))
    A = P.soc_convolution(backend.asarray(w), (2, 7), padding_mode=mode)
    skew = w - np.flip(np.swapaxes(w, 0, 1), axis=2)
    used = backend.to_numpy(A.generator.kernel)
    factor = float(np.sum(used * skew) / np.sum(skew * skew))
    np.testing.assert_allclose(used, factor * skew, atol=1e-14)
    assert math.pi / 1.011 <= factor * R.supremum(skew) <= math.pi
    expected = R.exponential_on(factor * w, (7,), circular=mode == "circular")
    np.testing.assert_allclose(backend.to_numpy(A.to_dense()), expected, atol=1e-11)


# JAX compiles every shape anew
@pytest.mark.backends("numpy", "torch", "strict")
def test_eco_limits_every_frequency_by_itself(backend):
    """Beyond pi sqrt(c) in the Frobenius norm the exponent of that frequency is scaled down to it."""
    w = 2 * random((2, 2, 3))
    exponents = []
    for f in range(3):
        symbol = sum(w[..., t] * np.exp(2j * np.pi * f * (t - 1) / 3) for t in range(3))
        exponents.append(symbol - symbol.conj().T)
    norms = [np.linalg.norm(exponent) for exponent in exponents]
    limit = math.pi * math.sqrt(2)
    assert min(norms) < limit < max(norms)
    turned = [scipy.linalg.expm(e * min(1, limit / n)) for e, n in zip(exponents, norms, strict=True)]
    x = random((2, 6))
    found = backend.to_numpy(P.eco(backend.asarray(w), (2, 6)).apply(backend.asarray(x)))
    for start in range(2):  # every lattice has the frequencies of the kernel
        waves = np.fft.fft(x[:, start::2])
        expected = np.stack([turned[f] @ waves[:, f] for f in range(3)], axis=-1)
        np.testing.assert_allclose(np.fft.fft(found[:, start::2]), expected, atol=1e-10)


# JAX compiles every shape anew
@pytest.mark.backends("numpy", "torch", "strict")
def test_cayley_limits_every_frequency_by_itself(backend):
    """Beyond the fourth root of the precision, 8192, in the Frobenius norm."""
    w = 1700 * random((3, 2, 3))
    symbols = [sum(w[..., t] * np.exp(2j * np.pi * f * (t - 1) / 6) for t in range(3)) for f in range(6)]
    norms = np.array([np.linalg.norm(symbol) for symbol in symbols])
    assert norms.min() < 2**13 < norms.max()
    x = random((2, 6))
    waves = np.fft.fft(x)
    expected = [
        R.cayley(s * min(1, 2**13 / n)) @ waves[:, f] for f, (s, n) in enumerate(zip(symbols, norms, strict=True))
    ]
    A = P.cayley_convolution(backend.asarray(w), (2, 6))
    found = np.fft.fft(backend.to_numpy(A.apply(backend.asarray(x))))
    np.testing.assert_allclose(found, np.stack(expected, axis=-1), atol=1e-6)


# JAX compiles every shape anew
@pytest.mark.backends("numpy", "torch", "strict")
def test_weights_of_a_sandwich_are_those_of_its_layer(backend):
    w = random((3, 5))
    a, b = (backend.to_numpy(part) for part in P.sandwich_weights(backend.asarray(w), 2))
    np.testing.assert_allclose(np.concatenate([a, b], axis=1), R.cayley(w), atol=1e-12)
    assert (a.shape, b.shape) == ((3, 2), (3, 3))


def test_apply_slides_the_kernel_without_turning_it():
    """What the references take a convolution for, with every option."""
    w, x = random((4, 2, 3, 2)), random((4, 5, 6))
    A = lc.Convolution(w, (4, 5, 6), stride=(2, 1), padding=((1, 0), (2, 1)), dilation=(1, 2), groups=2)
    pads = ((1, 0), (2, 1))
    dense = [R.matrix(part, (5, 6), pads, stride=(2, 1), dilation=(1, 2)) for part in np.split(w, 2)]
    expected = np.concatenate([m @ part.ravel() for m, part in zip(dense, np.split(x, 2), strict=True)])
    np.testing.assert_allclose(A.apply(x).ravel(), expected, atol=1e-12)
