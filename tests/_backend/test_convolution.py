import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from lipcore import _backend as B


def cross_correlation(x, kernel, stride, dilation, groups, pads):
    """The definition, one output number at a time."""
    x = np.pad(x, ((0, 0), (0, 0), *pads))
    c_out, c_in, *taps = kernel.shape
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], taps, stride, dilation, strict=True)]
    y = np.zeros((x.shape[0], c_out, *out), dtype=x.dtype)
    for b, o, *p in itertools.product(range(x.shape[0]), range(c_out), *map(range, out)):
        group = o // (c_out // groups)
        for i, *t in itertools.product(range(c_in), *map(range, taps)):
            where = [s * q + d * u for s, q, d, u in zip(stride, p, dilation, t, strict=True)]
            y[(b, o, *p)] += kernel[(o, i, *t)] * x[(b, group * c_in + i, *where)]
    return y


@st.composite
def problems(draw, most=3):
    axes = draw(st.integers(1, most))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))  # noqa: E731
    groups = draw(st.integers(1, 3))
    c_in, c_out = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    taps, stride, dilation = each(1, 3), each(1, 3), each(1, 2)
    pads = tuple(draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in range(axes))
    if draw(st.booleans()):
        pads = tuple((a, a) for a, _ in pads)
    spatial = tuple(
        draw(st.integers(max(1, d * (k - 1) + 1 - sum(p)), 6 if axes < 3 else 4 + d * (k - 1)))
        for k, d, p in zip(taps, dilation, pads, strict=True)
    )
    batch = draw(st.integers(1, 2))
    options = {"stride": stride, "dilation": dilation, "groups": groups, "padding": pads}
    return (batch, c_in * groups, *spatial), (c_out * groups, c_in, *taps), options


def draws(shape, dtype, seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape)
    if dtype.startswith("complex"):
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def close(actual, expected, terms):
    eps = np.finfo(actual.dtype).eps
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=20 * eps * max(4, terms) * scale)


def pairing(a, b):
    return np.vdot(a.astype(np.complex128), b.astype(np.complex128))


def check(backend, problem, dtype, seed):
    x_shape, kernel_shape, options = problem
    x, kernel = draws(x_shape, dtype, seed), draws(kernel_shape, dtype, seed + 1)
    there = backend.asarray(kernel)
    y = B.convolve(backend.asarray(x), there, **options)
    assert B.dtype_name(y.dtype) == dtype
    assert B.device_of(y) == B.device_of(there)
    wanted = cross_correlation(x, kernel, options["stride"], options["dilation"], options["groups"], options["padding"])
    assert tuple(y.shape) == wanted.shape
    close(backend.to_numpy(y), wanted, np.prod(kernel_shape[1:]))

    z = draws(wanted.shape, dtype, seed + 2)
    back = B.convolve_adjoint(backend.asarray(z), there, x_shape[2:], **options)
    assert B.dtype_name(back.dtype) == dtype
    assert B.device_of(back) == B.device_of(there)
    assert tuple(back.shape) == x_shape
    left, right = pairing(z, wanted), pairing(backend.to_numpy(back), x)
    scale = np.linalg.norm(x) * np.linalg.norm(z) * np.abs(kernel).sum()
    assert abs(left - right) <= 50 * np.finfo(dtype).eps * scale


@given(
    problem=problems(),
    dtype=st.sampled_from(["float32", "float64", "complex64", "complex128"]),
    many=st.sampled_from([1, 64]),
)
@settings(max_examples=200, deadline=None)
def test_definition_on_numpy(problem, dtype, many):
    """`many`: from how many images on they are the last axis of strided adjoints."""
    import array_api_compat.numpy as xp
    from _backends import Backend

    from lipcore._backend import patches

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "_MANY", many)
        check(Backend("numpy", "numpy", xp), problem, dtype, 0)


@given(problem=problems(), dtype=st.sampled_from(["float32", "float64", "complex64", "complex128"]))
@settings(max_examples=100, deadline=None)
def test_definition_on_torch(problem, dtype):
    pytest.importorskip("torch")
    import array_api_compat.torch as xp
    from _backends import Backend

    check(Backend("torch", "torch", xp, xp.empty(0).device), problem, dtype, 0)


