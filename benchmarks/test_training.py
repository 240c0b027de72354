"""A step of training of a constrained network on MNIST's shapes: lipcore, deel-torchlip, orthogonium, plain torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import peers_training
from benchmarks.harness import VALUE, Contestant, Missing

torch = pytest.importorskip("torch", reason="a network is trained in torch")

OURS = {
    "lipcore, bjorck": "bjorck",
    "lipcore, rko": "rko",
    "lipcore, aoc": "aoc",
    "lipcore, spectral": "spectral",
    "lipcore, aol": "aol",
}
BATCH = 256


def trained(make: Callable[[], Any]) -> tuple[Any, Callable[[], float]]:
    """A network, and a step of Adam on a batch of random images, as a training script takes it."""
    torch.manual_seed(0)
    model = make().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    images, labels = torch.rand(BATCH, 1, 28, 28), torch.arange(BATCH) % 10
    loss_of = torch.nn.CrossEntropyLoss()

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(10 * model(images), labels)
        loss.backward()
        optimizer.step()
        return 1.0

    return model, step


def test_step(contest: Any) -> None:
    models: dict[str, Any] = {}
    entries: list[Contestant | Missing] = []

    def add(name: str, make: Callable[[], Any], ours: bool) -> None:
        models[name], step = trained(make)
        entries.append(Contestant(name, step, VALUE, ours=ours, repeat=3))

    for name, method in OURS.items():
        add(name, lambda method=method: peers_training.ours(method), True)
    for peer in peers_training.peers():
        if isinstance(peer, Missing):
            entries.append(peer)
        else:
            add(*peer, False)
    table = contest(f"one step of Adam, batch {BATCH}", entries, 1.0, rounds=15)
    for row in table.rows:
        (a, b), (c, d) = peers_training.least_and_largest(models[row.name])
        row.value = None  # a step has no error; what its weights are stands beside it
        row.claim = f"dense {a:.3f} to {b:.5f}, convolutions {c:.3f} to {d:.5f}"
    for name in ("lipcore, bjorck", "lipcore, rko", "lipcore, spectral"):
        peer = table.row("deel-torchlip, Spectral layers")
        table.expect_ratio(f"{name}: no slower than deel-torchlip", name, peer, at_most=1.0)
    adaptive = table.row("orthogonium, adaptive layers")
    table.expect_ratio("lipcore, aoc: no slower than orthogonium", "lipcore, aoc", adaptive, at_most=1.0)
