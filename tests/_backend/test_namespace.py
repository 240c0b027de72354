"""Namespaces, dtypes, host transfers and random starts on every backend."""

from __future__ import annotations

import numpy as np
import pytest
from _backends import Backend

from lipcore import _backend as B


def test_namespace_comes_from_the_array(backend: Backend) -> None:
    x = backend.asarray(np.ones((2, 3)))
    assert B.array_namespace(x).__name__ == backend.xp.__name__
    assert B.is_array(x)
    assert not B.is_array([1.0, 2.0])


@pytest.mark.parametrize("bad", [[1.0, 2.0], 3.0, "text", None])
def test_what_is_no_array_is_named(bad: object) -> None:
    with pytest.raises(TypeError, match="`weights` must be an array"):
        B.array_namespace(bad, name="weights")


def test_libraries_do_not_mix() -> None:
    strict = pytest.importorskip("array_api_strict", reason="needs a second array library")
    with pytest.raises(TypeError, match="`data` mixes arrays of several libraries"):
        B.array_namespace(np.ones(2), strict.ones(2), name="data")


def test_host_round_trip_keeps_values_and_dtype(backend: Backend) -> None:
    for name in backend.dtypes:
        values = np.arange(6).reshape(2, 3).astype(name) * (1 + 1j if name.startswith("complex") else 1)
        x = backend.asarray(values)
        assert B.dtype_name(x.dtype) == name
        back = B.to_numpy(x)
        assert back.dtype == values.dtype
        np.testing.assert_array_equal(back, values)


def test_host_reads_are_counted(backend: Backend) -> None:
    x = backend.asarray(np.ones(3))
    before = B.host_reads.count
    B.to_numpy(x)
    B.to_float(x[0])
    assert B.host_reads.count == before + 2
    assert B.to_float(2) == 2.0
    assert B.host_reads.count == before + 2


def test_dtype_facts(backend: Backend) -> None:
    xp = backend.xp
    for name in backend.dtypes:
        dtype = backend.dtype(name)
        assert B.is_floating(xp, dtype)
        assert B.is_complex(xp, dtype) == name.startswith("complex")
        assert B.eps(xp, dtype) == float(np.finfo(name).eps)
        assert B.dtype_name(B.real_dtype(xp, dtype)) == {"complex64": "float32", "complex128": "float64"}.get(
            name, name
        )
        assert B.compute_dtype(xp, dtype) == dtype
        assert B.numpy_dtype(dtype) == np.dtype(name)
    assert not B.is_floating(xp, xp.int32)
    assert B.has_float64(xp, backend.device) == ("float64" in backend.dtypes)


@pytest.mark.backends("torch", "jax", "torch-cuda")  # the only ones with bfloat16
def test_half_precision_is_computed_in_single(backend: Backend) -> None:
    xp = backend.xp
    for name in ("float16", "bfloat16"):
        dtype = B.dtype_named(xp, name)
        assert B.dtype_name(B.compute_dtype(xp, dtype)) == "float32"
        assert B.dtype_name(B.common_dtype(xp, dtype, xp.float32)) == "float32"
        x = B.cast(backend.asarray(np.array([0.5, 2.0], np.float32)), dtype)
        np.testing.assert_array_equal(B.to_numpy(x).astype(np.float64), [0.5, 2.0])
    both = B.common_dtype(xp, B.dtype_named(xp, "float16"), B.dtype_named(xp, "bfloat16"))
    assert B.dtype_name(both) == "float32"


def test_cast_of_complex_to_real_takes_the_real_part(backend: Backend) -> None:
    x = backend.asarray(np.array([1 + 2j], np.complex64))
    y = B.cast(x, backend.dtype("float32"))
    assert B.dtype_name(y.dtype) == "float32"
    assert B.to_float(y[0]) == 1.0


def test_one_seed_gives_one_start_everywhere(backend: Backend) -> None:
    for name in backend.dtypes:
        x = B.random_normal(B.as_rng(3), (4, 5), xp=backend.xp, device=backend.device, dtype=backend.dtype(name))
        y = B.random_normal(B.as_rng(3), (4, 5), xp=np, dtype=np.dtype(name))
        np.testing.assert_array_equal(B.to_numpy(x), y)
    with pytest.raises(TypeError, match=r"`rng` must be None, an int or a numpy.random.Generator"):
        B.as_rng("seed")


def test_stop_gradient_and_tracing(backend: Backend) -> None:
    x = backend.asarray(np.ones(3, np.float32))
    np.testing.assert_array_equal(B.to_numpy(B.stop_gradient(x)), np.ones(3))
    assert not B.is_traced(x)


@pytest.mark.backends("jax", "jax-x64")  # tracers are JAX's
def test_tracer_is_seen(backend: Backend) -> None:
    import jax

    seen = []
    jax.jit(lambda x: seen.append(B.is_traced(x)) or x)(backend.asarray(np.ones(3, np.float32)))
    assert seen == [True]


@pytest.mark.backends("torch", "torch-cuda")  # gradients of torch
def test_host_read_of_a_tensor_with_gradient(backend: Backend) -> None:
    x = backend.asarray(np.ones(3)).requires_grad_()
    np.testing.assert_array_equal(B.to_numpy(x * 2), 2 * np.ones(3))
    np.testing.assert_array_equal(B.to_numpy(backend.xp.conj(backend.asarray(np.array([1j])))), [-1j])
