"""Modules by the names that users of other libraries know: 1-Lipschitz by certificate, and equal to their layers."""

from __future__ import annotations

import copy
import math

import pytest

torch = pytest.importorskip("torch", reason="the modules are torch's")
from nn.torch_modules import IMAGE, ISOMETRIES, MODULES, SIGNAL, VECTOR, points, shaken  # noqa: E402
from torch import nn  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.torch as lt  # noqa: E402


def test_every_name_is_here_and_in_the_table():
    classes = {n for n in lt.__all__ if isinstance(getattr(lt, n), type) and issubclass(getattr(lt, n), nn.Module)}
    tested = {name.split(",")[0] for name in MODULES}
    elsewhere = {"Constrained", "UnitNormLinear", "PadConv1d", "PadConv2d"} | {
        n for n in classes if "Loss" in n or "Provable" in n
    }
    assert classes - elsewhere == tested


@pytest.mark.parametrize("name", MODULES)
def test_module_is_certified(name):
    make, shape = MODULES[name]
    module = shaken(make)
    found = lt.certify(module, shape)
    assert found.bounds.upper <= 1 + 2e-3
    x = points(shape)
    with torch.no_grad():
        torch.testing.assert_close(found.network(x), module(x), rtol=1e-4, atol=1e-5)
    local = lt.evaluate_lip_const(module, x)
    assert local.lower <= found.bounds.upper
    if name in ISOMETRIES:
        assert local.lower > 0.999


@pytest.mark.parametrize("name", MODULES)
def test_module_does_not_stretch_and_has_gradients(name):
    make, shape = MODULES[name]
    module = shaken(make)
    x, y = points(shape, 40).chunk(2)
    x.requires_grad_()
    fx, fy = module(x), module(y)
    distance = (x - y).flatten(1).norm(dim=1)
    assert bool(((fx - fy).flatten(1).norm(dim=1) <= distance * (1 + 1e-3)).all())
    fx.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in (x, *module.parameters()))


@pytest.mark.parametrize("name", MODULES)
def test_module_is_copied_exported_and_loaded(name):
    make, shape = MODULES[name]
    module, x = shaken(make), points(shape)
    y = module(x)
    assert torch.equal(lt.export(module)(x), y)
    assert torch.equal(copy.deepcopy(module)(x), y)
    torch.manual_seed(1)
    other = make().eval()
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(x), y)


@pytest.mark.parametrize("name", [n for n in MODULES if "Spectral" in n or "Sequential" in n])
def test_exported_weights_are_those_of_torch(name):
    plain = lt.export(shaken(MODULES[name][0]))
    for module in plain.modules():
        if list(module.parameters(recurse=False)):
            assert type(module).__module__.startswith("torch.")
            assert "method" not in vars(module)


def test_unit_norm_rows_are_jointly_longer():
    layer = lt.UnitNormLinear(6, 5)
    torch.testing.assert_close(layer.weight.norm(dim=1), torch.ones(5))
    with torch.no_grad():
        layer.parametrizations["weight"].original.copy_(torch.ones(5, 6))
    found = lt.certify(layer, (6,))
    assert abs(found.bounds.upper - math.sqrt(5)) < 1e-3


