from __future__ import annotations

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance

from lipcore.operators.pair_rotation import PairRotation

TOKENS, PAIRS = 3, 2


def _angles(rng, dtype):
    angles = rng.standard_normal((TOKENS, PAIRS))
    return {"cosine": np.cos(angles).astype(dtype), "sine": np.sin(angles).astype(dtype)}


def _dense(cosine, sine, heads, features, interleaved):
    matrix = np.zeros((TOKENS, heads, features, TOKENS, heads, features))
    for t in range(TOKENS):
        for h in range(heads):
            matrix[t, h, :, t, h, :] = np.eye(features)
            for i in range(PAIRS):
                a, b = (2 * i, 2 * i + 1) if interleaved else (i, i + PAIRS)
                c, s = cosine[t, i], sine[t, i]
                matrix[t, h, a, t, h, [a, b]] = c, -s
                matrix[t, h, b, t, h, [a, b]] = s, c
    size = TOKENS * heads * features
    return matrix.reshape(size, size)


CASES = [
    Case(
        name,
        _angles,
        lambda backend, dtype, cosine, sine, o=options: PairRotation(cosine, sine, *o[:2], interleaved=o[2]),
        lambda cosine, sine, o=options: _dense(cosine, sine, *o),
        dtypes=("float32", "float64"),
        natives=natives,
    )
    for name, options, natives in [
        ("halves", (2, 4, False), ("numpy", "strict", "torch", "cupy")),
        ("interleaved, some stay", (1, 5, True), ("numpy", "strict", "torch", "jax", "cupy")),
    ]
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def test_turns_are_orthogonal_and_undone_by_the_adjoint():
    A = PairRotation(**_angles(np.random.default_rng(0), float), heads=2, features=6)
    x = np.random.default_rng(1).standard_normal(A.shape[1])
    assert np.linalg.norm(A @ x) == pytest.approx(np.linalg.norm(x), rel=1e-14)
    np.testing.assert_allclose(A.H @ (A @ x), x, atol=1e-14)
    assert isinstance(A.H, PairRotation)


@pytest.mark.parametrize(
    ("cosine", "sine", "error", "message"),
    [
        ([[1.0]], [[0.0]], TypeError, "`cosine` must be an array"),
        (np.ones((2, 2), dtype=int), np.ones((2, 2)), TypeError, "`cosine` must be real floating"),
        (np.ones((2, 2)), np.ones((2, 1)), ValueError, "must have one shape"),
        (np.ones((2, 3)), np.ones((2, 3)), ValueError, "2 pairs <= 5"),
    ],
)
def test_bad_input(cosine, sine, error, message):
    with pytest.raises(error, match=message):
        PairRotation(cosine, sine, 1, 5)
