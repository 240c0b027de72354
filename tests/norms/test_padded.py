"""Bounds of convolutions on images, against an SVD of the operator written down."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import lipcore as lc
from lipcore.norms import padded
from lipcore.norms.certify import Request, certify
from lipcore.norms.convolution_supremum import convolution_supremum
from lipcore.norms.image_case import like, padding_norm
from lipcore.norms.padded import convolution_bounds


@st.composite
def convolutions(draw):
    axes = draw(st.integers(1, 3))
    per_axis = lambda low, high: draw(st.tuples(*[st.integers(low, high)] * axes))  # noqa: E731
    groups = draw(st.sampled_from([1, 1, 1, 2]))
    inputs, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = rng.standard_normal((outputs, inputs // groups, *per_axis(1, 5 if axes < 3 else 3)))
    if draw(st.booleans()):
        kernel = kernel + 1j * rng.standard_normal(kernel.shape)
    if draw(st.booleans()):
        kernel = kernel.astype(np.complex64 if kernel.dtype.kind == "c" else np.float32)
    size = per_axis(1, {1: 40, 2: 10, 3: 4}[axes])
    pads = tuple(zip(per_axis(0, 4), per_axis(0, 4), strict=True))
    mode = draw(st.sampled_from(["zeros", "zeros", "circular", "reflect", "replicate"]))
    try:
        return lc.Convolution(
            kernel,
            (inputs, *size),
            stride=per_axis(1, 3),
            dilation=per_axis(1, 2),
            padding=pads,
            groups=groups,
            padding_mode=mode,
        )
    except ValueError:  # a kernel that is larger than the padded image, a border that is wider than the image
        assume(False)


def exact_norm(convolution):
    wide = convolution.kernel.astype(complex if convolution.kernel.dtype.kind == "c" else float)
    return np.linalg.norm(like(convolution, wide).to_dense(), 2)


def assert_encloses(bounds, exact):
    assert bounds.kind == "rigorous"
    assert bounds.lower <= exact * (1 + 1e-13)
    assert exact <= bounds.upper * (1 + 1e-13)


@settings(max_examples=50, deadline=None)
@given(convolutions(), st.sampled_from([1e-1, 1e-3, 1e-6]))
def test_small_convolutions_are_enclosed_to_rtol(convolution, rtol):
    bounds = convolution_bounds(convolution, rtol)
    assert_encloses(bounds, exact_norm(convolution))
    assert bounds.converged
    assert bounds.relative_width <= rtol


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_the_theorems_alone_enclose(convolution):
    # Nothing written down: suprema, paddings, frequencies and vectors in hand have to do.
    limits = padded._SMALL, padded._WRITTEN_DOWN
    padded._SMALL = padded._WRITTEN_DOWN = 0
    try:
        bounds = convolution_bounds(convolution, 1e-3)
    finally:
        padded._SMALL, padded._WRITTEN_DOWN = limits
    assert_encloses(bounds, exact_norm(convolution))
    assert bounds.converged == (bounds.relative_width <= 1e-3)


@pytest.mark.parametrize(
    ("shape", "size", "options", "rtol"),
    [
        ((16, 16, 3, 3), (48, 48), {"padding": 1}, 5e-3),
        ((16, 3, 7, 7), (64, 64), {"padding": 3, "stride": 2}, 3e-2),
        ((8, 8, 3, 3), (64, 64), {"padding": 2, "dilation": 2}, 2e-2),
        ((32, 1, 3, 3), (64, 64), {"padding": 1, "groups": 32}, 5e-3),
        ((12, 12, 9), (300,), {"padding": 4}, 5e-3),
        ((4, 4, 3, 3, 3), (16, 16, 16), {"padding": 1}, 5e-2),
        ((8, 6, 3, 3), (40, 40), {}, 1e-2),
        ((8, 8, 3, 3), (40, 40), {"padding": (5, 0)}, 1e-2),
        ((8, 8, 4, 4), (64, 64), {"stride": 4}, 1e-6),
        ((8, 8, 1, 1), (64, 64), {}, 1e-6),
        ((8, 8, 3, 3), (40, 40), {"padding": 1, "padding_mode": "circular"}, 1e-6),
        ((8, 8, 3, 3), (40, 40), {"padding": ((1, 0), (0, 1)), "stride": 2, "padding_mode": "circular"}, 1e-6),
    ],
)
def test_images_of_some_size_are_enclosed_by_theory_alone(shape, size, options, rtol):
    kernel = np.random.default_rng(0).standard_normal(shape)
    channels = shape[1] * options.get("groups", 1)
    convolution = lc.Convolution(kernel, (channels, *size), **options)
    limit, padded._WRITTEN_DOWN = padded._WRITTEN_DOWN, 0
    try:
        bounds = convolution_bounds(convolution, rtol)
    finally:
        padded._WRITTEN_DOWN = limit
    assert bounds.converged
    assert bounds.relative_width <= rtol


def test_the_laplacian_is_enclosed():
    for n in (30, 200, 5000):
        bounds = convolution_bounds(lc.Convolution(np.array([[[-1.0, 2.0, -1.0]]]), (1, n), padding=1), 1e-3)
        assert_encloses(bounds, 2 + 2 * np.cos(np.pi / (n + 1)))
        assert bounds.converged


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate"])
@pytest.mark.parametrize("pads", [((2, 1), (0, 3)), ((3, 3), (3, 3)), ((0, 0), (1, 4))])
def test_padding_norm_is_that_of_the_padding(mode, pads):
    size = (5, 6)
    # a kernel of one pixel does nothing but pad
    convolution = lc.Convolution(np.ones((1, 1, 1, 1)), (1, *size), padding=pads, padding_mode=mode)
    assert padding_norm(convolution) == pytest.approx(np.linalg.norm(convolution.to_dense(), 2), rel=1e-14)
    assert padding_norm(convolution) >= np.linalg.norm(convolution.to_dense(), 2) * (1 - 1e-15)


@pytest.mark.parametrize(
    ("n", "stride", "pads"), [(9, 2, (1, 1)), (9, 2, (3, 2)), (8, 2, (4, 4)), (10, 4, (2, 3)), (6, 9, (6, 6))]
)
def test_circular_strides_that_do_not_divide_the_image(n, stride, pads):
    for seed in range(5):
        kernel = np.random.default_rng(seed).standard_normal((3, 2, 3))
        convolution = lc.Convolution(kernel, (2, n), stride=stride, padding=(pads,), padding_mode="circular")
        limits = padded._SMALL, padded._WRITTEN_DOWN
        padded._SMALL = padded._WRITTEN_DOWN = 0
        try:
            assert_encloses(convolution_bounds(convolution, 1e-4), exact_norm(convolution))
        finally:
            padded._SMALL, padded._WRITTEN_DOWN = limits


def test_transposed_convolution_has_the_same_norm():
    kernel = np.random.default_rng(0).standard_normal((4, 3, 3, 3)) + 1j
    operator = lc.ConvolutionTranspose(kernel, (4, 6, 6), stride=2, padding=1, output_padding=1)
    bounds = certify(operator, Request(1e-4, 1e-9, 1000, None, None))
    assert_encloses(bounds, np.linalg.norm(operator.to_dense(), 2))
    assert bounds.converged


def test_a_batch_is_bounded_member_by_member():
    kernels = np.random.default_rng(0).standard_normal((2, 3, 4, 2, 3, 3)) * np.arange(1, 7).reshape(2, 3, 1, 1, 1, 1)
    kernels[1, 1] = 0
    convolution = lc.Convolution(kernels, (2, 12, 12), padding=1)
    bounds = convolution_bounds(convolution, 1e-3)
    exact = np.linalg.norm(convolution.to_dense(), 2, axis=(-2, -1))
    assert bounds.batch_shape == (2, 3)
    assert np.all(bounds.lower <= exact * (1 + 1e-13))
    assert np.all(exact <= bounds.upper * (1 + 1e-13))
    assert bounds[1, 1].upper == 0


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_extreme_scales(scale):
    kernel = np.random.default_rng(0).standard_normal((3, 3, 3, 3))
    plain = convolution_bounds(lc.Convolution(kernel, (3, 40, 40), padding=1), 1e-2)
    for mode in ("zeros", "circular"):
        plain = convolution_bounds(lc.Convolution(kernel, (3, 40, 40), padding=1, padding_mode=mode), 1e-2)
        scaled = convolution_bounds(lc.Convolution(kernel * scale, (3, 40, 40), padding=1, padding_mode=mode), 1e-2)
        assert scaled.converged
        assert scaled.log2_lower - np.log2(scale) <= plain.log2_upper
        assert plain.log2_lower <= scaled.log2_upper - np.log2(scale)


def test_backends_agree(backend):
    kernel = np.random.default_rng(0).standard_normal((8, 8, 3, 3)).astype(np.float32)
    here = lc.Convolution(backend.asarray(kernel), (8, 40, 40), padding=1)
    there = lc.Convolution(kernel, (8, 40, 40), padding=1)
    for rtol in (1e-2, 4e-3):
        bounds, plain = convolution_bounds(here, rtol), convolution_bounds(there, rtol)
        assert bounds.converged
        assert bounds.lower <= plain.upper
        assert plain.lower <= bounds.upper


def test_the_supremum_holds_for_every_size_at_once():
    rng = np.random.default_rng(3)
    for stride, groups in ((1, 1), (2, 1), (3, 2)):
        kernel = rng.standard_normal((4, 2, 3, 2))
        bounds = convolution_supremum(kernel, stride=stride, groups=groups)
        assert bounds.converged
        assert bounds.relative_width <= 1.1e-6
        last = 0.0
        for n in (1, 2, 3, 5, 8, 13, 21):
            operator = lc.Convolution(kernel, (2 * groups, n, n), stride=stride, groups=groups, padding=2)
            norm = np.linalg.norm(operator.to_dense(), 2)
            assert norm <= bounds.upper
            last = max(last, norm)
        assert last >= 0.9 * bounds.lower


@pytest.mark.parametrize("name", ["rtol", "max_evaluations"])
def test_options_of_the_supremum_are_checked(name):
    with pytest.raises(ValueError, match=name):
        convolution_supremum(np.ones((1, 1, 3)), **{name: 0})


def test_supremum_on_every_backend(backend):
    kernel = np.random.default_rng(0).standard_normal((5, 4, 3, 3)).astype(np.float32)
    here, there = convolution_supremum(backend.asarray(kernel)), convolution_supremum(kernel)
    assert (here.lower, here.upper) == (there.lower, there.upper)


def test_a_vector_that_attains_more_than_it_may_would_be_seen(monkeypatch):
    # Negative control: a norm that is off by a hundredth.
    def attained(self, vector):
        return 1.01 * exact_norm(self.convolution) * 2.0**-self.symbol.exponent

    monkeypatch.setattr(padded.ImageCase, "attained", attained)
    convolution = lc.Convolution(np.random.default_rng(0).standard_normal((3, 3, 3)), (3, 200), padding=1)
    limit, padded._WRITTEN_DOWN = padded._WRITTEN_DOWN, 0
    try:
        with pytest.raises(AssertionError):
            assert_encloses(convolution_bounds(convolution, 1e-3), exact_norm(convolution))
    finally:
        padded._WRITTEN_DOWN = limit


def test_groups_are_written_down_one_by_one() -> None:
    # too long for one matrix, short enough for one a group, and too small an image for the supremum
    kernel = np.random.default_rng(5).standard_normal((24, 2, 3, 3)).astype(np.float32)
    A = lc.Convolution(kernel, (48, 9, 9), padding=1, groups=24)
    bounds = convolution_bounds(A, rtol=1e-6)
    parts = [lc.Convolution(kernel[g : g + 1].astype(float), (2, 9, 9), padding=1).to_dense() for g in range(24)]
    truth = max(np.linalg.norm(part, 2) for part in parts)
    assert bounds.converged
    assert bounds.kind == "rigorous"
    assert bounds.lower <= truth * (1 + 1e-12)
    assert truth * (1 - 1e-12) <= bounds.upper


def test_dilation_counts_where_there_is_a_stride() -> None:
    # both taps of [1, 1] at distance 2 fall on even pixels: the strided outputs add neighbours, norm 2, not sqrt(2)
    kernel = np.ones((1, 1, 2))
    plain = convolution_supremum(kernel, stride=2)
    dilated = convolution_supremum(kernel, stride=2, dilation=2)
    assert plain.lower <= np.sqrt(2) <= plain.upper < 1.5
    assert dilated.lower <= 2.0 <= dilated.upper < 2.1
    operator = lc.Convolution(kernel, (1, 41), stride=2, dilation=2)
    assert plain.upper < np.linalg.norm(operator.to_dense(), 2) <= dilated.upper
