"""ONNX files: shapes, branches, functions, external data, and damage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from _models import damaged, graph_model, node_model, normal, refusals, saved

from lipcore.frontends import ModelFormatError, ModelOptionError, load_weights, onnx_isolated

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
helper, numpy_helper, TensorProto = onnx.helper, onnx.numpy_helper, onnx.TensorProto


def conv_chain(shape):
    nodes = [
        helper.make_node("Constant", [], ["w1"], value=numpy_helper.from_array(normal(4, 3, 3, 3))),
        helper.make_node("Conv", ["x", "w1", "b1"], ["h"], name="first", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Conv", ["r", "w2"], ["y"], name="second"),
    ]
    return graph_model(nodes, {"b1": normal(4), "w2": normal(2, 4, 3, 3), "idle": normal(3, 3)}, shape)


def test_shapes_are_inferred_through_the_graph(tmp_path):
    weights = load_weights(saved(conv_chain(["N", 3, 16, 12]), tmp_path))
    assert [layer.name for layer in weights.layers] == ["first", "second"]
    assert [layer.input_shape for layer in weights.layers] == [(3, 16, 12), (4, 8, 6)]
    assert weights.operations == {"Relu": 1}
    assert {part.name: part.reason for part in weights.not_linear} == {"b1": "bias: a shift", "idle": "used by no node"}
    assert not weights.not_understood


def test_open_shapes_stay_open_until_given(tmp_path):
    path = saved(conv_chain(["N", 3, "H", 12]), tmp_path)
    assert [layer.input_shape for layer in load_weights(path).layers] == [None, None]
    for given in ((1, 3, 20, 12), {"x": (2, 3, 20, 12)}):
        assert [layer.input_shape for layer in load_weights(path, input_shape=given).layers] == [
            (3, 20, 12),
            (4, 10, 6),
        ]


def test_a_given_shape_replaces_a_stored_one_and_all_that_follows_from_it(tmp_path):
    model = onnx.shape_inference.infer_shapes(conv_chain([1, 3, 16, 12]))
    assert len(model.graph.value_info) > 0
    layers = load_weights(saved(model, tmp_path), input_shape=(1, 3, 32, 32)).layers
    assert [layer.input_shape for layer in layers] == [(3, 32, 32), (4, 16, 16)]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 16, 12), "the file says"),
        ((1, 3, 16, 0), "does not fit"),
        ({"z": (1, 3, 16, 12)}, "no input 'z'; it has: x"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(tmp_path, shape, message):
    with pytest.raises(ModelOptionError, match=message):
        load_weights(saved(conv_chain([1, 3, 16, 12]), tmp_path), input_shape=shape)


def test_geometry_is_for_other_formats(tmp_path):
    with pytest.raises(ModelOptionError, match="holds its own"):
        load_weights(saved(conv_chain([1, 3, 16, 12]), tmp_path), geometry={"first": {"stride": 2}})


@pytest.mark.parametrize(("pads", "auto"), [([1, 1, 1, 1], "NOTSET"), (None, "SAME_UPPER")])
def test_padding_that_depends_on_an_unknown_size_is_none(tmp_path, pads, auto):
    attributes = {"auto_pad": auto} | ({"pads": pads} if pads else {})
    model = node_model("Conv", [None, normal(4, 3, 3, 3)], ["N", 3, "H", "W"], **attributes)
    (layer,) = load_weights(saved(model, tmp_path)).layers
    assert layer.padding == (((1, 1), (1, 1)) if pads else None)
    assert "image size unknown" in layer.notes[0]


def branches():
    inner = {}
    for name, shape in (("then", (4, 3)), ("else", (4, 4))):
        constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(normal(*shape)))
        nodes = [
            constant,
            helper.make_node("MatMul", ["h", "w"], ["out"], name="mm"),
            helper.make_node("MatMul", ["out", f"v_{name}"], ["last"]),
        ]
        inner[name] = helper.make_graph(
            nodes, name, [], [helper.make_tensor_value_info("last", TensorProto.FLOAT, None)]
        )
    nodes = [
        helper.make_node("Identity", ["x"], ["h"]),
        helper.make_node("If", ["flag"], ["y"], name="if", then_branch=inner["then"], else_branch=inner["else"]),
    ]
    return graph_model(nodes, {"flag": np.array(True), "v_then": normal(3, 2), "v_else": normal(4, 2)}, [1, 4])


def test_branches_are_walked_and_see_what_is_outside(tmp_path):
    weights = load_weights(saved(branches(), tmp_path))
    assert [(layer.name, layer.weight.shape) for layer in weights.layers] == [
        ("if/else_branch/mm", (4, 4)),
        ("if/else_branch/last", (2, 4)),
        ("if/then_branch/mm", (3, 4)),
        ("if/then_branch/last", (2, 3)),
    ]


def test_loops_are_walked_and_said_to_repeat(tmp_path):
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "w"], ["next"], name="mm"),
            helper.make_node("Identity", ["go"], ["more"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 4]),
        ],
        [
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, 4]),
        ],
    )
    node = helper.make_node("Loop", ["count", "", "x"], ["y"], name="loop", body=body)
    weights = load_weights(saved(graph_model([node], {"count": np.array(3), "w": normal(4, 4)}, [1, 4]), tmp_path))
    assert [layer.name for layer in weights.layers] == ["loop/body/mm"]
    assert [part.name for part in weights.not_understood] == ["loop"]


def test_local_functions_are_inlined(tmp_path):
    function = helper.make_function(
        "local", "double_dense", ["a", "m"], ["c"],
        [helper.make_node("MatMul", ["a", "m"], ["b"]), helper.make_node("MatMul", ["b", "m"], ["c"])],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    model = graph_model(
        [helper.make_node("double_dense", ["x", "w"], ["y"], domain="local")], {"w": normal(4, 4)}, [1, 4]
    )
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("local", 1))
    weights = load_weights(saved(model, tmp_path))
    assert [layer.weight.shape for layer in weights.layers] == [(4, 4), (4, 4)]
    assert not weights.not_understood


@pytest.mark.parametrize("dtype", [np.float16, np.float64, "bfloat16"])
def test_other_float_types(tmp_path, dtype):
    values = np.array([[1.0, -0.5], [0.25, 3.0]])
    kind = TensorProto.BFLOAT16 if dtype == "bfloat16" else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = node_model("MatMul", [None, values.astype(np.float32)], [1, 2])
    model.graph.initializer[0].CopyFrom(helper.make_tensor("c1", kind, [2, 2], values.ravel().tolist()))
    (layer,) = load_weights(saved(model, tmp_path)).layers
    assert layer.weight.dtype == (np.float64 if dtype is np.float64 else np.float32)
    np.testing.assert_array_equal(layer.weight.T, values)


def external(tmp_path, **changes):
    array = normal(4, 3)
    (tmp_path / "inside").mkdir(exist_ok=True)
    (tmp_path / "inside" / "weights.bin").write_bytes(b"\x00" * 8 + array.tobytes())
    (tmp_path / "outside.bin").write_bytes(array.tobytes() * 2)
    model = node_model("MatMul", [None, array], [1, 4])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in ({"location": "weights.bin", "offset": "8", "length": str(array.nbytes)} | changes).items():
        if value is not None:
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    path = tmp_path / "inside" / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path, array


@pytest.mark.parametrize("changes", [{}, {"length": None}])
def test_external_data_beside_the_model_is_read(tmp_path, changes):
    path, array = external(tmp_path, **changes)
    np.testing.assert_array_equal(load_weights(path).layers[0].weight, array.T)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"location": "../outside.bin", "offset": "0"}, "outside the model's folder"),
        ({"location": "/etc/hostname"}, "outside the model's folder"),
        ({"location": "link.bin", "offset": "0"}, "outside the model's folder"),
        ({"location": ""}, "outside the model's folder"),
        ({"location": "absent.bin"}, "missing"),
        ({"location": "x" * 5000}, "missing|damaged"),
        ({"location": "a\x00b"}, "damaged"),
        ({"offset": "20"}, "too short"),
        ({"offset": "-8"}, "too short"),
        ({"offset": "many"}, "damaged"),
        ({"length": "1000000"}, "too short"),
        ({"length": "8"}, "damaged"),
    ],
)
def test_external_data_elsewhere_or_damaged_is_refused(tmp_path, changes, message):
    path, _ = external(tmp_path, **changes)
    (tmp_path / "inside" / "link.bin").symlink_to(tmp_path / "outside.bin")
    with pytest.raises(ModelFormatError, match=message):
        load_weights(path)


@pytest.mark.parametrize("dims", [[-1, 3], [2**40, 2**40], [4, 4], [0, 2**62, 2**62]])
def test_shapes_that_contradict_the_data_are_refused(tmp_path, dims):
    model = node_model("MatMul", [None, normal(4, 3)], [1, 4])
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    with pytest.raises(ModelFormatError):
        load_weights(saved(model, tmp_path))


def test_names_that_come_twice_or_are_no_text_are_refused(tmp_path):
    model = node_model("MatMul", [None, normal(4, 3)], [1, 4])
    model.graph.initializer.append(model.graph.initializer[0])
    with pytest.raises(ModelFormatError, match="twice"):
        load_weights(saved(model, tmp_path))
    data = node_model("MatMul", [None, normal(4, 3)], [1, 4]).SerializeToString().replace(b"MatMul", b"Mat\xff\xfel")
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(ModelFormatError, match="damaged"):
        load_weights(tmp_path / "model.onnx")


def test_equal_node_names_give_distinct_layers(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="n"),
        helper.make_node("MatMul", ["h", "w"], ["y"], name="n"),
    ]
    weights = load_weights(saved(graph_model(nodes, {"w": normal(4, 4)}, [1, 4]), tmp_path))
    assert [layer.name for layer in weights.layers] == ["n", "n#2"]


@pytest.mark.parametrize("data", [b"\x00", b"PK\x03\x04", b"\x08\x08", b"<html></html>"])
def test_other_files_called_onnx_are_refused(tmp_path, data):
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(ModelFormatError, match="no ONNX model"):
        load_weights(tmp_path / "model.onnx")


def test_an_inference_that_crashes_costs_the_shapes_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_isolated, "CHILD", "import os; os.abort()")
    layers = load_weights(saved(conv_chain([1, 3, 16, 12]), tmp_path)).layers
    assert [layer.input_shape for layer in layers] == [(3, 16, 12), None]


def test_damage_raises_nothing_but_our_own_error(tmp_path, monkeypatch):
    good = conv_chain([1, 3, 8, 8])
    good.graph.node.append(helper.make_node("Slice", ["idle", "from", "to"], ["s"]))
    good.graph.node.append(helper.make_node("MatMul", ["y", "s"], ["z"]))
    good.graph.initializer.extend(
        [numpy_helper.from_array(np.array([n]), name) for name, n in (("from", 0), ("to", 2))]
    )
    data = good.SerializeToString()
    bad = tmp_path / "bad.onnx"
    # A process each is slow: a few with it, and the rest for the reader itself.
    messages = refusals(bad, itertools.islice(damaged(data, 30), 10, 16))
    monkeypatch.setattr(onnx_isolated, "run", lambda task, model: None)
    messages += refusals(bad, damaged(data, 400))
    assert len(messages) > 200
    assert all(str(bad) in text and "\n" not in text for text in messages)


VALUES = [
    0, -1, 2**40, 1.5, float("nan"), "text", [1], [0, 0], [-1, 2], [1, 2, 3, 4], [2**33] * 2, [1.5, 2.0], ["a"],
]  # fmt: skip


def test_well_formed_nonsense_raises_nothing_but_our_own_error(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_isolated, "run", lambda task, model: None)
    nodes = [
        helper.make_node(
            "Conv", ["x", "k"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2], dilations=[1, 1], group=1, kernel_shape=[3, 3]
        ),
        helper.make_node(
            "ConvTranspose",
            ["a", "k"],
            ["b"],
            strides=[2, 2],
            output_padding=[1, 1],
            output_shape=[8, 8],
            auto_pad="VALID",
        ),
        helper.make_node("BatchNormalization", ["b", "v", "v", "v", "v"], ["c"], epsilon=1e-3, training_mode=0),
        helper.make_node("Slice", ["m", "i", "j"], ["d"]),
        helper.make_node("Concat", ["d", "d"], ["e"], axis=0),
        helper.make_node("Cast", ["e"], ["f"], to=1),
        helper.make_node("Transpose", ["f"], ["g"], perm=[1, 0]),
        helper.make_node("Flatten", ["g"], ["h"], axis=1),
        helper.make_node("Reshape", ["h", "s"], ["o"], allowzero=0),
        helper.make_node("DequantizeLinear", ["q", "v", "z"], ["p"], axis=0),
        helper.make_node("Gemm", ["c", "p", "v"], ["r"], alpha=0.5, beta=1.0, transA=0, transB=1),
        helper.make_node("LSTM", ["r", "w", "u"], ["t"], hidden_size=2),
        helper.make_node("Gather", ["m", "t"], ["y"], axis=0),
        helper.make_node("Constant", [], ["n"], value_floats=[1.0, 2.0]),
        helper.make_node("Mul", ["y", "n"], ["y2"]),
        helper.make_node("Div", ["y2", "n"], ["y3"]),
    ]
    arrays = {
        "k": normal(4, 3, 3, 3), "v": np.abs(normal(4)) + 1, "m": normal(4, 4), "w": normal(1, 8, 4),
        "u": normal(1, 8, 2), "q": np.ones((4, 4), np.int8), "z": np.zeros(4, np.int8), "i": np.array([0]),
        "j": np.array([2]), "s": np.array([2, -1]),
    }  # fmt: skip
    whole = graph_model(nodes, arrays, ["N", 3, 8, 8])
    assert len(load_weights(saved(whole, tmp_path)).layers) == 8
    rng = np.random.default_rng(0)
    bad, messages = tmp_path / "bad.onnx", []
    for _ in range(600):
        model = onnx.ModelProto()
        model.CopyFrom(whole)
        node = model.graph.node[int(rng.integers(len(model.graph.node)))]
        tensor = model.graph.initializer[int(rng.integers(len(model.graph.initializer)))]
        change = int(rng.integers(5))
        if change == 0 and node.attribute:
            at = node.attribute[int(rng.integers(len(node.attribute)))]
            at.CopyFrom(helper.make_attribute(at.name, VALUES[int(rng.integers(len(VALUES)))]))
        elif change == 1 and node.input:
            node.input[int(rng.integers(len(node.input)))] = str(rng.choice(["", "x", "nothing", *arrays]))
        elif change == 2 and tensor.dims:
            tensor.dims[int(rng.integers(len(tensor.dims)))] = int(rng.choice([0, -1, 1, 2, 2**40, 2**62]))
        elif change == 3:
            tensor.data_type = int(rng.integers(-1, 27))
        else:
            node.op_type = str(
                rng.choice(["Conv", "Gemm", "MatMul", "Constant", "If", "Squeeze", "Cast", "GRU", "Nope", "Mul"])
            )
        messages += refusals(bad, [model.SerializeToString()])
    assert len(messages) < 400
    assert all("\n" not in text for text in messages)
