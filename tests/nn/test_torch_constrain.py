"""Networks of torch: constrained, exported, and certified from their numbers."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the modules are torch's")
from torch import nn  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.torch as lt  # noqa: E402

# the rigorous bound of a kernel may lie this much above its norm, which may be 1
SLACK = 1e-3


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        lt.GroupSort2(),
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.ReLU(),
        nn.ConvTranspose2d(6, 4, 2, stride=2),
        nn.Flatten(),
        nn.Linear(4 * 64, 8),
        lt.FullSort(),
        nn.Linear(8, 3),
    )


def x(samples: int = 5) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((samples, 1, 8, 8), dtype=np.float32))


# bcop has no stride
METHODS = [method for method in lt.methods() if method != "bcop"]


def test_import_of_lipcore_leaves_torch_alone():
    code = "import sys, lipcore, lipcore.nn; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


@pytest.mark.parametrize("method", METHODS)
def test_constrained_network_is_certified(method):
    model = lt.constrain(network(), method)
    found = lt.certify(model, (1, 8, 8))
    rows = method == "rows"  # each output is 1-Lipschitz, the layer is not
    assert (found.bounds.upper <= (1 + SLACK) ** 5) or rows
    assert found.bounds.kind == "rigorous"
    assert [name for name, _ in found.layers] == [str(i) for i in range(9)]
    # never below what a point shows
    local = lc.local_lipschitz(found.network, x())
    assert (
        float(np.max(local.upper if hasattr(local, "upper") else local.detach().numpy())) <= found.bounds.upper * 1.001
    )


@pytest.mark.parametrize("method", METHODS)
def test_export_is_equal_from_the_first_call(method):
    model = lt.constrain(network(), method)
    plain = lt.export(model)  # no forward pass before it, in training mode
    assert model.training
    assert not plain.training
    assert not any(isinstance(m, lt.Constrained) for m in plain.modules())
    assert {type(m).__module__.split(".")[0] for m in plain.modules() if list(m.parameters(recurse=False))} == {"torch"}
    model.eval()
    for ours, theirs in zip(model, plain, strict=True):
        if hasattr(ours, "weight"):
            assert torch.equal(ours.weight, theirs.weight)
            assert isinstance(theirs.weight, nn.Parameter)
    assert torch.equal(model(x()), plain(x()))
    assert torch.equal(lt.export(model)(x()), plain(x()))


@pytest.mark.parametrize("method", METHODS)
def test_state_dict_round_trip(method):
    model = lt.constrain(network(), method)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    model(x())
    other = lt.constrain(network(), method)
    other.load_state_dict(model.state_dict())
    assert torch.equal(lt.export(other)(x()), lt.export(model)(x()))
    assert torch.equal(other.train()(x()), model.train()(x()))


@pytest.mark.parametrize("method", METHODS)
def test_deepcopy_is_independent(method):
    model = lt.constrain(network(), method).eval()
    before = model(x())
    twin = copy.deepcopy(model)
    assert torch.equal(twin(x()), before)
    with torch.no_grad():
        for p in twin.parameters():
            p.mul_(-1.0).add_(0.1)
    lt.export(twin)
    assert torch.equal(model(x()), before)
    assert not torch.equal(twin(x()), before)


def test_lipschitz_is_spread_over_the_layers():
    found = lt.certify(lt.constrain(network(), "spectral", lipschitz=32.0), (1, 8, 8))
    assert 31 < found.bounds.upper < 32.1
    weighted = [bounds.upper for _, bounds in found.layers if bounds.upper > 1.5]
    np.testing.assert_allclose(weighted, 2.0, rtol=5e-3)


@pytest.mark.parametrize("place", [0, 2, 4, 6, 8])
def test_certificate_catches_a_changed_weight(place):
    plain = lt.export(lt.constrain(network(), "spectral"))
    assert lt.certify(plain, (1, 8, 8)).bounds.upper <= 1.0
    with torch.no_grad():
        plain[place].weight.mul_(1.01)
    found = lt.certify(plain, (1, 8, 8))
    assert dict(found.layers)[str(place)].lower > 1.005
    assert found.bounds.upper > 1.003


def test_certificate_catches_a_broken_construction():
    model = lt.constrain(network(), "rko")
    parametrization = model[6].parametrizations["weight"][0]
    right = parametrization.function
    parametrization.function = lambda weight, **options: 1.01 * right(weight, **options)
    found = lt.certify(model, (1, 8, 8))
    assert dict(found.layers)["6"].lower > 1.0099
    assert not found.bounds.upper <= 1.0 or dict(found.layers)["6"].upper > 1.0099


def test_nothing_is_skipped_silently():
    class Odd(nn.Module):
        def forward(self, x):
            return 2 * x

    with pytest.raises(TypeError, match=r"module '1' is a Odd"):
        lt.certify(nn.Sequential(nn.Linear(2, 2), Odd()), (2,))
    with pytest.raises(ValueError, match=r"module '1', a GRU"):
        lt.constrain(nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 2)), "frobenius")
    with pytest.raises(ValueError, match="`method` must be one of"):
        lt.constrain(network(), "orthodox")
    with pytest.raises(ValueError, match="no linear or convolutional layer"):
        lt.constrain(nn.Sequential(nn.ReLU()), "frobenius")
    with pytest.raises(ValueError, match=r"module '0': `padding_mode`"):
        lt.constrain(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")), "frobenius")
    with pytest.raises(ValueError, match="positive and finite"):
        lt.constrain(network(), "frobenius", lipschitz=0.0)
    with pytest.raises(ValueError, match="`skip` names modules"):
        lt.constrain(network(), "frobenius", skip=["head"])


def test_what_fails_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(2, 2), nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    weight = model[0].weight
    with pytest.raises(ValueError, match="padding_mode"):
        lt.constrain(model, "frobenius")
    assert model[0].weight is weight
    assert type(model[0]) is nn.Linear


@pytest.mark.parametrize("method", METHODS)
def test_model_is_moved_between_formats_and_precisions(method):
    model = lt.constrain(network(), method).to(memory_format=torch.channels_last)
    y = model.double()(x().double())
    assert y.dtype == torch.float64
    torch.testing.assert_close(model.eval().float()(x()), lt.export(model)(x()))


def test_skip_and_second_call_leave_modules_alone():
    model = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 2))})
    lt.constrain(model, "frobenius", skip=["b"])
    assert type(model["b"][0]) is nn.Linear
    with pytest.raises(ValueError, match="no linear or convolutional layer"):
        lt.constrain(model, "frobenius", skip=["b"])


def test_layers_that_are_constrained_already_stay():
    model = nn.Sequential(lt.SLLLinear(4), lt.SpectralLinear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    before = model[1].weight.detach()
    lt.constrain(model, "frobenius", lipschitz=2.0)
    torch.testing.assert_close(model[1].weight, before)
    assert abs(float(model[3].weight.detach().norm()) - 2.0) < 1e-5


def test_tied_weights_are_exported_from_what_they_were():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    model = lt.constrain(nn.Sequential(first, second), "frobenius", lipschitz=4.0).eval()
    plain = lt.export(model)
    assert torch.equal(plain[0].weight, model[0].weight)
    assert torch.equal(plain[1].weight, model[1].weight)


def test_cached_weights_are_made_once():
    model = lt.constrain(nn.Sequential(nn.Linear(3, 3)), "frobenius")
    with torch.nn.utils.parametrize.cached():
        assert model[0].weight is model[0].weight


def small() -> nn.Sequential:
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)
    return nn.Sequential(conv, lt.GroupSort2(), nn.Flatten(), nn.Linear(36, 4), nn.ReLU(), nn.Linear(4, 3))


@pytest.mark.parametrize("method", METHODS)
def test_gradients_stay_finite_for_200_steps(method):
    model = lt.constrain(small(), method).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    noise, labels = torch.Generator().manual_seed(0), torch.arange(6) % 3
    first = None
    for step in range(200):
        images = torch.randn(6, 1, 6, 6, generator=noise) + labels[:, None, None, None]
        loss = nn.functional.cross_entropy(10 * model(images), labels)
        first = float(loss.detach()) if first is None else first
        optimizer.zero_grad()
        loss.backward()
        for name, p in model.named_parameters():
            assert torch.isfinite(p.grad).all(), (name, step)
        optimizer.step()
    assert float(loss.detach()) < first
    found = lt.certify(model, (1, 6, 6))
    assert found.bounds.upper <= (1 + SLACK) ** 3 or method == "rows"


@pytest.mark.parametrize("method", METHODS)
def test_autocast_constrains_in_single_precision(method):
    model = lt.constrain(network(), method)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(x())
        weight = model[6].weight
    assert y.dtype == torch.bfloat16
    assert weight.dtype == torch.float32
    y.float().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    torch.testing.assert_close(weight, model[6].weight, rtol=1e-2, atol=1e-3)


def test_half_precision_parameters_are_constrained_in_single():
    layer = nn.Linear(16, 8).to(torch.bfloat16)
    lt.constrain(layer, "rko")
    assert layer.weight.dtype == torch.bfloat16
    assert lt.export(layer).weight.dtype == torch.bfloat16
    gram = layer.weight.float() @ layer.weight.float().T
    torch.testing.assert_close(gram, torch.eye(8), atol=3e-2, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_forward_writes_nothing_but_starting_vectors(method):
    # replicas of DataParallel lose what they write: nothing that counts may be written
    model = lt.constrain(network(), method)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attributes = {name: set(vars(module)) for name, module in model.named_modules()}
    model.train()(x())
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert all(name.endswith("warm.vectors") for name in changed)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()(x())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert attributes == {name: set(vars(module)) for name, module in model.named_modules()}


def test_training_and_evaluation_of_spectral_agree():
    model = lt.constrain(network(), "spectral").train()
    for place in (0, 2, 4, 6, 8):
        module = model[place]
        for _ in range(30):
            trained = module.weight
        module.eval()
        torch.testing.assert_close(trained, module.weight, rtol=6e-2, atol=1e-3)