FIXED = [
    ((2, 4, 9), (6, 2, 4), {"stride": (2,), "dilation": (2,), "groups": 2, "padding": ((3, 1),)}),
    ((2, 3, 7, 6), (4, 3, 3, 2), {"stride": (1, 1), "dilation": (1, 2), "groups": 1, "padding": ((1, 1), (0, 2))}),
    ((1, 4, 7, 6), (3, 4, 3, 3), {"stride": (3, 2), "dilation": (1, 1), "groups": 1, "padding": ((1, 1), (1, 1))}),
    ((2, 3, 5, 4), (3, 1, 3, 3), {"stride": (1, 2), "dilation": (1, 1), "groups": 3, "padding": ((1, 1), (1, 1))}),
    ((2, 3, 2, 2), (2, 3, 5, 6), {"stride": (1, 1), "dilation": (1, 1), "groups": 1, "padding": ((2, 2), (4, 3))}),
    ((1, 5, 4, 4), (2, 5, 1, 1), {"stride": (1, 1), "dilation": (1, 1), "groups": 1, "padding": ((0, 0), (0, 0))}),
    ((1, 2, 3, 4, 5), (4, 1, 2, 3, 2), {"stride": (1, 2, 1), "dilation": (1, 1, 2), "groups": 2,
                                         "padding": ((1, 0), (1, 1), (0, 1))}),
    ((1, 6, 5, 5), (2, 6, 3, 3), {"stride": (1, 1), "dilation": (2, 1), "groups": 1, "padding": ((3, 3), (1, 1))}),
]  # fmt: skip


@pytest.mark.parametrize("problem", FIXED, ids=[f"{x}*{k}" for x, k, _ in FIXED])
def test_definition_everywhere(backend, problem):
    for dtype in backend.dtypes:
        check(backend, problem, dtype, 3)


@pytest.mark.parametrize("problem", FIXED, ids=[f"{x}*{k}" for x, k, _ in FIXED])
@pytest.mark.parametrize("many", [1, 64])
def test_small_buffers_change_nothing(monkeypatch, problem, many):
    """The cuts into blocks are right along every axis, whatever the size of the buffer."""
    import array_api_compat.numpy as xp
    from _backends import Backend

    from lipcore._backend import patches

    monkeypatch.setattr(patches, "_MANY", many)
    for columns in (1, 2, 3, 7, 20, 50):
        monkeypatch.setattr(patches, "_BUFFER", 1)
        monkeypatch.setattr(patches, "_COLUMNS", columns)
        check(Backend("numpy", "numpy", xp), problem, "float64", 4)


def test_blocks_cover_each_pixel_once():
    from lipcore._backend import patches

    for batch, size, columns in [(3, (4, 5), 100), (3, (4, 5), 45), (2, (4, 5, 3), 7), (1, (9,), 4), (2, (3, 2), 1)]:
        seen = np.zeros((batch, *size), dtype=int)
        runs = np.zeros((batch, np.prod(size)), dtype=int)
        numbers = np.arange(seen.size).reshape(seen.shape)
        for images, block, run in patches._blocks(batch, size, columns):
            seen[(images, *block)] += 1
            runs[images, run] += 1
            part = numbers[(images, *block)]
            assert part.size <= columns
            np.testing.assert_array_equal(part.ravel(), numbers.reshape(runs.shape)[images, run].ravel())
        assert (seen == 1).all()
        assert (runs == 1).all()


def test_many_images_that_lie_last_in_memory_already():
    x, kernel = draws((70, 3, 9, 8), "float32", 0), draws((4, 3, 3, 3), "float32", 1)
    options = {"stride": (2, 2), "dilation": (1, 1), "groups": 1, "padding": ((1, 1), (1, 0))}
    wanted = cross_correlation(x, kernel, (2, 2), (1, 1), 1, options["padding"])
    once = B.convolve_adjoint(wanted, kernel, x.shape[2:], **options)
    turned = np.moveaxis(np.ascontiguousarray(np.moveaxis(wanted, 0, -1)), -1, 0)
    np.testing.assert_array_equal(B.convolve_adjoint(turned, kernel, x.shape[2:], **options), once)
    one_by_one = [B.convolve_adjoint(y[None], kernel, x.shape[2:], **options)[0] for y in wanted]
    close(once, np.stack(one_by_one), 36)


def test_strided_and_read_only_input():
    big = draws((2, 3, 10, 12), "float64", 0)
    x = np.swapaxes(big, 2, 3)[:, :, ::2, 1:]
    x.flags.writeable = False
    kernel = draws((3, 4, 3, 3), "float64", 1).swapaxes(0, 1)
    options = {"stride": (1, 1), "dilation": (1, 1), "groups": 1}
    wanted = cross_correlation(x, kernel, (1, 1), (1, 1), 1, ((0, 0), (0, 0)))
    close(B.convolve(x, kernel, **options), wanted, 27)
    back = B.convolve_adjoint(wanted[..., ::-1], kernel, x.shape[2:], **options)
    assert abs(np.vdot(wanted[..., ::-1], wanted) - np.vdot(back, x)) <= 1e-9


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
# NumPy has no bfloat16 and the array API neither half format; both are only promised on torch and JAX
@pytest.mark.backends("torch", "jax")
def test_half_precision_stays(backend, name):
    x_shape, kernel_shape, options = FIXED[1]
    x, kernel = draws(x_shape, "float32", 0), draws(kernel_shape, "float32", 1)
    half = backend.dtype(name)
    y = B.convolve(B.cast(backend.asarray(x), half), B.cast(backend.asarray(kernel), half), **options)
    back = B.convolve_adjoint(y, B.cast(backend.asarray(kernel), half), x_shape[2:], **options)
    assert B.dtype_name(y.dtype) == B.dtype_name(back.dtype) == name
    wanted = B.convolve(x, kernel, **options)
    wanted_back = B.convolve_adjoint(wanted, kernel, x_shape[2:], **options)
    tolerance = 8 * B.eps(backend.xp, half)
    for got, true in ((y, wanted), (back, wanted_back)):
        error = np.abs(backend.to_numpy(got).astype(np.float64) - true)
        assert error.max() <= tolerance * np.abs(true).max()


