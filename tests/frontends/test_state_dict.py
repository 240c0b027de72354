"""Named arrays without a graph: which are linear layers, and that none is lost."""

from __future__ import annotations

import numpy as np
import pytest
from _models import normal
from hypothesis import given
from hypothesis import strategies as st

from lipcore.frontends import ModelOptionError
from lipcore.frontends.state_dict import sort_arrays


def sort(arrays, **options):
    return sort_arrays(
        "model.npz", "npz", arrays, input_shapes=options.get("input_shapes", {}), geometry=options.get("geometry", {})
    )


def only(arrays, **options):
    (layer,) = sort(arrays, **options).layers
    return layer


@pytest.mark.parametrize(
    ("name", "shape", "kind", "layer_name", "layer_shape"),
    [
        ("fc.weight", (3, 4), "dense", "fc", (3, 4)),
        ("weight", (3, 4), "dense", "weight", (3, 4)),
        ("attn.in_proj_weight", (6, 2), "dense", "attn.in_proj_weight", (6, 2)),
        ("block/dense/kernel:0", (4, 3), "dense", "block/dense", (3, 4)),
        ("lstm.weight_ih_l0", (8, 2), "recurrent", "lstm.weight_ih_l0", (8, 2)),
        ("lstm.weight_hh_l1_reverse", (8, 2), "recurrent", "lstm.weight_hh_l1_reverse", (8, 2)),
        ("gru/recurrent_kernel", (2, 6), "recurrent", "gru/recurrent_kernel", (6, 2)),
        ("embeddings.word_embeddings.weight", (100, 4), "embedding", "embeddings.word_embeddings", (4, 100)),
        ("wte.weight", (100, 4), "embedding", "wte", (4, 100)),
        ("tok.embedding", (100, 4), "embedding", "tok", (4, 100)),
        ("conv.weight", (4, 3, 5), "convolution", "conv", (4, 3, 5)),
        ("conv.weight", (4, 3, 5, 5), "convolution", "conv", (4, 3, 5, 5)),
        ("conv.weight", (4, 3, 2, 2, 2), "convolution", "conv", (4, 3, 2, 2, 2)),
        ("conv/kernel", (5, 5, 3, 4), "convolution", "conv", (4, 3, 5, 5)),
        ("sep/depthwise_kernel", (5, 5, 3, 2), "convolution", "sep/depthwise_kernel", (6, 1, 5, 5)),
    ],
)
def test_linear_layers_by_name_and_axes(name, shape, kind, layer_name, layer_shape):
    layer = only({name: normal(*shape)})
    assert (layer.kind, layer.name, layer.weight.shape) == (kind, layer_name, layer_shape)


def test_kernels_with_channels_last_are_turned_not_reshaped():
    array = normal(5, 4, 3, 2)
    layer = only({"conv/kernel": array})
    assert layer.weight[1, 2, 4, 3] == array[4, 3, 2, 1]
    depthwise = only({"conv/depthwise_kernel": array})
    # output channel c * multiplier + m, as Keras orders them
    assert depthwise.groups == 3
    assert depthwise.weight[2 * 2 + 1, 0, 4, 3] == array[4, 3, 2, 1]


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("fc.bias", normal(3), "bias"),
        ("lstm.bias_ih_l0", normal(3), "bias"),
        ("table.relative_position_bias_table", normal(9, 3), "bias"),
        ("bn.num_batches_tracked", np.array(3), "integers"),
        ("position_ids", np.arange(6).reshape(1, 6), "integers"),
        ("encoder.LayerNorm.weight", normal(3), "normalisation"),
        ("blocks.0.norm1.weight", normal(3), "normalisation"),
        ("net.layer_norm.weight", normal(3, 4, 4), "normalisation"),
        ("cls_token", normal(1, 1, 8), "learned input"),
        ("pos_embed", normal(1, 9, 8), "learned input"),
        ("logit_scale", normal(1), "single number"),
        ("optimizer.state.0.exp_avg", normal(3, 4), "optimiser"),
    ],
)
def test_what_is_known_to_be_no_linear_map(name, array, reason):
    result = sort({name: array})
    assert not result.layers
    assert not result.not_understood
    assert reason in result.not_linear[0].reason


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("act.weight", normal(7), "one axis"),
        ("conv.weight_g", normal(4, 1, 1, 1), "computed"),
        ("conv.parametrizations.weight.original0", normal(4, 1), "computed"),
        ("fc.weight", np.ones((3, 4), np.int8), "quantised"),
        ("fc.weight", np.zeros((0, 4), np.float32), "empty"),
        ("odd", normal(1, 2, 1, 2, 1, 2), "6 axes"),
        ("fc.weight", np.ones((2, 2), np.longdouble), "float128" if np.longdouble(1).itemsize == 16 else "type"),
        ("text", np.array([["a", "b"]]), "type"),
        ("f8", "type F8_E4M3 is not read", "F8"),
    ],
)
def test_what_is_not_understood(name, array, reason):
    result = sort({name: array})
    assert not result.layers
    assert not result.not_linear
    assert reason in result.not_understood[0].reason


