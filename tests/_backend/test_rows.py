"""Kernels on long rows: sums, the recurrence in place, outer products, against the plain formulas."""

from __future__ import annotations

import numpy as np
import pytest

from lipcore import _backend as B

# More than one piece, and a rest.
LONG = 3 * (1 << 15) + 77


def rows(backend, name: str, n: int = LONG, seed: int = 0, batch: tuple[int, ...] = ()):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((*batch, 1, n))
    x = x + 1j * rng.standard_normal(x.shape) if name.startswith("complex") else x
    return backend.asarray(x.astype(name))


def test_sums_and_largest_entries(backend) -> None:
    for name in backend.dtypes:
        for n in (5, LONG):
            x = rows(backend, name, n, batch=(2,))
            exact = np.abs(backend.to_numpy(x).astype(np.complex128))
            np.testing.assert_allclose(
                backend.to_numpy(B.sum_squares(x)), np.sum(exact**2, -1, keepdims=True), rtol=5e-7
            )
            np.testing.assert_allclose(backend.to_numpy(B.largest_entry(x)), exact.max(-1, keepdims=True), rtol=3e-7)


@pytest.mark.parametrize("n", [5, LONG])
@pytest.mark.parametrize("first", [False, True])
def test_three_term_in_the_place_of_the_vector_before(backend, n: int, first: bool) -> None:
    for name in backend.dtypes:
        W, v, before = (rows(backend, name, n, seed, batch=(2,)) for seed in range(3))
        alpha, beta = (rows(backend, name, 1, seed, batch=(2,)) for seed in (3, 4))
        xp = B.array_namespace(W)
        expected = W - alpha * v - (0 if first else beta * before)
        expected = backend.to_numpy(expected)
        kept = backend.to_numpy(W).copy()
        out = B.writable_rows(before, 0, xp=xp)
        found = B.three_term(W, alpha, v, beta, None if first else before, out)
        tolerance = 40 * B.eps(xp, W.dtype)
        np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=0, atol=tolerance * 10)
        np.testing.assert_array_equal(backend.to_numpy(W), kept)
        if out is not None:
            np.testing.assert_array_equal(backend.to_numpy(before), backend.to_numpy(found))


@pytest.mark.parametrize("n", [12, 10, 9, 70_000])
def test_add_outer(backend, n: int) -> None:
    q = 4 if n < 100 else 264
    for name in backend.dtypes:
        W = rows(backend, name, n, batch=(2,))[..., 0, :]
        left, right = rows(backend, name, -(-n // q), 1, (2,))[..., 0, :], rows(backend, name, q, 2, (2,))[..., 0, :]
        a, b = backend.to_numpy(left), backend.to_numpy(right)
        expected = backend.to_numpy(W) + (a[..., :, None] * b[..., None, :]).reshape(2, -1)[:, :n]
        np.testing.assert_allclose(backend.to_numpy(B.add_outer(W, left, right)), expected, rtol=0, atol=1e-5)
