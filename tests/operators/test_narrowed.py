from __future__ import annotations

import numpy as np
import pytest

import lipcore as lc
from lipcore import _backend as B
from lipcore.operators.detached import DetachedOperator
from lipcore.operators.narrowed import narrowed

LOOSE = 1e-4
NARROW = {"float64": "float32", "complex128": "complex64"}


def drawn(shape, dtype="float64"):
    rng = np.random.default_rng(0)
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else a).astype(dtype)


def operators(backend, dtype):
    """Every kind that has a copy, just large enough."""
    matrix = lc.Dense(backend.asarray(drawn((800, 700), dtype)))
    kernel = backend.asarray(drawn((16, 16, 3, 3), dtype))
    yield matrix
    yield matrix.H
    yield DetachedOperator(matrix)
    yield lc.Convolution(kernel, (16, 50, 50), padding=1, padding_mode="reflect")
    yield lc.Convolution(kernel, (16, 50, 50), padding=1, padding_mode="circular").H
    yield lc.ConvolutionTranspose(kernel, (16, 50, 50), stride=2)


def test_copies_are_the_same_maps(backend):
    for dtype in list(NARROW)[: 1 if backend.native == "jax" else 2]:  # JAX compiles for each
        if dtype not in backend.dtypes:
            continue
        for A in operators(backend, dtype):
            low = narrowed(A, LOOSE)
            assert B.dtype_name(low.dtype) == NARROW[dtype]
            assert low.shape == A.shape
            assert low.domain_shape == A.domain_shape
            assert B.dtype_name(A.dtype) == dtype  # the original is as it was
            x, y = drawn((A.shape[1],), dtype), drawn((A.shape[0],), dtype)
            for name, v in (("matvec", x), ("rmatvec", y)):
                narrow = backend.asarray(v.astype(NARROW[dtype]))
                got, want = getattr(low, name)(narrow), B.to_numpy(getattr(A, name)(backend.asarray(v)))
                assert B.dtype_name(got.dtype) == NARROW[dtype]
                np.testing.assert_allclose(B.to_numpy(got), want, rtol=0, atol=1e-5 * np.max(np.abs(want)))


def test_only_where_it_is_accurate_enough_and_pays():
    a = drawn((800, 700))
    assert narrowed(lc.Dense(a), 2.0**-17) is not None
    assert narrowed(lc.Dense(a), 2.0**-18) is None
    assert narrowed(lc.Dense(a[:700, :700]), LOOSE) is None
    assert narrowed(lc.Convolution(drawn((16, 16, 3, 3)), (16, 40, 40), padding=1), LOOSE) is None
    assert narrowed(lc.Dense(a.astype("float32")), 0.5) is None  # NumPy has nothing narrower
    for other in (lc.Diagonal(a[0]), lc.Dense(a) @ lc.Dense(a.T), lc.aslinearoperator(lc.Dense(a)) * 2.0):
        assert narrowed(other, LOOSE) is None


@pytest.mark.parametrize("scale", [0.0, 1e-16, 1e16, np.nan, np.inf])
def test_not_where_numbers_would_leave_the_range(scale):
    with np.errstate(invalid="ignore"):
        assert narrowed(lc.Dense(scale * drawn((800, 700))), LOOSE) is None


@pytest.mark.backends("jax")
def test_not_under_a_tracer(backend):
    import jax

    a = backend.asarray(drawn((800, 700)))
    if B.dtype_name(a.dtype) != "float64":
        pytest.skip("JAX without x64")
    seen = []
    jax.jit(lambda x: seen.append(narrowed(lc.Dense(x), LOOSE)) or x)(a)
    assert seen == [None]


@pytest.mark.backends("torch")
def test_bfloat16_for_large_convolutions_on_processors_made_for_it(backend, monkeypatch):
    large = lc.Convolution(backend.asarray(drawn((64, 64, 3, 3), "float32")), (64, 64, 64), padding=1)
    small = lc.Convolution(backend.asarray(drawn((64, 64, 3, 3), "float32")), (64, 32, 32), padding=1)
    matrix = lc.Dense(backend.asarray(drawn((800, 700), "float32")))
    for native in (True, False):
        monkeypatch.setattr(B, "has_native_bfloat16", lambda xp, device, native=native: native)
        low = narrowed(large, 3e-3)
        assert (low is not None) == native
        assert narrowed(large, 2e-3) is narrowed(small, 3e-3) is narrowed(matrix, 3e-3) is None
        if low is not None:
            assert B.dtype_name(low.dtype) == "bfloat16"
            x = backend.asarray(drawn((large.shape[1],), "float32"))
            got, want = B.to_numpy(low.matvec(x)), B.to_numpy(large.matvec(x))
            assert got.dtype == np.float32  # the vectors stay in single precision
            assert 0 < np.linalg.norm(got - want) < 2.0**-8 * np.linalg.norm(want)


def test_native_bfloat16_is_not_taken_for_granted(backend, monkeypatch):
    if backend.native != "torch":
        assert not B.has_native_bfloat16(backend.xp, backend.device)
        return
    import torch

    for flags, native in (({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda flags=flags: flags, raising=False)
        assert B.has_native_bfloat16(backend.xp, torch.device("cpu")) == native
        assert not B.has_native_bfloat16(backend.xp, torch.device("meta"))
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # as in older versions
    assert not B.has_native_bfloat16(backend.xp, torch.device("cpu"))


def test_subclasses_are_not_taken_for_what_they_derive_from():
    class Mine(lc.Dense):
        pass

    assert narrowed(Mine(drawn((800, 700))), LOOSE) is None
