"""Train a 1-Lipschitz network on MNIST and prove what it does: accuracy, and the mean certified radius.

    python train_lipschitz_mnist.py --data DIR [--validate 10000] [--loss hkr] [--lr 0.01] [--epochs 10] [--seed 0]

``DIR`` holds the four IDX files of MNIST under their usual names, gzipped or not. The network is that of deel-lip's
notebook "Getting started 2": two constrained convolutions of 16 and 32 channels, each followed by GroupSort2 and a
pooling by Euclidean norms, then two constrained dense layers, 64 wide. Kernels are AOC's and matrices RKO's unless
asked otherwise, and pairs are sorted across the two halves of the channels, which is faster than between neighbours and
differs in the order of the channels only. The notebook trains for 10 epochs in batches of 256, which are the defaults
here, and reports (accuracy / mean certificate)

    0.9771 / 0.0616   cross-entropy, temperature 100     --loss ce --tau 100
    0.9639 / 0.8490   cross-entropy, temperature 3       --loss ce --tau 3
    0.9767 / 0.0609   HKR, alpha 1000, margin 0.01       --loss hkr --alpha 1000 --margin 0.01
    0.9619 / 0.7699   HKR, alpha 50, margin 0.2          --loss hkr --alpha 50 --margin 0.2

The certificate does not rely on the constraint: the trained network is exported to plain torch modules, its constants
are computed from the exported numbers, and each difference of two logits is divided by its own constant. The logits of
the test set are computed in double precision, and an allowance for their rounding is taken off.

``--network isometric`` is another, whose layers are orthogonal one and all: convolutions with circular padding around
pixels gathered in channels, which loses less of the certificate.

``--validate N`` holds out the last N training images and reports on them; the test images are then not looked at.
Choose options so, and run without it once they are chosen: that trains on all 60,000 and reports on the test images.

Needs torch. One seed and one thread count give the same network on one torch build. The result is one line of JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import lipcore as lc
import lipcore.nn.torch as lt

RADII = (0.1, 36 / 255, 0.5, 1.0, 1.5)
# Far above the rounding of a double precision forward pass with numbers of this size.
LOGIT_ERROR = 1e-9


def read_idx(folder: Path, name: str) -> np.ndarray:
    """Read one IDX file of unsigned bytes, gzipped or plain."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.exists():
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            axes = data[3]
            shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes)]
            return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
    raise SystemExit(f"{folder} holds neither {name}.gz nor {name}: give the folder of the MNIST IDX files with --data")


def load(folder: Path, validate: int = 0) -> dict[str, torch.Tensor]:
    """Images to train on and images to report on, float32 in [0, 1] with a channel axis, and their labels.

    With `validate` the last training images are those to report on, and the test files are not opened.
    """
    arrays = {}
    names = {"train": "train"} if validate else {"train": "train", "held": "t10k"}
    for part, name in names.items():
        images, labels = (read_idx(folder, f"{name}-{kind}-ubyte").copy() for kind in ("images-idx3", "labels-idx1"))
        arrays[f"{part}_images"] = torch.from_numpy(images).float().unsqueeze(1) / 255.0
        arrays[f"{part}_labels"] = torch.from_numpy(labels).long()
    if validate:
        total = len(arrays["train_labels"])
        if not 0 < validate < total:
            raise SystemExit(f"--validate must be between 1 and {total - 1}, the training images less one: {validate}")
        for kind in ("images", "labels"):
            whole = arrays[f"train_{kind}"]
            arrays[f"train_{kind}"], arrays[f"held_{kind}"] = whole[:-validate], whole[-validate:]
    return arrays


class SortHalves(nn.Module):
    """Each entry of the first half of the channels in order with that of the second: GroupSort2 of other pairs."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def as_layer(self) -> lc.layers.Layer:
        """The layer of lipcore that this module is."""
        halves, back = lc.layers.Reshape((2, -1)), lc.layers.Reshape(self.shape)
        return lc.layers.Sequential(halves, lc.layers.GroupSort(2), back)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Smaller ones first."""
        first, second = x.chunk(2, dim=1)
        excess = torch.relu(first - second)
        return torch.cat([first - excess, second + excess], dim=1)


def notebook() -> nn.Sequential:
    """The notebook's architecture, without constraints."""
    conv = {"padding": 1, "padding_mode": "zeros"}
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, **conv),
        SortHalves(16, 28, 28),
        lt.ScaledL2NormPool2d(2),
        nn.Conv2d(16, 32, 3, **conv),
        SortHalves(32, 14, 14),
        lt.ScaledL2NormPool2d(2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 32, 64),
        SortHalves(64),
        nn.Linear(64, 10, bias=False),
    )


def isometric(width: int, dense: int) -> nn.Sequential:
    """Two circular convolutions on 14 x 14, two on 7 x 7, two dense layers; pixels are gathered, never pooled."""
    conv = {"padding": 1, "padding_mode": "circular"}
    double = 2 * width
    return nn.Sequential(
        lt.InvertibleDownSampling(2),
        nn.Conv2d(4, width, 3, **conv),
        SortHalves(width, 14, 14),
        nn.Conv2d(width, width, 3, **conv),
        SortHalves(width, 14, 14),
        lt.InvertibleDownSampling(2),
        nn.Conv2d(4 * width, double, 3, **conv),
        SortHalves(double, 7, 7),
        nn.Conv2d(double, double, 3, **conv),
        SortHalves(double, 7, 7),
        nn.Flatten(),
        nn.Linear(49 * double, dense),
        SortHalves(dense),
        nn.Linear(dense, 10, bias=False),
    )


