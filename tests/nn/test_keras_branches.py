"""Networks of Keras that branch: their graph is followed, and their constants hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the networks are those of Keras")
from keras import layers as K  # noqa: E402
from nn.keras_cases import numbers, points  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.keras as lk  # noqa: E402


def dense(matrix: object) -> keras.layers.Layer:
    matrix = np.asarray(matrix, dtype="float32")
    layer = K.Dense(len(matrix), use_bias=False)
    layer.build((None, matrix.shape[1]))
    layer.set_weights([matrix.T.copy()])
    return layer


def model(join: object, shape: tuple[int, ...] = (2,)) -> keras.Model:
    x = keras.Input(shape)
    return keras.Model(x, join(x))


HALF, DOUBLE = np.eye(2) / 2, 2 * np.eye(2)
RELU = K.Activation("relu")
# constants in the 2-, 1- and inf-norm; those of affine networks are the norms of the whole
KNOWN = {
    "add": (lambda x: K.Add()([x, RELU(x)]), (2, 2, 2)),
    "add three": (lambda x: K.Add()([x, RELU(x), RELU(dense(HALF)(x))]), (2.5, 2.5, 2.5)),
    "subtract": (lambda x: K.Subtract()([x, RELU(dense(HALF)(x))]), (1.5, 1.5, 1.5)),
    "average": (lambda x: K.Average()([x, RELU(x)]), (1, 1, 1)),
    "affine": (lambda x: K.Subtract()([x, dense(HALF)(x)]), (0.5, 0.5, 0.5)),
    "nothing is left": (lambda x: K.Subtract()([x, dense(np.eye(2))(x)]), (0, 0, 0)),
    "concatenate": (lambda x: K.Concatenate()([x, RELU(dense(DOUBLE)(x))]), (math.sqrt(5), 3, 2)),
    "first axis": (lambda x: K.Concatenate(axis=1)([x, x]), (math.sqrt(2), 2, 1)),
    "the same twice": (lambda x: RELU(K.Add()([x, x])), (2, 2, 2)),
    "operators": (lambda x: 0.25 * (x + RELU(x)) - RELU(-x) / 4, (0.75, 0.75, 0.75)),
    "product of parts": (
        lambda x: (lambda y: K.Average()([y, RELU(y)]))(RELU(dense(DOUBLE)(K.Average()([x, RELU(x)])))),
        (2, 2, 2),
    ),
    "one inside of another": (
        lambda x: K.Add()([x, model(lambda z: K.Add()([z, RELU(dense(HALF)(z))]))(RELU(x))]),
        (2.5, 2.5, 2.5),
    ),
    "no way around": (lambda x: K.Add()([K.Dropout(0.5)(x), K.Identity()(RELU(x))]), (2, 2, 2)),
    "operations": (
        lambda x: keras.ops.tanh(keras.ops.sigmoid(keras.ops.concatenate([x, -x], axis=-1))),
        (0.353554, 0.5, 0.25),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_constants_of_branches(name):
    make, known = KNOWN[name]
    net = model(make)
    x = points((2,), 5)
    for ord, constant in zip((2, 1, np.inf), known, strict=True):
        found = lk.certify(net, ord=ord)
        assert found.bounds.upper == pytest.approx(constant, rel=1e-3, abs=1e-6)
        assert found.bounds.kind in ("rigorous", "analytic")
        np.testing.assert_allclose(found.network(x), numbers(net(x)), rtol=1e-5, atol=1e-6)
        jacobians = found.network.jacobian(x.astype("float64")).to_dense()
        assert np.linalg.norm(jacobians, ord, axis=(-2, -1)).max() <= found.bounds.upper * (1 + 1e-6) + 1e-9


def test_parts_go_by_the_layers_that_join_them():
    net = model(lambda x: dense(HALF)(K.Add(name="sum")([RELU(x), dense(DOUBLE)(x)])))
    found = lk.certify(net)
    assert found.layers[0][0] == "sum"
    assert len(found.layers) == 2
    assert found.layers[0][1].upper == pytest.approx(3, rel=1e-4)
    last = model(lambda x: lk.SpectralDense(3)(K.Average()([x, RELU(x)])))
    assert lk.guarantee(last)["guarantee"] == "pairwise"


def test_wider_regions_and_tolerances_reach_the_branches():
    net = model(lambda x: K.Add()([RELU(dense(np.array([[3.0, 1.0], [0.5, 2.0]]))(x)), x]))
    found = lk.certify(net, rtol=1e-3)
    graph = found.network.layers[0]
    assert graph.rtol == 1e-3
    assert graph.output_shape((2,)) == (2,)
    away = lc.Box(np.full(2, -3.0), np.full(2, -2.0))  # where the rectifier is shut
    assert graph.lipschitz(2, away).upper < 1.001 < graph.lipschitz(2, input_shape=(2,)).upper
    image = graph.image(away)
    assert np.all(image.lower >= -3 - 1e-9)
    assert np.all(image.upper <= -2 + 1e-9)


def test_images_keep_their_layout():
    def net(x):
        y = K.Conv2D(4, 3, padding="same")(x)
        return K.Flatten()(K.Concatenate()([K.Add()([x, K.Activation("relu")(y)]), K.AveragePooling2D(1)(y)]))

    net, x = model(net, (5, 4, 4)), points((5, 4, 4))
    np.testing.assert_allclose(lk.certify(net).network(x), numbers(net(x)), rtol=1e-4, atol=1e-5)


class Twice(K.Layer):
    """A layer of two inputs that certify cannot know."""

    def call(self, x, y):
        return x + y


REFUSED = {
    "multiply": (lambda x: K.Multiply(name="gate")([x, RELU(x)]), "'gate' is a Multiply of 2 inputs"),
    "maximum": (lambda x: K.Maximum(name="top")([x, RELU(x)]), "'top' is a Maximum of 2 inputs"),
    "own layer": (lambda x: Twice(name="own")(x, RELU(x)), "'own' is a Twice of 2 inputs"),
    "operator": (lambda x: x * RELU(x), "is a Multiply of 2 inputs"),
    "operation": (lambda x: keras.ops.exp(x), "is a Exp, which certify does not know"),
    "one over x": (lambda x: 1.0 / x, "is a TrueDivide, which certify does not know"),
    "shift": (lambda x: x + 1.0, "is a Add, which certify does not know"),
    "shapes": (lambda x: K.Add(name="wide")([x, K.Dense(1)(x)]), r"'wide' is a Add of samples of the shapes"),
    "samples": (lambda x: K.Concatenate(axis=0, name="more")([x, x]), "'more' joins samples along their own axis"),
    "unknown inside": (lambda x: K.Add()([x, K.UnitNormalization(name="unit")(x)]), "'unit' is a UnitNormalization"),
    "several results": (lambda x: keras.ops.split(x, 2, axis=-1)[0], "is a Split of 1 inputs and 2 outputs"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_by_name(name):
    make, message = REFUSED[name]
    with pytest.raises(TypeError, match=message):
        lk.certify(model(make))


def test_several_inputs_and_outputs_are_refused():
    x, y = keras.Input((2,)), keras.Input((2,))
    with pytest.raises(TypeError, match="2 inputs and 1 outputs"):
        lk.certify(keras.Model([x, y], K.Add()([x, y])), (2,))
    with pytest.raises(TypeError, match="1 inputs and 2 outputs"):
        lk.certify(keras.Model(x, [RELU(x), x]), (2,))
