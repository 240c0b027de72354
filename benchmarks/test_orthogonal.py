"""Orthogonalisation: the polar factor of float32 matrices, against an SVD and the iterations of torch packages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lipcore as lc
from benchmarks import ours, peers_orthogonal, problems
from benchmarks.harness import VALUE, Contestant, Table

SVD = "torch.linalg.svd, U V^H"
BJORCK = peers_orthogonal.DEEL


def matrix(name: str) -> Any:
    """One of the three matrices of the claims."""
    if name == "1024 x 1024, Gaussian":
        return problems.matrix("gaussian", 1024, 1024, "float32")
    if name == "2048 x 512, Gaussian":
        return problems.matrix("gaussian", 2048, 512, "float32")
    u, _, vh = np.linalg.svd(np.random.default_rng(0).standard_normal((1024, 1024)))
    return ((u * np.linspace(0.3, 1.0, 1024)) @ vh).astype("float32")


class Results:
    """The last result of each contestant, measured after the race: the "errors" of the tables are their residuals."""

    def __init__(self) -> None:
        self.last: dict[str, Any] = {}

    def keep(self, name: str, q: Any) -> float:
        """Store, without work on the clock."""
        self.last[name] = q
        return 1.0

    def residual(self, name: str) -> float:
        """``||Q^T Q - I||_2`` over the shorter side, in double precision."""
        q = self.last[name]
        a = np.asarray(q.float() if hasattr(q, "float") else q, dtype=float)
        g = a.T @ a if a.shape[0] >= a.shape[1] else a @ a.T
        return float(np.linalg.norm(g - np.eye(g.shape[0]), 2))

    def fill(self, table: Table) -> None:
        """Residuals as the rows' errors."""
        for row in table.rows:
            if row.name in self.last:
                row.value = 1.0 + self.residual(row.name)
                row.claim = f"residual {row.value - 1.0:.0e}"


def contestants(w: Any, results: Results) -> list[Any]:
    """Ours on both libraries, with half-precision steps where there are any, and the peers."""
    found: list[Any] = []
    for library, a in ours.on_both(w):
        name = f"lipcore orthogonalize, {library}"
        run = lambda a=a, name=name: results.keep(name, lc.orthogonalize(a, rng=0))  # noqa: E731
        found.append(Contestant(name, run, VALUE, ours=True))
    if (a := ours.tensor(w)) is not None:
        import torch

        loose = "lipcore orthogonalize, torch, tol=3e-4"
        loosely = lambda: results.keep(loose, lc.orthogonalize(a, tol=3e-4, rng=0))  # noqa: E731
        found.append(Contestant(loose, loosely, VALUE, ours=True))
        half = "lipcore orthogonalize, torch, bfloat16 then float32"
        rough = lambda: results.keep(half, lc.orthogonalize(a, dtype=torch.bfloat16, tol=3e-4, rng=0))  # noqa: E731
        found.append(Contestant(half, rough, VALUE, ours=True))
    return [*found, *peers_orthogonal.all_of(w, results.keep)]


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("1024 x 1024, Gaussian", [(SVD, 1.0)]),
        ("1024 x 1024, singular values in [0.3, 1]", [(BJORCK, 1 / 1.7)]),
        ("2048 x 512, Gaussian", [(SVD, 1 / 3), (BJORCK, 1 / 3)]),
    ],
)
def test_orthogonalize(contest: Any, name: str, targets: list[tuple[str, float]]) -> None:
    results = Results()
    table = contest(f"orthogonalize, float32, {name}", contestants(matrix(name), results), 1.0)
    results.fill(table)
    for library in ("NumPy", "torch"):
        row = f"lipcore orthogonalize, {library}"
        table.expect_accuracy(f"{row}, residual", row, within=2e-6)
        for peer, ratio in targets:
            table.expect_ratio(row, row, table.row(peer), at_most=ratio)
    if name.endswith("1024, Gaussian"):
        for row in ("lipcore orthogonalize, torch, tol=3e-4", "lipcore orthogonalize, torch, bfloat16 then float32"):
            table.expect_accuracy(f"{row}, residual", row, within=1e-5)
            table.expect_ratio(row, row, table.row(SVD), at_most=1 / 3)
