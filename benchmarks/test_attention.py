"""The norm of a self-attention Jacobian, and what its products take as sequences grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import lipcore as lc
from benchmarks import attention_scaling, ours, peers_attention
from benchmarks.conftest import TABLES
from benchmarks.harness import Contestant, Missing
from benchmarks.peers_attention import Attention

TORCH, FIXED = "lipcore opnorm, torch", "lipcore opnorm, 30 steps, JAX jit"


def norms(problem: Attention) -> Iterator[Contestant | Missing]:
    """The layer's Jacobian at the tokens and its norm, both in the time."""
    x, q, k, v = problem.arrays()

    def run(x: Any, *weights: Any, **options: Any) -> Any:
        layer = lc.layers.MultiHeadAttention(*weights, num_heads=1)
        return lc.opnorm(layer.jacobian(x[None]), rng=0, **options)[0]

    for name, convert in (("torch", ours.tensor), ("NumPy", lambda a: a)):
        arrays = [convert(a) for a in (x, q, k, v)]
        if arrays[0] is not None:
            yield Contestant(f"lipcore opnorm, {name}", lambda a=arrays: float(run(*a, rtol=1e-6)), ours=True)
    try:
        import jax
    except ImportError:
        yield Missing(FIXED, "jax is not installed")
        return
    arrays = [jax.numpy.asarray(a) for a in (x, q, k, v)]
    compiled = jax.jit(lambda *arrays: run(*arrays, iterations=30))
    float(compiled(*arrays)), float(run(*arrays, rtol=1e-6))  # JAX compiles once, and not as part of the race
    yield Contestant(FIXED, lambda: float(compiled(*arrays)), ours=True)
    yield Contestant("lipcore opnorm, JAX", lambda: float(run(*arrays, rtol=1e-6)), ours=True)


@pytest.mark.parametrize("tokens", [128, 512])
def test_norm(contest: Any, tokens: int) -> None:
    problem = Attention(tokens)
    entries = [*norms(problem), *peers_attention.torch_func(problem), *peers_attention.matfree(problem)]
    table = contest(f"opnorm(rtol=1e-6), {problem.name}", entries, problem.norm())
    for name in (TORCH, "lipcore opnorm, NumPy", "lipcore opnorm, JAX"):
        table.expect_accuracy(name, name, within=1e-6)
    arpack = table.fastest(among="arpack", accuracy=1e-6)
    table.expect_ratio("torch, at least 4x faster than arpack over torch.func", TORCH, arpack, at_most=1 / 4)
    table.expect_ratio("JAX, no slower than matfree", FIXED, table.fastest(among="matfree"), at_most=1.0)


@dataclass
class Growth:
    """Time and extra memory of one product pair over the number of tokens."""

    rows: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        head = ["### One product pair with an attention Jacobian, 64 features, float32", ""]
        head += ["| | tokens | time | extra memory |", "| --- | ---: | ---: | ---: |"]
        return "\n".join([*head, *self.rows, "", *(f"- {target}" for target in self.targets)])


def test_growth(request: pytest.FixtureRequest) -> None:
    pytest.importorskip("torch")
    table = Growth()
    request.config.stash[TABLES].append(table)  # type: ignore[arg-type]
    sizes = {"numpy": (1024, 2048, 4096, 16384), "torch": (1024, 2048, 4096, 16384), "torch.func": (1024, 2048, 4096)}
    found = {}
    for library, several in sizes.items():
        for tokens in several:
            one = found[library, tokens] = attention_scaling.measure(library, tokens)
            name = library if library == "torch.func" else f"lipcore, {library}"
            table.rows.append(f"| {name} | {tokens} | {one['seconds']:.3g} s | {one['mebibytes']:.0f} MiB |")
    for library in ("numpy", "torch"):
        seconds = found[library, 16384]["seconds"] / found[library, 4096]["seconds"]
        memory = found[library, 16384]["mebibytes"]
        table.targets.append(
            f"{library}: 16,384 tokens take {seconds:.1f} times the time of 4,096 (16 by their squares)"
        )
        verdict = "met" if memory < 1024 else "MISSED"
        table.targets.append(f"{verdict}: {library}: less than 1 GiB at 16,384 tokens, {memory:.0f} MiB")
