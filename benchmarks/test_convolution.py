"""Zero-padded convolutions: enclosures against 100 power steps, norms against PRIMME and ARPACK."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import ours, peers_convolution, problems

# the relative width that the enclosure is asked for, and the steps that spatial Gram iteration affords
WIDTH = {"64-64-32": 5e-3, "256-256-32": 5e-3, "64-64-224": 1e-3, "3-64-224": 1e-2}
GRAM_STEPS = {"64-64-32": 4, "256-256-32": 3, "64-64-224": 4, "3-64-224": 4}
COLUMNS = list(problems.COLUMNS)


@pytest.mark.parametrize("column", COLUMNS)
def test_enclosure(contest: Any, column: str) -> None:
    problem, width = problems.COLUMNS[column], WIDTH[column]
    entries = [
        *ours.torch_first(ours.bounds(ours.convolution(problem), rtol=width)),
        *peers_convolution.power(problem),
        *peers_convolution.padded_grid(problem),
        *peers_convolution.spatial_gram(problem, GRAM_STEPS[column]),
    ]
    table = contest(f"opnorm_bounds(rtol={width:g}), {problem.name}", entries, problem.values())
    name = "lipcore opnorm_bounds auto, torch"
    table.expect_accuracy("relative width", name, within=width)
    table.expect_ratio("no slower than 100 power steps", name, table.fastest(among="power steps"), at_most=1.0)
    table.expect_ratio("NumPy at most 5x torch", "lipcore opnorm_bounds auto, NumPy", table.row(name), at_most=5.0)


@pytest.mark.parametrize("column", COLUMNS)
def test_opnorm(contest: Any, column: str) -> None:
    problem = problems.COLUMNS[column]
    entries = [
        *ours.torch_first(ours.norms(ours.convolution(problem), 1e-5)),
        *peers_convolution.primme_convolution(problem),
        *peers_convolution.arpack(problem),
    ]
    table = contest(f"opnorm(rtol=1e-5), {problem.name}", entries, problem.values())
    name = "lipcore opnorm, torch"
    table.expect_accuracy("accuracy", name, within=1e-5)
    for peer in ("PRIMME", "arpack"):
        text = f"at least 2x faster than the best of {peer}"
        table.expect_ratio(text, name, table.fastest(among=peer), at_most=0.5)
    table.expect_ratio("NumPy at most 5x torch", "lipcore opnorm, NumPy", table.row(name), at_most=5.0)