@pytest.mark.parametrize(
    ("names", "eps"),
    [
        (("weight", "bias", "running_mean", "running_var"), 1e-5),
        (("gamma", "beta", "moving_mean", "moving_variance"), 1e-3),
        (("scale", "bias", "mean", "var"), 1e-5),
    ],
)
def test_batch_normalisation_becomes_one_diagonal(names, eps):
    scale, shift, mean, variance = normal(4), normal(4, seed=1), normal(4, seed=2), normal(4, seed=3) ** 2
    arrays = dict(zip((f"bn.{n}" for n in names), (scale, shift, mean, variance), strict=True))
    result = sort(arrays)
    (layer,) = result.layers
    assert (layer.name, layer.kind) == ("bn", "diagonal")
    exact = scale.astype(np.longdouble) / np.sqrt(variance.astype(np.longdouble) + np.longdouble(eps))
    assert np.all(np.abs(layer.weight - exact) <= layer.relative_error * np.abs(exact))
    assert 0 < layer.relative_error < 1e-15
    assert f"{eps:g}" in layer.notes[0]
    assert sorted(part.name for part in result.not_linear) == sorted([f"bn.{names[1]}", f"bn.{names[2]}"])
    assert not result.not_understood


def test_batch_normalisation_without_scale_is_that_of_ones():
    layer = only({"bn.running_mean": np.zeros(3), "bn.running_var": np.array([0.0, 1.0, 3.0])})
    np.testing.assert_allclose(layer.weight, 1 / np.sqrt(np.array([0.0, 1.0, 3.0]) + 1e-5), rtol=1e-15)


@pytest.mark.parametrize("variance", [-1.0, np.nan, np.inf])
def test_batch_normalisation_with_an_impossible_variance_is_not_understood(variance):
    result = sort(
        {"bn.weight": np.ones(2), "bn.running_mean": np.zeros(2), "bn.running_var": np.array([1.0, variance])}
    )
    assert not result.layers
    assert {part.name for part in result.not_understood} == {"bn.running_var"}
    assert {part.name for part in result.not_linear} == {"bn.weight", "bn.running_mean"}


def test_statistics_that_do_not_fit_are_no_batch_normalisation():
    result = sort({"bn.weight": normal(3), "bn.running_mean": np.zeros(3), "bn.running_var": np.ones(4)})
    assert not result.layers
    assert len(result.not_linear) + len(result.not_understood) == 3


def test_convolutions_have_no_geometry_unless_it_is_given():
    layer = only({"conv.weight": normal(4, 2, 3, 3)})
    assert (layer.stride, layer.padding, layer.dilation, layer.groups, layer.input_shape) == (None,) * 5
    assert "not in the file" in layer.notes[0]


