from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc


def dense(kernel, input_shape, stride, padding, output_padding, dilation, groups):
    """The matrix from the definition: every input adds its kernel to the result."""
    if kernel.ndim > len(input_shape) + 1:
        members = [dense(k, input_shape, stride, padding, output_padding, dilation, groups) for k in kernel]
        return np.stack(members)
    c_in, c_out, *taps = kernel.shape
    out = [
        (n - 1) * s - sum(p) + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(input_shape[1:], stride, padding, dilation, taps, output_padding, strict=True)
    ]
    matrix = np.zeros((c_out * groups, *out, *input_shape), dtype=kernel.dtype)
    for i, *p in itertools.product(*map(range, input_shape)):
        group = i // (c_in // groups)
        for o, *t in itertools.product(range(c_out), *map(range, taps)):
            where = [s * q + d * u - b for s, q, d, u, (b, _) in zip(stride, p, dilation, t, padding, strict=True)]
            if all(0 <= w < m for w, m in zip(where, out, strict=True)):
                matrix[(group * c_out + o, *where, i, *p)] += kernel[(i, o, *t)]
    return matrix.reshape(c_out * groups * np.prod(out), -1)


def case(name, kernel, input_shape, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    axes = len(input_shape) - 1
    each = lambda v: (v,) * axes if isinstance(v, int) else v  # noqa: E731
    pairs = tuple((p, p) if isinstance(p, int) else p for p in each(padding))
    options = {
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "dilation": dilation,
        "groups": groups,
    }
    return Case(
        name,
        lambda rng, dtype: {"kernel": gaussian(rng, kernel, dtype)},
        lambda backend, dtype, kernel: lc.ConvolutionTranspose(kernel, input_shape, **options),
        lambda kernel: dense(kernel, input_shape, each(stride), pairs, each(output_padding), each(dilation), groups),
    )


CASES = [
    case("line", (4, 1, 3), (4, 4), stride=2, padding=1, output_padding=1, groups=2),
    case("space", (2, 1, 2, 1, 2), (2, 2, 2, 3), stride=(1, 2, 2), padding=(0, 0, 1)),
    case("one-sided padding", (2, 2, 3, 3), (2, 3, 3), stride=2, padding=((0, 1), (2, 0))),
    case("output padding of a whole stride", (1, 2, 3), (1, 4), stride=1, dilation=2, padding=1, output_padding=1),
    case("padding beyond the kernel", (2, 1, 2), (2, 6), padding=3),
    case("batch", (3, 2, 2, 3), (2, 4), stride=2, padding=1),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@st.composite
def problems(draw):
    axes = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(axes))  # noqa: E731
    groups, per_group, outs = (draw(st.integers(1, 3)) for _ in range(3))
    stride = each(1, 3)
    options = {
        "stride": stride,
        "padding": draw(st.one_of(st.integers(0, 2), st.tuples(*(st.integers(0, 3) for _ in range(axes))))),
        "output_padding": tuple(draw(st.integers(0, s - 1)) for s in stride),
        "dilation": draw(st.one_of(st.integers(1, 2), st.tuples(*(st.integers(1, 2) for _ in range(axes))))),
        "groups": groups,
    }
    dtype = draw(st.sampled_from(["float32", "float64", "complex64", "complex128"]))
    spatial, taps = each(1, 5 if axes < 3 else 3), each(1, 4 if axes < 3 else 3)
    return (per_group * groups, *spatial), (per_group * groups, outs, *taps), options, dtype


@given(problem=problems())
@settings(max_examples=200, deadline=None)
def test_equals_torch(problem):
    torch = pytest.importorskip("torch")
    input_shape, kernel_shape, options, dtype = problem
    rng = np.random.default_rng(0)
    kernel, x = gaussian(rng, kernel_shape, dtype), gaussian(rng, (2, *input_shape), dtype)
    function = getattr(torch.nn.functional, f"conv_transpose{len(input_shape) - 1}d")
    try:
        expected = function(torch.from_numpy(x), torch.from_numpy(kernel), None, **options).numpy()
    except (RuntimeError, ValueError):
        expected = np.empty(0)
    if expected.size == 0:
        with pytest.raises(ValueError, match="`padding`"):
            lc.ConvolutionTranspose(kernel, input_shape, **options)
        return
    terms = kernel_shape[0] * np.prod(kernel_shape[2:])
    atol = 20 * np.finfo(dtype).eps * max(terms, 4) * max(np.abs(expected).max(), 1)
    for array in (np.asarray, torch.from_numpy):
        A = lc.ConvolutionTranspose(array(kernel), input_shape, **options)
        assert A.output_shape == expected.shape[1:]
        np.testing.assert_allclose(np.asarray(A.apply(array(x))), expected, rtol=0, atol=atol)
        y = gaussian(rng, expected.shape, dtype)
        back = np.asarray(A.apply_adjoint(array(y)))
        scale = np.linalg.norm(y) * np.linalg.norm(x) * np.abs(kernel).sum()
        assert abs(np.vdot(y, expected) - np.vdot(back, x)) <= 100 * np.finfo(dtype).eps * scale


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_is_the_plain_transpose_of_its_convolution(dtype):
    kernel = gaussian(np.random.default_rng(0), (4, 1, 3, 2), dtype)
    A = lc.ConvolutionTranspose(
        kernel, (4, 3, 3), stride=(2, 3), padding=((1, 0), (0, 1)), output_padding=(1, 2), dilation=(2, 1), groups=2
    )
    assert isinstance(A.convolution, lc.Convolution)
    assert A.T is A.convolution
    assert A.convolution.kernel is kernel
    np.testing.assert_allclose(A.to_dense(), A.convolution.to_dense().T, rtol=1e-14)
    np.testing.assert_allclose(A.T.to_dense(), A.to_dense().T, rtol=1e-14)
    np.testing.assert_allclose(A.H.to_dense(), A.to_dense().conj().T, rtol=1e-14)


def test_attributes():
    kernel = np.ones((6, 2, 3, 4))
    A = lc.ConvolutionTranspose(kernel, (6, 5, 4), stride=2, padding=(1, (0, 2)), output_padding=(1, 0), groups=3)
    assert A.kernel is kernel
    assert A.input_shape == A.domain_shape == (6, 5, 4)
    assert A.output_shape == A.range_shape == (6, 10, 8)
    assert (A.stride, A.dilation, A.groups) == ((2, 2), (1, 1), 3)
    assert (A.padding, A.output_padding) == (((1, 1), (0, 2)), (1, 0))


KERNEL = np.ones((4, 2, 3, 3))


@pytest.mark.parametrize(
    ("kernel", "input_shape", "options", "error", "message"),
    [
        ([[[1.0]]], (1, 4), {}, TypeError, "`kernel` must be an array"),
        (KERNEL.astype(int), (4, 8, 8), {}, TypeError, "`kernel` must be real or complex floating"),
        (KERNEL[0], (4, 8, 8), {}, ValueError, r"`kernel` must have shape \(\.\.\., C_in, C_out / groups, \*k\)"),
        (KERNEL, (4, 8, -1), {}, ValueError, "`input_shape` must be"),
        (KERNEL, (2, 8, 8), {}, ValueError, "`kernel`.*takes 4 input channels.*has 2.*C_in, C_out"),
        (KERNEL, (4, 8, 8), {"groups": 3}, ValueError, "`groups` must divide the input channels.*3 and 4"),
        (KERNEL, (4, 8, 8), {"groups": "2"}, ValueError, "`groups` must be a positive integer"),
        (KERNEL, (4, 8, 8), {"stride": 0}, ValueError, "`stride` must be a positive"),
        (KERNEL, (4, 8, 8), {"dilation": (1, True)}, ValueError, "`dilation` must be a positive"),
        (KERNEL, (4, 8, 8), {"padding": -1}, ValueError, "`padding` must be a nonnegative"),
        (KERNEL, (4, 8, 8), {"padding": "same"}, ValueError, "`padding` must be a nonnegative"),
        (KERNEL, (4, 8, 8), {"output_padding": -1}, ValueError, "`output_padding` must be a nonnegative"),
        (KERNEL, (4, 8, 8), {"stride": 2, "output_padding": 2}, ValueError, "`output_padding` must be smaller.*got 2"),
        (
            KERNEL,
            (4, 8, 8),
            {"dilation": 2, "output_padding": 1},
            ValueError,
            "`output_padding` 1.*beyond every kernel",
        ),
        (KERNEL, (4, 2, 8), {"padding": 2}, ValueError, r"`padding` \(2, 2\) cuts all 4 pixels of spatial axis 0"),
    ],
)
def test_bad_input(kernel, input_shape, options, error, message):
    with pytest.raises(error, match=message):
        lc.ConvolutionTranspose(kernel, input_shape, **options)
