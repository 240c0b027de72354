"""Newer kinds of constrained layers of Keras: what they promise, what a certificate sees, what is exported."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the layers are those of Keras")
from keras import ops  # noqa: E402
from nn.keras_cases import IMAGE, OBLONG, VECTOR, numbers, points, shaken  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.keras as lk  # noqa: E402
from lipcore.nn.keras import _arrays  # noqa: E402
from lipcore.operators.circular_symbol import CircularSymbol  # noqa: E402
from lipcore.operators.skew_exponential import SkewExponential  # noqa: E402

BACKEND = keras.backend.backend()
# eager JAX compiles every product of every shape
quick = pytest.mark.skipif(BACKEND == "jax", reason="compiles much, and the numbers are those of other backends")
KEPT = {"use_bias": False}


@pytest.fixture(autouse=True)
def one_draw():
    """Initial weights are random: of 1,200 draws four left the strided isometry 7e-5 to 3e-2 off."""
    keras.utils.set_random_seed(0)


def lengths(x: np.ndarray) -> np.ndarray:
    return np.sqrt((np.asarray(x, dtype="float64") ** 2).sum(axis=tuple(range(1, x.ndim))))


ISOMETRIES = {
    "circular": lambda: lk.SpectralConv2D(4, (3, 2), padding="circular", method="aoc", **KEPT),
    "circular, strided": lambda: lk.SpectralConv2D(16, 2, 2, padding="circular", method="aoc", **KEPT),
    "circular, dilated": lambda: lk.SpectralConv2D(6, 3, padding="circular", dilation_rate=2, method="aoc", **KEPT),
    "transposed": lambda: lk.SpectralConv2DTranspose(2, 3, 2, "valid", method="aoc", **KEPT),
    "cayley": lambda: lk.CayleyConv2D(4, **KEPT),
    "cayley, more": lambda: lk.CayleyConv2D(6, (2, 3), **KEPT),
    "lot": lambda: lk.LOTConv2D(5, **KEPT),
    "soc": lambda: lk.SOCConv2D(6, **KEPT),
    "soc, circular": lambda: lk.SOCConv2D(4, (1, 3), padding="circular", **KEPT),
}


@quick
@pytest.mark.parametrize("shape", [IMAGE, (4, 6, 4)])
@pytest.mark.parametrize("name", ISOMETRIES)
def test_lengths_are_kept(name, shape):
    layer, x = shaken(ISOMETRIES[name](), shape), points(shape)
    np.testing.assert_allclose(lengths(numbers(layer(x))), lengths(x), rtol=2e-5)


@quick
@pytest.mark.parametrize("size", [1, 2, 3])
def test_images_of_one_pixel_have_frequencies_too(size):
    layer, x = shaken(lk.LOTConv2D(4), (size, 1, 4)), points((size, 1, 4))
    found = lk.certify(layer, (size, 1, 4))
    np.testing.assert_allclose(found.network(x), numbers(layer(x)), rtol=1e-4, atol=1e-5)
    assert found.bounds.upper < 1.001


@quick
def test_transposed_is_the_adjoint_of_the_convolution():
    layer = shaken(lk.SpectralConv2DTranspose(3, 2, 2, "valid", method="aol", **KEPT), IMAGE)
    forward = lk.SpectralConv2D(4, 2, 2, "valid", method="aol", **KEPT)
    forward.build((None, 12, 12, 3))
    forward.set_weights(layer.get_weights())  # (*k, out, in) of the one is (*k, in, out) of the other
    x, y = points((12, 12, 3), 2), points(IMAGE, 2)
    left, right = (numbers(forward(x)) * y).sum(), (numbers(layer(y)) * x).sum()
    assert left == pytest.approx(right, rel=1e-4)


def exported(layer: keras.layers.Layer, shape: tuple[int, ...]) -> np.ndarray:
    kernel = lk.export(shaken(layer, shape)).get_weights()[0]
    return np.moveaxis(kernel, (-1, -2), (0, 1)) if kernel.ndim == 4 else kernel


@quick
def test_exported_numbers_are_certified_by_operators():
    circular = exported(lk.SpectralConv2D(6, 3, 2, padding="circular", method="aoc"), IMAGE)
    A = lc.Convolution(circular, (4, 6, 6), stride=2, padding=[(1, 1)] * 2, padding_mode="circular")
    assert lc.opnorm_bounds(A, rtol=1e-4).upper < 1.001
    transposed = exported(lk.SpectralConv2DTranspose(3, 3, 2, method="aoc"), IMAGE)
    A = lc.ConvolutionTranspose(transposed, (4, 6, 6), stride=2)
    assert lc.opnorm_bounds(A, rtol=1e-4).upper < 1.001
    for kind in (lk.CPLConv2D, lk.SLLConv2D):
        potential = lc.layers.ConvexPotential(exported(kind(5), IMAGE))
        assert potential.lipschitz().upper < 1.001
    weight = exported(lk.SandwichDense(3, hidden=5), VECTOR).T
    assert lc.layers.Sandwich(weight[:, :3], weight[:, 3:]).lipschitz().upper < 1.001
    for kind in (lk.CayleyConv2D, lk.LOTConv2D):
        real, imaginary = exported(kind(5), OBLONG)
        A = CircularSymbol(real.astype("float64") + 1j * imaginary, OBLONG[:2])
        bounds = lc.opnorm_bounds(A, rtol=1e-3)
        assert 0.999 < bounds.lower <= bounds.upper < 1.002
    generator = exported(lk.SOCConv2D(4), OBLONG)
    A = SkewExponential(lc.Convolution(generator, (4, 6, 5), padding="same"), 20)
    assert lc.opnorm_bounds(A, rtol=1e-3).upper < 1.002


BROKEN = {
    "transposed": (lambda: lk.SpectralConv2DTranspose(3, 3, 2, method="aoc"), IMAGE),
    "circular": (lambda: lk.SpectralConv2D(4, 3, padding="circular", method="aoc"), IMAGE),
    "cpl": (lambda: lk.CPLDense(8), VECTOR),
    "cpl, images": (lambda: lk.CPLConv2D(5), IMAGE),
    "sll": (lambda: lk.SLLDense(2), VECTOR),
    "sll, images": (lambda: lk.SLLConv2D(5, padding="circular"), IMAGE),
    "sandwich": (lambda: lk.SandwichDense(3), VECTOR),
    "cayley": (lambda: lk.CayleyConv2D(4), OBLONG),
    "lot": (lambda: lk.LOTConv2D(4), OBLONG),
}


@quick
@pytest.mark.parametrize("name", BROKEN)
def test_broken_constructions_are_seen(name, monkeypatch):
    make, shape = BROKEN[name]
    layer = shaken(make(), shape)
    assert lk.certify(layer, shape).bounds.upper < 1.001
    whole = type(layer).constrained_kernel
    monkeypatch.setattr(type(layer), "constrained_kernel", lambda self: 3.0 * whole(self))
    assert lk.certify(layer, shape).bounds.upper > 1.5


@quick
def test_generators_that_are_not_skew_are_seen(monkeypatch):
    layer = shaken(lk.SOCConv2D(4), OBLONG)
    assert lk.certify(layer, OBLONG).bounds.upper < 1 + 1e-5
    whole = lk.SOCConv2D.constrained_kernel

    def off(self):
        kernel = np.array(numbers(whole(self)))
        kernel[1, 1, 0, 0] += 0.1  # the middle tap of a channel with itself, which a skew generator has not
        return ops.convert_to_tensor(kernel)

    monkeypatch.setattr(lk.SOCConv2D, "constrained_kernel", off)
    found = lk.certify(layer, OBLONG)
    x = points(OBLONG)
    np.testing.assert_allclose(found.network(x), numbers(layer(x)), rtol=1e-4, atol=1e-5)
    assert 1.05 < found.bounds.upper < 1.2
    monkeypatch.undo()
    # a polynomial that ends too early for what the remainder says is looked at itself
    short = shaken(lk.SOCConv2D(4, terms=3), OBLONG)
    short.set_weights([4 * w for w in short.get_weights()])
    found = lk.certify(short, OBLONG)
    assert found.bounds.upper > 1.5
    assert lk.certify(short, OBLONG, ord=1).bounds.upper > found.bounds.upper / 10


@quick
@pytest.mark.parametrize("kind", [lk.CayleyConv2D, lk.LOTConv2D, lk.SOCConv2D, lk.SLLDense])
def test_kernels_of_whole_layers_do_not_depend_on_the_way(kind, monkeypatch):
    layer = shaken(kind(5), VECTOR if kind is lk.SLLDense else OBLONG)
    direct = numbers(layer.constrained_kernel())
    monkeypatch.setattr(_arrays, "DIRECT", ())
    np.testing.assert_allclose(numbers(layer.constrained_kernel()), direct, rtol=1e-4, atol=1e-5)


@quick
def test_scales_are_learned_and_exported():
    for make in (lambda: lk.SLLDense(5), lambda: lk.SandwichDense(3, hidden=5)):
        layer, x = shaken(make(), VECTOR), points(VECTOR)
        y = numbers(layer(x))
        layer.log_scale.assign(np.linspace(-1, 1, 5))
        assert np.abs(numbers(layer(x)) - y).max() > 1e-3
        assert lk.certify(layer, VECTOR).bounds.upper < 1.001
        assert np.array_equal(numbers(lk.export(layer)(x)), numbers(layer(x)))


@quick
@pytest.mark.parametrize("kind", [lk.SOCConv2D, lk.CayleyConv2D, lk.CPLConv2D, lk.SandwichDense])
def test_half_precision_is_made_in_single_precision(kind):
    shape = VECTOR if kind is lk.SandwichDense else OBLONG
    layer = kind(4, dtype="mixed_bfloat16")
    layer.build((None, *shape))
    single = kind(4)
    single.build((None, *shape))
    single.set_weights(layer.get_weights())
    x = points(shape)
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    np.testing.assert_allclose(numbers(ops.cast(y, "float32")), numbers(single(x)), rtol=0.05, atol=0.05)
    assert np.array_equal(numbers(ops.cast(lk.export(layer)(x), "float32")), numbers(ops.cast(y, "float32")))


@pytest.mark.skipif(BACKEND == "numpy", reason="Keras on NumPy has no derivatives")
def test_newer_layers_are_trained():
    keras.utils.set_random_seed(0)
    layers = [
        lk.CayleyConv2D(4),
        lk.SLLConv2D(4, padding="circular"),
        lk.SpectralConv2D(4, 2, 2, padding="circular", method="aol"),
        lk.SOCConv2D(4, terms=8),
        lk.SpectralConv2DTranspose(2, 2, 2, method="aol"),
        lk.LOTConv2D(2),
        keras.layers.Flatten(),
        lk.CPLDense(8),
        lk.SandwichDense(3),
    ]
    if BACKEND == "jax":  # the others take most of a minute to compile
        layers = [lk.CayleyConv2D(4), keras.layers.Flatten(), lk.SandwichDense(3)]
    model = keras.Sequential([keras.Input((4, 4, 2)), *layers])
    x = points((4, 4, 2), 64)
    labels = np.argmax(x[:, 0, :3, 0], axis=1)
    model.compile(keras.optimizers.Adam(0.02), loss=lk.TauCategoricalCrossentropy(tau=5.0))
    start = [w.copy() for w in model.get_weights()]
    history = model.fit(x, labels, epochs=6, batch_size=32, verbose=0).history["loss"]
    assert history[-1] < history[0]
    still = [v.path for v, w in zip(model.weights, start, strict=True) if np.array_equal(numbers(v.value), w)]
    assert not still
    plain = lk.export(model)
    np.testing.assert_allclose(plain.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    assert lk.certify(plain).bounds.upper < 1.01


@pytest.mark.skipif(BACKEND != "tensorflow", reason="derivatives of tensors that are no arrays")
@pytest.mark.parametrize("kind", [lk.CayleyConv2D, lk.LOTConv2D, lk.SOCConv2D, lk.CPLConv2D, lk.SLLConv2D])
def test_derivatives_on_tensorflow_are_those_of_differences(kind):
    import tensorflow as tf

    layer = shaken(kind(3, **KEPT), OBLONG)
    x, rng = points(OBLONG), np.random.default_rng(0)
    weight = layer.get_weights()[0]
    change = rng.standard_normal(numbers(layer(x)).shape).astype("float32")
    step = 0.001 * rng.standard_normal(weight.shape).astype("float32")

    def loss(w):
        layer.kernel.assign(w)
        return float(tf.reduce_sum(layer(x) * change))

    slope = (loss(weight + step) - loss(weight - step)) / 2
    layer.kernel.assign(weight)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(layer(x) * change)
    gradient = tape.gradient(y, layer.kernel.value)
    np.testing.assert_allclose(tf.reduce_sum(gradient * step), slope, rtol=3e-2, atol=3e-4)


UNKNOWN = keras.Input((None, None, 2))
ERRORS = {
    "groups of a transposed one": (lambda: lk.SpectralConv2DTranspose(4, 3, groups=2), "`groups` must not be given"),
    "padding of a transposed one": (
        lambda: lk.SpectralConv2DTranspose(4, 3, padding="circular"),
        "`padding` must be one of valid, same, got",
    ),
    "strides do not divide": (
        lambda: lk.SpectralConv2D(4, 2, 4, padding="circular").build((None, *IMAGE)),
        r"`strides` \(4, 4\) .* must divide the image \(6, 6\)",
    ),
    "plain strides": (
        lambda: lk.PadConv2D(4, 2, 4, padding="circular").build((None, *IMAGE)),
        r"`strides` \(4, 4\) .* must divide the image",
    ),
    "beyond the image": (
        lambda: lk.SpectralConv1D(4, 21, padding="circular", method="aol").build((None, 9, 2)),
        r"`kernel_size` \(21,\) .* must not reach beyond the image \(9,\)",
    ),
    "strides on any image": (
        lambda: lk.SpectralConv2D(4, 2, 2, padding="circular")(UNKNOWN),
        "needs images of known size",
    ),
    "any image": (lambda: lk.CayleyConv2D(4)(UNKNOWN), "takes batches of images of known size"),
    "even": (lambda: lk.SOCConv2D(4, 2), "`kernel_size` must be odd, got 2"),
    "even, potential": (lambda: lk.CPLConv2D(4, (3, 2)), "`kernel_size` must be odd"),
    "valid": (lambda: lk.SOCConv2D(4, padding="valid"), "`padding` must be one of same, circular, got 'valid'"),
    "valid, potential": (lambda: lk.SLLConv2D(4, padding="valid"), "`padding` must be one of same, circular"),
    "terms": (lambda: lk.SOCConv2D(4, terms=0), "`terms` must be a positive integer, got 0"),
    "hidden": (lambda: lk.CPLDense(0), "`hidden` must be a positive integer, got 0"),
    "hidden, sandwich": (lambda: lk.SandwichDense(2, hidden=True), "`hidden` must be a positive integer, got True"),
    "units": (lambda: lk.SandwichDense(2.0), "`units` must be a positive integer, got 2.0"),
    "filters": (lambda: lk.LOTConv2D(-1), "`filters` must be a positive integer"),
    "not built": (lambda: lk.CPLDense(2).constrained_kernel(), "is not built"),
    "another image": (
        lambda: lk.certify(shaken(lk.FrequencyConv2D(4, kernel_initializer="zeros"), OBLONG), (5, 6, 4)),
        r"takes samples \(4, 6, 5\), for which it was made, got the shape \(4, 5, 6\)",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_argument(name):
    make, message = ERRORS[name]
    with pytest.raises(ValueError, match=message):
        make()


@quick
def test_circular_images_of_any_size():
    model = keras.Sequential([keras.Input((None, None, 4)), lk.SpectralConv2D(4, 3, padding="circular", method="aol")])
    assert model.output_shape == (None, None, None, 4)
    for shape in (IMAGE, (9, 5, 4)):
        x = points(shape)
        found = lk.certify(model, shape)
        np.testing.assert_allclose(found.network(x), numbers(model(x)), rtol=1e-4, atol=1e-5)
        assert found.bounds.upper < 1.001
