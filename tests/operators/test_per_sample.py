from __future__ import annotations

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc
from lipcore.operators.opaque import Opaque
from lipcore.operators.per_sample import Folded, PerSample, Unfolded


def block_diagonal(a):
    """The last axis of a stack of matrices as diagonal blocks."""
    *batch, members, m, n = a.shape
    whole = np.zeros((*batch, members, m, members, n), dtype=a.dtype)
    for i in range(members):
        whole[..., i, :, i, :] = a[..., i, :, :]
    return whole.reshape(*batch, members * m, members * n)


def _case(name, shape, build, dense):
    return Case(
        name,
        lambda rng, dtype: {"a": gaussian(rng, shape, dtype)},
        lambda backend, dtype, a: build(lc.Dense(a)),
        dense,
    )


CASES = [
    _case("shared", (2, 3), lambda A: PerSample(A, 4), lambda a: np.broadcast_to(a, (4, *a.shape))),
    _case("a stack", (4, 2, 3), lambda A: PerSample(A, 4), lambda a: a),
    _case("folded", (3, 2, 4), Folded, block_diagonal),
    _case("folded batch", (2, 3, 2, 1), Folded, block_diagonal),
    _case("opaque", (2, 3), Opaque, lambda a: a),
    Case(
        "unfolded",
        lambda rng, dtype: {"d": gaussian(rng, (6,), dtype)},
        lambda backend, dtype, d: Unfolded(lc.Diagonal(d), 3),
        lambda d: np.stack([np.diag(part) for part in d.reshape(3, 2)]),
    ),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def test_norms_are_those_of_the_parts(backend):
    a = np.random.default_rng(0).standard_normal((3, 4, 5))
    stack = lc.Dense(backend.asarray(a))
    each = np.linalg.norm(a, 2, axis=(-2, -1))
    for operator, exact in ((Folded(stack), each.max()), (PerSample(lc.Dense(backend.asarray(a[0])), 2), each[:1])):
        bounds = lc.opnorm_bounds(operator)
        assert bounds.kind == "rigorous"
        assert np.all(bounds.lower <= exact * (1 + 1e-6))
        assert np.all(bounds.upper >= exact * (1 - 1e-6))
        np.testing.assert_allclose(
            backend.to_numpy(lc.opnorm(operator)), np.broadcast_to(exact, bounds.batch_shape), 1e-5
        )


def test_an_opaque_product_is_not_bounded_by_its_factors():
    a = np.diag([1.0, 1e-3])
    product = lc.Dense(a) @ lc.Dense(a[::-1, ::-1].copy())
    assert lc.opnorm_bounds(product, kind="rigorous").upper >= 1.0
    assert lc.opnorm_bounds(Opaque(product)).upper < 1.1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PerSample(lc.Dense(np.ones((2, 2, 2))), 3), "must have the batch shape"),
        (lambda: Folded(lc.Identity(2)), "at least one batch axis"),
        (lambda: Unfolded(lc.Identity(5), 2), "not made of 2 equal blocks"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
