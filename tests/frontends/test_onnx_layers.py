"""ONNX nodes as linear layers, each against ONNX's own reference evaluator."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from _models import graph_model, node_model, normal, saved

from lipcore.frontends import load_weights
from lipcore.report.measure import Request, operator_of

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
helper = onnx.helper
reference = pytest.importorskip("onnx.reference", reason="the extra onnx is not installed")


def matrix_of(model, shape):
    """The linear part of a model as a matrix, column by column."""
    session = reference.ReferenceEvaluator(model)
    zero = session.run(None, {"x": np.zeros(shape, np.float32)})[0]
    columns = []
    for index in range(int(np.prod(shape))):
        unit = np.zeros(int(np.prod(shape)), np.float32)
        unit[index] = 1
        columns.append((session.run(None, {"x": unit.reshape(shape)})[0] - zero).ravel())
    return np.array(columns).T


def only(folder, model, **options):
    weights = load_weights(saved(model, folder), **options)
    assert not weights.not_understood
    (layer,) = weights.layers
    return layer


def operator_matrix(layer):
    notes = []
    operator, image = operator_of(layer, Request(), lambda array: array, notes)
    assert image == layer.input_shape, notes
    return np.asarray(operator.to_dense())


CONVOLUTIONS = [
    ((4, 3, 3), (3, 9), {}),
    ((4, 3, 3), (3, 9), {"pads": [2, 0], "strides": [2]}),
    ((4, 3, 3, 2), (3, 6, 5), {"pads": [1, 0, 2, 1]}),
    ((4, 3, 3, 2), (3, 6, 5), {"auto_pad": "SAME_UPPER"}),
    ((4, 3, 3, 2), (3, 6, 5), {"auto_pad": "SAME_LOWER"}),
    ((4, 3, 3, 4), (3, 7, 6), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ((4, 3, 4, 3), (3, 7, 6), {"auto_pad": "SAME_LOWER", "strides": [3, 2]}),
    ((4, 1, 3, 3), (4, 6, 5), {"group": 4, "pads": [1, 1, 1, 1]}),
    ((6, 2, 3, 3), (4, 6, 5), {"group": 2, "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ((2, 3, 3, 3), (3, 7, 7), {"dilations": [2, 1], "pads": [2, 1, 2, 1]}),
    ((2, 2, 2, 2, 2), (2, 3, 4, 3), {"pads": [1, 0, 0, 0, 1, 1], "strides": [1, 2, 1]}),
    ((5, 4, 1, 1), (4, 3, 3), {"kernel_shape": [1, 1]}),
]


@pytest.mark.parametrize(("kernel", "image", "attributes"), CONVOLUTIONS)
def test_convolutions(tmp_path, kernel, image, attributes):
    model = node_model("Conv", [None, normal(*kernel), normal(kernel[0], seed=1)], [1, *image], **attributes)
    layer = only(tmp_path, model)
    assert (layer.kind, layer.input_shape) == ("convolution", image)
    np.testing.assert_allclose(operator_matrix(layer), matrix_of(model, (1, *image)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "image", "attributes"),
    [
        ((3, 4, 3), (3, 5), {}),
        ((3, 4, 3), (3, 5), {"strides": [2], "pads": [1, 0], "output_padding": [1]}),
        ((3, 2, 3, 2), (3, 4, 3), {"strides": [2, 3], "pads": [1, 0, 0, 1]}),
        ((3, 2, 3, 3), (3, 3, 3), {"dilations": [2, 1], "pads": [1, 1, 1, 1]}),
        ((3, 2, 3, 3), (3, 4, 4), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ],
)
def test_transposed_convolutions(tmp_path, kernel, image, attributes):
    model = node_model("ConvTranspose", [None, normal(*kernel)], [1, *image], **attributes)
    layer = only(tmp_path, model)
    assert (layer.kind, layer.input_shape) == ("convolution_transpose", image)
    np.testing.assert_allclose(operator_matrix(layer), matrix_of(model, (1, *image)), rtol=1e-5, atol=1e-5)


# The reference evaluator of onnx 1.16 pads here, against the standard.
def test_valid_padding_is_none(tmp_path):
    inputs = [None, normal(4, 3, 3, 2)]
    layer = only(tmp_path, node_model("Conv", inputs, [1, 3, 6, 5], strides=[2, 1], auto_pad="VALID"))
    same = only(tmp_path, node_model("Conv", inputs, [1, 3, 6, 5], strides=[2, 1], pads=[0, 0, 0, 0]))
    assert layer.padding == same.padding == ((0, 0), (0, 0))
    np.testing.assert_array_equal(operator_matrix(layer), operator_matrix(same))


# ONNX's reference evaluator has no grouped transposed convolution, and none with an explicit output shape.
@pytest.mark.parametrize(("stride", "groups", "dilation"), [(1, 2, 1), (2, 2, 1), (2, 4, 2)])
def test_grouped_transposed_convolutions(tmp_path, stride, groups, dilation):
    torch = pytest.importorskip("torch", reason="the extra torch is not installed")
    kernel = normal(4, 3, 2, 3)
    attributes = {"strides": [stride] * 2, "group": groups, "dilations": [dilation] * 2, "pads": [1, 1, 1, 1]}
    layer = only(tmp_path, node_model("ConvTranspose", [None, kernel], [1, 4, 4, 5], **attributes))
    units = torch.eye(80).reshape(80, 4, 4, 5)
    options = {"stride": stride, "padding": 1, "groups": groups, "dilation": dilation}
    images = torch.nn.functional.conv_transpose2d(units, torch.from_numpy(kernel), **options)
    np.testing.assert_allclose(operator_matrix(layer), images.reshape(80, -1).numpy().T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("attributes", "pads"),
    [
        ({"output_shape": [8, 8]}, [1, 1, 0, 0]),
        ({"output_shape": [8, 8], "auto_pad": "SAME_LOWER"}, [1, 1, 0, 0]),
        ({"output_shape": [8, 8], "auto_pad": "SAME_UPPER"}, [0, 0, 1, 1]),
        ({"output_shape": [7, 9]}, [1, 0, 1, 0]),
        ({"output_shape": [1, 2, 6, 8]}, [2, 1, 1, 0]),
    ],
)
def test_an_output_shape_stands_for_pads(tmp_path, attributes, pads):
    inputs = [None, normal(3, 2, 3, 3)]
    layer = only(tmp_path, node_model("ConvTranspose", inputs, [1, 3, 4, 4], strides=[2, 2], **attributes))
    same = only(tmp_path, node_model("ConvTranspose", inputs, [1, 3, 4, 4], strides=[2, 2], pads=pads))
    assert layer.padding == same.padding
    np.testing.assert_array_equal(operator_matrix(layer), operator_matrix(same))


@pytest.mark.parametrize(
    ("op", "inputs", "shape", "attributes"),
    [
        ("MatMul", [None, normal(4, 3)], [1, 4], {}),
        ("MatMul", [normal(4, 3), None], [3, 1], {}),
        ("MatMul", [None, normal(4)], [1, 4], {}),
        ("Gemm", [None, normal(4, 3), normal(3)], [1, 4], {}),
        ("Gemm", [None, normal(3, 4), normal(3)], [1, 4], {"transB": 1, "alpha": 0.3}),
        ("Gemm", [None, normal(4, 3)], [4, 1], {"transA": 1, "alpha": -2.0}),
        ("Gemm", [normal(3, 4), None], [4, 1], {}),
        ("Gemm", [normal(4, 3), None], [1, 4], {"transA": 1, "transB": 1}),
        ("Mul", [None, normal(4)], [1, 4], {}),
        ("Mul", [normal(4), None], [1, 4], {}),
        ("Div", [None, normal(4)], [1, 4], {}),
        ("BatchNormalization", [None, normal(4), normal(4), normal(4), normal(4) ** 2], [1, 4], {"epsilon": 0.125}),
        ("BatchNormalization", [None, normal(4), normal(4), normal(4), normal(4) ** 2], [1, 4], {}),
    ],
)
def test_matrices_and_diagonals(tmp_path, op, inputs, shape, attributes):
    model = node_model(op, inputs, shape, **attributes)
    layer = only(tmp_path, model)
    weight = np.diag(layer.weight) if layer.kind == "diagonal" else layer.weight
    np.testing.assert_allclose(layer.scale * weight, matrix_of(model, tuple(shape)), rtol=1e-5, atol=1e-6)


def test_stacks_of_matrices_keep_their_stack(tmp_path):
    array = normal(2, 3, 5, 4)
    layer = only(tmp_path, node_model("MatMul", [None, array], [2, 3, 1, 5]))
    np.testing.assert_array_equal(layer.weight, np.swapaxes(array, -1, -2))


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_matrices(tmp_path, op, gates):
    w, r = normal(2, gates * 5, 3), normal(2, gates * 5, 5, seed=1)
    model = node_model(op, [None, w, r, normal(2, 2 * gates * 5)], [7, 1, 3], hidden_size=5, direction="bidirectional")
    weights = load_weights(saved(model, tmp_path))
    found = {layer.name: layer.weight for layer in weights.layers}
    assert list(found) == [
        f"the_node.{role}.{side}" for role in ("input", "recurrent") for side in ("forward", "backward")
    ]
    np.testing.assert_array_equal(found["the_node.input.backward"], w[1])
    np.testing.assert_array_equal(found["the_node.recurrent.forward"], r[0])
    assert [part.name for part in weights.not_linear] == ["c3"]


def test_embeddings(tmp_path):
    table = normal(10, 4)
    node = helper.make_node("Gather", ["table", "index"], ["y"], axis=0)
    index = helper.make_tensor_value_info("index", onnx.TensorProto.INT64, ["N"])
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", [index], [out], [onnx.numpy_helper.from_array(table, "table")])
    layer = only(tmp_path, helper.make_model(graph))
    assert layer.kind == "embedding"
    np.testing.assert_array_equal(layer.weight, table.T)


def test_a_constant_that_broadcasts_the_other_factor_is_no_diagonal(tmp_path):
    weights = load_weights(saved(node_model("Mul", [None, normal(4)], [3, 1]), tmp_path))
    assert not weights.layers
    assert "broadcasts" in weights.not_understood[0].reason


@pytest.mark.parametrize(
    ("op", "inputs", "shape", "attributes", "reason"),
    [
        ("Conv", [None, normal(4, 3, 3, 3)], [1, 3, 8, 8], {"pads": [-1, 0, 0, 0]}, "negative pads"),
        ("Conv", [None, normal(4, 3, 3, 3)], [1, 3, 8, 8], {"strides": [1]}, "strides"),
        ("Conv", [None, normal(4, 3, 3, 3)], [1, 3, 8, 8], {"group": 3}, "does not divide"),
        ("Conv", [None, normal(4, 3, 3, 3)], [1, 3, 8, 8], {"kernel_shape": [2, 2]}, "contradicts"),
        ("Conv", [None, normal(4, 3, 3, 3)], [1, 3, 8, 8], {"strides": [0, 1]}, "positive"),
        ("Conv", [None, normal(4, 3, 3, 3)], [1, 5, 8, 8], {}, "5 channels"),
        ("Conv", [None, normal(4, 3)], [1, 3], {}, "2 axes"),
        ("Conv", [normal(1, 3, 8, 8), None], [4, 3, 3, 3], {}, "computed"),
        ("Conv", [None, normal(0, 3, 3, 3)], [1, 3, 8, 8], {}, "empty"),
        ("Gemm", [None, np.ones((3, 3), np.int32)], [1, 3], {}, "int32"),
        ("BatchNormalization", [None, normal(4), normal(4), normal(4), -np.ones(4, "f4")], [1, 4], {}, "variance"),
        ("BatchNormalization", [None, *[normal(4) ** 2] * 4], [1, 4], {"training_mode": 1}, "training"),
        ("Div", [None, np.array([1, 0], "f4")], [1, 2], {}, "zeros"),
        ("Einsum", [None, normal(3, 4)], [1, 3], {"equation": "ij,jk->ik"}, "not read"),
        ("Sqrt2", [None], [1, 3], {}, "not known"),
        ("Gelu", [None], [1, 3], {"domain": "com.vendor"}, "com.vendor.Gelu is not known"),
    ],
)
def test_what_is_not_read_is_listed_with_its_reason_and_its_arrays(tmp_path, op, inputs, shape, attributes, reason):
    weights = load_weights(saved(node_model(op, inputs, shape, **attributes), tmp_path))
    assert not weights.layers
    assert weights.not_understood[0].name == "the_node"
    assert reason in weights.not_understood[0].reason
    listed = {part.name for part in (*weights.not_understood, *weights.not_linear)}
    assert {f"c{i}" for i, value in enumerate(inputs) if value is not None and value.dtype.kind == "f"} <= listed


def test_weights_are_followed_through_harmless_nodes(tmp_path):
    array = normal(3, 4)
    nodes = [
        helper.make_node("Constant", [], ["c"], value=onnx.numpy_helper.from_array(array.astype(np.float64))),
        helper.make_node("Cast", ["c"], ["d"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Identity", ["d"], ["e"]),
        helper.make_node("Slice", ["e", "zero", "two", "zero"], ["top"]),
        helper.make_node("Slice", ["e", "last", "lowest", "zero", "back"], ["turned"]),
        helper.make_node("Concat", ["top", "turned"], ["f"], axis=0),
        helper.make_node("Reshape", ["f", "flat"], ["g"]),
        helper.make_node("Reshape", ["g", "folded"], ["h"]),
        helper.make_node("Unsqueeze", ["h", "zero"], ["i"]),
        helper.make_node("Squeeze", ["i", "zero"], ["j"]),
        helper.make_node("Transpose", ["j"], ["k"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "k"], ["y"]),
    ]
    whole = {"zero": [0], "two": [2], "last": [-1], "lowest": [-100], "back": [-1], "flat": [-1], "folded": [5, -1]}
    model = graph_model(nodes, {name: np.array(value) for name, value in whole.items()}, [1, 4])
    layer = only(tmp_path, model)
    np.testing.assert_array_equal(layer.weight, np.concatenate([array[:2], array[::-1]]))
    np.testing.assert_allclose(layer.weight, matrix_of(model, (1, 4)), rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_dequantised_weights_are_exact(tmp_path, axis):
    array = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    scale, zero = np.abs(normal(array.shape[axis])), np.arange(array.shape[axis], dtype=np.int8)
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=axis),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    model = graph_model(nodes, {"q": array, "s": scale, "z": zero}, [1, 3])
    layer = only(tmp_path, model)
    around = (-1, 1) if axis == 0 else (1, -1)
    exact = (array - zero.reshape(around).astype(float)) * scale.reshape(around).astype(float)
    np.testing.assert_array_equal(layer.weight.T, exact)


def test_a_chain_of_doublings_is_not_followed(tmp_path):
    names = ["w", *(f"w{i}" for i in range(60))]
    nodes = [helper.make_node("Concat", [a, a], [b], axis=0) for a, b in itertools.pairwise(names)]
    nodes.append(helper.make_node("MatMul", ["x", names[-1]], ["y"]))
    model = graph_model(nodes, {"w": normal(64, 64)}, [1, 64])
    weights = load_weights(saved(model, tmp_path))
    assert not weights.layers
    assert "w" in {part.name for part in (*weights.not_understood, *weights.not_linear)}
