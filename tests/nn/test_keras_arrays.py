"""What is written for arrays, on tensors of any Keras backend: the way that constructions take on TensorFlow."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the tensors are those of Keras")
from keras import ops  # noqa: E402
from nn.keras_cases import numbers  # noqa: E402

import lipcore.nn.keras as lk  # noqa: E402
from lipcore.nn import losses, metrics  # noqa: E402
from lipcore.nn._constructions import METHODS, construction  # noqa: E402
from lipcore.nn.keras import _arrays  # noqa: E402
from lipcore.nn.keras._tensor import Tensor  # noqa: E402

BACKEND = keras.backend.backend()
WEIGHTS = {
    "wide": ((5, 7), {}),
    "tall": ((7, 5), {}),
    "kernel": ((6, 4, 3, 3), {}),
    "options": ((6, 2, 3, 3), {"groups": 2, "stride": (2, 2)}),
    "dilated": ((4, 3, 4), {"dilation": (2,)}),
}
# every product of every shape is compiled by itself in eager JAX
KINDS = ("wide", "kernel") if BACKEND == "jax" else tuple(WEIGHTS)
NAMES = ("aol", "cayley", "rows", "spectral") if BACKEND == "jax" else tuple(METHODS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", NAMES)
def test_constructions_on_tensors_are_those_on_arrays(method, kind):
    shape, place = WEIGHTS[kind]
    if method == "bcop" and "stride" in place:
        pytest.skip("bcop has no strides")
    weight = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    function, fixed = construction(method, len(shape) == 2)
    found = numbers(function(Tensor(ops.convert_to_tensor(weight)), **place, **fixed).value)
    wanted = function(weight, **place, **fixed)
    if method == "spectral":  # another bound of the norm, which holds as well
        factor = np.linalg.norm(found) / np.linalg.norm(wanted)
        assert (0.92 if len(shape) > 2 else 0.998) < factor < 1.002
        wanted = wanted * factor
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=5e-5)


@pytest.mark.parametrize("method", NAMES)
def test_kernels_do_not_depend_on_the_way(method, monkeypatch):
    layer = lk.SpectralDense(4, method=method)
    layer.build((None, 6))
    direct = numbers(layer.constrained_kernel())
    monkeypatch.setattr(_arrays, "DIRECT", ())
    np.testing.assert_allclose(numbers(layer.constrained_kernel()), direct, rtol=1e-4, atol=1e-5)


LOGITS = np.random.default_rng(2).standard_normal((6, 4))
CLASSES = np.array([0, 3, 1, 1, 2, 0])
ONE_HOT = np.eye(4)[CLASSES]
SIGNS = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
PAIRS = {
    "MulticlassKR": (lambda: lk.MulticlassKR(), lambda x, y: -losses.multiclass_kr(x, y)),
    "MulticlassHKR": (
        lambda: lk.MulticlassHKR(20.0, 0.3),
        lambda x, y: losses.multiclass_hkr(x, y, 20.0, min_margin=0.3),
    ),
    "MulticlassHinge": (lambda: lk.MulticlassHinge(0.3), lambda x, y: losses.multiclass_hinge(x, y, min_margin=0.3)),
    "MultiMargin": (lambda: lk.MultiMargin(0.3), lambda x, y: losses.multi_margin(x, y, min_margin=0.3)),
    "CategoricalHinge": (lambda: lk.CategoricalHinge(0.3), lambda x, y: losses.categorical_hinge(x, y, min_margin=0.3)),
    "TauCategoricalCrossentropy": (
        lambda: lk.TauCategoricalCrossentropy(4.0),
        lambda x, y: losses.tau_cross_entropy(x, y, 4.0),
    ),
    "TauSparseCategoricalCrossentropy": (
        lambda: lk.TauSparseCategoricalCrossentropy(4.0),
        lambda x, y: losses.tau_cross_entropy(x, y, 4.0),
    ),
    "KR": (lambda: lk.KR(), lambda x, y: -losses.kr(x, y)),
    "HKR": (lambda: lk.HKR(20.0, 0.3), lambda x, y: losses.hkr(x, y, 20.0, min_margin=0.3)),
    "HingeMargin": (lambda: lk.HingeMargin(0.3), lambda x, y: losses.hinge_margin(x, y, min_margin=0.3)),
    "TauBinaryCrossentropy": (
        lambda: lk.TauBinaryCrossentropy(4.0),
        lambda x, y: losses.tau_binary_cross_entropy(x, y, 4.0),
    ),
}


def test_every_loss_is_in_the_table():
    found = {n for n in lk.__all__ if inspect.isclass(getattr(lk, n)) and issubclass(getattr(lk, n), keras.losses.Loss)}
    assert found == set(PAIRS)


def test_options_of_losses_are_read_when_they_are_made():
    loss = lk.HKR(2.0, name="mine", reduction="sum", convex=True)
    assert (loss.name, loss.reduction, loss.options["alpha"], loss.options["convex"]) == ("mine", "sum", 2.0, True)
    for wrong in ({"margin": 1.0}, {"tau": 1.0}):
        with pytest.raises(TypeError, match=r"HKR: got an unexpected keyword argument .* it takes alpha, min_margin"):
            lk.HKR(**wrong)
    with pytest.raises(TypeError, match="missing a required argument: 'tau'"):
        lk.TauCategoricalCrossentropy()


@pytest.mark.parametrize("way", ["direct", "tensors"])
@pytest.mark.parametrize("name", PAIRS)
def test_losses_are_the_functions(name, way, monkeypatch):
    make, function = PAIRS[name]
    if way == "tensors":
        monkeypatch.setattr(_arrays, "DIRECT", ())
    loss = make()
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    if loss.classes:
        wanted = float(function(LOGITS, CLASSES))
        for labels in (CLASSES, CLASSES[:, None], ONE_HOT):
            assert float(loss(labels, LOGITS)) == pytest.approx(wanted, rel=1e-5)
            assert float(again(labels, LOGITS)) == pytest.approx(wanted, rel=1e-5)
    else:
        wanted = float(function(LOGITS[:, 0], SIGNS))
        assert float(loss(SIGNS[:, None], LOGITS[:, :1])) == pytest.approx(wanted, rel=1e-5)
        assert float(again(2 * SIGNS - 1, LOGITS[:, 0])) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("way", ["direct", "tensors"])
def test_metrics_are_averages_over_batches(way, monkeypatch):
    if way == "tensors":
        monkeypatch.setattr(_arrays, "DIRECT", ())
    radius = lk.CategoricalProvableAvgRobustness(2.0, signed=True)
    accuracy = lk.CategoricalProvableRobustAccuracy(0.1, lipschitz=2.0, guarantee="per_logit")
    for metric in (radius, accuracy):
        again = type(metric).from_config(metric.get_config())
        for part in (slice(0, 4), slice(4, 6)):
            again.update_state(ONE_HOT[part], LOGITS[part].astype("float32"))
        known = {"lipschitz": 2.0, **({"signed": True} if metric is radius else {"guarantee": "per_logit"})}
        function = metrics.mean_certificate if metric is radius else metrics.certified_accuracy
        wanted = function(LOGITS, CLASSES, *([] if metric is radius else [0.1]), **known)
        assert float(again.result()) == pytest.approx(float(wanted), rel=1e-5)
    with pytest.raises(ValueError, match="`sample_weight`"):
        radius.update_state(CLASSES, LOGITS, np.ones(6))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="derivatives of tensors that are no arrays")
@pytest.mark.parametrize("shape", [(5, 7), (4, 4, 3, 3)])
@pytest.mark.parametrize("method", list(METHODS))
def test_derivatives_on_tensorflow_are_those_of_differences(method, shape):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    kind = "float32" if method == "spectral" else "float64"  # complex numbers of Keras are single
    weight, change, direction = (tf.constant(rng.standard_normal(shape), dtype=kind) for _ in range(3))
    function, fixed = construction(method, len(shape) == 2)

    def loss(w):
        return tf.reduce_sum(function(Tensor(w), **fixed).value * change)

    def step(w):
        with tf.GradientTape() as tape:
            tape.watch(w)
            y = loss(w)
        return y, tape.gradient(y, w)

    (y, slope), (compiled, compiled_slope) = step(weight), tf.function(step)(weight)
    eps, rtol = (1e-2, 3e-2) if kind == "float32" else (1e-6, 1e-6)
    difference = (loss(weight + eps * direction) - loss(weight - eps * direction)) / (2 * eps)
    np.testing.assert_allclose(difference, tf.reduce_sum(slope * direction), rtol=rtol)
    np.testing.assert_allclose(compiled, y, rtol=1e-5 if kind == "float32" else 1e-12)
    np.testing.assert_allclose(compiled_slope, slope, rtol=1e-4, atol=1e-6)
