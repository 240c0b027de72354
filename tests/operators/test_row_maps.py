from __future__ import annotations

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance

from lipcore.operators.row_maps import LogSoftmaxJacobian, LogSumExpJacobian, PairMap, RowNormalization, SoftmaxJacobian

SHAPES = [("rows", (3, 4, 1)), ("columns", (1, 3, 2)), ("batch", (2, 2, 3, 2)), ("one", (1, 1, 1))]
REAL = ("float32", "float64")


def probabilities(rng, dtype, shape):
    p = rng.random(shape) + 0.05
    return {"p": np.asarray(p / p.sum(axis=-2, keepdims=True), dtype=dtype)}


def by_rows(shape, matrix, out=None):
    """Dense operator of a map of rows, given as matrix(batch index, outer, inner)."""
    *batch, outer, n, inner = shape
    m = n if out is None else out
    dense = np.zeros((*batch, outer, m, inner, outer, n, inner))
    for b in np.ndindex(*batch):
        for o in range(outer):
            for i in range(inner):
                dense[(*b, o, slice(None), i, o, slice(None), i)] = matrix(b, o, i)
    return dense.reshape(*batch, outer * m * inner, outer * n * inner)


def softmax_dense(p):
    def matrix(b, o, i):
        row = p[(*b, o, slice(None), i)]
        return np.diag(row) - np.outer(row, row)

    return by_rows(p.shape, matrix)


def log_softmax_dense(p):
    return by_rows(p.shape, lambda b, o, i: np.eye(p.shape[-2]) - p[(*b, o, slice(None), i)])


def log_sum_exp_dense(p):
    return by_rows(p.shape, lambda b, o, i: p[(*b, o, slice(None), i)][None], out=1)


def normalization(rng, dtype, shape, gain):
    x = rng.standard_normal(shape)
    arrays = {"x": x, "s": rng.random((*shape[:-2], 1, shape[-1])) + 0.5}
    if gain:
        arrays["g"] = rng.standard_normal(shape[-3:])
    return {name: np.asarray(a, dtype=dtype) for name, a in arrays.items()}


def normalization_dense(centered, count):
    def dense(x, s, g=None):
        n = x.shape[-2]

        def matrix(b, o, i):
            row = x[(*b, o, slice(None), i)]
            middle = np.eye(n) - np.outer(row, row) / count - (np.ones((n, n)) / n if centered else 0)
            return (1 if g is None else g[o, :, i][:, None]) * middle * s[(*b, o, 0, i)]

        return by_rows(x.shape, matrix)

    return dense


def pairs(rng, dtype, shape):
    arrays = {"d": rng.standard_normal(shape), "b": rng.standard_normal((*shape[:-2], 1, shape[-1]))}
    return {name: np.asarray(a, dtype=dtype) for name, a in arrays.items()}


def pair_dense(d, b):
    def matrix(i, o, k):
        return np.diag(d[(*i, o, slice(None), k)]) + b[(*i, o, 0, k)] * np.eye(2)[::-1]

    return by_rows(d.shape, matrix)


CASES = [
    *(
        Case(
            f"pairs-{name}",
            lambda rng, dtype, shape=shape: pairs(rng, dtype, shape),
            lambda backend, dtype, d, b: PairMap(d, b),
            pair_dense,
            dtypes=REAL,
        )
        for name, shape in (("single", (3, 2, 1)), ("batch", (2, 2, 2, 3)))
    ),
    *(
        Case(
            f"{kind.__name__}-{name}",
            lambda rng, dtype, shape=shape: probabilities(rng, dtype, shape),
            lambda backend, dtype, p, kind=kind: kind(p),
            dense,
            dtypes=REAL,
        )
        for kind, dense in (
            (SoftmaxJacobian, softmax_dense),
            (LogSoftmaxJacobian, log_softmax_dense),
            (LogSumExpJacobian, log_sum_exp_dense),
        )
        for name, shape in SHAPES
    ),
    *(
        Case(
            f"normalization-{name}-{centered}-{gain}",
            lambda rng, dtype, shape=shape, gain=gain: normalization(rng, dtype, shape, gain),
            lambda backend, dtype, x, s, g=None, centered=centered: RowNormalization(
                x, s, g, centered=centered, count=2
            ),
            normalization_dense(centered, 2),
            dtypes=REAL,
        )
        for name, shape in SHAPES[:3]
        for centered, gain in ((True, True), (False, False))
    ),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SoftmaxJacobian(np.ones((2, 2))), ValueError, "`p` must have shape"),
        (lambda: SoftmaxJacobian(np.ones((1, 2, 1), dtype=complex)), TypeError, "`p` must be real"),
        (lambda: SoftmaxJacobian([0.5, 0.5]), TypeError, "`p` must be an array"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
