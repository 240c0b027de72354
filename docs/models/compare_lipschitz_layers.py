"""Seven ways of making 1-Lipschitz convolutions side by side, on MNIST and on CIFAR-10 or a part of it.

    python compare_lipschitz_layers.py --data DIR [--cifar FILE.npz] [--budget 40] [--rates 0.003,0.01,0.03] [--seed 0]
    python compare_lipschitz_layers.py --cost [--cifar FILE.npz]

The methods are those of Prach, Brau, Buttazzo and Lampert 2024, "1-Lipschitz Layers Compared" (CVPR): AOL, BCOP,
Cayley, CPL, LOT, SLL and SOC. All have the same small network, which differs in its four convolutions only: pixels
gathered by 2, an orthogonal 1 x 1 convolution to `--width` channels, two convolutions, pixels gathered by 2, an
orthogonal 1 x 1 convolution to twice the width, two convolutions, and an orthogonal matrix to ten logits. Padding is
circular. Pairs of channels are sorted after AOL, BCOP, Cayley, LOT and SOC; CPL and SLL are residual and bring their
own ReLU. The loss is the paper's, cross-entropy with an offset of 2 sqrt(2) 36/255 at temperature 1/4.

Every method gets the same processor time, `--budget` seconds, with a one-cycle rate that follows the time that is
spent. The largest rate is chosen for each method: a quarter of the budget for each of `--rates`, on all but the last
tenth of the training images, and the one with the most images of that tenth certified at 36/255. The test images are
looked at once, after the final training on all training images. Because time decides, two runs are not bit for bit the
same.

Certificates come from the exported numbers: `lipcore.nn.torch.certify` for what is a module of torch; Cayley, LOT and
SOC convolutions, which are made for images of one size, are exported as operators in double precision, whose norms
`lipcore.opnorm_bounds` certifies.

``--cost`` trains nothing: for each method, in a process of its own, the median time of a training step of 128 images,
how many times that of the same network with plain convolutions it is (steps of both by turns), and the most memory on
top of what the process had before the first step.

``DIR`` holds the IDX files of MNIST; the npz file holds ``x_train, y_train, x_test, y_test``, images as unsigned bytes
(samples, 32, 32, 3). `train_lipschitz_mnist.py` must lie beside this script. One line of JSON per method and data set.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from train_lipschitz_mnist import SortHalves, load, prove

import lipcore as lc
import lipcore.nn.torch as lt

METHODS = ("aol", "bcop", "cayley", "cpl", "lot", "sll", "soc")
IMAGE_SIZED = {
    "cayley": lc.parametrizations.cayley_convolution,
    "lot": lc.parametrizations.lot_convolution,
    # eight terms: 1-Lipschitz like any multiple of four from there on, and half the price of the default
    "soc": lambda w, shape: lc.parametrizations.soc_convolution(w, shape, padding_mode="circular", terms=8),
}
RADIUS = 36 / 255
BATCH = 128


class OperatorLayer(lc.layers.Layer):
    """A linear operator on images, and a bias."""

    ords = (2,)

    def __init__(self, operator: lc.LinearOperator, bias: torch.Tensor) -> None:
        self.operator, self.bias = operator, bias

    def _forward(self, *xs: torch.Tensor) -> torch.Tensor:
        return self.operator.apply(xs[0]) + self.bias

    def _jacobians(self, *_: torch.Tensor) -> tuple[lc.LinearOperator, ...]:
        return (self.operator,)

    def _constant(self, *_: Any) -> lc.Bounds:
        return lc.opnorm_bounds(self.operator, rtol=1e-5, kind="rigorous")

    def output_shape(self, *_: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.operator.range_shape


class ImageConvolution(nn.Module):
    """A convolution that is made for images of one size; exported it holds the operator in double precision."""

    def __init__(self, method: str, channels: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        lt.orthogonal_(self.weight)
        self.make, self.shape, self.operator = IMAGE_SIZED[method], (channels, size, size), None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The convolution."""
        if self.operator is not None:
            return self.operator.apply(x.double()).to(x.dtype) + self.bias
        return self.make(self.weight, self.shape).apply(x) + self.bias

    def as_layer(self) -> lc.layers.Layer:
        """The layer of lipcore that this module is."""
        return OperatorLayer(self.operator, self.bias.detach().double())

    def plain(self) -> None:
        """Called by export: from here on the numbers of the operator count."""
        if self.operator is None:
            with torch.no_grad():
                self.operator = self.make(self.weight.detach().double(), self.shape)


