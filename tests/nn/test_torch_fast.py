"""Derivatives written by hand, against finite differences and autograd of the parts."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the modules are torch's")

import lipcore.nn.torch as lt  # noqa: E402
from lipcore.nn.torch.fast import Lengths, SwapPairs, sort_pairs  # noqa: E402


def x(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape))


FUNCTIONS = {
    "pairs": (lambda v: sort_pairs(v, 1), (2, 4, 3)),
    "pairs, descending, last axis": (lambda v: sort_pairs(v, 2, True), (2, 3, 4)),
    "lengths": (lambda v: Lengths.apply(v, (2, 2)), (2, 2, 4, 4)),
    "lengths, with a rest": (lambda v: Lengths.apply(v, (3, 2)), (2, 1, 4, 5)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name):
    f, shape = FUNCTIONS[name]
    v = x(*shape).requires_grad_()
    assert torch.autograd.gradcheck(f, v, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(f, v)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobians_of_both_modes_and_of_a_loop_agree(name):
    f, shape = FUNCTIONS[name]
    v = x(*shape)
    backward = torch.func.jacrev(f)(v)
    torch.testing.assert_close(torch.func.jacfwd(f)(v), backward)
    torch.testing.assert_close(torch.autograd.functional.jacobian(f, v), backward)
    torch.testing.assert_close(torch.func.vmap(lambda one: f(one[None])[0])(v), f(v))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_memory_format_is_kept(memory_format):
    v = x(2, 4, 6, 6).to(memory_format=memory_format)
    y = lt.GroupSort2()(v)
    assert y.is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(y, lt.GroupSort(2).as_layer()(v))
    z = lt.ScaledL2NormPool2d(3)(y)
    assert z.is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(z, torch.nn.functional.lp_pool2d(y, 2.0, 3))


def test_equal_pairs_stay():
    v = torch.ones(1, 4, requires_grad=True)
    torch.testing.assert_close(lt.MaxMin()(v), v)
    assert torch.equal(SwapPairs.apply(v, torch.tensor([[True, False]]), 1), v)


def test_group_size_must_divide():
    for size in (2, 3):
        with pytest.raises(ValueError, match=f"`group_size` {size} must divide"):
            lt.GroupSort(size)(torch.zeros(1, 5))
    with pytest.raises(ValueError, match="`output_size`"):
        lt.ScaledAdaptativeL2NormPool2d(2)(torch.zeros(1, 1, 3, 4))
    with pytest.raises(ValueError, match="`kernel_size`"):
        lt.ScaledL2NormPool2d((2, 2, 2))
    with pytest.raises(ValueError, match="`channels`"):
        lt.HouseHolder(3)