@pytest.mark.parametrize("kind", ["zeros", "reflect", "circular", "replicate"])
def test_pad_conv_is_not_constrained_and_certified_as_it_is(kind):
    layer = lt.PadConv2d(1, 1, 3, padding=1, padding_mode=kind, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    found = lt.certify(layer, (1, 8, 8))
    matrix = found.network.jacobian(torch.zeros(1, 1, 8, 8)).to_dense()[0]
    truth = float(torch.linalg.matrix_norm(matrix.double(), 2))
    assert found.bounds.upper >= truth * (1 - 1e-6)
    assert type(lt.export(layer)) is nn.Conv2d
    assert float(lt.PadConv1d(1, 1, 3)(torch.zeros(1, 1, 3)).detach().abs().sum()) >= 0


def test_pools_at_zeros_have_finite_gradients():
    for pool in (lt.ScaledL2NormPool2d(2), lt.ScaledAdaptativeL2NormPool2d()):
        x = torch.zeros(1, 2, 4, 4, requires_grad=True)
        pool(x).sum().backward()
        assert torch.equal(x.grad, torch.zeros_like(x))


def test_batch_centering_tracks_the_mean():
    layer = lt.BatchCentering(2, momentum=0.5).train()
    x = points((2, 3, 3)) + 4.0
    torch.testing.assert_close(layer(x).mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(layer.running_mean, 0.5 * x.mean(dim=(0, 2, 3)))


def test_k_coef_lip_is_the_constant():
    net = lt.Sequential(lt.SpectralLinear(6, 8), lt.GroupSort2(), lt.SpectralLinear(8, 3), k_coef_lip=9.0)
    assert abs(lt.certify(net, (6,)).bounds.upper - 9.0) < 1e-2
    for layer in (lt.SpectralLinear(6, 4, k_coef_lip=3.0), lt.FrobeniusLinear(6, 1, k_coef_lip=3.0)):
        assert abs(lt.certify(layer, (6,)).bounds.upper - 3.0) < 1e-3
    for pool in (lt.ScaledAvgPool2d(2, k_coef_lip=3.0), lt.ScaledL2NormPool2d(2, k_coef_lip=3.0)):
        assert abs(lt.certify(pool, IMAGE).bounds.upper - 3.0) < 1e-3
    with pytest.raises(ValueError, match="`k_coef_lip` must be 1"):
        lt.Sequential(lt.GroupSort2(), k_coef_lip=2.0)


def test_initialisers_fill_in_place():
    for shape in ((4, 6), (6, 3, 3, 3)):
        weight = torch.randn(shape)
        for initialise in (lt.spectral_, lt.bjorck_, lt.orthogonal_):
            assert initialise(weight) is weight
        flat = weight.reshape(shape[0], -1)
        torch.testing.assert_close(flat @ flat.T, torch.eye(shape[0]), atol=1e-5, rtol=0)


def test_certificate_of_unknown_norms_and_options():
    found = lt.certify(lt.SpectralLinear(6, 4), (6,), ord=math.inf)
    assert found.bounds.ord == math.inf
    with pytest.raises(TypeError, match="divisor_override"):
        lt.certify(nn.AvgPool2d(2, divisor_override=1), IMAGE)
    with pytest.raises(TypeError, match="running statistics"):
        lt.certify(nn.BatchNorm2d(4, track_running_stats=False), IMAGE)
    with pytest.raises(lc.layers.UnboundedError):
        lt.certify(nn.Sequential(nn.Linear(6, 6), Square()), (6,))


class Square(nn.Module):
    def as_layer(self):
        return lc.layers.SquaredReLU()

    def forward(self, x):
        return torch.relu(x) ** 2


READ = [
    (nn.Linear(6, 3), VECTOR),
    (nn.Conv1d(4, 3, 3, padding=1), SIGNAL),
    (nn.Conv2d(4, 3, 3, padding="same", padding_mode="reflect"), IMAGE),
    (nn.ConvTranspose1d(4, 3, 3, stride=2), SIGNAL),
    (nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2), IMAGE),
    (nn.MaxPool2d(3, 2, 1), IMAGE),
    (nn.AvgPool1d(2), SIGNAL),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGE),
    (nn.AdaptiveAvgPool2d((2, 4)), IMAGE),
    (nn.BatchNorm2d(4), IMAGE),
    (nn.BatchNorm1d(6, affine=False), VECTOR),
    (nn.Flatten(), IMAGE),
    (nn.Identity(), IMAGE),
    (nn.Dropout(0.5), VECTOR),
    (nn.PixelShuffle(2), IMAGE),
    (nn.PixelUnshuffle(2), IMAGE),
    (nn.ChannelShuffle(2), IMAGE),
    *[
        (module, VECTOR)
        for module in (
            nn.ReLU(),
            nn.ReLU6(),
            nn.LeakyReLU(0.3),
            nn.PReLU(),
            nn.ELU(1.5),
            nn.CELU(0.5),
            nn.SELU(),
            nn.GELU(),
            nn.GELU("tanh"),
            nn.SiLU(),
            nn.Mish(),
            nn.Sigmoid(),
            nn.Tanh(),
            nn.Softplus(2.0),
            nn.Softsign(),
            nn.Hardtanh(-0.5, 0.7),
            nn.Softmax(-1),
        )
    ],
]


@pytest.mark.parametrize(("module", "shape"), READ, ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else "")
def test_modules_of_torch_are_read_as_they_are(module, shape):
    module = copy.deepcopy(module).eval()
    x = points(shape)
    with torch.no_grad():
        torch.testing.assert_close(lt.as_layer(module)(x), module(x), rtol=1e-4, atol=1e-5)
    assert lt.evaluate_lip_const(module, x).lower <= lt.certify(module, shape).bounds.upper