def convolution(method: str, channels: int, size: int) -> list[nn.Module]:
    """One convolution with its activation."""
    if method == "cpl":
        return [lt.CPLConv2d(channels, padding_mode="circular")]
    if method == "sll":
        return [lt.SLLConv2d(channels, padding_mode="circular")]
    if method in IMAGE_SIZED:
        return [ImageConvolution(method, channels, size), SortHalves(channels, size, size)]
    module = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="circular")
    lt.orthogonal_(module.weight)
    nn.init.zeros_(module.bias)
    if method != "plain":
        lt.constrain(module, method)
    return [module, SortHalves(channels, size, size)]


def orthogonal(module: nn.Module) -> nn.Module:
    """A 1 x 1 convolution or a matrix that is the same for all methods."""
    lt.orthogonal_(module.weight)
    return lt.constrain(module, "rko")


def network(method: str, image: tuple[int, int, int], width: int) -> nn.Sequential:
    """The network of one method, or of plain convolutions."""
    channels, half, quarter, double = 4 * image[0], image[1] // 2, image[1] // 4, 2 * width
    return nn.Sequential(
        lt.InvertibleDownSampling(2),
        orthogonal(nn.Conv2d(channels, width, 1, bias=False)),
        *convolution(method, width, half),
        *convolution(method, width, half),
        lt.InvertibleDownSampling(2),
        orthogonal(nn.Conv2d(4 * width, double, 1, bias=False)),
        *convolution(method, double, quarter),
        *convolution(method, double, quarter),
        nn.Flatten(),
        orthogonal(nn.Linear(double * quarter * quarter, 10, bias=False)),
    )