def test_both_directions_trace_under_jit():
    jax = pytest.importorskip("jax")
    x_shape, kernel_shape, options = FIXED[3]
    x, kernel = draws(x_shape, "float32", 0), draws(kernel_shape, "float32", 1)
    normal = lambda a, k: B.convolve_adjoint(B.convolve(a, k, **options), k, x_shape[2:], **options)  # noqa: E731
    traced = jax.jit(normal)(jax.numpy.asarray(x), jax.numpy.asarray(kernel))
    close(np.asarray(traced), normal(x, kernel), 27)


# array-api-compat caches its look-up of the namespace, which Dynamo announces that it traces through
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning")
def test_both_directions_compile_in_torch():
    torch = pytest.importorskip("torch")
    x_shape, kernel_shape, options = FIXED[3]
    x, kernel = (torch.from_numpy(draws(s, "float32", i)) for i, s in enumerate((x_shape, kernel_shape)))
    normal = lambda a, k: B.convolve_adjoint(B.convolve(a, k, **options), k, x_shape[2:], **options)  # noqa: E731
    compiled = torch.compile(normal, fullgraph=True, backend="aot_eager")(x, kernel)
    close(compiled.numpy(), normal(x.numpy(), kernel.numpy()), 27)


def test_no_tf32_on_cuda():
    """The permission for TF32 is refused in each call, and all stays on the device (seen on fake CUDA tensors)."""
    torch = pytest.importorskip("torch")
    fake = pytest.importorskip("torch._subclasses.fake_tensor")
    modes = pytest.importorskip("torch.utils._python_dispatch")
    calls = []

    class Spy(modes.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if "convolution" in func.name():
                calls.append((func.name(), args))
            return func(*args, **(kwargs or {}))

    with fake.FakeTensorMode(), Spy():
        x = torch.empty((2, 3, 8, 8), device="cuda")
        kernel = torch.empty((4, 3, 3, 3), device="cuda")
        options = {"stride": (2, 2), "dilation": (1, 1), "groups": 1, "padding": ((1, 1), (2, 2))}
        y = B.convolve(x, kernel, **options)
        back = B.convolve_adjoint(y, kernel, (8, 8), **options)
    assert y.device.type == back.device.type == "cuda"
    assert tuple(back.shape) == (2, 3, 8, 8)
    assert [name for name, _ in calls] == ["aten::_convolution"] * 2
    assert all(args[-1] is False for _, args in calls)


def test_jax_products_are_of_highest_precision():
    jax = pytest.importorskip("jax")
    x_shape, kernel_shape, options = FIXED[1]
    x, kernel = jax.numpy.zeros(x_shape), jax.numpy.zeros(kernel_shape)
    normal = lambda a, k: B.convolve_adjoint(B.convolve(a, k, **options), k, x_shape[2:], **options)  # noqa: E731
    found = [e.params["precision"] for e in jax.make_jaxpr(normal)(x, kernel).eqns if "conv" in e.primitive.name]
    assert len(found) == 2
    assert all(p == (jax.lax.Precision.HIGHEST,) * 2 for p in found)


def test_complex_parts_keep_their_own_accuracy(backend):
    """A large real part does not spoil a small imaginary part, as three-product schemes do."""
    if "complex64" not in backend.dtypes:
        pytest.skip("no complex numbers")
    x = draws((1, 3, 6, 6), "float32", 0).astype(np.complex64)
    kernel = draws((4, 3, 3, 3), "float32", 1) + 1e-6j * draws((4, 3, 3, 3), "float32", 2)
    kernel = kernel.astype(np.complex64)
    options = {"stride": (1, 1), "dilation": (1, 1), "groups": 1}
    y = backend.to_numpy(B.convolve(backend.asarray(x), backend.asarray(kernel), **options))
    wanted = cross_correlation(x.astype(np.complex128), kernel.astype(np.complex128), (1, 1), (1, 1), 1, ((0, 0),) * 2)
    assert np.abs(y.imag - wanted.imag).max() <= 1e-5 * np.abs(wanted.imag).max()