def network(method: str, convolutions: str, layers: nn.Sequential | None = None) -> nn.Module:
    """`layers`, by default the notebook's; `method` makes dense weights, `convolutions` kernels."""
    layers = notebook() if layers is None else layers
    for module in layers:
        if isinstance(module, nn.Conv2d | nn.Linear):
            lt.orthogonal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            lt.constrain(module, convolutions if isinstance(module, nn.Conv2d) else method)
    return layers.to(memory_format=torch.channels_last)


def criterion(given: argparse.Namespace) -> nn.Module:
    """The loss that was asked for."""
    if given.loss == "ce":
        return lt.TauCrossEntropyLoss(given.tau)
    if given.loss == "hkr":
        return lt.HKRMulticlassLoss(given.alpha, given.margin)
    return lt.OffsetCrossEntropyLoss(offset=given.margin, temperature=given.temperature)


def train(model: nn.Module, data: dict[str, torch.Tensor], given: argparse.Namespace) -> float:
    """Train in place; the seconds of processor time that it took."""
    images = data["train_images"].to(memory_format=torch.channels_last)
    labels, loss_of = data["train_labels"], criterion(given)
    steps = given.epochs * -(-len(images) // given.batch)
    optimizer = torch.optim.Adam(model.parameters(), lr=given.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, given.lr, total_steps=steps, pct_start=0.2)
    shuffle = torch.Generator().manual_seed(given.seed)
    start = time.process_time()
    model.train()
    for epoch in range(given.epochs):
        total = 0.0
        for batch in torch.randperm(len(images), generator=shuffle).split(given.batch):
            chosen = images[batch]
            if given.shift:
                steps = torch.randint(-given.shift, given.shift + 1, (2,), generator=shuffle).tolist()
                chosen = chosen.roll(steps, dims=(2, 3))  # the border of digits is black
            loss = loss_of(model(chosen), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(batch)
        took = time.process_time() - start
        print(f"epoch {epoch + 1}: loss {total / len(images):.4f}, {took:.0f} s", file=sys.stderr)
    return time.process_time() - start


def prove(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> dict[str, object]:
    """Accuracy and certificates on a set of images, from the exported numbers alone."""
    start = time.process_time()
    plain = lt.export(model)
    found = lt.certify(plain, images.shape[1:])
    options = lt.guarantee(plain, images.shape[1:])
    exact = plain.double()
    with torch.no_grad():
        logits = torch.cat([exact(batch) for batch in images.double().split(500)])
    options["lipschitz"] = options["lipschitz"].double()
    options["logit_error"] = LOGIT_ERROR
    certified = lc.nn.metrics.certified_accuracy(logits, labels, RADII, **options)
    return {
        "accuracy": round(float(lc.nn.metrics.accuracy(logits, labels)), 4),
        "mean_certificate": round(float(lc.nn.metrics.mean_certificate(logits, labels, **options)), 4),
        "mean_margin_over_sqrt2": round(float(lc.nn.metrics.mean_certificate(logits, labels)), 4),
        "certified_accuracy": {f"{r:.3g}": round(float(a), 4) for r, a in zip(RADII, certified, strict=True)},
        "lipschitz_of_layers": {name: bounds.upper for name, bounds in found.layers},
        "lipschitz": found.bounds.upper,
        "kind": found.bounds.kind,
        "cpu_seconds_to_prove": round(time.process_time() - start, 1),
    }


def main() -> None:
    """Train, prove, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--validate", type=int, default=0, metavar="N", help="report on the last N training images")
    parser.add_argument("--loss", choices=["ce", "hkr", "offset"], default="hkr")
    parser.add_argument("--tau", type=float, default=3.0, help="temperature of the cross-entropy")
    parser.add_argument("--alpha", type=float, default=50.0, help="weight of the hinge")
    parser.add_argument("--margin", type=float, default=0.2, help="of the hinge, or the offset of the logit")
    parser.add_argument("--temperature", type=float, default=0.25, help="of the cross-entropy with an offset")
    parser.add_argument("--network", choices=["notebook", "isometric"], default="notebook")
    parser.add_argument("--width", type=int, default=16, help="channels of the first convolutions, isometric only")
    parser.add_argument("--dense", type=int, default=128, help="width of the first dense layer, isometric only")
    parser.add_argument("--shift", type=int, default=0, help="most pixels by which batches are moved in training")
    parser.add_argument("--method", choices=lt.methods(), default="rko", help="how dense weights are made")
    parser.add_argument("--convolutions", choices=lt.methods(), default="aoc", help="how kernels are made")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-2, help="largest rate of a one-cycle schedule")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    data = load(given.data, given.validate)
    layers = isometric(given.width, given.dense) if given.network == "isometric" else notebook()
    model = network(given.method, given.convolutions, layers)
    seconds = train(model, data, given)
    result = prove(model, data["held_images"], data["held_labels"])
    options = {name: value for name, value in vars(given).items() if name != "data"}
    versions = {"torch": torch.__version__, "lipcore": lc.__version__, "python": platform.python_version()}
    print(json.dumps({**result, "cpu_seconds_to_train": round(seconds, 1), **options, **versions}))


if __name__ == "__main__":
    main()
