from __future__ import annotations

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance, gaussian

from lipcore.operators.row_extension import RowExtension


def _dense(w, rows, factor=-0.5):
    cut = w.ndim - rows - 1
    batch, tensor = w.shape[:cut], w.shape[cut:]
    count, features = int(np.prod(tensor[:-1])), tensor[-1]
    flat = w.reshape(*batch, count, features)
    matrix = np.zeros((*batch, count, features + 1, count, features))
    for i in range(count):
        matrix[..., i, :features, i, :] = factor * np.eye(features)
        matrix[..., i, features, i, :] = flat[..., i, :]
    return matrix.reshape(*batch, count * (features + 1), count * features)


CASES = [
    Case(
        name,
        lambda rng, dtype, shape=shape: {"w": gaussian(rng, shape, dtype)},
        lambda backend, dtype, w, rows=rows: RowExtension(w, -0.5, rows=rows),
        lambda w, rows=rows: _dense(w, rows),
        dtypes=("float32", "float64"),
        natives=natives,
    )
    for name, shape, rows, natives in [
        ("single", (3, 2), 1, ("numpy", "strict", "torch", "cupy")),
        ("batch", (2, 2, 2, 3), 2, ("numpy", "strict", "torch", "jax", "cupy")),
    ]
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize(
    ("weights", "rows", "error", "message"),
    [
        ([[1.0]], 1, TypeError, "`weights` must be an array"),
        (np.ones((2, 2)) + 1j, 1, TypeError, "`weights` must be real floating"),
        (np.ones(2), 1, ValueError, "`weights` must have 1 axes of rows"),
        (np.ones((2, 2)), 0, ValueError, "`weights` must have 0 axes of rows"),
    ],
)
def test_bad_input(weights, rows, error, message):
    with pytest.raises(error, match=message):
        RowExtension(weights, 1.0, rows=rows)
