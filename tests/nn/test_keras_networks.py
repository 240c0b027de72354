"""Networks of Keras: trained, saved, loaded, cloned, exported and certified."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the networks are those of Keras")
from keras import ops  # noqa: E402
from nn.keras_cases import IMAGE, numbers, points, shaken  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.keras as lk  # noqa: E402

CONSTRAINED = {
    name for name in dir(lk) if isinstance(getattr(lk, name), type) and hasattr(getattr(lk, name), "constrained_kernel")
}
BACKEND = keras.backend.backend()
trains = pytest.mark.skipif(BACKEND == "numpy", reason="Keras on NumPy has no derivatives")


def sequential(method: str = "aol") -> keras.Model:
    layers = [
        keras.Input(IMAGE),
        lk.SpectralConv2D(8, 3, method=method),
        lk.GroupSort2(),
        lk.ScaledL2NormPooling2D(2),
        keras.layers.Flatten(),
        lk.SpectralDense(6, method=method),
        lk.Householder(),
        lk.FrobeniusDense(3),
    ]
    return keras.Sequential(layers)


def functional() -> keras.Model:
    inputs = keras.Input(IMAGE)
    x = lk.InvertibleDownSampling(2)(inputs)
    x = keras.Sequential([lk.SpectralConv2D(4, 2, method="aol", activation="relu"), lk.MaxMin()])(x)
    x = keras.layers.BatchNormalization()(x)
    x = lk.ScaledGlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Activation("tanh")(lk.SpectralDense(2, method="frobenius")(x)))


def branching() -> keras.Model:
    """Residual connections of all kinds, one inside of another, and a layer that is used twice."""
    inputs = keras.Input(IMAGE)
    x = keras.layers.Average()([inputs, lk.SpectralConv2D(4, 3, method="aol", activation="relu")(inputs)])
    shared = lk.SpectralConv2D(4, 3, padding="circular", method="aol")
    y = shared(lk.MaxMin()(shared(x)))
    x = 0.5 * (x - keras.layers.Average()([y, shared(y)]))
    x = keras.layers.Concatenate()([x / 2, keras.ops.relu(x) * 0.5])
    return keras.Model(inputs, lk.FrobeniusDense(3)(lk.ScaledGlobalAveragePooling2D()(x)))


def newer() -> keras.Model:
    """Layers that hold an activation, are made for one size of images, or make images larger."""
    layers = [
        keras.Input(IMAGE),
        lk.CayleyConv2D(6),
        lk.SLLConv2D(4, padding="circular"),
        lk.SpectralConv2D(4, 2, 2, padding="circular", method="aol"),
        lk.SOCConv2D(3, terms=8),
        lk.SpectralConv2DTranspose(2, 3, 2, method="aol"),
        keras.layers.Flatten(),
        lk.CPLDense(4),
        lk.SandwichDense(3),
    ]
    if BACKEND == "jax":  # eager, the others compile for most of the time
        slow = lk.CayleyConv2D | lk.CPLDense | lk.SLLConv2D | lk.SOCConv2D
        layers = [layer for layer in layers if not isinstance(layer, slow)]
    return keras.Sequential(layers)


NETWORKS = {"sequential": sequential, "functional": functional, "branching": branching, "newer": newer}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_saved_cloned_and_exported(make, tmp_path):
    model, x = shaken(make()), points(IMAGE)
    y = numbers(model(x))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(numbers(loaded(x)), y)
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    assert np.array_equal(numbers(again(x)), y)
    # what was loaded is exported without a forward pass before
    plain = lk.export(keras.saving.load_model(tmp_path / "model.keras"))
    assert np.array_equal(numbers(plain(x)), y)
    assert np.array_equal(numbers(model(x)), y)
    kinds = {type(layer).__name__ for layer in plain._flatten_layers(include_self=False)}
    assert kinds.isdisjoint(CONSTRAINED)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_certified_layer_by_layer(make):
    model, x = shaken(make()), points(IMAGE)
    if make is functional:  # variances near 1, so that it does not stretch
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.set_weights([np.ones(4), np.zeros(4), np.zeros(4), np.ones(4)])
    found = lk.certify(model)
    assert found.bounds.upper < 1.01
    np.testing.assert_allclose(found.network(x), numbers(model(x)), rtol=1e-4, atol=1e-5)
    assert all(name for name, _ in found.layers)
    assert lk.certify(lk.export(model)).bounds.upper == found.bounds.upper


def test_broken_construction_is_seen(monkeypatch):
    model = keras.Sequential([keras.Input((6,)), lk.SpectralDense(4, method="cayley"), lk.MaxMin()])
    assert lk.certify(shaken(model)).bounds.upper < 1.001
    whole = lk.SpectralDense.constrained_kernel
    monkeypatch.setattr(lk.SpectralDense, "constrained_kernel", lambda self: 1.1 * whole(self))
    assert lk.certify(model).bounds.upper > 1.09


def test_changed_weight_is_seen():
    plain = lk.export(shaken(sequential()))
    kernel, bias = plain.layers[-1].get_weights()
    plain.layers[-1].set_weights([3.0 * kernel, bias])
    assert lk.certify(plain).bounds.upper > 2.0 * lk.certify(shaken(sequential())).bounds.upper


@trains
@pytest.mark.parametrize(
    ("loss", "outputs"),
    [(lk.MulticlassHKR(alpha=10.0, min_margin=0.5), 3), (lk.TauCategoricalCrossentropy(tau=5.0), 3)],
    ids=["hkr", "tau"],
)
def test_trained_by_fit(loss, outputs):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            lk.SpectralDense(8, method="cayley"),
            lk.GroupSort2(),
            lk.SpectralDense(8, method="spectral"),
            lk.Householder(),
            lk.FrobeniusDense(outputs),
        ]
    )
    x = points((6,), 96)
    labels = np.argmax(x[:, :outputs], axis=1)
    proved = lk.CategoricalProvableRobustAccuracy(0.05)
    model.compile(keras.optimizers.Adam(0.02), loss=loss, metrics=["accuracy", proved])
    before = model.evaluate(x, labels, verbose=0, batch_size=32)
    model.fit(x, labels, epochs=12, batch_size=32, verbose=0)
    after = model.evaluate(x, labels, verbose=0, batch_size=32)
    assert after[0] < before[0]
    assert after[1] > 0.7
    assert 0.2 < after[2] <= after[1]
    assert lk.certify(model).bounds.upper < 1.001
    assert np.allclose(lk.export(model).predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


@trains
def test_mixed_precision_is_trained():
    keras.utils.set_random_seed(0)
    layer = lk.SpectralDense(4, method="aol", dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((6,)), layer, lk.FrobeniusDense(1, dtype="mixed_bfloat16")])
    x = points((6,), 32)
    model.compile("sgd", loss=lk.HKR(alpha=5.0, min_margin=0.1))
    start = layer.get_weights()[0]
    model.fit(x, (x[:, :1] > 0).astype("float32"), epochs=1, batch_size=16, verbose=0)
    assert not np.array_equal(layer.get_weights()[0], start)
    assert keras.backend.standardize_dtype(layer.kernel.dtype) == "float32"


def test_networks_that_cannot_be_read():
    class Own(keras.Model):
        def call(self, x):
            return x

    own = Own()
    own.build((None, 4))
    with pytest.raises(TypeError, match="`call` of its own"):
        lk.export(own)
    with pytest.raises(ValueError, match="is not built"):
        lk.certify(keras.Sequential([lk.SpectralDense(4)]), (3,))
    with pytest.raises(TypeError, match=r"'gru.*certify does not know"):
        lk.certify(keras.Sequential([keras.Input((4, 2)), keras.layers.GRU(3)]))
    with pytest.raises(TypeError, match="has the activation 'hard_sigmoid'"):
        lk.certify(keras.Sequential([keras.Input((4,)), lk.SpectralDense(3, activation="hard_sigmoid")]))
    free = keras.Sequential([keras.Input((None, None, 2)), lk.SpectralConv2D(2, 3, method="aol")])
    with pytest.raises(ValueError, match="`input_shape` must be given"):
        lk.certify(free)
    assert lk.certify(free, (5, 7, 2)).bounds.upper < 1.001


class Doubled(keras.layers.Layer):
    """A layer that says what it is."""

    def call(self, x):
        return 2 * x

    def compute_output_shape(self, input_shape):
        return input_shape

    def as_layer(self, shape):
        return lc.layers.Add((2.0,))


def test_layers_that_say_what_they_are():
    model = keras.Sequential([keras.Input((4,)), Doubled(), keras.layers.Dropout(0.5)])
    assert lk.certify(model).bounds.upper == pytest.approx(2.0)
    assert np.array_equal(numbers(model(points((4,)))), numbers(2 * ops.convert_to_tensor(points((4,)))))


def test_pairs_of_logits_have_their_own_constants():
    model = shaken(sequential())
    options = lk.guarantee(model)
    rows = numbers(lk.export(model).layers[-1].kernel).T
    features = lk.certify(keras.Sequential([keras.Input(IMAGE), *lk.export(model).layers[:-1]])).bounds.upper
    expected = features * np.linalg.norm(rows[:, None] - rows[None], axis=-1)
    assert options["guarantee"] == "pairwise"
    np.testing.assert_allclose(options["lipschitz"], expected, rtol=1e-4, atol=1e-6)
    joint = lk.guarantee(functional())
    assert joint["guarantee"] == "joint"
    assert joint["lipschitz"].kind in ("rigorous", "analytic")
    radii = lc.nn.metrics.certificates(numbers(model(points(IMAGE))), **options)
    assert float(radii.min()) > 0
