"""What is known to go wrong in constructions of this kind, and does not here."""

from __future__ import annotations

import numpy as np
import pytest

import lipcore as lc
from lipcore import parametrizations as P

CONVOLUTIONS = [P.frobenius, P.aol, P.spectral, P.rko, P.bjorck]


def zero_padded_norm(kernel, n, **options):
    A = lc.Convolution(kernel, (kernel.shape[1], n, n), padding=kernel.shape[-1] // 2, **options)
    return float(lc.opnorm(A, rtol=1e-9, rng=0))


@pytest.mark.parametrize("size", [8, 16, 28])
@pytest.mark.parametrize("taps", [3, 5, 7])
def test_all_ones_kernel(taps, size):
    """The average number of windows over a pixel is no bound: divided by its root, an all-ones kernel has norm 1.02."""
    ones = np.ones((1, 1, taps, taps))
    for function in CONVOLUTIONS:
        assert zero_padded_norm(function(ones), size) <= 1 + 1e-12
    if size == 28:
        reach = (taps - 1) // 2
        covered = taps * size - reach * (reach + 1)
        average = ones / taps * (size / covered)  # the reshaped norm is 1, then the coefficient sqrt(n^2 / covered^2)
        assert zero_padded_norm(average, size) > 1.01


def test_norm_of_groups_is_the_largest_not_the_product():
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((4, 1, 3, 3)) * np.array([1.0, 2.0, 3.0, 4.0])[:, None, None, None]
    norms = [lc.norms.convolution_supremum(kernel[g : g + 1]).upper for g in range(4)]
    found = P.spectral(kernel, groups=4)
    np.testing.assert_allclose(found, kernel / max(norms), rtol=2e-3)
    for function in (P.frobenius, P.aol, P.rko):
        by_group = np.concatenate([function(kernel[g : g + 1]) for g in range(4)])
        np.testing.assert_allclose(function(kernel, groups=4), by_group, rtol=1e-12)


def test_lags_are_counted_from_the_middle():
    """A correlation in wrapped order bounds nothing: the factors must be those of the written-down matrix."""
    rng = np.random.default_rng(1)
    kernel = rng.standard_normal((2, 3, 4))
    dense = lc.Convolution(kernel, (3, 40), padding=3).to_dense()  # all lags in the middle of the image
    sums = np.sum(np.abs(dense.T @ dense), axis=0).reshape(3, 40)[:, 20]
    np.testing.assert_allclose(P.aol(kernel), kernel / np.sqrt(sums)[:, None], rtol=1e-12)


def test_strided_factors_are_those_of_the_matrix():
    rng = np.random.default_rng(1)
    kernel = rng.standard_normal((2, 3, 5))
    dense = lc.Convolution(kernel, (3, 60), stride=2).to_dense()
    sums = np.sum(np.abs(dense.T @ dense), axis=0).reshape(3, 60)
    expected = kernel / np.sqrt(np.stack([sums[:, 30 + a % 2] for a in range(5)], axis=-1))
    np.testing.assert_allclose(P.aol(kernel, stride=2), expected, rtol=1e-12)


def test_reflections_need_no_factor():
    """A block reflector is an isometry as it stands; divided by the root of 2 it would lose 3 dB."""
    w = np.random.default_rng(0).standard_normal((6, 6))
    sigma = np.linalg.svd(P.block_reflectors(w), compute_uv=False)
    np.testing.assert_allclose(sigma, 1.0, atol=1e-12)


def test_spectral_divides_by_an_upper_bound():
    """Ten steps of the power method fall short of the norm, so that what they divide stays above 1."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((100, 100))
    v = rng.standard_normal(100)
    for _ in range(10):
        v = w.T @ (w @ v)
        v /= np.linalg.norm(v)
    assert np.linalg.norm(w / np.linalg.norm(w @ v), 2) > 1.0001
    assert lc.opnorm_bounds(P.spectral(w), rtol=1e-8, kind="rigorous").upper <= 1 + 1e-8
    single = P.spectral(w.astype("float32"), rtol=1e-6)
    assert lc.opnorm_bounds(single, rtol=1e-9, kind="rigorous").upper <= 1.0


def test_even_kernels_under_circular_padding():
    w = np.random.default_rng(0).standard_normal((4, 4, 2, 4))
    for kernel in (P.bcop(w), P.aoc(w), P.rko(w), P.aol(w)):
        A = lc.Convolution(kernel, (4, 5, 6), padding=((0, 1), (1, 2)), padding_mode="circular")
        assert np.linalg.norm(A.to_dense(), 2) <= 1 + 1e-12


def test_transposed_convolution_takes_the_same_weight():
    w = np.random.default_rng(0).standard_normal((8, 3, 4, 4))  # (in, out, *k)
    kernel = P.aoc(w, stride=2)
    A = lc.ConvolutionTranspose(kernel, (8, 3, 3), stride=2, padding=1)
    assert A.output_shape == (3, 6, 6)
    assert lc.opnorm_bounds(A, rtol=1e-6, kind="rigorous").upper <= 1 + 1e-5


def test_options_that_a_construction_does_not_have():
    w = np.ones((4, 4, 3, 3))
    with pytest.raises(ValueError, match="use `aoc`"):
        P.bcop(w, stride=2)
    with pytest.raises(ValueError, match="use `rko`"):
        P.aoc(w, stride=4)
    for function in (P.cayley, P.lot, P.soc, P.block_reflectors):
        with pytest.raises(ValueError, match="for a convolution use"):
            function(w)
    with pytest.raises(ValueError, match="`groups` must be 1 for a dense"):
        P.rko(np.ones((4, 4)), groups=2)
    with pytest.raises(ValueError, match="`stride` must be 1 for a dense"):
        P.aol(np.ones((4, 4)), stride=2)
    with pytest.raises(ValueError, match="`groups` must divide"):
        P.aol(w, groups=3)
    with pytest.raises(ValueError, match="`rtol`"):
        P.spectral(w, rtol=2.0)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            P.spectral(np.array([[1.0, bad]]))


def test_every_ordinary_shape_has_entries_enough():
    """The projectors act on the smaller side where the larger one takes too many."""
    for shape in [(64, 3, 3, 3), (3, 64, 3, 3), (1, 16, 3, 3), (16, 1, 3, 3), (32, 16, 5), (16, 32, 3), (8, 8, 2)]:
        assert P.bcop(np.random.default_rng(0).standard_normal(shape)).shape == shape
    for stride in (2, (2, 1)):
        for shape in [(64, 3, 3, 3), (3, 64, 3, 3), (12, 12, 2, 2), (1, 8, 4, 4), (8, 1, 4, 4)]:
            found = P.aoc(np.random.default_rng(0).standard_normal(shape), stride=stride)
            assert lc.norms.convolution_supremum(found, stride=stride, rtol=1e-2).upper <= 1.02
