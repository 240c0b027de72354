from __future__ import annotations

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc
from lipcore.operators.token_map import TokenMap, TokenMaps

CASES = [
    Case(
        name,
        lambda rng, dtype, shape=shape: {"w": gaussian(rng, shape, dtype)},
        lambda backend, dtype, w, tokens=tokens: TokenMap(w, tokens),
        lambda w, tokens=tokens: np.kron(np.eye(tokens), w),
        natives=natives,
    )
    for name, shape, tokens, natives in [
        ("wide", (2, 4), 3, ("numpy", "strict", "torch", "jax", "cupy")),
        ("tall", (3, 1), 2, ("numpy", "strict", "torch", "cupy")),
    ]
]


CASES += [
    Case(
        f"several, {name}",
        lambda rng, dtype: {"a": gaussian(rng, (2, 3), dtype), "b": gaussian(rng, (1, 3), dtype)},
        lambda backend, dtype, a, b, batch=batch: TokenMaps([a, b], 2, batch_shape=batch),
        lambda a, b, batch=batch: np.broadcast_to(
            np.concatenate([np.kron(np.eye(2), a), np.kron(np.eye(2), b)]), (*batch, 6, 6)
        ),
        natives=natives,
    )
    for name, batch, natives in [
        ("single", (), ("numpy", "strict", "torch", "cupy")),
        ("batch", (2,), ("numpy", "strict", "torch", "jax", "cupy")),
    ]
]
CASES.append(
    Case(
        "batch",
        lambda rng, dtype: {"w": gaussian(rng, (2, 3), dtype)},
        lambda backend, dtype, w: TokenMap(w, 2, batch_shape=(3,)),
        lambda w: np.broadcast_to(np.kron(np.eye(2), w), (3, 4, 6)),
        natives=("numpy", "strict", "torch", "cupy"),
    )
)


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def test_adjoint_and_transpose_stay_token_maps():
    A = TokenMap(np.array([[1.0, 2.0j]]), 3)
    for turned, weight in ((A.H, [[1.0], [-2.0j]]), (A.T, [[1.0], [2.0j]])):
        assert isinstance(turned, TokenMap)
        assert np.array_equal(turned.weight, weight)


def test_equals_kronecker():
    w, x = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(4, 3)
    A = TokenMap(w, 4)
    assert np.allclose(A.apply(x), lc.Kronecker(lc.Identity(4), w).apply(x))
    assert (A.domain_shape, A.range_shape) == ((4, 3), (4, 2))


@pytest.mark.parametrize(
    ("weight", "tokens", "error", "message"),
    [
        ([[1.0]], 2, TypeError, "`weight` must be an array"),
        (np.ones((2, 2), dtype=int), 2, TypeError, "`weight` must be floating"),
        (np.ones(2), 2, ValueError, "`weight` must have shape"),
        (np.ones((2, 2)), 0, ValueError, "`tokens` must be positive"),
    ],
)
def test_bad_input(weight, tokens, error, message):
    with pytest.raises(error, match=message):
        TokenMap(weight, tokens)
