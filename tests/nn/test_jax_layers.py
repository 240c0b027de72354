"""Layers of JAX arrays as pure functions of their leaves, and where their weights start."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="the functions are JAX's")
import jax.numpy as jnp  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.jax as lj  # noqa: E402

L = lc.layers
KEY = jax.random.key(0)


def normal(*shape: int, seed: int = 0, dtype: str = "float32") -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype=dtype)


# what networks that cannot stretch are made of besides weights: each runs compiled and is differentiated
PLAIN = {
    "MaxMin": lambda t: L.MaxMin(),
    "GroupSort": lambda t: L.GroupSort(4, axis=-1),
    "FullSort": lambda t: L.FullSort(),
    "Householder": lambda t: L.Householder(t),
    "L2NormPool": lambda t: lj.scaled(L.L2NormPool(2), (4, 4, 4)),
    "AvgPool": lambda t: lj.scaled(L.AvgPool(3, 2), (4, 4, 4)),
    "GlobalAvgPool": lambda t: lj.scaled(L.GlobalAvgPool(), (4, 4, 4), 2.0),
    "PixelUnshuffle": lambda t: L.PixelUnshuffle(2),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_layers_run_compiled(name):
    x, angles = normal(2, 4, 4, 4), normal(2, seed=1)
    expected = np.asarray(PLAIN[name](np.asarray(angles))(np.asarray(x)))

    @jax.jit
    def run(t, x):
        def energy(t, x):
            y = PLAIN[name](t)(x)
            return jnp.sum(jnp.sin(y)), y

        return jax.grad(energy, argnums=(0, 1), has_aux=True)(t, x)

    (turn, slope), y = run(angles, x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(slope).all()
    assert float(jnp.max(jnp.abs(slope))) > 0
    assert bool(jnp.any(turn != 0)) == (name == "Householder")
    expected = 2.0 if name == "GlobalAvgPool" else 1.0
    np.testing.assert_allclose(PLAIN[name](angles).lipschitz(2, input_shape=(4, 4, 4)).upper, expected, rtol=1e-4)


def test_angles_are_still_checked_where_they_can_be_read():
    with pytest.raises(ValueError, match="`theta` must be finite"):
        L.Householder(jnp.asarray([jnp.nan]))


@pytest.mark.parametrize("method", ["cpl", "sll"])
@pytest.mark.parametrize("kernel_size", [None, 3])
def test_potential_layers(method, kernel_size):
    free = lj.init_potential(KEY, 4, 6, kernel_size=kernel_size, log_scale=method == "sll")
    free["weight"] = 3 * free["weight"] + normal(*free["weight"].shape)
    free["bias"] = normal(6)
    weights = lj.export(free, {"weight": method})
    layer = lj.as_potential(weights, padding_mode="circular")
    shape = (4,) if kernel_size is None else (4, 6, 6)
    assert lj.certify(layer, shape).bounds.upper < 1 + 2e-3
    x = normal(3, *shape)
    np.testing.assert_allclose(jax.jit(layer)(x), layer(x), atol=1e-5)
    if kernel_size is None:
        hidden = jnp.maximum(x @ weights["weight"].T + weights["bias"], 0)
        np.testing.assert_allclose(layer(x), x - 2 * hidden @ weights["weight"], atol=1e-5)


def test_sandwiches():
    free = lj.init_sandwich(KEY, 5, 3, 4)
    free = {"weight": free["weight"] + normal(4, 8), "bias": normal(4), "log_scale": normal(4)}
    weights = lj.export(free, {"weight": "sandwich"})
    layer, x = lj.as_sandwich(weights, 3), normal(6, 5)
    a, b = weights["weight"][:, :3], weights["weight"][:, 3:]
    scale = jnp.exp(weights["log_scale"])
    inner = math.sqrt(2) * (x @ b.T) / scale + weights["bias"]
    np.testing.assert_allclose(layer(x), math.sqrt(2) * (jnp.maximum(inner, 0) * scale) @ a, rtol=1e-4, atol=1e-5)
    assert lj.certify(layer, (5,)).bounds.upper < 1 + 1e-4
    for outputs in (0, 8, True, 2.0):
        with pytest.raises(ValueError, match="`outputs` must be an integer from 1 to 7"):
            lj.as_sandwich(weights, outputs)
    with pytest.raises(ValueError, match="a sandwich has a matrix"):
        lj.as_sandwich({"weight": normal(4, 4, 3, 3)}, 2)


def test_layers_of_flax_are_channels_last():
    kernel, x = normal(3, 2, 4, 6), normal(2, 7, 8, 4, seed=1)
    for options, padding, mode in (
        ({"padding": "same"}, "SAME", "constant"),
        ({"padding": ((1, 0), (1, 0)), "stride": 2}, ((1, 0), (1, 0)), "constant"),
    ):
        expected = jax.lax.conv_general_dilated(
            x, kernel, (options.get("stride", 1),) * 2, padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        layer = lj.as_layer({"kernel": kernel, "bias": jnp.arange(6.0)}, **options)
        found = jnp.moveaxis(layer(jnp.moveaxis(x, -1, 1)), 1, -1)
        np.testing.assert_allclose(found, expected + jnp.arange(6.0), rtol=1e-4, atol=1e-4, err_msg=mode)


@pytest.mark.parametrize(
    ("leaves", "options", "message"),
    [
        ({"kernel": (3, 3), "weight": (3, 3)}, {}, "hold one of kernel and weight, got dict with kernel and weight"),
        ({"scale": (3,)}, {}, "got dict with neither"),
        ({"kernel": (2, 3, 3)}, {}, "`layout` is needed"),
        ({"kernel": (2, 3, 3)}, {"layout": "bio"}, "is a stack 'bio': take one of its layers"),
        ({"kernel": (3, 3)}, {"stride": 2}, "a matrix has no stride"),
        ({"kernel": (3, 3)}, {"groups": 3}, "a matrix has no groups"),
        ({"kernel": (3, 3)}, {"transposed": True}, "`transposed` is for convolutions"),
    ],
)
def test_leaves_that_are_no_layer(leaves, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        lj.as_layer({name: normal(*shape) for name, shape in leaves.items()}, **options)


def test_a_weight_alone_needs_a_layout():
    layer = lj.as_layer(normal(3, 4), layout="io")
    assert layer(normal(2, 3)).shape == (2, 4)
    with pytest.raises(ValueError, match="`layout` is needed"):
        lj.as_layer(normal(3, 4))


def test_scaling_needs_a_constant():
    with pytest.raises(ValueError, match="positive and finite"):
        lj.scaled(L.AvgPool(2), (1, 4, 4), 0.0)
    with pytest.raises(lc.layers.UnboundedError):
        lj.scaled(L.Exp(), (3,))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3, 3), (9, 2, 2)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_orthogonal_starts(shape, dtype):
    weight = lj.orthogonal(KEY, shape, dtype)
    assert weight.shape == shape
    assert weight.dtype == dtype
    matrix = np.asarray(weight.astype("float32")).reshape(shape[0], -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5 if dtype == "float32" else 1e-1)
    assert not np.array_equal(weight, lj.orthogonal(jax.random.key(1), shape, dtype))


def test_orthogonal_starts_favour_no_direction():
    # the mean of a Haar matrix is zero, its entries have the variance 1/n
    many = jax.vmap(lambda key: lj.orthogonal(key, (3, 3)))(jax.random.split(KEY, 2000))
    np.testing.assert_allclose(jnp.mean(many, axis=0), 0, atol=0.06)
    np.testing.assert_allclose(jnp.mean(many**2, axis=0), 1 / 3, atol=0.04)
    np.testing.assert_allclose(jnp.mean(jnp.linalg.det(many)), 0, atol=0.1)


def test_shapes_and_errors_of_starts():
    shapes = {name: leaf.shape for name, leaf in lj.init_convolution(KEY, 4, 6, (5,), groups=2).items()}
    assert shapes == {"weight": (6, 2, 5), "bias": (6,)}
    assert list(lj.init_dense(KEY, 2, 3, bias=False)) == ["weight"]
    assert lj.init_dense(KEY, 2, 3, dtype=jnp.bfloat16)["bias"].dtype == jnp.bfloat16
    for call, message in (
        (lambda: lj.orthogonal(KEY, (3,)), "`shape` must be"),
        (lambda: lj.orthogonal(KEY, (3, 0)), "and not empty"),
        (lambda: lj.init_convolution(KEY, 4, 6, 3, groups=4), "`groups` must divide the 4 inputs and 6 outputs"),
        (lambda: lj.init_convolution(KEY, 4, 6, 0), "`kernel_size` must be a positive integer"),
        (lambda: lj.init_convolution(KEY, 4, 6, (1, 1, 1, 1)), "or 1 to 3 of them"),
        (lambda: lj.init_potential(KEY, 4, kernel_size=2), "`kernel_size` must be odd"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
