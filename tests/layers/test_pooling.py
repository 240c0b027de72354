from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers.layer_conformance import LayerCase, LayerConformance

import lipcore as lc

L = lc.layers


def functional(name, shape, **options):
    """torch's function for the spatial axes of samples of `shape`."""

    def reference(x):
        import torch

        return getattr(torch.nn.functional, f"{name}{len(shape) - 1}d")(x, **options)

    return reference


def case(name, make, shape, reference=None, **fields):
    return LayerCase(name, lambda backend, dtype: make(), (shape,), torch_reference=reference, **fields)


EVERYWHERE = ("numpy", "strict", "torch", "jax", "cupy")
NOT_COMPILED = ("numpy", "strict", "torch", "cupy")  # JAX compiles each case anew: a few will do
AVERAGES = [
    ("line", (2, 7), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("no pads counted", (1, 5, 4), {"kernel_size": 3, "stride": 1, "padding": 1, "count_include_pad": False}),
    ("ceil", (2, 5, 6), {"kernel_size": (2, 3), "stride": (2, 2), "padding": (1, 1), "ceil_mode": True}),
    ("volume", (1, 2, 4, 3), {"kernel_size": (1, 2, 3)}),
]
MAXIMA = [
    ("line", (2, 7), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("dilated", (1, 6, 5), {"kernel_size": 2, "stride": 1, "dilation": (3, 2)}),
    ("ceil", (2, 5, 4), {"kernel_size": (2, 3), "stride": 2, "padding": (1, 0), "ceil_mode": True}),
    ("volume", (1, 2, 4, 3), {"kernel_size": (1, 2, 3)}),
]
CASES = [
    *(
        case(f"average {name}", lambda o=o: L.AvgPool(**o), shape, functional("avg_pool", shape, **o),
             natives=EVERYWHERE if name == "ceil" else NOT_COMPILED)
        for name, shape, o in AVERAGES
    ),
    *(
        case(f"maximum {name}", lambda o=o: L.MaxPool(**o), shape, functional("max_pool", shape, **o),
             natives=EVERYWHERE if name == "ceil" else NOT_COMPILED)
        for name, shape, o in MAXIMA
    ),
    *(
        case(f"adaptive {kind} {size}", lambda make=make, size=size: make(size), shape,
             functional(f"adaptive_{kind}_pool", shape, output_size=size),
             natives=EVERYWHERE if (kind, size) == ("max", (3, None)) else NOT_COMPILED)
        for kind, make in (("avg", L.AdaptiveAvgPool), ("max", L.AdaptiveMaxPool))
        for shape, size in (((2, 7), 3), ((1, 5, 4), (3, None)), ((1, 2, 3), 5))
    ),
    case("global average", L.GlobalAvgPool, (2, 3, 4), functional("adaptive_avg_pool", (2, 3, 4), output_size=1)),
    case("global maximum", L.GlobalMaxPool, (2, 3, 4), functional("adaptive_max_pool", (2, 3, 4), output_size=1),
         natives=NOT_COMPILED),
    case("global average, flat", lambda: L.GlobalAvgPool(keepdims=False), (3, 12), lambda x: x.mean(-1),
         natives=NOT_COMPILED),
    case("global maximum, flat", lambda: L.GlobalMaxPool(keepdims=False), (3, 5), lambda x: x.amax(-1),
         natives=NOT_COMPILED),
    case("l2", lambda: L.L2NormPool(2), (2, 4, 5), functional("lp_pool", (2, 4, 5), norm_type=2, kernel_size=2)),
    case("l2 overlapping, eps", lambda: L.L2NormPool(3, 1, 0.5), (1, 5),
         lambda x: sum(x[..., i : i + 3] ** 2 for i in range(3)).add(0.5).sqrt(), natives=NOT_COMPILED),
]  # fmt: skip


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def jacobian(layer, x):
    return layer.jacobian(x[None]).to_dense()[0]


AVERAGE_CASES = [c for c in CASES if "average" in c.name or "avg" in c.name]


@pytest.mark.parametrize("ord", [1, 2, math.inf])
@pytest.mark.parametrize("case", AVERAGE_CASES, ids=lambda case: case.name)
def test_constants_of_averages_are_norms(case, ord):
    layer, (shape,) = case.build(None, None), case.shapes
    true = np.linalg.norm(jacobian(layer, np.zeros(shape)), ord)
    bounds = layer.lipschitz(ord, input_shape=shape)
    assert bounds.kind == "rigorous"
    assert bounds.lower <= true * (1 + 1e-14)
    assert true <= bounds.upper * (1 + 1e-14)
    assert bounds.relative_width <= 1e-8


@pytest.mark.parametrize("D", [1, 2, 3])
@pytest.mark.parametrize("k", [2, 3])
def test_closed_forms_of_averages(D, k):
    shape = (2, *(2 * k,) * D)
    found = [L.AvgPool(k).lipschitz(ord, input_shape=shape).upper for ord in (1, 2, math.inf)]
    assert found == pytest.approx([k**-D, k ** (-D / 2), 1], rel=1e-8)
    n = math.prod(shape[1:])
    found = [L.GlobalAvgPool().lipschitz(ord, input_shape=shape).upper for ord in (1, 2, math.inf)]
    assert found == pytest.approx([1 / n, n**-0.5, 1], rel=1e-8)


def peak_at_most_shared(layer, shape):
    """An image with one peak where the most windows meet, found by trying every pixel."""
    best = 0.0
    for i in range(math.prod(shape)):
        x = np.linspace(0, 1e-3, math.prod(shape))
        x[i] = 1.0
        best = max(best, np.linalg.norm(jacobian(layer, x.reshape(shape)), 1))
    return best


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 2),
    st.booleans(),
    st.integers(1, 9),
)
def test_overlap_of_maxima_is_counted_exactly(kernel, stride, dilation, padding, ceil_mode, size):
    try:
        layer = L.MaxPool(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
        layer.output_shape((1, size))
    except ValueError:
        return
    count = peak_at_most_shared(layer, (1, size))
    for ord, true in ((1, count), (2, math.sqrt(count)), (math.inf, 1.0)):
        bounds = layer.lipschitz(ord, input_shape=(1, size))
        assert bounds.lower <= true * (1 + 1e-15)
        assert true <= bounds.upper * (1 + 1e-15)
        assert bounds.upper - bounds.lower <= 1e-15 * true
    large = L.MaxPool((kernel,), stride, padding, dilation, ceil_mode=ceil_mode)
    assert large.lipschitz(1).upper >= count
    assert large.lipschitz(1).upper == layer.lipschitz(1, input_shape=(1, 60)).upper


def test_overlapping_maxima_are_not_1_in_the_2_norm():
    """The slide deck says 1 for every max pool; a 3 x 3 window with stride 2, the usual one, has 2."""
    layer = L.MaxPool(3, 2)
    bounds = layer.lipschitz(2, input_shape=(1, 5, 5))
    assert bounds.lower <= 2 <= bounds.upper
    x, y = np.zeros((2, 1, 1, 5, 5))
    y[0, 0, 2, 2] = 1
    assert np.linalg.norm(layer(y) - layer(x)) == pytest.approx(2 * np.linalg.norm(y - x))
    assert L.MaxPool(2).lipschitz(2, input_shape=(1, 4, 4)).upper == 1
    assert L.MaxPool((3, 3), 2).lipschitz(2).upper == pytest.approx(2)  # and without a shape


def test_equal_pixels_pick_the_first():
    layer = L.MaxPool(2)
    J = jacobian(layer, np.ones((1, 2, 2)))
    assert np.array_equal(J, [[1, 0, 0, 0]])


def test_regions_count_only_windows_that_can_pick():
    layer = L.MaxPool(3, 1)
    everywhere = layer.lipschitz(1, input_shape=(1, 7)).upper
    rising = np.arange(7.0).reshape(1, 7)
    near = layer.lipschitz(1, lc.Ball(rising, 0.1, math.inf))
    assert everywhere == 3
    assert near.lower == near.upper == 1
    loose = layer.lipschitz(1, lc.Ball(rising, 0.6, math.inf))
    assert loose.upper == 2


def test_l2_pool_constants_are_attained():
    layer, shape = L.L2NormPool(3, 1), (1, 4, 5)
    peak, flat = np.zeros(shape), np.ones(shape)
    peak[0, 2, 2] = 1
    for ord, x in ((1, peak), (2, peak), (math.inf, flat)):
        bounds = layer.lipschitz(ord, input_shape=shape)
        true = np.linalg.norm(jacobian(layer, x), ord)
        assert bounds.lower * (1 - 1e-14) <= true <= bounds.upper * (1 + 1e-14)
    large = L.L2NormPool(3, 1, eps=1.0)
    assert np.linalg.norm(jacobian(large, 1e6 * peak), 2) == pytest.approx(large.lipschitz(2, input_shape=shape).lower)


def test_l2_pool_at_zero():
    layer = L.L2NormPool(2)
    x = np.array([[0.0, 0.0, 3.0, 4.0]])
    assert np.array_equal(layer(x[None])[0], [[0.0, 5.0]])
    np.testing.assert_allclose(jacobian(layer, x), [[0, 0, 0, 0], [0, 0, 0.6, 0.8]])
    v = np.array([[1.0, -1.0, 0.0, 0.0]])
    assert np.linalg.norm(layer((x + v)[None]) - layer(x[None])) <= np.linalg.norm(v)


def test_l2_pool_is_damped_near_zero():
    layer = L.L2NormPool(2, eps=1.0)
    near = layer.lipschitz(2, lc.Ball(np.zeros((1, 4)), 0.1)).upper
    assert near == pytest.approx(0.2 * math.sqrt(0.5) / math.sqrt(1 + 0.02), rel=1e-6)


@pytest.mark.parametrize("make", [L.AvgPool, L.MaxPool])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 0}, "`kernel_size` must be a positive integer"),
        ({"kernel_size": 2, "stride": -1}, "`stride` must be a positive integer"),
        ({"kernel_size": 2, "padding": 2}, "`padding` must be at most half"),
        ({"kernel_size": (2, 2), "stride": (1, 1, 1)}, "must agree on the number of spatial axes"),
        ({"kernel_size": (1, 1, 1, 1)}, "1 to 3 spatial axes"),
    ],
)
def test_bad_options(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_bad_samples():
    with pytest.raises(ValueError, match="no window fits"):
        L.MaxPool(4)(np.ones((1, 1, 3)))
    with pytest.raises(ValueError, match="without a pixel"):
        L.MaxPool(2, padding=1, dilation=3)(np.ones((1, 1, 2)))
    with pytest.raises(ValueError, match="1 to 3 spatial axes"):
        L.AvgPool(2)(np.ones((1, 4)))
    with pytest.raises(ValueError, match="one for each of the 2"):
        L.AvgPool((2,))(np.ones((1, 1, 4, 4)))
    with pytest.raises(ValueError, match="`output_size`"):
        L.AdaptiveAvgPool((2, 2))(np.ones((1, 1, 4)))
    with pytest.raises(ValueError, match="`output_size`"):
        L.AdaptiveMaxPool(0)
    with pytest.raises(ValueError, match="`eps` must be"):
        L.L2NormPool(2, eps=-1)
    with pytest.raises(ValueError, match="give `input_shape`"):
        L.MaxPool(2).lipschitz()
