"""Dense matrices: the norm to 1e-6, the rigorous enclosure to 1e-6, and the cost of a call on a small matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import ours, peers_dense, problems
from benchmarks.harness import VALUE, Contestant, race

SHAPES = [(2000, 2000), (4096, 1024)]
DTYPES = ["float32", "float64"]
SPECTRA = ["gaussian", "clustered"]
# float32 answers are themselves rounded to 6e-8, and the peers' dot products to a few times that
ACCURACY = 1e-6


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
def test_opnorm(contest: Any, shape: tuple[int, int], dtype: str, spectrum: str) -> None:
    a = problems.matrix(spectrum, *shape, dtype)
    exact = problems.matrix_values(spectrum, *shape, dtype)
    title = f"opnorm(rtol=1e-6), {shape[0]} x {shape[1]}, {dtype}, {spectrum}"
    table = contest(title, [*ours.norms(ours.on_both(a), ACCURACY), *peers_dense.all_of(a)], exact)
    for name in ("lipcore opnorm, NumPy", "lipcore opnorm, torch"):
        table.expect_accuracy(name, name, within=ACCURACY)
        text = f"{name} no slower than the fastest peer within 1e-6"
        table.expect_ratio(text, name, table.fastest(accuracy=ACCURACY), at_most=1.0)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
def test_rigorous_bounds(contest: Any, shape: tuple[int, int], dtype: str, spectrum: str) -> None:
    a = problems.matrix(spectrum, *shape, dtype)
    exact = problems.matrix_values(spectrum, *shape, dtype)
    title = f'opnorm_bounds(kind="rigorous", rtol=1e-6), {shape[0]} x {shape[1]}, {dtype}, {spectrum}'
    entries = [
        *ours.bounds(ours.on_both(a), kind="rigorous", rtol=ACCURACY),
        *peers_dense.lapack(a),
        *peers_dense.gram_iteration(a),
    ]
    table = contest(title, entries, exact)
    for name in ("lipcore opnorm_bounds rigorous, NumPy", "lipcore opnorm_bounds rigorous, torch"):
        table.expect_accuracy(f"{name}, relative width", name, within=ACCURACY)
        if shape == (2000, 2000):
            text = f"{name} at least 8x faster than numpy.linalg.norm(A, 2)"
            table.expect_ratio(text, name, table.row("numpy.linalg.norm(A, 2)"), at_most=1 / 8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_small(contest: Any, dtype: str) -> None:
    a = problems.matrix("gaussian", 64, 64, dtype)
    exact = problems.matrix_values("gaussian", 64, 64, dtype)
    entries = [*ours.norms(ours.on_both(a), ACCURACY), *peers_dense.lapack(a)]
    entries += ours.bounds(ours.on_both(a), kind="rigorous", rtol=ACCURACY)
    many = [Contestant(e.name, e.run, e.claim, e.ours, repeat=50) for e in entries if isinstance(e, Contestant)]
    table = contest(f"the whole call, 64 x 64, {dtype}", many, exact, rounds=21)
    for library, peer in (("NumPy", "numpy.linalg.norm(A, 2)"), ("torch", "torch.linalg.matrix_norm(A, 2)")):
        name = f"lipcore opnorm, {library}"
        table.expect_ratio(f"{name} within 3x of {peer}", name, table.row(peer), at_most=3.0)
    table.expect_accuracy("lipcore opnorm, NumPy", "lipcore opnorm, NumPy", within=ACCURACY)


def test_the_race_itself(benchmark: Any) -> None:
    """The harness reports what it is told: errors, ratios, failures and targets."""

    def fail() -> float:
        raise ValueError("no convergence")

    values = np.arange(3.0)
    entries = [
        Contestant("ours", lambda: float(values.sum()), ours=True),
        Contestant("peer", lambda: float(np.sum(np.arange(1e5)) * 0 + 3.3), VALUE),
        Contestant("failing", fail),
    ]
    table = race(benchmark, "harness", entries, 3.0, rounds=3)
    assert table.row("ours").errors(3.0) == (0.0,)
    assert table.fastest(accuracy=0.05) is None
    assert table.fastest(accuracy=0.2).name == "peer"
    assert "no convergence" in table.row("failing").note
    table.expect_ratio("faster", "ours", table.row("peer"), at_most=1e6)
    table.expect_ratio("much faster", "ours", table.row("peer"), at_most=0.0)
    table.expect_accuracy("exact", "ours", within=1e-9)
    assert [target.split(":")[0] for target in table.targets] == ["met", "MISSED", "met"]
