"""Modules against the formulas of their sources, and the constants that follow from them."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the modules are torch's")
from nn.torch_modules import IMAGE, VECTOR, points, seen, shaken  # noqa: E402
from torch import nn  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.torch as lt  # noqa: E402


def test_pieces_of_order_two_are_those_of_the_paper():
    """In sectors: nothing, a mirror, a turn, a mirror; which agree on the borders."""
    module = lt.HouseHolderOrder2(2)
    with torch.no_grad():
        module.theta.copy_(torch.tensor([[0.8], [1.4], [2.2]]))
    start, one, two = 0.4, 1.4, 2.2
    for angle in np.arange(0.05, 2 * math.pi, 0.1):
        image = {0: angle, 1: one - angle, 2: angle - two, 3: -angle}[
            sum(angle >= border for border in (one / 2, (one + two) / 2, math.pi + two / 2))
        ]
        z = torch.tensor([[math.cos(start + angle), math.sin(start + angle)]]) * 2
        expected = torch.tensor([[math.cos(start + image), math.sin(start + image)]]) * 2
        torch.testing.assert_close(module(z).detach(), expected, atol=1e-5, rtol=0)
    borders = torch.tensor([0.0, one / 2, (one + two) / 2, math.pi + two / 2]) + start
    sides = [torch.stack([torch.cos(b), torch.sin(b)], 1) for b in (borders - 1e-4, borders + 1e-4)]
    torch.testing.assert_close(module(sides[0]), module(sides[1]), atol=1e-3, rtol=0)


def test_a_pair_of_order_two_has_the_entry_norms_that_it_says():
    module = lt.HouseHolderOrder2(2)
    with torch.no_grad():
        module.theta.copy_(torch.tensor([[0.8], [1.4], [2.2]]))
    bounds = lt.certify(module, (2,), ord=math.inf).bounds
    angles = torch.linspace(0, 2 * math.pi, 200)
    jacobians = module.as_layer().jacobian(torch.stack([torch.cos(angles), torch.sin(angles)], 1)).to_dense()
    largest = float(jacobians.abs().sum(dim=-1).max())
    assert largest <= bounds.upper <= largest + 1e-4


def test_soft_huber_is_the_formula():
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)[None]
    expected = 0.3 * (torch.sqrt(1 + (x / 0.3) ** 2) - 1)
    torch.testing.assert_close(lt.SoftHuber(0.3)(x), expected, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(lt.SoftHuber(0.3).as_layer()(x), expected, rtol=1e-12, atol=1e-15)
    far = torch.tensor([[3e38, -3e38, 1e-20]])
    assert torch.isfinite(lt.SoftHuber()(far)).all()
    region = lc.Box(np.full(2, 0.3), np.full(2, 0.4))
    assert abs(lt.SoftHuber(0.3).as_layer().lipschitz(2, region).upper - 0.8) < 1e-9
    with pytest.raises(ValueError, match="`delta` must be positive"):
        lt.SoftHuber(0.0)


def test_residuals_are_their_formulas_and_no_longer_than_they_say():
    x = points(VECTOR)
    double = nn.Linear(6, 6)
    with torch.no_grad():
        double.weight.copy_(2 * torch.eye(6))
        double.bias.zero_()
    halved = nn.Linear(3, 3)
    with torch.no_grad():
        halved.weight.copy_(3 * torch.eye(3))
        halved.bias.zero_()
    cases = [
        (lt.PrescaledAdditiveResidual(double, -0.5), (x - x) / 1.5, 4 / 3),
        (lt.AdditiveResidual(double, 0.0), 1.5 * x, 1.5),
        (lt.L2NormResidual(double), math.sqrt(2.5) * x.abs(), math.sqrt(2.5)),
        (lt.ConcatResidual(halved), torch.cat([x[:, :3], 3 * x[:, 3:]], 1), 3.0),
    ]
    for module, expected, constant in cases:
        torch.testing.assert_close(module(x), expected, atol=1e-6, rtol=1e-6)
        found = lt.certify(module, VECTOR)
        assert found.bounds.upper <= constant * (1 + 1e-4)
        assert lt.evaluate_lip_const(module, x).lower <= found.bounds.upper
    assert abs(lt.certify(cases[2][0], VECTOR).bounds.upper - math.sqrt(2.5)) < 1e-4
    assert abs(lt.certify(cases[3][0], VECTOR).bounds.upper - 3) < 1e-3
    zeros = torch.zeros(1, 6, requires_grad=True)
    cases[2][0](zeros).sum().backward()
    assert torch.equal(zeros.grad, torch.zeros(1, 6))


def test_batch_lip_norm_tracks_its_statistics_and_is_certified_from_them():
    x = points((3, 5, 5), 20) * torch.tensor([1.0, 4.0, 2.0])[:, None, None] + 3.0
    factory = lt.SharedLipFactory()
    norm = lt.BatchLipNorm(3, momentum=1.0, eps=1e-6, factory=factory).train()
    y = norm(x)
    torch.testing.assert_close(y.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    assert abs(float(y.detach().var(dim=(0, 2, 3)).max()) - 1) < 1e-3
    torch.testing.assert_close(norm.running_var, x.var(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_mean, x.mean(dim=(0, 2, 3)))
    assert float(y.detach().var(dim=(0, 2, 3)).min()) < 0.1  # one factor for all: ratios stay
    norm.eval()
    torch.testing.assert_close(norm(x), y)
    factor = float(x.var(dim=(0, 2, 3)).max()) ** -0.5
    assert abs(lt.certify(norm, (3, 5, 5)).bounds.upper - factor) < 1e-5
    with torch.no_grad():
        norm.running_var.mul_(0.01)
    found = lt.certify(nn.Sequential(norm, lt.GroupSort(3)), (3, 5, 5)).bounds
    assert abs(found.upper - 10 * factor) < 1e-3
    assert abs(float(factory.get_current_product_value()) - found.upper) < 1e-5
    assert float(lt.SharedLipFactory().get_current_product_value()) == 1.0


def test_limited_batch_norm_never_stretches():
    norm = lt.BatchLipNorm(4, max_scale=1.0)
    for spread in (0.0, 1e-3, 1.0, 30.0):
        seen(norm, spread)
        assert lt.certify(norm.eval(), IMAGE).bounds.upper <= 1.0
    for options in ({"max_scale": 0.0}, {"eps": -1.0}):
        with pytest.raises(ValueError, match="must be positive and finite"):
            lt.BatchLipNorm(4, **options)
    with pytest.raises(ValueError, match="more than one entry"):
        lt.BatchLipNorm(4).train()(torch.zeros(1, 4))


def test_fused_block_is_the_composition():
    block, x = shaken(lambda: lt.SLLxAOCConv2d(4, 6)), points(IMAGE)
    assert block(x).shape == (4, 6, 3, 3)
    y = x
    for part in block:
        y = part(y)
    assert torch.equal(block(x), y)
    assert [name for name, _ in lt.certify(block, IMAGE).layers] == ["0", "1", "2"]
    assert type(lt.export(block)) is nn.Sequential


def test_modules_for_images_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="`padding_mode` must be"):
        lt.SOCConv2d(4, 4, padding_mode="reflect")
    with pytest.raises(ValueError, match="odd extents"):
        lt.SOCConv2d(4, 4, 2)(points(IMAGE))
    with pytest.raises(ValueError, match="multiples of the taps"):
        lt.ECOConv2d(4, 4, 4)(points(IMAGE))
    with pytest.raises(ValueError, match="`x` must have 2 \\* 3 channels"):
        lt.ChannelShuffle(2, 3)(points(IMAGE))
    with pytest.raises(ValueError, match="`group_in` and `group_out`"):
        lt.ChannelShuffle(0, 3)
    with pytest.raises(ValueError, match="`channels` must be even"):
        lt.HouseHolderOrder2(3)


@pytest.mark.parametrize("kind", [lt.SOCConv2d, lt.CayleyConv2d, lt.LOTConv2d, lt.ECOConv2d])
def test_modules_for_images_keep_half_precision_outside(kind):
    layer, x = kind(4, 4).to(torch.bfloat16), points(IMAGE).to(torch.bfloat16)
    y = layer(x)
    assert y.dtype == torch.bfloat16
    assert abs(float(y.detach().float().norm() / x.float().norm()) - 1) < 2e-2
    assert layer.double()(x.double()).dtype == torch.float64


def test_orthogonal_kernels_are_filled_in_place():
    kernel = torch.empty(8, 2, 3, 3)
    assert lt.conv_orthogonal_(kernel, stride=2) is kernel
    operator = lc.Convolution(kernel, (2, 6, 6), stride=2, padding=1, padding_mode="circular")
    torch.testing.assert_close((operator.H @ operator).to_dense(), torch.eye(72), atol=1e-4, rtol=0)
    assert lt.conv_orthogonal_(torch.empty(8, 2, 3, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16
