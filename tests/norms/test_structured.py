"""Combination rules against the norm of the matrix written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
from _backends import Backend

import lipcore as lc
from lipcore.norms.bounds import Bounds
from lipcore.norms.dense import dense_bounds
from lipcore.norms.structured import structured_bounds

RNG = np.random.default_rng(11)
A, C = RNG.standard_normal((5, 7)), RNG.standard_normal((5, 7)) + 1j * RNG.standard_normal((5, 7))
SQUARE = RNG.standard_normal((4, 4))


def bounds_of(operator: Any) -> Bounds:
    return (
        dense_bounds(operator.array, 1e-10)
        if isinstance(operator, lc.Dense)
        else structured_bounds(operator, bounds_of)
    )


TIGHT = {
    "diagonal": lc.Diagonal(C[0]),
    "diagonal batch": lc.Diagonal(A),
    "identity": lc.Identity(4),
    "scaled": (1 - 2j) * lc.Dense(A),
    "scaled by zero": 0.0 * lc.Dense(A),
    "adjoint": lc.Kronecker(A, C).H,
    "transposed": lc.Dense(C).T,
    "block diagonal": lc.BlockDiagonal([A, C, np.zeros((0, 2))]),
    "kronecker": lc.Kronecker(A, lc.Diagonal(C[0])),
    "low rank": lc.LowRank(C[:, :2], RNG.standard_normal((6, 2))),
    "low rank, wide factors": lc.LowRank(C, RNG.standard_normal((3, 7))),
    "low rank, dependent columns": lc.LowRank(np.ones((20, 3)), np.ones((9, 3))),
    "low rank, far scales": lc.LowRank(A[:, :3] * 1e200, A[:, :3] * 1e-250),
    "low rank, one column": lc.LowRank(A[:, :1], A[:4, :1]),
    "low rank, zero": lc.LowRank(np.zeros((3, 2)), A[:4, :2]),
    "low rank, batch": lc.LowRank(RNG.standard_normal((3, 5, 2)), RNG.standard_normal((6, 2))),
    "power zero": lc.Dense(SQUARE) ** 0,
    "power one": lc.Dense(SQUARE) ** 1,
}
WIDE = {
    "rows": lc.VStack([A, C]),
    "columns": lc.HStack([A, C, A]),
    "sum": lc.Dense(A) + lc.Dense(C) + lc.Dense(0.01 * A),
    "dominated sum": 0.1 * lc.Dense(A) + 0.1 * lc.Dense(C) + 5 * lc.Dense(A),
    "product": lc.Dense(A) @ lc.Dense(C.T),
    "power": lc.Dense(SQUARE) ** 3,
    "nilpotent": lc.Dense(np.array([[0.0, 1.0], [0.0, 0.0]])) ** 2,
}


@pytest.mark.parametrize("name", [*TIGHT, *WIDE])
def test_bounds_hold(name: str) -> None:
    operator = {**TIGHT, **WIDE}[name]
    norm = np.linalg.norm(np.asarray(operator.to_dense()), 2, axis=(-2, -1))
    bounds = bounds_of(operator)
    assert bounds.kind == "rigorous"
    assert np.all(bounds.lower <= norm * (1 + 1e-13))
    assert np.all(bounds.upper >= norm * (1 - 1e-13))
    assert np.all(bounds.converged) == (name in TIGHT)
    if name in TIGHT:
        assert np.all(bounds.relative_width <= 1e-6)


def test_known_values_are_exact() -> None:
    real = bounds_of(lc.Diagonal(np.array([1.0, -3.0, 2.0])))
    assert real.lower == real.upper == 3.0
    assert bounds_of(lc.Identity(3)).upper == 1.0
    assert bounds_of(lc.Diagonal(np.zeros(0))).upper == 0.0
    stacked = bounds_of(lc.VStack([np.array([[3.0]]), np.array([[4.0]])]))
    assert 3.999999 < stacked.lower <= 5 <= stacked.upper < 5.000001
    assert bounds_of(WIDE["dominated sum"]).lower > 0.5 * bounds_of(WIDE["dominated sum"]).upper


def test_the_kind_and_the_risk_come_from_the_parts() -> None:
    def risky(operator: Any) -> Bounds:
        return Bounds(1.0, 1.0, "probabilistic", 0.125)

    product = structured_bounds(lc.Kronecker(A, C), risky)
    assert product.kind == "probabilistic"
    assert 0.25 <= product.failure_probability < 0.2500001
    total = structured_bounds(lc.Dense(A) + lc.Dense(A) + lc.Dense(A), risky)
    assert total.failure_probability < 0.3751
    assert structured_bounds(2 * lc.Dense(A), risky).kind == "probabilistic"


def test_an_unknown_operator_gives_nothing() -> None:
    assert structured_bounds(lc.LinearOperator((2, 2), lambda x: x, dtype=np.float64), bounds_of) is None


def test_every_library(backend: Backend) -> None:
    name = backend.dtypes[-1]
    u, v = (RNG.standard_normal((n, 3)).astype(name) for n in (6, 5))
    scalar = backend.asarray(np.asarray(-2.0, dtype=np.float32))[...]
    operators = [
        lc.LowRank(backend.asarray(u), backend.asarray(v)),
        lc.Diagonal(backend.asarray(u[:, 0])),
        lc.Diagonal(backend.asarray(u[:, 0])) * scalar,
    ]
    for operator in operators:
        norm = np.linalg.norm(backend.to_numpy(operator.to_dense()).astype(np.complex128), 2)
        bounds = bounds_of(operator)
        assert bounds.lower <= norm * (1 + 1e-6)
        assert bounds.upper >= norm * (1 - 1e-6)
        assert bounds.relative_width < 1e-6


def test_factors_that_are_not_orthogonal_cost_width_and_no_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = scipy.linalg.qr

    def stretched(*args: Any, **options: Any) -> tuple[Any, Any]:
        q, triangle = honest(*args, **options)
        return 1.01 * q, triangle / 1.01

    def wrong(*args: Any, **options: Any) -> tuple[Any, Any]:
        q, triangle = honest(*args, **options)
        return q, 0.99 * triangle

    operator = lc.LowRank(A[:, :3], A[:4, :3])
    norm = np.linalg.norm(np.asarray(operator.to_dense()), 2)
    for replacement in (stretched, wrong):
        monkeypatch.setattr(scipy.linalg, "qr", replacement)
        bounds = bounds_of(operator)
        assert bounds.lower <= norm
        assert bounds.upper >= norm
        assert bounds.converged is False
