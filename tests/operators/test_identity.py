from __future__ import annotations

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance

import lipcore as lc
from lipcore import _backend as B


def _case(name, n, batch=()):
    def build(backend, dtype):
        return lc.Identity(n, dtype, xp=backend.xp, device=backend.device, batch_shape=batch)

    def dense():
        return np.broadcast_to(np.eye(n), (*batch, n, n)).copy()

    return Case(name, lambda rng, dtype: {}, build, dense)


CASES = [_case("single", 4), _case("batch", 3, (2, 2))]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def test_defaults_are_the_librarys(backend):
    default = lc.Identity(2, xp=backend.xp, device=backend.device).dtype
    assert default == backend.xp.empty((0,), device=backend.device).dtype


def test_numpy_is_the_default():
    assert B.is_numpy(lc.Identity(2).xp)
    assert lc.Identity(2).dtype == np.float64


# the one library that people import under its own name, without the compatible layer
@pytest.mark.backends("torch")
def test_plain_torch_is_a_namespace(backend):
    import torch

    eye = lc.Identity(2, xp=torch, device="cpu")
    assert eye.dtype == torch.float32
    assert eye.device == torch.device("cpu")
    assert torch.equal(eye @ torch.ones(2), torch.ones(2))
    assert (eye + lc.Dense(torch.ones(2, 2))).shape == (2, 2)


def test_without_device_it_meets_any_device(backend):
    dense = lc.Dense(backend.asarray(np.ones((2, 2), dtype=np.float32)))
    total = dense + lc.Identity(2, backend.dtype("float32"), xp=backend.xp)
    assert total.device == dense.device


def test_structure_is_kept():
    eye = lc.Identity(3)
    assert eye.H is eye
    assert eye.T is eye


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((-1,), ValueError, "`n` must not be negative"),
        ((2.0,), TypeError, "`n` must be made of integers"),
        ((True,), TypeError, "`n` must be made of integers"),
        ((2, np.int64), TypeError, "floating"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        lc.Identity(*arguments)


def test_bad_batch():
    with pytest.raises(ValueError, match="`batch_shape` must not be negative"):
        lc.Identity(2, batch_shape=(-1,))


def test_bad_namespace():
    with pytest.raises(TypeError, match="`xp` must be an array namespace"):
        lc.Identity(2, xp="numpy")
