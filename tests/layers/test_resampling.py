from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers.layer_conformance import LayerCase, LayerConformance

import lipcore as lc

L = lc.layers


def torch_function(name, *args, **options):
    def reference(x):
        import torch

        return getattr(torch.nn.functional, name)(x, *args, **options)

    return reference


EVERYWHERE = ("numpy", "strict", "torch", "jax", "cupy")
NOT_COMPILED = ("numpy", "strict", "torch", "cupy")  # JAX compiles each case anew: a few will do
UPSAMPLED = [
    ((2, 5), {"scale_factor": 2}),
    ((1, 3, 4), {"size": (7, 3)}),
    ((1, 3, 4), {"scale_factor": (1.5, 0.5), "mode": "nearest-exact"}),
    ((1, 5), {"scale_factor": 2.5, "mode": "linear"}),
    ((1, 5), {"size": 3, "mode": "linear", "align_corners": True}),
    ((1, 3, 4), {"size": (5, 1), "mode": "bilinear", "align_corners": True}),
    ((2, 3, 2), {"scale_factor": 3, "mode": "bilinear"}),
    ((1, 2, 2, 3), {"size": (3, 2, 4), "mode": "trilinear"}),
    ((1, 3, 5), {"size": (5, 4), "mode": "bicubic"}),
    ((1, 3, 5), {"scale_factor": 2.0, "mode": "bicubic", "align_corners": True}),
]
PADDED = [
    ("constant", (2, 3, 2), {"padding": ((1, 0), (2, 1)), "mode": "constant", "value": -1.5}),
    ("zeros", (2, 4), {"padding": 1}),
    ("reflect", (1, 3, 3), {"padding": (2, (0, 1)), "mode": "reflect"}),
    ("replicate", (1, 2, 3), {"padding": 2, "mode": "replicate"}),
    ("circular", (1, 3), {"padding": ((3, 1),), "mode": "circular"}),
]


def torch_pad(shape, padding, mode="zeros", value=0.0):
    axes = len(shape) - 1
    pads = padding if isinstance(padding, tuple) else (padding,) * axes
    pairs = [p if isinstance(p, tuple) else (p, p) for p in pads]
    flat = [p for pair in reversed(pairs) for p in pair]
    return torch_function("pad", flat, **({"value": value} if mode in ("zeros", "constant") else {"mode": mode}))


def up_name(shape, options):
    return f"{options.get('mode', 'nearest')} {shape} {options.get('size', options.get('scale_factor'))}" + (
        " corners" if options.get("align_corners") else ""
    )


CASES = [
    *(
        LayerCase(
            up_name(shape, o),
            lambda backend, dtype, o=o: L.Upsample(**o),
            (shape,),
            # torch has no batched derivative of the mode nearest-exact; its values are compared below
            torch_reference=None if o.get("mode") == "nearest-exact" else torch_function("interpolate", **o),
            natives=EVERYWHERE if o.get("mode") == "bicubic" else NOT_COMPILED,
        )
        for shape, o in UPSAMPLED
    ),
    *(
        LayerCase(
            f"pad {name}",
            lambda backend, dtype, o=o: L.Pad(**o),
            (shape,),
            torch_reference=torch_pad(shape, **o),
            natives=EVERYWHERE if name in ("constant", "reflect") else NOT_COMPILED,
        )
        for name, shape, o in PADDED
    ),
    LayerCase("crop", lambda backend, dtype: L.Crop(((1, 0), 1)), ((2, 3, 4),), lambda x: x[:, :, 1:, 1:-1]),
    LayerCase(
        "subsample",
        lambda backend, dtype: L.Subsample((2, 3)),
        ((2, 3, 4),),
        lambda x: x[:, :, ::2, ::3],
        natives=NOT_COMPILED,
    ),
    LayerCase(
        "shuffle",
        lambda backend, dtype: L.PixelShuffle(2),
        ((8, 2, 1),),
        torch_reference=torch_function("pixel_shuffle", 2),
    ),
    LayerCase(
        "unshuffle",
        lambda backend, dtype: L.PixelUnshuffle(2),
        ((2, 2, 4),),
        torch_reference=torch_function("pixel_unshuffle", 2),
        natives=NOT_COMPILED,
    ),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize("ord", [1, 2, math.inf])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_constants_are_norms(case, ord):
    layer, (shape,) = case.build(None, None), case.shapes
    true = np.linalg.norm(layer.operator(shape).to_dense(), ord)
    bounds = layer.lipschitz(ord, input_shape=shape)
    assert bounds.kind == "rigorous"
    assert bounds.ord == ord
    assert bounds.lower <= true * (1 + 1e-14)
    assert true <= bounds.upper * (1 + 1e-14)
    assert bounds.relative_width <= 1e-8


@pytest.mark.parametrize("D", [1, 2, 3])
@pytest.mark.parametrize("r", [2, 3])
def test_closed_forms_of_upsampling(D, r):
    shape = (2, *(4,) * D)
    nearest = L.Upsample(scale_factor=r)
    found = [nearest.lipschitz(ord, input_shape=shape).upper for ord in (1, 2, math.inf)]
    assert found == pytest.approx([r**D, r ** (D / 2), 1], rel=1e-8)
    linear = L.Upsample(scale_factor=r, mode=("linear", "bilinear", "trilinear")[D - 1])
    assert linear.lipschitz(2, input_shape=shape).upper <= r ** (D / 2) * (1 + 1e-8)
    assert linear.lipschitz(math.inf, input_shape=shape).upper == pytest.approx(1)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 7),
    st.integers(1, 9),
    st.sampled_from(["nearest", "nearest-exact", "linear"]),
    st.booleans(),
)
def test_any_size_is_torchs(n, m, mode, corners):
    torch = pytest.importorskip("torch")
    corners = corners and mode == "linear"
    x = np.random.default_rng(n * 10 + m).standard_normal((2, 1, n))
    given_corners = {"align_corners": corners} if mode == "linear" else {}
    expected = torch.nn.functional.interpolate(torch.from_numpy(x), size=m, mode=mode, **given_corners)
    found = L.Upsample(size=m, mode=mode, align_corners=corners)(x)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-12)


