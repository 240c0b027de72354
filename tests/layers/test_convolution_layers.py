from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from layers.layer_conformance import LayerCase, LayerConformance

import lipcore as lc
from lipcore import _backend as B

RNG = np.random.default_rng(12)
# (kernel shape, input shape, options)
FORWARD = {
    "line": ((3, 2, 3), (2, 7), {"padding": 1, "stride": 2}),
    "image": ((2, 3, 3, 2), (3, 4, 4), {"padding": ((1, 0), (0, 1)), "dilation": (1, 2)}),
    "groups, circular": ((4, 1, 3, 3), (2, 3, 4), {"padding": 1, "groups": 2, "padding_mode": "circular"}),
    "same, replicate": ((1, 1, 3, 3), (1, 4, 3), {"padding": "same", "padding_mode": "replicate"}),
    "volume": ((2, 1, 2, 2, 2), (1, 3, 2, 3), {}),
}
TRANSPOSED = {
    "line": ((2, 3, 3), (2, 4), {"stride": 2, "padding": 1, "output_padding": 1}),
    "image": ((2, 2, 2, 3), (2, 2, 3), {"padding": (0, 1), "groups": 2, "dilation": (2, 1)}),
}


def _cases(kind, table, layer):
    cases = []
    for name, (kernel_shape, shape, options) in table.items():
        kernel = RNG.standard_normal(kernel_shape)
        groups = options.get("groups", 1)
        bias = RNG.standard_normal(kernel_shape[0] if kind == "forward" else kernel_shape[1] * groups)

        def build(backend, dtype, kernel=kernel, bias=bias, options=options):
            name = B.dtype_name(dtype)
            return layer(backend.asarray(kernel.astype(name)), backend.asarray(bias.astype(name)), **options)

        def reference(x, kernel=kernel, bias=bias, options=options):
            import torch

            axes = kernel.ndim - 2
            k, b = torch.from_numpy(kernel), torch.from_numpy(bias)
            functional = torch.nn.functional
            if kind == "transposed":
                return getattr(functional, f"conv_transpose{axes}d")(x, k, b, **options)
            given = {key: value for key, value in options.items() if key in ("stride", "dilation", "groups")}
            pads = options.get("padding", 0)
            pads = {"same": 1}.get(pads, pads) if isinstance(pads, str) else pads
            pairs = [
                p if isinstance(p, tuple) else (p, p) for p in (pads if isinstance(pads, tuple) else (pads,) * axes)
            ]
            mode = {"zeros": "constant"}.get(options.get("padding_mode", "zeros"), options.get("padding_mode"))
            x = functional.pad(x, [p for pair in reversed(pairs) for p in pair], mode=mode)
            return getattr(functional, f"conv{axes}d")(x, k, b, **given)

        cases.append(LayerCase(f"{kind} {name}", build, (shape,), torch_reference=reference))
    return cases


CASES = [
    *_cases("forward", FORWARD, lc.layers.Convolution),
    *_cases("transposed", TRANSPOSED, lc.layers.ConvolutionTranspose),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize("ord", [1, 2, math.inf])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_constant_at_a_shape(case, ord):
    """Against the dense matrix; without the shape, never below it, and reached by larger images."""
    layer = case.build(type("Home", (), {"asarray": staticmethod(np.asarray)}), np.dtype("float64"))
    (shape,) = case.shapes
    true = np.linalg.norm(layer.operator(shape).to_dense(), ord)
    bounds = layer.lipschitz(ord, input_shape=shape)
    assert bounds.lower <= true * (1 + 1e-14)
    assert true <= bounds.upper * (1 + 1e-14)
    assert bounds.relative_width <= (1e-3 if ord == 2 else 1e-12)
    if layer.options.get("padding_mode", "zeros") != "zeros":
        with pytest.raises(ValueError, match="give `input_shape`"):
            layer.lipschitz(ord)
        return
    everywhere = layer.lipschitz(ord)
    assert everywhere.kind == "rigorous"
    assert everywhere.ord == ord
    assert everywhere.relative_width <= 1e-3
    assert true <= everywhere.upper * (1 + 1e-14)
    assert everywhere.lower >= bounds.lower * (1 - 1e-3)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("ord", [1, 2, math.inf])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 2), (2, 2)])
