from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc
from lipcore import _backend as B

NUMPY_MODES = {"zeros": "constant", "circular": "wrap", "reflect": "reflect", "replicate": "edge"}


def dense(kernel, input_shape, stride, padding, dilation, groups, mode):
    """The matrix from the definition: where each entry of the padded image comes from, then tap by tap."""
    if kernel.ndim > len(input_shape) + 1:
        members = [dense(k, input_shape, stride, padding, dilation, groups, mode) for k in kernel]
        return np.stack(members)
    numbers = np.arange(1, np.prod(input_shape) + 1).reshape(input_shape)  # 0 is the pixel that does not exist
    sources = np.pad(numbers, ((0, 0), *padding), mode=NUMPY_MODES[mode])
    c_out, c_in, *taps = kernel.shape
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(sources.shape[1:], taps, stride, dilation, strict=True)]
    matrix = np.zeros((c_out, *out, numbers.size + 1), dtype=kernel.dtype)
    for o, *p in itertools.product(range(c_out), *map(range, out)):
        group = o // (c_out // groups)
        for i, *t in itertools.product(range(c_in), *map(range, taps)):
            where = [s * q + d * u for s, q, d, u in zip(stride, p, dilation, t, strict=True)]
            matrix[(o, *p, sources[(group * c_in + i, *where)])] += kernel[(o, i, *t)]
    return matrix.reshape(-1, numbers.size + 1)[:, 1:]


def case(name, kernel, input_shape, stride=1, padding=0, dilation=1, groups=1, mode="zeros", pairs=None):
    axes = len(input_shape) - 1
    each = lambda v: (v,) * axes if isinstance(v, int) else v  # noqa: E731
    pairs = tuple((p, p) for p in each(padding)) if pairs is None else pairs
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "padding_mode": mode}
    return Case(
        name,
        lambda rng, dtype: {"kernel": gaussian(rng, kernel, dtype)},
        lambda backend, dtype, kernel: lc.Convolution(kernel, input_shape, **options),
        lambda kernel: dense(kernel, input_shape, each(stride), pairs, each(dilation), groups, mode),
    )


# Each option at least once; the sweeps below combine them.
CASES = [
    case("line", (4, 2, 3), (4, 7), stride=2, padding=1, dilation=2, groups=2),
    case("space", (2, 1, 2, 1, 3), (2, 2, 3, 3), stride=(1, 2, 1), padding=(1, 0, 1), groups=2),
    case("circular", (2, 2, 3, 3), (2, 4, 5), stride=(2, 1), padding=((1, 2), (3, 0)), mode="circular",
         pairs=((1, 2), (3, 0))),
    case("depthwise", (3, 1, 3, 3), (3, 4, 4), stride=2, padding=1, groups=3),
    case("bigger than the image", (2, 2, 4, 5), (2, 2, 3), padding=2),
    case("batch", (2, 2, 1, 3), (2, 5), padding=((3, 1),), groups=2, mode="replicate", pairs=((3, 1),)),
]  # fmt: skip


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@st.composite
def problems(draw):
    axes = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))  # noqa: E731
    one_or_each = lambda low, high: draw(st.integers(low, high)) if draw(st.booleans()) else each(low, high)  # noqa: E731
    groups, per_group, outs = (draw(st.integers(1, 3)) for _ in range(3))
    taps = each(1, 4 if axes < 3 else 3)
    mode = draw(st.sampled_from(B.PADDING_MODES))
    options = {"stride": one_or_each(1, 3), "dilation": one_or_each(1, 2), "groups": groups, "padding_mode": mode}
    word = draw(st.sampled_from(["same", "valid", None, None, None]))
    if word == "same":
        options["stride"] = 1
    options["padding"] = word or draw(
        st.one_of(st.integers(0, 3), st.tuples(*(st.integers(0, 3) for _ in range(axes))))
    )
    spatial = each(1, 7 if axes < 3 else 5)
    dtype = draw(st.sampled_from(["float32", "float64", "complex64", "complex128"]))
    batch = draw(st.integers(1, 2))
    return (per_group * groups, *spatial), (outs * groups, per_group, *taps), options, dtype, batch


