from __future__ import annotations

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance, gaussian

from lipcore.operators.recurrent import ElmanJacobian, GRUJacobian, LSTMJacobian

SAMPLES, TIME, FEATURES, HIDDEN = 2, 3, 2, 3
REAL = ("float32", "float64")


def arrays(gates, factors):
    def draw(rng, dtype):
        found = {
            "w": gaussian(rng, (gates * HIDDEN, FEATURES), dtype),
            "u": gaussian(rng, (gates * HIDDEN, HIDDEN), dtype),
        }
        names = [f"factor{i}" for i in range(factors)]
        return found | {name: gaussian(rng, (SAMPLES, TIME, HIDDEN), dtype) / 2 for name in names}

    return draw


def swept(gates, factors, states, step):
    """The matrix by unrolling the step on unit vectors."""

    def dense(w, u, **given):
        given = [given[f"factor{i}"] for i in range(factors)]
        out = np.zeros((SAMPLES, TIME * HIDDEN, TIME * FEATURES))
        for s in range(SAMPLES):
            for column in range(TIME * FEATURES):
                x = np.zeros(TIME * FEATURES)
                x[column] = 1
                state = [np.zeros(HIDDEN)] * states
                for t, xt in enumerate(x.reshape(TIME, FEATURES)):
                    a = np.split(w @ xt, gates)
                    b = np.split(u @ state[-1], gates)
                    state = step([f[s, t] for f in given], a, b, state)
                    out[s, t * HIDDEN : (t + 1) * HIDDEN, column] = state[-1]
        return out

    return dense


def lstm_step(f, a, b, state):
    z = [x + y for x, y in zip(a, b, strict=True)]
    cell = f[0] * state[0] + f[1] * z[0] + f[2] * z[1] + f[3] * z[2]
    return [cell, f[4] * z[3] + f[5] * cell]


def gru_step(f, a, b, state):
    return [f[0] * (a[0] + b[0]) + f[1] * (a[1] + b[1]) + f[2] * (a[2] + f[3] * b[2]) + f[4] * state[0]]


KINDS = [
    ("elman", ElmanJacobian, 1, 1, 1, lambda f, a, b, state: [f[0] * (a[0] + b[0])]),
    ("lstm", LSTMJacobian, 4, 6, 2, lstm_step),
    ("gru", GRUJacobian, 3, 5, 1, gru_step),
]
CASES = [
    Case(
        name,
        arrays(gates, factors),
        lambda backend, dtype, w, u, kind=kind, **given: kind(w, u, *given.values()),
        swept(gates, factors, states, step),
        dtypes=REAL,
        # what JAX compiles step by step, once is enough
        natives=("numpy", "strict", "torch", "jax", "cupy")
        if name == "elman"
        else ("numpy", "strict", "torch", "cupy"),
    )
    for name, kind, gates, factors, states, step in KINDS
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param