def test_large_images_come_near(transposed, ord, stride, dilation):
    kernel = np.random.default_rng(stride * 10 + dilation).standard_normal((2, 2, 4))
    options = {"stride": stride, "dilation": dilation, "padding": 2}
    layer = (lc.layers.ConvolutionTranspose if transposed else lc.layers.Convolution)(kernel, **options)
    everywhere = layer.lipschitz(ord)
    true = np.linalg.norm(layer.operator((2, 60)).to_dense(), ord)
    assert true <= everywhere.upper * (1 + 1e-14)
    assert everywhere.lower <= true * (1 + (0.03 if ord == 2 else 1e-14))


def test_a_reshaped_kernel_is_neither_the_norm_nor_a_bound():
    """The slide deck's number: 3 instead of 8.95 for nine ones on a 32 x 32 image."""
    kernel = np.ones((1, 1, 3, 3))
    reshaped = np.linalg.norm(kernel.reshape(1, -1), 2)
    bounds = lc.layers.Convolution(kernel, padding=1).lipschitz(2, input_shape=(1, 32, 32))
    assert reshaped == pytest.approx(3)
    assert bounds.lower == pytest.approx(8.95, abs=0.01)
    assert bounds.lower > 2.9 * reshaped
    rng = np.random.default_rng(0)
    kernel = rng.uniform(-1, 1, (16, 3, 3, 3)) / math.sqrt(27)
    true = lc.layers.Convolution(kernel, padding=1).lipschitz(2, input_shape=(3, 32, 32))
    assert 1.7 <= true.lower / np.linalg.norm(kernel.reshape(16, -1), 2) <= 2.4  # the deck's layer at its start


def test_pickles():
    layer = lc.layers.Convolution(np.ones((1, 1, 3)), np.ones(1), padding=((1, 2),))
    x = np.arange(4.0).reshape(1, 1, 4)
    assert np.array_equal(pickle.loads(pickle.dumps(layer))(x), layer(x))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"kernel": np.ones((2, 2))}, ValueError, "1 to 3 axes"),
        ({"kernel": np.ones((2, 2, 3), dtype=int)}, TypeError, "`kernel` must be real floating"),
        ({"bias": np.ones(3)}, ValueError, r"`bias` must have shape \(2,\)"),
        ({"groups": 3}, ValueError, "`groups` must divide"),
        ({"stride": 0}, ValueError, "`stride` must be a positive"),
        ({"dilation": (1, 1)}, ValueError, "`dilation` must be a positive"),
        ({"padding_mode": "mirror"}, ValueError, "`padding_mode` must be one of"),
        ({"padding": -1}, ValueError, "`padding` must be"),
    ],
)
def test_bad_input(change, error, message):
    arguments = {"kernel": np.ones((2, 2, 3)), **change}
    with pytest.raises(error, match=message):
        lc.layers.Convolution(arguments.pop("kernel"), **arguments)


def test_bad_input_transposed():
    with pytest.raises(ValueError, match="`groups` must divide"):
        lc.layers.ConvolutionTranspose(np.ones((3, 2, 3)), groups=2)
    with pytest.raises(ValueError, match=r"`bias` must have shape \(4,\)"):
        lc.layers.ConvolutionTranspose(np.ones((2, 2, 3)), np.ones(2), groups=2)
    with pytest.raises(ValueError, match="1 to 3 axes"):
        lc.layers.ConvolutionTranspose(np.ones((2, 2)))


@pytest.mark.parametrize("kind", [lc.layers.Convolution, lc.layers.ConvolutionTranspose])
def test_bad_sample(kind):
    with pytest.raises(ValueError, match="1 spatial axes"):
        kind(np.ones((2, 2, 3)))(np.ones((1, 2, 4, 4)))
