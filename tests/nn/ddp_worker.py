"""One of two processes of `test_torch_parallel`: a step of data parallel training on its half of the batch."""

from __future__ import annotations

import faulthandler
import sys
import time
from datetime import timedelta
from pathlib import Path

import torch
from torch import nn

import lipcore.nn.torch as lt


def network(method: str) -> nn.Module:
    """Small, with a running mean and starting vectors."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), lt.GroupSort2(), nn.Flatten(), nn.Linear(64, 6), lt.Abs(), nn.Linear(6, 3)
    )
    return lt.constrain(net, method).train()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Eight samples; each process takes four."""
    return torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(1)), torch.arange(8) % 3


def step(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """One forward and backward pass."""
    lt.TauCrossEntropyLoss(3.0)(model(images), labels).backward()


def main(rank: int, store: str, out: str, methods: list[str]) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    found = {}
    images, labels = batch()
    for method in methods:
        model = network(method)
        parallel = nn.parallel.DistributedDataParallel(model)
        half = slice(4 * rank, 4 * rank + 4)
        step(parallel, images[half], labels[half])
        found[method] = {name: p.grad for name, p in model.named_parameters()}
    torch.save(found, f"{out}.{rank}.part")
    Path(f"{out}.{rank}.part").rename(f"{out}.{rank}")
    # A process that leaves takes its connections along, and its neighbour may still be reading from them.
    time.sleep(60)


if __name__ == "__main__":
    faulthandler.dump_traceback_later(80)  # where it stood, should it ever hang
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