def step_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable[[torch.Tensor, torch.Tensor], float]:
    """What one batch does."""
    loss_of = lt.OffsetCrossEntropyLoss(offset=2 * math.sqrt(2) * RADIUS, temperature=0.25)

    def step(images: torch.Tensor, labels: torch.Tensor) -> float:
        loss = loss_of(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def train(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, rate: float, budget: float, seed: int
) -> int:
    """Train until the processor time is spent; the number of steps, or 0 if the loss was not finite."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    step, shuffle, steps = step_of(model.train(), optimizer), torch.Generator().manual_seed(seed), 0
    start = time.process_time()
    while True:
        for batch in torch.randperm(len(images), generator=shuffle).split(BATCH):
            spent = (time.process_time() - start) / budget
            if spent >= 1:
                return steps
            rise, fall = (
                0.5 - 0.5 * math.cos(math.pi * spent / 0.2),
                0.5 + 0.5 * math.cos(math.pi * (spent - 0.2) / 0.8),
            )
            optimizer.param_groups[0]["lr"] = rate * max(rise if spent < 0.2 else fall, 0.01)
            if not math.isfinite(step(images[batch], labels[batch])):
                return 0
            steps += 1


def compare(name: str, data: dict[str, torch.Tensor], given: argparse.Namespace) -> None:
    """All methods on one data set."""
    images, labels, image = data["train_images"], data["train_labels"], tuple(data["train_images"].shape[1:])
    cut = len(labels) - len(labels) // 10

    def run(
        method: str, rate: float, budget: float, end: int, held: tuple[torch.Tensor, torch.Tensor]
    ) -> dict[str, Any]:
        torch.manual_seed(given.seed)
        model = network(method, image, given.width)
        steps = train(model, images[:end], labels[:end], rate=rate, budget=budget, seed=given.seed)
        found = {"steps": steps, "epochs": round(steps * BATCH / end, 1)}
        return found | (prove(model, *held) if steps else {"certified_accuracy": {f"{RADIUS:.3g}": 0.0}})

    def certified(found: dict[str, Any]) -> float:
        return found["certified_accuracy"][f"{RADIUS:.3g}"]

    for method in given.methods.split(","):
        held = (images[cut:][: given.validate], labels[cut:][: given.validate])
        tried = {r: run(method, r, given.budget / 4, cut, held) for r in map(float, given.rates.split(","))}
        rate = max(tried, key=lambda r: certified(tried[r]))
        final = run(method, rate, given.budget, len(labels), (data["held_images"], data["held_labels"]))
        final["lipschitz_of_layers"] = max(final.get("lipschitz_of_layers", {"": math.nan}).values())
        choice = {str(r): certified(found) for r, found in tried.items()}
        options = {"width": given.width, "budget": given.budget, "seed": given.seed, "rate": rate, "validation": choice}
        print(json.dumps({"data": name, "method": method, **final, **options}), flush=True)


def cost(method: str, image: tuple[int, int, int], width: int) -> None:
    """Time of a training step beside that with plain convolutions, and memory beyond what this process had before."""
    images, labels = torch.rand(BATCH, *image), torch.arange(BATCH) % 10

    def fresh(which: str) -> Callable[[torch.Tensor, torch.Tensor], float]:
        model = network(which, image, width).train()
        return step_of(model, torch.optim.Adam(model.parameters(), lr=1e-3))

    step = fresh(method)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        step(images, labels)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    plain, took = fresh("plain"), []
    for _ in range(10):
        marks = [time.perf_counter()]
        for each in (plain, step):
            each(images, labels)
            marks.append(time.perf_counter())
        took.append((marks[1] - marks[0], marks[2] - marks[1]))
    found = {
        "method": method,
        "ms": round(1e3 * statistics.median(t for _, t in took), 1),
        "times_plain": round(statistics.median(t / p for p, t in took), 2),
        "MiB": round(memory, 1),
    }
    print(json.dumps(found))


def cifar(path: Path) -> dict[str, torch.Tensor]:
    """Images and labels as `load` of the other script gives them."""
    arrays = np.load(path)
    found = {}
    for part, name in (("train", "train"), ("held", "test")):
        images = torch.from_numpy(arrays[f"x_{name}"]).permute(0, 3, 1, 2).float() / 255.0
        found |= {f"{part}_images": images, f"{part}_labels": torch.from_numpy(arrays[f"y_{name}"]).long()}
    return found


def main() -> None:
    """Compare, or measure costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the MNIST files")
    parser.add_argument("--cifar", type=Path, help="npz file with images of CIFAR-10")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--budget", type=float, default=40.0, help="seconds of processor time for the final training")
    parser.add_argument("--rates", default="0.003,0.01,0.03")
    parser.add_argument("--validate", type=int, default=2000, help="most images of the last tenth that choose the rate")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cost", action="store_true", help="measure steps and memory instead")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    image = (3, 32, 32) if given.cifar else (1, 28, 28)
    if given.only:
        cost(given.only, image, given.width)
    elif given.cost:
        options = ["--width", str(given.width), "--threads", str(given.threads)]
        options += ["--cifar", str(given.cifar)] if given.cifar else []
        for method in given.methods.split(","):
            subprocess.run([sys.executable, __file__, "--only", method, *options], check=True)
    elif given.data or given.cifar:
        if given.cifar:
            compare("cifar", cifar(given.cifar), given)
        if given.data:
            compare("mnist", load(given.data), given)
    else:
        parser.error("give --data, --cifar, or both")


if __name__ == "__main__":
    main()