def test_constants_of_padding():
    """By hand: how often the pixel that is copied most occurs."""
    one = {"input_shape": (1, 4)}
    assert L.Pad(2, "replicate").lipschitz(1, **one).upper == 3
    assert L.Pad(2, "reflect").lipschitz(1, **one).upper == 3  # a pixel between two mirrors
    assert L.Pad(2, "reflect").lipschitz(1, input_shape=(1, 9)).upper == 2
    assert L.Pad(3, "circular").lipschitz(1, **one).upper == 3
    assert L.Pad(1, "circular").lipschitz(2, **one).upper == pytest.approx(math.sqrt(2))
    assert L.Pad(1, "replicate").lipschitz(2, input_shape=(1, 4, 4)).upper == pytest.approx(2)
    assert L.Pad(1).lipschitz(2).upper == 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.Upsample(), ValueError, "give one of"),
        (lambda: L.Upsample(2, 2), ValueError, "give one of"),
        (lambda: L.Upsample(scale_factor=0), ValueError, "`scale_factor` must be positive"),
        (lambda: L.Upsample(scale_factor=math.inf), ValueError, "`scale_factor` must be positive"),
        (lambda: L.Upsample(size=0), ValueError, "`size` must be"),
        (lambda: L.Upsample(size=2, mode="area"), ValueError, "`mode` must be one of"),
        (lambda: L.Upsample(size=2, align_corners=True), ValueError, "`align_corners`"),
        (lambda: L.Upsample(size=2, mode="linear")(np.ones((1, 1, 2, 2))), ValueError, "1 spatial axes"),
        (lambda: L.Upsample(size=(2, 2))(np.ones((1, 1, 2))), ValueError, "does not fit"),
        (lambda: L.Upsample(scale_factor=0.3)(np.ones((1, 1, 2))), ValueError, "none left"),
        (lambda: L.Pad(1, "mirror"), ValueError, "`mode` must be"),
        (lambda: L.Pad(1, "zeros", 2.0), ValueError, "`value` is for"),
        (lambda: L.Pad(1, "constant", math.nan), ValueError, "`value` must be finite"),
        (lambda: L.Pad(-1), ValueError, "`padding` must be"),
        (lambda: L.Pad(3, "reflect")(np.ones((1, 1, 3))), ValueError, "too wide"),
        (lambda: L.Pad(1, "reflect").lipschitz(), ValueError, "give `input_shape`"),
        (lambda: L.Crop(2)(np.ones((1, 1, 4))), ValueError, "leaves nothing"),
        (lambda: L.Crop(-1), ValueError, "`cropping` must be"),
        (lambda: L.Subsample(0), ValueError, "`stride` must be"),
        (lambda: L.Subsample((1, 1))(np.ones((1, 1, 4))), ValueError, "does not fit"),
        (lambda: L.PixelShuffle(2)(np.ones((1, 3, 2, 2))), ValueError, "multiple of 4 channels"),
        (lambda: L.PixelUnshuffle(2)(np.ones((1, 3, 3, 2))), ValueError, "2 divides"),
        (lambda: L.PixelShuffle(0), ValueError, "`upscale_factor` must be"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_shuffles_are_inverse():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 6, 2))
    assert np.array_equal(L.PixelShuffle(2)(L.PixelUnshuffle(2)(x)), x)
