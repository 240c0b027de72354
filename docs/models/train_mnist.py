"""Train the small MNIST network kept in this folder and write it as ONNX.

    python train_mnist.py --data DIR [--output mnist_cnn.onnx] [--epochs 6] [--threads 1]

``DIR`` holds the four IDX files of MNIST under their usual names, gzipped or not. The network has a layer of every kind
that the report should show: a convolution followed by a batch normalisation, strided convolutions, a depthwise one, a
1x1 one and two dense layers. The graph is written node by node with ``onnx.helper``, so that the file holds exactly the
trained numbers: nothing is folded or fused.

Needs torch and onnx. The run is seeded; the weights are the same on every run of one torch build with one thread count.
"""

from __future__ import annotations

import argparse
import gzip
import math
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


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


def load(folder: Path) -> dict[str, torch.Tensor]:
    """The four arrays; images as float32 in [0, 1] with a channel axis."""
    arrays = {key: torch.from_numpy(read_idx(folder, name).copy()) for key, name in FILES.items()}
    for key in ("train_images", "test_images"):
        arrays[key] = arrays[key].float().unsqueeze(1) / 255.0
    for key in ("train_labels", "test_labels"):
        arrays[key] = arrays[key].long()
    return arrays


class Network(nn.Module):
    """28 x 28 grey image to ten logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.pointwise = nn.Conv2d(32, 32, 1)
        self.conv3 = nn.Conv2d(32, 32, 3, stride=2, padding=1)
        self.dense1 = nn.Linear(32 * 7 * 7, 48)
        self.dense2 = nn.Linear(48, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch."""
        x = torch.relu(self.norm1(self.conv1(x)))
        x = torch.relu(self.conv2(x))
        x = torch.relu(self.pointwise(self.depthwise(x)))
        x = torch.relu(self.conv3(x))
        return self.dense2(torch.relu(self.dense1(x.flatten(1))))


def shifted(images: torch.Tensor) -> torch.Tensor:
    """The batch moved by at most two pixels along each axis, the only augmentation."""
    down, right = (int(v) for v in torch.randint(-2, 3, (2,)))
    return torch.roll(images, (down, right), (2, 3))


def accuracy(network: Network, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of images whose largest logit is the label's."""
    network.eval()
    with torch.no_grad():
        hits = sum(
            int((network(x).argmax(1) == y).sum()) for x, y in zip(images.split(500), labels.split(500), strict=True)
        )
    return hits / len(labels)


def train(data: dict[str, torch.Tensor], epochs: int) -> Network:
    """Adam with one cosine cycle."""
    network = Network()
    steps = math.ceil(len(data["train_labels"]) / 128) * epochs
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(epochs):
        network.train()
        start = time.perf_counter()
        for index in torch.randperm(len(data["train_labels"])).split(128):
            loss = nn.functional.cross_entropy(
                network(shifted(data["train_images"][index])), data["train_labels"][index]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        score = accuracy(network, data["test_images"], data["test_labels"])
        print(f"epoch {epoch + 1}: test accuracy {score:.2%}, {time.perf_counter() - start:.0f} s", flush=True)
    return network


def to_onnx(network: Network) -> onnx.ModelProto:
    """The graph, written node by node."""
    state = {k: v.numpy() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    nodes: list[onnx.NodeProto] = []

    def conv(name: str, source: str, *, stride: int = 1, group: int = 1) -> str:
        kernel = state[f"{name}.weight"].shape[2]
        pads = [kernel // 2] * 4
        inputs = [source, f"{name}.weight", f"{name}.bias"]
        nodes.append(
            helper.make_node(
                "Conv",
                inputs,
                [f"{name}.out"],
                name=name,
                kernel_shape=[kernel] * 2,
                pads=pads,
                strides=[stride] * 2,
                group=group,
            )
        )
        return f"{name}.out"

    def relu(source: str) -> str:
        nodes.append(helper.make_node("Relu", [source], [f"{source}.relu"], name=f"relu_{source.split('.')[0]}"))
        return f"{source}.relu"

    def dense(name: str, source: str) -> str:
        inputs = [source, f"{name}.weight", f"{name}.bias"]
        nodes.append(helper.make_node("Gemm", inputs, [f"{name}.out"], name=name, transB=1))
        return f"{name}.out"

    x = conv("conv1", "image")
    inputs = [x, *(f"norm1.{k}" for k in ("weight", "bias", "running_mean", "running_var"))]
    nodes.append(helper.make_node("BatchNormalization", inputs, ["norm1.out"], name="norm1", epsilon=network.norm1.eps))
    x = relu("norm1.out")
    x = relu(conv("conv2", x, stride=2))
    x = relu(conv("pointwise", conv("depthwise", x, group=32)))
    x = relu(conv("conv3", x, stride=2))
    nodes.append(helper.make_node("Flatten", [x], ["flat"], name="flatten", axis=1))
    x = relu(dense("dense1", "flat"))
    nodes.append(helper.make_node("Gemm", [x, "dense2.weight", "dense2.bias"], ["logits"], name="dense2", transB=1))
    graph = helper.make_graph(
        nodes,
        "mnist_cnn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(value, name) for name, value in state.items()],
    )
    model = helper.make_model(graph, producer_name="lipcore docs", opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def check(path: Path, data: dict[str, torch.Tensor], network: Network) -> float:
    """Accuracy of the written file under ONNX's reference evaluator, and its agreement with torch."""
    from onnx.reference import ReferenceEvaluator

    session = ReferenceEvaluator(str(path))
    hits, gap = 0, 0.0
    for x, y in zip(data["test_images"].split(500), data["test_labels"].split(500), strict=True):
        logits = session.run(None, {"image": x.numpy()})[0]
        with torch.no_grad():
            gap = max(gap, float(np.abs(logits - network(x).numpy()).max()))
        hits += int((logits.argmax(1) == y.numpy()).sum())
    print(f"largest difference of a logit from torch's: {gap:.1e}")
    return hits / len(data["test_labels"])


def main() -> None:
    """Train, write, read back, and print the accuracy of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the four MNIST IDX files")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("mnist_cnn.onnx"))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    data = load(options.data)
    network = train(data, options.epochs)
    network.eval()
    onnx.save(to_onnx(network), str(options.output))
    score = check(options.output, data, network)
    weights = sum(p.numel() for p in network.parameters())
    print(
        f"{options.output.name}: {options.output.stat().st_size:,} bytes, {weights:,} parameters, "
        f"test accuracy {score:.2%}"
    )


if __name__ == "__main__":
    main()
