"""Circular convolutions: the exact norm, rigorously, against SVDs and Gram iteration of every frequency."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import ours, peers_convolution, problems


@pytest.mark.parametrize("size", list(problems.CIRCULAR))
def test_circular(contest: Any, size: str) -> None:
    problem = problems.CIRCULAR[size]
    entries = [
        *ours.torch_first(ours.bounds(ours.convolution(problem), kind="rigorous", rtol=1e-6)),
        *peers_convolution.circular_svd(problem),
        *peers_convolution.circular_gram(problem),
    ]
    table = contest(f'opnorm_bounds(kind="rigorous", rtol=1e-6), {problem.name}', entries, problem.values())
    name = "lipcore opnorm_bounds rigorous, torch"
    table.expect_accuracy("relative width", name, within=1e-6)
    table.expect_ratio("at least 3x faster than the SVD", name, table.fastest(among="SVD"), at_most=1 / 3)
    table.expect_ratio("no slower than Gram iteration", name, table.fastest(among="Gram"), at_most=1.0)