def test_input_shape_alone_means_same_padding():
    layer = only({"conv.weight": normal(4, 2, 3, 4)}, input_shapes={"conv": (2, 8, 9)})
    assert (layer.stride, layer.padding, layer.dilation, layer.groups) == ((1, 1), ((1, 1), (1, 2)), (1, 1), 1)
    assert layer.input_shape == (2, 8, 9)
    assert "taken as" in layer.notes[0]


def test_geometry_is_taken_by_name_or_pattern():
    arrays = {"a.conv.weight": normal(6, 1, 3, 3), "b.conv.weight": normal(4, 2, 3, 3)}
    settings = {"a.conv": {"stride": (2, 1), "padding": 1, "dilation": 2, "groups": 6}, "b.*": {"stride": 2}}
    first, second = sort(arrays, geometry=settings, input_shapes={"a.*": (6, 8, 8)}).layers
    assert (first.stride, first.padding, first.dilation, first.groups) == ((2, 1), ((1, 1), (1, 1)), (2, 2), 6)
    assert first.input_shape == (6, 8, 8)
    assert (second.stride, second.input_shape) == ((2, 2), None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"geometry": {"conf": {"stride": 2}}}, "no convolution is called 'conf'; there are: conv"),
        ({"geometry": {"conv": {"strides": 2}}}, "accepted are stride"),
        ({"geometry": {"conv": {"stride": 0}}}, "at least 1"),
        ({"geometry": {"conv": {"stride": (1, 2, 3)}}}, "or 2 of them"),
        ({"geometry": {"conv": {"padding": -1}}}, "at least 0"),
        ({"geometry": {"conv": {"groups": 3}}}, "does not divide"),
        ({"input_shapes": {"conv": (3, 8, 8)}}, r"accepted is \(2, and 2"),
        ({"input_shapes": {"conv": (2, 8)}}, "does not fit conv"),
        ({"input_shapes": {"conv": (2, 8, 0)}}, "does not fit conv"),
        ({"input_shapes": {"fc": (2, 8, 8)}}, "no convolution is called 'fc'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ModelOptionError, match=message):
        sort({"conv.weight": normal(4, 2, 3, 3), "fc.weight": normal(3, 4)}, **options)


def test_names_stay_unique():
    names = [
        layer.name for layer in sort({"a": normal(2, 2), "a.weight": normal(2, 2), "a.kernel": normal(2, 2)}).layers
    ]
    assert len(set(names)) == 3


WORDS = st.sampled_from(
    ["weight", "bias", "kernel", "gamma", "beta", "scale", "mean", "var", "running_mean", "running_var", "moving_mean",
     "x", "norm", "embed", "weight_ih_l0", "moving_variance", "conv", "state", "weight_g", "position_ids", "0", ""]
)  # fmt: skip
ARRAYS = st.builds(
    lambda shape, dtype, seed: normal(*shape, seed=seed).astype(dtype),
    st.lists(st.integers(0, 4), max_size=6),
    st.sampled_from(["f4", "f8", "f2", "i8", "i1", "?", "c8"]),
    st.integers(0, 5),
)


@given(
    st.dictionaries(
        st.builds("{}.{}".format, WORDS, WORDS) | WORDS, ARRAYS | st.just("type F8_E4M3 is not read"), max_size=6
    )
)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")  # casting the test's own real numbers
def test_nothing_is_dropped_whatever_the_names(arrays):
    result = sort(arrays)
    listed = [part.name for part in (*result.not_linear, *result.not_understood)]
    used = [word.rstrip(",") for layer in result.layers for word in layer.source.split()]
    for name in arrays:
        assert (name in listed) + (name in used) == 1 or name in ("array", "arrays", "and", "")
    assert len(listed) + sum(1 + (layer.source.count(" and ")) for layer in result.layers) == len(arrays)
    assert len({layer.name for layer in result.layers}) == len(result.layers)
