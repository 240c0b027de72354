"""lipcore as a contestant, on NumPy arrays and on torch tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import lipcore as lc
from benchmarks.harness import BOTH, Contestant, Missing
from benchmarks.problems import Convolution

Array = Any


def tensor(a: Array) -> Array | None:
    try:
        import torch
    except ImportError:
        return None
    return torch.from_numpy(a)


def on_both(a: Array) -> Iterator[tuple[str, Array]]:
    """The name of the array library and the array in it."""
    yield "NumPy", a
    if (t := tensor(a)) is not None:
        yield "torch", t


def norms(operators: Iterator[tuple[str, Any]], rtol: float) -> Iterator[Contestant]:
    for name, a in operators:
        yield Contestant(f"lipcore opnorm, {name}", lambda a=a: float(lc.opnorm(a, rtol=rtol, rng=0)), ours=True)


def bounds(operators: Iterator[tuple[str, Any]], **options: Any) -> Iterator[Contestant]:
    """Enclosures; the row's name shows the kind that was asked for."""

    def run(a: Any) -> tuple[float, float]:
        found = lc.opnorm_bounds(a, rng=0, **options)
        return float(found.lower), float(found.upper)

    kind = options.get("kind", "auto")
    for name, a in operators:
        yield Contestant(f"lipcore opnorm_bounds {kind}, {name}", lambda a=a: run(a), BOTH, ours=True)


def leading(operators: Iterator[tuple[str, Any]], k: int, tol: float) -> Iterator[Contestant]:
    for name, a in operators:

        def run(a: Any = a) -> Array:
            return np.asarray(lc.svds(a, k, tol=tol, rng=0, return_singular_vectors=False))

        yield Contestant(f"lipcore svds k={k}, tol {tol:g}, {name}", run, ours=True)


def convolution(problem: Convolution) -> Iterator[tuple[str, Any]]:
    for name, kernel in on_both(problem.kernel()):
        operator = lc.Convolution(
            kernel,
            problem.domain,
            stride=problem.stride,
            padding=problem.padding,
            padding_mode=problem.padding_mode,
        )
        yield name, operator


def torch_first(entries: Iterator[Contestant]) -> list[Contestant | Missing]:
    """The torch row first, since convolutions are compared with peers that run on torch."""
    return sorted(entries, key=lambda entry: "torch" not in entry.name)
