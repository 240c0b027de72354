"""Layers of Keras: 1-Lipschitz by certificate, equal to their lipcore layers, and copied as Keras does."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the layers are those of Keras")
from keras import ops  # noqa: E402
from nn.keras_cases import IMAGE, LAYERS, PLAIN, VECTOR, numbers, points, shaken  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.keras as lk  # noqa: E402

ISOMETRIES = ("InvertibleDownSampling", "InvertibleUpSampling", "MaxMin", "FullSort", "GroupSort", "Householder")


def test_every_layer_is_in_the_table():
    classes = {n for n in lk.__all__ if isinstance(getattr(lk, n), type) and issubclass(getattr(lk, n), keras.Layer)}
    found = {name.split(",")[0] for name in LAYERS}
    assert found <= classes
    if keras.backend.backend() != "jax":
        assert found == classes


@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_certified_and_equal_to_its_layer_in_lipcore(name):
    make, shape = LAYERS[name]
    layer, x = shaken(make(), shape), points(shape)
    found = lk.certify(layer, shape)
    y = numbers(layer(x))
    if name.split(",")[0] not in PLAIN:
        assert found.bounds.upper <= 1 + 2e-3
    np.testing.assert_allclose(found.network(x), y, rtol=1e-4, atol=1e-5)
    assert layer.compute_output_shape((4, *shape)) == y.shape
    assert layer.compute_output_shape((None, *shape))[1:] == y.shape[1:]
    if name.split(",")[0] in ISOMETRIES:
        axes = tuple(range(1, y.ndim))
        np.testing.assert_allclose(np.sqrt((y**2).sum(axes)), np.sqrt((x**2).sum(axis=tuple(range(1, x.ndim)))), 1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_made_again_from_its_configuration(name):
    make, shape = LAYERS[name]
    layer, x = shaken(make(), shape), points(shape)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again.build((None, *shape))
    again.set_weights(layer.get_weights())
    assert np.array_equal(numbers(again(x)), numbers(layer(x)))


@pytest.mark.parametrize("name", [name for name in LAYERS if "Dense" in name or "Conv" in name])
def test_exported_layer_is_one_of_keras_and_equal_from_the_first_call(name):
    make, shape = LAYERS[name]
    layer, x = shaken(make(), shape), points(shape)
    plain = lk.export(layer)
    assert type(plain).__module__.startswith("keras.") or type(plain).__name__ in PLAIN
    if "causal" in name:  # Keras pads in another place, and may add in another order
        np.testing.assert_allclose(numbers(plain(x)), numbers(layer(x)), rtol=1e-5, atol=1e-6)
    else:
        assert np.array_equal(numbers(plain(x)), numbers(layer(x)))


def test_constant_is_what_is_asked_for():
    layer = shaken(lk.SpectralDense(4, method="cayley", k_coef_lip=3.0), VECTOR)
    bounds = lk.certify(layer, VECTOR).bounds
    assert 2.999 < bounds.lower <= bounds.upper < 3.001
    layer = shaken(lk.ScaledL2NormPooling2D(2, k_coef_lip=0.5), IMAGE)
    assert 0.499 < lk.certify(layer, IMAGE).bounds.upper < 0.501


def test_neurons_by_themselves():
    layer = shaken(lk.FrobeniusDense(5, disjoint_neurons=True), VECTOR)
    np.testing.assert_allclose(np.linalg.norm(numbers(layer.constrained_kernel()), axis=0), 1.0, rtol=1e-5)
    assert lk.certify(layer, VECTOR).bounds.upper > 1.01


def test_spectral_divides_by_a_bound_near_the_norm():
    layer = shaken(lk.SpectralConv2D(6, 3, method="spectral"), IMAGE)
    kernel = np.moveaxis(numbers(layer.constrained_kernel()), (-1, -2), (0, 1))
    bounds = lc.norms.convolution_supremum(kernel)
    assert 1 / 1.08 < bounds.lower <= bounds.upper <= 1.0


def test_spectral_is_one_function_of_the_weight_compiled_or_not():
    layer = shaken(lk.SpectralConv2D(6, 3, method="spectral"), IMAGE)
    model, x = keras.Sequential([keras.Input(IMAGE), layer]), points(IMAGE)
    np.testing.assert_allclose(model.predict(x, verbose=0), numbers(model(x)), rtol=1e-5, atol=1e-6)


# Keras computes in float64 on few backends
POLICIES = ["mixed_bfloat16", "bfloat16", *(["float64"] if keras.backend.backend() in ("torch", "tensorflow") else [])]


@pytest.mark.parametrize("policy", POLICIES)
def test_precision_policies(policy):
    layer = lk.SpectralDense(4, method="frobenius", dtype=policy)
    layer.build((None, 6))
    single = lk.SpectralDense(4, method="frobenius")
    single.build((None, 6))
    single.set_weights([w.astype("float32") for w in layer.get_weights()])
    x = points((6,))
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == ("float64" if policy == "float64" else "bfloat16")
    kernel = layer.constrained_kernel()
    stored = {"mixed_bfloat16": "float32", "bfloat16": "bfloat16", "float64": "float64"}[policy]
    assert keras.backend.standardize_dtype(kernel.dtype) == stored
    tolerance = 2**-7 if "bfloat16" in policy else 1e-6
    found, wanted = numbers(ops.cast(kernel, "float32")), numbers(single.constrained_kernel())
    np.testing.assert_allclose(found, wanted, rtol=2**-7 if stored == "bfloat16" else 1e-6, atol=1e-7)
    np.testing.assert_allclose(numbers(ops.cast(y, "float32")), numbers(single(x)), rtol=tolerance, atol=4 * tolerance)
    # the exported layer follows the same policy
    assert np.array_equal(numbers(ops.cast(lk.export(layer)(x), "float32")), numbers(ops.cast(y, "float32")))


ERRORS = {
    "unknown method": (lambda: lk.SpectralDense(4, method="magic"), "`method` must be one of"),
    "unknown option": (lambda: lk.SpectralDense(4, options={"stride": 2}), "`options` of method 'bjorck' may be"),
    "units": (lambda: lk.SpectralDense(0), "`units`"),
    "constant": (lambda: lk.SpectralDense(2, k_coef_lip=0.0), "`k_coef_lip`"),
    "filters": (lambda: lk.SpectralConv2D(-1, 3), "`filters`"),
    "groups": (lambda: lk.SpectralConv2D(4, 3, groups=3), "`groups` must divide"),
    "kernel size": (lambda: lk.SpectralConv2D(4, (3, 3, 3)), "`kernel_size`"),
    "padding": (lambda: lk.SpectralConv2D(4, 3, padding="causal"), "`padding` must be one of"),
    "stride and dilation": (lambda: lk.SpectralConv2D(4, 3, 2, dilation_rate=2), "do not go together"),
    "data format": (lambda: lk.ScaledAveragePooling2D(2, data_format="last"), "`data_format`"),
    "pool padding": (lambda: lk.ScaledL2NormPooling2D(2, padding="same"), "`padding` must be 'valid'"),
    "pool size": (lambda: lk.ScaledL2NormPooling2D((2, 2, 2)), "`pool_size`"),
    "blocks": (lambda: lk.InvertibleDownSampling((2, 3)), "the same for both axes"),
    "blocks and image": (lambda: lk.InvertibleDownSampling(4)(points(IMAGE)), "must divide the image"),
    "blocks and channels": (lambda: lk.InvertibleUpSampling(3)(points(IMAGE)), "must divide the 4 channels"),
    "group": (lambda: lk.GroupSort(0), "`n` must be"),
    "group and axis": (lambda: lk.GroupSort(4)(points(VECTOR)), "must divide the axis"),
    "samples": (lambda: lk.GroupSort(2, axis=0), "`axis` must not be 0"),
    "odd": (lambda: lk.Householder()(points((3,))), "even number"),
    "slopes": (lambda: lk.PReLUlip(-1.0), "`k_coef_lip`"),
    "stride of bcop": (
        lambda: shaken(lk.SpectralConv2D(4, 3, 2, method="bcop"), IMAGE).constrained_kernel(),
        "`stride` must be 1 for bcop",
    ),
    "not built": (lambda: lk.SpectralDense(2).constrained_kernel(), "is not built"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_argument(name):
    make, message = ERRORS[name]
    with pytest.raises(ValueError, match=message):
        make()
