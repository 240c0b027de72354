"""Weights at the ends of the range, exponents at their limits, and roundings on the safe side."""

from __future__ import annotations

import math

import numpy as np
import pytest
from parametrizations import references as R

from lipcore import parametrizations as P

LARGEST = float(np.finfo(np.float32).max) / 8
SMALLEST = float(np.finfo(np.float32).tiny) * 8


def random(shape, seed=7):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("size", [LARGEST, SMALLEST], ids=["largest", "smallest"])
@pytest.mark.parametrize(
    "function", [P.cayley_convolution, P.lot_convolution, P.soc_convolution, P.eco], ids=lambda f: f.__name__
)
def test_sums_of_the_largest_entries_do_not_overflow(function, size):
    # nine taps of one sign: their sum has no place in single precision
    w = (size * np.random.default_rng(7).uniform(0.7, 1.0, (3, 2, 9))).astype("float32")
    sigma = np.linalg.svd(function(w, (2, 9)).to_dense().astype(float), compute_uv=False)
    np.testing.assert_allclose(sigma, 1.0, atol=2e-5)


@pytest.mark.parametrize("size", [LARGEST, SMALLEST], ids=["largest", "smallest"])
@pytest.mark.parametrize("name", sorted(set(P.__all__) - {"sandwich", "sandwich_weights", "cpl", "sll"}))
def test_largest_and_smallest_entries_of_matrices(name, size):
    function = getattr(P, name)
    if name.endswith("convolution") or name == "eco":
        return  # above
    w = (size * np.sign(random((5, 3)))).astype("float32")
    found = function(w).astype(float)
    # what does not see the scale keeps its value
    usual = function(np.sign(w)).astype(float)
    if name not in ("cayley", "soc"):
        np.testing.assert_allclose(found, usual, atol=1e-5)
    assert 0.1 <= np.linalg.norm(found, 2) <= 1 + 1e-5


def test_rows_of_every_size_have_one_length():
    w = random((4, 3)) * np.array([1e30, 1.0, 1e-20, 1e-30])[:, None]
    found = P.frobenius(w.astype("float32"), rows=True).astype(float)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("function", [P.spectral, P.cpl_weight, P.frobenius, P.aol, P.sll_weight])
def test_roundings_are_on_the_safe_side(function):
    """One row or column, whose norm is known in double precision: entries rounded up must not carry it above 1."""
    options = {"rtol": 1e-9} if function in (P.spectral, P.cpl_weight) else {}
    shape = (2, 1) if function is P.aol else (1, 2)
    norms, sums = [], []
    for w in random((200, *shape)).astype("float32"):
        norms.append(np.linalg.norm(function(w, **options).astype(float)))
        kernel = function(np.abs(w.reshape(1, 1, 2)), **options).astype(float)
        sums.append(float(np.sum(kernel)))  # its norm
    assert 1 - 1e-5 <= max(norms) <= 1
    assert max(sums) <= 1


def test_exponentials_in_single_precision_at_their_limits():
    """So many squarings that the Taylor polynomial of single precision is exact to rounding."""
    for order in (2, 4, 7):
        w = random((order, order)) * 50
        np.testing.assert_allclose(P.soc(w.astype("float32")), R.exponential(w), atol=2e-5)
    w = np.zeros((2, 2, 3))
    w[0, 1, 1] = 100.0  # the same at every frequency
    turned = P.eco(w.astype("float32"), (2, 6)).to_dense()
    np.testing.assert_allclose(turned, np.kron(R.exponential(w[..., 1]), np.eye(6)), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_as_many_terms_as_the_precision_needs(dtype):
    w = random((2, 2, 3))
    skew = w - np.flip(np.swapaxes(w, 0, 1), axis=2)
    for norm in (1e-3, 0.02, 0.2, 0.7, 1.4, 2.0, 3.0):
        weight = (w * norm / R.supremum(skew)).astype(dtype)
        # the bound lies up to a hundredth above the norm
        ends = [n for n in range(4, 40, 4) for slack in (1, 1.011) if _last(n, norm * slack, dtype)]
        assert P.soc_convolution(weight, (2, 6)).terms in (ends[0], ends[-1])


def _last(terms, norm, dtype):
    """Whether the remainder is below the precision, and with four terms less it is not."""
    remainders = [norm ** (n + 1) / math.factorial(n + 1) for n in (terms, max(terms - 4, 0))]
    return remainders[0] <= np.finfo(dtype).eps and (terms == 4 or remainders[1] > np.finfo(dtype).eps)


# only JAX has jit
@pytest.mark.backends("jax-x64")
def test_spectral_between_the_angles_of_a_traced_norm(backend):
    """Without a host the norm is seen at 20 angles, and this one is the largest in the middle between two."""
    import jax

    waves = np.exp(1j * math.radians(81) * np.arange(5))
    w = np.stack([waves.real, waves.imag])[:, None, :]
    seen = max(np.linalg.norm(w[:, 0] @ np.exp(1j * math.radians(18 * k) * np.arange(5))) for k in range(20))
    assert seen < 0.985 * R.supremum(w)
    found = np.asarray(jax.jit(P.spectral)(backend.asarray(w)))
    assert 0.9 <= R.supremum(found) <= 1 + 1e-12
