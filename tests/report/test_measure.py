"""One layer's bounds, against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from _models import normal

from lipcore.frontends.records import LinearLayer
from lipcore.report import Request
from lipcore.report.measure import measure


def layer(kind, weight, **fields):
    return LinearLayer(name="layer", kind=kind, weight=weight, source="test", **fields)


def convolution(weight, **fields):
    axes = weight.ndim - 2
    options = {"stride": (1,) * axes, "dilation": (1,) * axes, "padding": ((0, 0),) * axes, "groups": 1} | fields
    return layer(options.pop("kind", "convolution"), weight, **options)


def run(one, **request):
    return measure(one, Request(**request), lambda array: array)


def direct(weight, image, stride, dilation, pads, groups):
    """The convolution as a matrix, entry by entry."""
    out_per, in_per = weight.shape[0] // groups, weight.shape[1]
    lengths = [
        (n + b + a - d * (k - 1) - 1) // s + 1
        for n, (b, a), d, k, s in zip(image[1:], pads, dilation, weight.shape[2:], stride, strict=True)
    ]
    matrix = np.zeros((weight.shape[0], *lengths, *image))
    for o in range(weight.shape[0]):
        for at in np.ndindex(*lengths):
            for i, *taps in np.ndindex(*weight.shape[1:]):
                place = [p * s + t * d - b for p, s, t, d, (b, _) in zip(at, stride, taps, dilation, pads, strict=True)]
                if all(0 <= p < n for p, n in zip(place, image[1:], strict=True)):
                    matrix[(o, *at, (o // out_per) * in_per + i, *place)] += weight[(o, i, *taps)]
    return matrix.reshape(weight.shape[0] * math.prod(lengths), -1)


CASES = [
    ((4, 3, 3), (3, 12), (1,), (1,), ((1, 1),), 1),
    ((4, 3, 3), (3, 13), (2,), (1,), ((1, 0),), 1),
    ((4, 3, 3), (3, 16), (2,), (2,), ((2, 2),), 1),
    ((3, 1, 5), (3, 12), (1,), (1,), ((2, 2),), 3),
    ((4, 2, 3, 2), (4, 6, 5), (1, 2), (2, 1), ((1, 0), (0, 1)), 2),
]


@pytest.mark.parametrize("ord", [1, 2, math.inf, "fro"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_at_one_size(case, ord, transposed):
    shape, image, stride, dilation, pads, groups = case
    weight = normal(*shape)
    matrix = direct(weight, image, stride, dilation, pads, groups)
    fields = {"stride": stride, "dilation": dilation, "padding": pads, "groups": groups, "input_shape": image}
    if transposed:
        lengths = [
            (n + b + a - d * (k - 1) - 1) // s + 1
            for n, (b, a), d, k, s in zip(image[1:], pads, dilation, shape[2:], stride, strict=True)
        ]
        full = [s * (m - 1) + d * (k - 1) + 1 for m, s, d, k in zip(lengths, stride, dilation, shape[2:], strict=True)]
        extra = tuple(n - f + b + a for n, f, (b, a) in zip(image[1:], full, pads, strict=True))
        fields |= {"kind": "convolution_transpose", "output_padding": extra, "input_shape": (shape[0], *lengths)}
        matrix = matrix.T
    row = run(convolution(weight, **fields), ord=ord, rtol=1e-2)
    assert row.failure is None, row.failure
    exact = np.linalg.norm(matrix, ord)
    assert row.bounds.lower <= exact * (1 + 1e-12)
    assert row.bounds.upper >= exact * (1 - 1e-12)
    assert row.bounds.upper <= 1.011 * exact
    assert row.image == fields["input_shape"]


@pytest.mark.parametrize("ord", [1, 2, math.inf])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_of_any_size(case, ord, transposed):
    shape, image, stride, dilation, pads, groups = case
    weight = normal(*shape)
    large = (image[0], *(9 * n for n in image[1:])) if len(image) == 2 else (image[0], *(2 * n for n in image[1:]))
    matrix = direct(weight, large, stride, dilation, pads, groups)
    exact = np.linalg.norm(matrix.T if transposed else matrix, ord)
    kind = "convolution_transpose" if transposed else "convolution"
    one = convolution(
        weight, kind=kind, stride=stride, dilation=dilation, padding=pads, groups=groups, input_shape=image
    )
    row = run(one, ord=ord, any_size=True)
    assert row.any_size
    assert row.bounds.kind == "rigorous"
    assert row.bounds.upper >= exact * (1 - 1e-12)
    if ord == 2:  # approached as the image grows
        assert row.bounds.upper <= exact * (1.02 if len(image) == 2 else 1.25)
    else:  # attained on every image that is large enough
        assert row.bounds.lower <= exact * (1 + 1e-12)
        assert row.bounds.upper <= exact * (1 + 1e-6)


def test_an_unknown_geometry_is_bounded_for_every_choice():
    weight = normal(4, 2, 3)
    row = run(layer("convolution", weight))
    assert row.any_size
    for stride, groups, dilation in ((1, 1, 1), (2, 1, 1), (3, 1, 2), (1, 2, 1), (2, 2, 3), (2, 4, 1)):
        matrix = direct(weight, (2 * groups, 40), (stride,), (dilation,), ((2, 1),), groups)
        assert np.linalg.norm(matrix, 2) <= row.bounds.upper


def test_the_frobenius_norm_has_no_bound_over_all_sizes():
    row = run(layer("convolution", normal(4, 2, 3)), ord="fro")
    assert row.bounds is None
    assert "grows with the image" in row.failure


@pytest.mark.parametrize("ord", [1, 2, math.inf, "fro"])
def test_matrices_stacks_and_diagonals(ord):
    weight, stack, diagonal = normal(5, 7), normal(2, 3, 5, 7), normal(6, dtype=np.float64)
    whole = np.zeros((30, 42))
    for index, block in enumerate(stack.reshape(6, 5, 7)):
        whole[5 * index : 5 * index + 5, 7 * index : 7 * index + 7] = block
    for one, matrix in (
        (layer("dense", weight), weight.astype(float)),
        (layer("dense", stack), whole),
        (layer("diagonal", diagonal), np.diag(diagonal)),
        (layer("dense", weight, scale=-0.3), 0.3 * weight.astype(float)),
    ):
        row = run(one, ord=ord)
        exact = np.linalg.norm(matrix, ord)
        assert row.bounds.lower * (1 - 1e-12) <= exact <= row.bounds.upper * (1 + 1e-12)
        assert row.bounds.upper <= 1.0011 * row.bounds.lower
        assert row.bounds.kind == "rigorous"
        assert row.image is None
        assert not row.any_size


def test_the_rounding_of_a_batch_normalisation_is_in_the_bounds():
    one = layer("diagonal", np.array([1.0, 2.0]), relative_error=1e-3)
    bounds = run(one).bounds
    assert bounds.lower <= 2 * (1 - 1e-3)
    assert bounds.upper >= 2 * (1 + 1e-3)
    assert bounds.upper <= 2.01


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_fail_alone(value):
    weight = normal(3, 3)
    weight[1, 1] = value
    for one in (layer("dense", weight), layer("diagonal", weight[1]), layer("convolution", weight[None])):
        row = run(one)
        assert row.bounds is None
        assert row.failure == "the weights hold NaN or infinity"


def test_a_kernel_larger_than_its_image_fails_alone():
    row = run(convolution(normal(2, 2, 5), input_shape=(2, 3)))
    assert row.bounds is None
    assert "\n" not in row.failure


def test_a_kind_that_cannot_be_had_fails_alone_with_the_reason():
    one = convolution(normal(4, 4, 3, 3), input_shape=(4, 8, 8), padding=((1, 1), (1, 1)))
    assert run(one, kind="rigorous").bounds.kind == "rigorous"
    assert run(one, kind="probabilistic").bounds.failure_probability > 0


def test_singular_values_and_condition_number():
    weight = normal(6, 4)
    exact = np.linalg.svd(weight.astype(float), compute_uv=False)
    row = run(layer("dense", weight, scale=2.0), singular_values=3, condition=True)
    np.testing.assert_allclose(row.singular_values, 2 * exact[:3], rtol=1e-4)
    assert row.condition.lower <= exact[0] / exact[-1] <= row.condition.upper
    many = run(layer("dense", weight), singular_values=100)
    np.testing.assert_allclose(many.singular_values, exact, rtol=1e-4)
    one = convolution(normal(3, 2, 3), input_shape=(2, 9))
    values = np.linalg.svd(direct(one.weight, (2, 9), (1,), (1,), ((0, 0),), 1), compute_uv=False)
    np.testing.assert_allclose(run(one, singular_values=2).singular_values, values[:2], rtol=1e-4)
    unknown = run(layer("convolution", normal(3, 2, 3)), singular_values=2, condition=True)
    assert unknown.singular_values is None
    assert unknown.condition is None
    assert any("one image size" in note for note in unknown.notes)


def test_an_output_padding_of_a_stride_or_more_is_bounded_over_all_sizes():
    one = convolution(
        normal(2, 3, 3), kind="convolution_transpose", output_padding=(1,), input_shape=(2, 5), dilation=(2,)
    )
    row = run(one)
    assert row.any_size
    assert any("output_padding" in note for note in row.notes)
