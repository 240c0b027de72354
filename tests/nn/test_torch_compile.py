"""``torch.compile`` of constructions and of every module without one: equal values and derivatives."""

from __future__ import annotations

import shutil

import pytest

torch = pytest.importorskip("torch", reason="the modules are torch's")
from nn.torch_modules import IMAGE, MODULES, VECTOR, points, shaken  # noqa: E402
from torch import nn  # noqa: E402

import lipcore.nn.torch as lt  # noqa: E402

# dynamo looks at `.grad` of every tensor, and torch warns of that
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),  # inductor's own
]

# Constructions run between the graphs, all by one function: one that reads nothing, and those with another form while
# training.
DENSE = ["cayley", "rko", "spectral"]
KERNELS = ["aoc", "bjorck", "spectral"]
# Without a construction of weights: what is compiled into one graph.
WHOLE = [n for n in MODULES if not any(word in n for word in ("Conv", "Linear", "Residual", "Sequential"))]
assert {MODULES[n][1] for n in WHOLE} <= {IMAGE, VECTOR}, "another shape needs a case below"


@pytest.fixture(autouse=True)
def fresh():
    """Each test compiles by itself."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def compared(model: nn.Module, x: torch.Tensor, **options) -> None:
    """Values and gradients of the compiled module are those of the plain one, in both modes."""
    compiled = torch.compile(model, backend="aot_eager", **options)
    for training in (True, False):
        model.train(training)
        found = []
        for f in (model, compiled):
            model.zero_grad()
            inputs = x.clone().requires_grad_()
            y = f(inputs)
            y.square().sum().backward()
            found.append((y.detach(), inputs.grad, *(p.grad.clone() for p in model.parameters() if p.grad is not None)))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(other, one, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("method", DENSE)
def test_dense_constructions(method):
    torch.manual_seed(0)
    layer = lt.constrain(nn.Sequential(nn.Linear(5, 4)), method)
    # what keeps starting vectors goes on from call to call
    compared(settled(layer), torch.randn(3, 5))


@pytest.mark.parametrize("method", KERNELS)
def test_kernel_constructions(method):
    torch.manual_seed(0)
    layer = lt.constrain(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1)), method)
    compared(settled(layer), torch.randn(3, 2, 5, 5))


def settled(model: nn.Module) -> nn.Module:
    """After so many power iterations that another one changes nothing."""
    for _ in range(60):
        _ = [module.weight for module in model.train() if hasattr(module, "weight")]
    return model


class Side(nn.ModuleList):
    """Modules side by side."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([module(x).flatten(1) for module in self], dim=1)


@pytest.mark.parametrize("shape", [IMAGE, VECTOR], ids=["image", "vector"])
def test_modules_without_weights_are_one_graph(shape):
    # running statistics would count both
    chosen = [make for name in WHOLE for make, wanted in [MODULES[name]] if wanted == shape and "Batch" not in name]
    compared(Side(shaken(make) for make in chosen), points(shape), fullgraph=True)


def test_a_network_of_parts_that_are_compiled_and_parts_that_are_not():
    torch.manual_seed(0)
    net = nn.Sequential(
        lt.SLLConv2d(4),
        lt.ScaledL2NormPool2d(2),
        lt.AdaptiveOrthoConv2d(4, 8, 3),
        lt.BatchCentering(8),
        lt.InvertibleDownSampling(3),
        nn.Flatten(),
        lt.LipResidual(lt.OrthoLinear(72, 72)),
        lt.FrobeniusLinear(72, 3),
    )
    compared(net.double(), points(IMAGE).double())  # rounding of two programs is not what is tested


def test_one_program_per_mode():
    torch.manual_seed(0)
    net = nn.Sequential(lt.SpectralLinear(4, 6), lt.GroupSort2(), lt.SpectralLinear(6, 2, iterations=0)).train()
    compiled = torch.compile(net, backend="aot_eager")
    counters = torch._dynamo.utils.counters
    for steps in (1, 4):
        for _ in range(steps):
            compiled(torch.randn(3, 4)).sum().backward()
        if steps == 1:
            graphs = counters["stats"]["unique_graphs"]
    assert counters["stats"]["unique_graphs"] == graphs, "steps that are alike compile nothing anew"


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_inductor():
    torch.manual_seed(0)
    net = nn.Sequential(lt.SpectralLinear(4, 6), lt.GroupSort2(), lt.SpectralLinear(6, 2)).eval()
    x = torch.randn(3, 4)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(net)(x), net(x), rtol=1e-4, atol=1e-5)
