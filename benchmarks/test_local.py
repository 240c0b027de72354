"""The norms of a thousand Jacobians of a small network, one for each sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import lipcore as lc
from benchmarks import ours
from benchmarks.harness import VALUE, Contestant, Missing

SAMPLES = 1000
# channels of two 3 x 3 convolutions of stride 2 on 28 x 28 pixels, before ten outputs
CHANNELS = (8, 16)


def arrays(rng: np.random.Generator) -> list[Any]:
    """Samples, two kernels and a matrix, in single precision."""
    first, second = CHANNELS
    shapes = [(SAMPLES, 1, 28, 28), (first, 1, 3, 3), (second, first, 3, 3), (10, second * 49)]
    return [
        (rng.standard_normal(s) / max(1.0, np.prod(s[1:]) / 3) ** 0.5).astype(np.float32) * (784**0.5 if i == 0 else 1)
        for i, s in enumerate(shapes)
    ]


def network(first: Any, second: Any, last: Any) -> lc.layers.Sequential:
    return lc.layers.Sequential(
        lc.layers.Convolution(first, stride=2, padding=1),
        lc.layers.ReLU(),
        lc.layers.Convolution(second, stride=2, padding=1),
        lc.layers.ReLU(),
        lc.layers.Flatten(),
        lc.layers.Dense(last),
    )


def lipcore(x: Any, *weights: Any) -> Iterator[Contestant]:
    for name, a in ours.on_both(x):
        net = network(*(w if name == "NumPy" else ours.tensor(w) for w in weights))
        yield Contestant(
            f"lipcore local_lipschitz, {name}", lambda a=a, net=net: lc.local_lipschitz(net, a).upper, VALUE, ours=True
        )


def torch_func(x: Any, *weights: Any) -> Iterator[Contestant | Missing]:
    """What users write: one dense Jacobian after the other, or all of them by vmap."""
    try:
        import torch
        from torch.nn.functional import conv2d, relu
    except ImportError:
        yield Missing("torch.func.jacrev", "torch is not installed")
        return
    tensor, (first, second, last) = torch.from_numpy(x), map(torch.from_numpy, weights)

    def f(v: Any) -> Any:
        y = relu(conv2d(relu(conv2d(v[None], first, stride=2, padding=1)), second, stride=2, padding=1))
        return (y.flatten(1) @ last.T)[0]

    def batch(v: Any) -> Any:
        y = relu(conv2d(relu(conv2d(v, first, stride=2, padding=1)), second, stride=2, padding=1))
        return y.flatten(1) @ last.T

    yield Contestant("lipcore local_lipschitz, torch function", lambda: lc.local_lipschitz(batch, tensor).upper, VALUE)
    jacobian = torch.func.jacrev(f)

    def loop() -> Any:
        return np.array([float(torch.linalg.svdvals(jacobian(v).reshape(10, -1))[0]) for v in tensor])

    yield Contestant("loop of jacrev and SVD", loop, VALUE)

    def mapped() -> Any:
        return torch.linalg.svdvals(torch.func.vmap(jacobian)(tensor).reshape(SAMPLES, 10, -1))[:, 0].numpy()

    yield Contestant("vmap of jacrev, batched SVD", mapped, VALUE)


def test_local_norms(contest: Any) -> None:
    problem = arrays(np.random.default_rng(0))
    wide = [a.astype(np.float64) for a in problem]
    exact = lc.local_lipschitz(network(*wide[1:]), wide[0]).upper
    title = f"norms of {SAMPLES} Jacobians, 784 -> 10 through two convolutions"
    table = contest(title, [*lipcore(*problem), *torch_func(*problem)], exact)
    for library in ("torch", "NumPy"):
        name = f"lipcore local_lipschitz, {library}"
        table.expect_accuracy(name, name, within=1e-5)
        loop = table.row("loop of jacrev and SVD")
        table.expect_ratio(f"{library}, at least 20x faster than the loop", name, loop, at_most=1 / 20)
