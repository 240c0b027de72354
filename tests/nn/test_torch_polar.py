"""Polar factors of training mode: the exact derivative, and the values of evaluation mode."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the modules are torch's")
from torch import nn  # noqa: E402

import lipcore.nn.torch as lt  # noqa: E402
from lipcore import parametrizations  # noqa: E402
from lipcore.nn.torch.constructions import stand_in  # noqa: E402
from lipcore.nn.torch.polar import PolarFactor, WarmPolar  # noqa: E402


def matrix(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape))


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 3, 7), (2, 3, 5)])
def test_derivative(shape):
    assert torch.autograd.gradcheck(lambda w: PolarFactor.apply(w)[0], matrix(*shape).requires_grad_())
    # equal singular values are no exception
    q = torch.linalg.qr(matrix(shape[0], shape[2], shape[1])).Q.mT.contiguous()
    assert torch.autograd.gradcheck(lambda w: PolarFactor.apply(w)[0], q.requires_grad_())


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (8, 2, 3, 3), (8, 4, 2, 2)])
@pytest.mark.parametrize("place", [{}, {"stride": (2, 2), "groups": 2}])
def test_value_and_gradient_are_those_of_the_construction(shape, place):
    if place and len(shape) == 2:
        pytest.skip("a matrix has no stride")
    weight = matrix(*shape).float().requires_grad_()
    g = matrix(*reversed(shape)).float().reshape(shape)
    check_value_and_gradient(parametrizations.rko, weight, place, g)


@pytest.mark.parametrize(
    ("name", "shape", "place"),
    [
        ("aoc", (6, 2, 3, 3), {}),
        ("aoc", (2, 6, 3), {}),
        ("aoc", (8, 2, 4, 3), {"stride": (2, 1), "groups": 2}),
        ("aoc", (4, 3, 5), {"stride": 2, "dilation": 2}),
        ("bcop", (4, 4, 3, 3), {"dilation": (2, 2)}),
        ("bcop", (1, 1, 3), {}),
        ("block_reflectors", (7, 5), {}),
        ("block_reflectors", (3, 4), {}),
        ("block_reflectors", (4, 1), {}),
        ("lot", (5, 7), {}),
    ],
    ids=str,
)
def test_every_construction_out_of_polar_factors(name, shape, place):
    weight = matrix(*shape).float().requires_grad_()
    cotangent = matrix(*reversed(shape)).float().reshape(shape)
    check_value_and_gradient(getattr(parametrizations, name), weight, place, cotangent)


def warm(function, weight, place=None):
    made = stand_in(function, weight, place or {}, {})
    assert isinstance(made, WarmPolar)
    return made


def check_value_and_gradient(function, weight, place, g):
    expected = function(weight, **place)
    found = warm(function, weight, place)(weight)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    (one,), (other,) = (torch.autograd.grad((y * g).sum(), weight) for y in (found, expected))
    torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("spread", [1e-8, 1e-5, 1e-3, 1.0])
@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_never_longer_than_one(spread, scale):
    u, _, vh = np.linalg.svd(np.random.default_rng(1).standard_normal((8, 12)), full_matrices=False)
    weight = torch.from_numpy(scale * (u * np.geomspace(spread, 1, 8)) @ vh).float().requires_grad_()
    made = warm(parametrizations.rko, weight)(weight)
    values = torch.linalg.svdvals(made.detach().double())
    assert float(values.max()) <= 1 + 1e-6
    if spread >= 1e-2:
        assert float(values.min()) >= 1 - 1e-4
    made.square().sum().backward()
    assert torch.isfinite(weight.grad).all()


def test_zeros_stay_and_have_finite_gradients():
    weight = torch.zeros(3, 5, requires_grad=True)
    made = warm(parametrizations.rko, weight)(weight)
    made.sum().backward()
    assert torch.equal(made, torch.zeros(3, 5))
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("method", ["aoc", "bcop", "bjorck", "block_reflectors", "lot", "rko"])
def test_training_and_evaluation_agree(method):
    layer = lt.constrain(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(8, 5)), method)
    trained = [layer.train()[i].weight.detach() for i in (0, 2)]
    for made, module in zip(trained, (layer.eval()[0], layer[2]), strict=True):
        torch.testing.assert_close(made, module.weight.detach(), rtol=1e-3, atol=1e-4)


def test_an_iteration_that_is_cut_short_stays_what_it_is():
    layer = lt.SpectralLinear(8, 8, iterations=3)
    with torch.no_grad():
        layer.parametrizations["weight"].original.copy_(torch.randn(8, 8))
    torch.testing.assert_close(layer.train().weight, layer.eval().weight)
    assert isinstance(lt.SpectralLinear(8, 8).parametrizations["weight"][0].warm, WarmPolar)


def test_a_second_derivative_is_refused():
    w = matrix(1, 3, 4).requires_grad_()
    (grad,) = torch.autograd.grad(PolarFactor.apply(w)[0].square().sum() + w.sum(), w, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_options_are_checked_while_training_too():
    with pytest.raises(ValueError, match="`stride` must be 1 for bcop"):
        lt.constrain_weight(nn.Conv2d(4, 4, 3, stride=2).train(), "bcop")
    with pytest.raises(ValueError, match="fewer than its stride"):
        lt.constrain_weight(nn.Conv2d(4, 4, 2, stride=3).train(), "aoc")