def by_torch(torch, x, kernel, stride, padding, dilation, groups, padding_mode):
    """What torch's convolution layers compute."""
    from torch.nn import functional as F

    axes = kernel.ndim - 2
    if padding_mode != "zeros":
        each = lambda v: (v,) * axes if isinstance(v, int) else v  # noqa: E731
        if padding == "same":
            totals = [d * (k - 1) for k, d in zip(kernel.shape[2:], each(dilation), strict=True)]
            pairs = [(t // 2, t - t // 2) for t in totals]
        else:
            pairs = [(p, p) for p in each(0 if padding == "valid" else padding)]
        if any(map(any, pairs)):
            x = F.pad(x, [p for pair in reversed(pairs) for p in pair], mode=padding_mode)
        padding = 0
    return getattr(F, f"conv{axes}d")(x, kernel, None, stride, padding, dilation, groups)


# torch warns that it copies the input for padding="same" with even kernels
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@given(problem=problems())
@settings(max_examples=300, deadline=None)
def test_equals_torch(problem):
    """Values on NumPy and on torch, and that both refuse what torch refuses."""
    torch = pytest.importorskip("torch")
    input_shape, kernel_shape, options, dtype, batch = problem
    rng = np.random.default_rng(0)
    kernel, x = gaussian(rng, kernel_shape, dtype), gaussian(rng, (batch, *input_shape), dtype)
    try:
        expected = by_torch(torch, torch.from_numpy(x), torch.from_numpy(kernel), **options).numpy()
    except (RuntimeError, ValueError, AssertionError):
        with pytest.raises(ValueError, match="`"):
            lc.Convolution(kernel, input_shape, **options)
        return
    terms = np.prod(kernel_shape[1:])
    atol = 20 * np.finfo(dtype).eps * max(terms, 4) * max(np.abs(expected).max(), 1)
    A = lc.Convolution(kernel, input_shape, **options)
    assert A.output_shape == expected.shape[1:]
    np.testing.assert_allclose(A.apply(x), expected, rtol=0, atol=atol)
    native = lc.Convolution(torch.from_numpy(kernel), input_shape, **options)
    np.testing.assert_allclose(native.apply(torch.from_numpy(x)).numpy(), expected, rtol=0, atol=atol)

    y = gaussian(rng, expected.shape, dtype)
    for back in (A.apply_adjoint(y), native.apply_adjoint(torch.from_numpy(y)).numpy()):
        assert back.dtype == dtype
        gap = np.vdot(y, expected) - np.vdot(back, x)
        scale = np.linalg.norm(y) * np.linalg.norm(x) * np.abs(kernel).sum()
        assert abs(gap) <= 100 * np.finfo(dtype).eps * scale


def test_attributes():
    kernel = np.ones((6, 2, 3, 4))
    A = lc.Convolution(kernel, (4, 9, 8), stride=(2, 1), padding=((0, 1), 2), dilation=(1, 2), groups=2)
    assert A.kernel is kernel
    assert A.input_shape == A.domain_shape == (4, 9, 8)
    assert A.output_shape == A.range_shape == (6, 4, 6)
    assert A.shape == (6 * 4 * 6, 4 * 9 * 8)
    assert (A.stride, A.dilation, A.groups) == ((2, 1), (1, 2), 2)
    assert A.padding == ((0, 1), (2, 2))
    assert A.padding_mode == "zeros"
    assert lc.Convolution(kernel, (2, 9, 8), padding="same").padding == ((1, 1), (1, 2))
    assert lc.Convolution(kernel, (2, 9, 8), padding="valid").padding == ((0, 0), (0, 0))
    assert (
        lc.Convolution(np.ones((5, 7, 6, 2, 3, 4)), (2, 9, 8), padding=np.int64(1), groups=1).batch_shape
        == (5, 7, 6)[:2]
    )


def test_input_shape_tells_a_batch_from_an_axis():
    kernel = np.ones((2, 3, 4, 5))
    assert lc.Convolution(kernel, (3, 6, 6)).batch_shape == ()
    assert lc.Convolution(kernel, (4, 6)).batch_shape == (2,)


def test_no_copy_of_row_major_bases(monkeypatch):
    """A transposed view of rows goes to the convolution as it lies in memory, and the result returns so."""
    rows = np.random.default_rng(0).standard_normal((3, 2 * 5 * 5))
    A = lc.Convolution(np.ones((2, 2, 3, 3)), (2, 5, 5), padding=1)
    seen = []
    convolve, adjoint = B.convolve, B.convolve_adjoint
    monkeypatch.setattr(B, "convolve", lambda x, *a, **k: seen.append(x) or convolve(x, *a, **k))
    monkeypatch.setattr(B, "convolve_adjoint", lambda x, *a, **k: seen.append(x) or adjoint(x, *a, **k))
    results = A.matmat(rows.T), A.rmatmat(rows.T)
    assert len(seen) == 2
    assert all(np.shares_memory(x, rows) for x in seen)
    assert results[0].T.flags.c_contiguous


def test_follows_its_kernel():
    """The operator holds the kernel itself, so that weights trained in place need no new operator."""
    for kernel in (np.ones((1, 1, 3)), np.ones((2, 1, 1, 3))):
        A = lc.Convolution(kernel, (1, 5))
        before = A.to_dense()
        kernel *= 2
        assert np.array_equal(A.to_dense(), 2 * before)


# array-api-compat caches its look-up of the namespace, which Dynamo announces that it traces through
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning")
def test_compiles_in_torch():
    torch = pytest.importorskip("torch")
    kernel, x = torch.randn(2, 2, 3, 3), torch.randn(2 * 4 * 4)
    for mode in B.PADDING_MODES:
        A = lc.Convolution(kernel, (2, 4, 4), padding=1, padding_mode=mode)
        normal = torch.compile(lambda v, A=A: A.rmatvec(A.matvec(v)), fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(normal(x), A.rmatvec(A.matvec(x)))


@given(problem=problems())
@settings(max_examples=100, deadline=None)
def test_matrix_is_the_definition(problem):
    input_shape, kernel_shape, options, dtype, batch = problem
    kernel = gaussian(np.random.default_rng(0), (*(2,) * (batch - 1), *kernel_shape), dtype)
    try:
        A = lc.Convolution(kernel, input_shape, **options)
    except ValueError:
        return  # what is refused, and what is not, is compared with torch above
    matrix = dense(kernel, input_shape, A.stride, A.padding, A.dilation, A.groups, A.padding_mode)
    atol = 100 * np.finfo(dtype).eps * max(np.abs(matrix).max(initial=0), 1)
    np.testing.assert_allclose(A.to_dense(), matrix, rtol=0, atol=atol)
    adjoint = np.conj(np.swapaxes(matrix, -1, -2))
    eye = np.eye(matrix.shape[-2], dtype=dtype)
    np.testing.assert_allclose(A.rmatmat(eye), adjoint, rtol=0, atol=atol)


KERNEL = np.ones((4, 2, 3, 3))


@pytest.mark.parametrize(
    ("kernel", "input_shape", "options", "error", "message"),
    [
        ([[[1.0]]], (1, 4), {}, TypeError, "`kernel` must be an array"),
        (KERNEL.astype(int), (2, 8, 8), {}, TypeError, "`kernel` must be real or complex floating.*int64"),
        (
            KERNEL[0],
            (2, 8, 8),
            {},
            ValueError,
            r"`kernel` must have shape \(\.\.\., C_out, C_in / groups, \*k\).*2 axes",
        ),
        (KERNEL[..., :0], (2, 8, 8), {}, ValueError, "`kernel` must not be empty"),
        (KERNEL, (2,), {}, ValueError, "`input_shape` must be"),
        (KERNEL, (2, 8, 8, 8, 8), {}, ValueError, "`input_shape` must be"),
        (KERNEL, (2, 8, 0), {}, ValueError, "`input_shape` must be"),
        (KERNEL, (2, 8.0, 8), {}, ValueError, "`input_shape` must be"),
        (KERNEL, 8, {}, ValueError, "`input_shape` must be"),
        (KERNEL, "288", {}, ValueError, "`input_shape` must be"),
        (KERNEL, (3, 8, 8), {}, ValueError, "`kernel`.*takes 2 input channels.*`input_shape`.*has 3"),
        (KERNEL, (2, 8, 8), {"groups": 2}, ValueError, "`kernel`.*groups=2 takes 4 input channels"),
        (KERNEL, (6, 8, 8), {"groups": 3}, ValueError, "`groups` must divide the output channels.*3 and 4"),
        (KERNEL, (2, 8, 8), {"groups": 0}, ValueError, "`groups` must be a positive integer, got 0"),
        (KERNEL, (2, 8, 8), {"groups": True}, ValueError, "`groups` must be a positive integer, got True"),
        (KERNEL, (2, 8, 8), {"stride": 0}, ValueError, "`stride` must be a positive integer.*got 0"),
        (KERNEL, (2, 8, 8), {"stride": (1, 1, 1)}, ValueError, "`stride`.*2 spatial axes"),
        (KERNEL, (2, 8, 8), {"stride": 1.5}, ValueError, "`stride`.*got 1.5"),
        (KERNEL, (2, 8, 8), {"stride": "2"}, ValueError, "`stride`.*got '2'"),
        (KERNEL, (2, 8, 8), {"stride": True}, ValueError, "`stride`.*got True"),
        (KERNEL, (2, 8, 8), {"dilation": -1}, ValueError, "`dilation` must be a positive integer.*got -1"),
        (KERNEL, (2, 8, 8), {"padding": -1}, ValueError, "`padding` must be a nonnegative integer.*got -1"),
        (KERNEL, (2, 8, 8), {"padding": ((1, 1, 1), 0)}, ValueError, "`padding`.*pair"),
        (KERNEL, (2, 8, 8), {"padding": (1,)}, ValueError, "`padding`.*2 spatial axes"),
        (KERNEL, (2, 8, 8), {"padding": False}, ValueError, "`padding`.*got False"),
        (KERNEL, (2, 8, 8), {"padding": None}, ValueError, "`padding`.*got None"),
        (KERNEL, (2, 8, 8), {"padding": "full"}, ValueError, '`padding` must be "same", "valid".*\'full\''),
        (KERNEL, (2, 8, 8), {"padding": "same", "stride": 2}, ValueError, 'padding="same" needs stride 1'),
        (KERNEL, (2, 8, 8), {"padding_mode": "mirror"}, ValueError, "`padding_mode` must be one of zeros.*'mirror'"),
        (KERNEL, (2, 8, 8), {"padding_mode": None}, ValueError, "`padding_mode` must be one of zeros"),
        (KERNEL, (2, 4, 4), {"padding": 5, "padding_mode": "circular"}, ValueError, "`padding`.*at most 4"),
        (KERNEL, (2, 4, 4), {"padding": 4, "padding_mode": "reflect"}, ValueError, "`padding`.*at most 3"),
        (KERNEL, (2, 8, 4), {"dilation": 2}, ValueError, r"`kernel` spans 5 pixels on spatial axis 1.*has \(4\)"),
    ],
)
def test_bad_input(kernel, input_shape, options, error, message):
    with pytest.raises(error, match=message):
        lc.Convolution(kernel, input_shape, **options)
