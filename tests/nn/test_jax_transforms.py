"""Constraints under the transformations of JAX, in every precision, and in training."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="the functions are JAX's")
import jax.numpy as jnp  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.jax as lj  # noqa: E402

L = lc.layers


def normal(*shape: int, seed: int = 0, dtype: str = "float32") -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype=dtype)


def free(dtype: str = "float32") -> dict:
    return {
        "first": {"weight": normal(6, 4, dtype=dtype), "bias": normal(6, dtype=dtype)},
        "last": {"weight": normal(3, 6, seed=1, dtype=dtype), "bias": normal(3, seed=1, dtype=dtype)},
    }


def layers(weights) -> list:
    return [lj.as_layer(weights["first"]), L.MaxMin(), lj.as_layer(weights["last"])]


def logits(params, x, rules="rko"):
    return L.Sequential(*layers(lj.constrain(params, rules)))(x)


# the precisions that JAX has with and without 64-bit types
@pytest.mark.backends("jax", "jax-x64")
@pytest.mark.parametrize("method", ["frobenius"])
def test_one_function_under_every_transformation(method, backend):
    p, x = free(), normal(5, 4)
    expected = logits(p, x, method)
    assert expected.dtype == jnp.float32
    np.testing.assert_allclose(jax.jit(logits, static_argnums=2)(p, x, method), expected, atol=1e-6)
    each = jax.vmap(lambda row: logits(p, row[None], method)[0])(x)
    np.testing.assert_allclose(each, expected, atol=1e-6)
    ensemble = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), p)
    both = jax.vmap(lambda q: logits(q, x, method))(ensemble)
    np.testing.assert_allclose(both[0], expected, atol=1e-5)

    def loss(q):
        return jnp.sum(jnp.sin(logits(q, x, method)))

    slopes = jax.grad(loss)(p)
    again = jax.jit(jax.grad(jax.checkpoint(loss)))(p)
    for a, b in zip(jax.tree.leaves(slopes), jax.tree.leaves(again), strict=True):
        assert a.dtype == jnp.float32
        np.testing.assert_allclose(a, b, atol=1e-5)


# derivatives against differences need double precision
@pytest.mark.backends("jax-x64")
@pytest.mark.parametrize("method", ["rko", "spectral", "sll"])
def test_derivatives_are_those_of_differences(method, backend):
    p, x = free("float64"), normal(5, 4, dtype="float64")
    p["first"]["log_scale"] = normal(6, seed=4, dtype="float64")

    @jax.jit
    def loss(q):
        return jnp.sum(jnp.sin(logits(q, x, method)))

    slopes = jax.grad(loss)(p)
    for seed in range(3):
        way = jax.tree.map(lambda a, s=seed: normal(*a.shape, seed=10 + s, dtype="float64"), p)
        moved = [float(loss(jax.tree.map(lambda a, b, t=t: a + t * b, p, way))) for t in (1e-6, -1e-6)]
        expected = (moved[0] - moved[1]) / 2e-6
        found = sum(float(jnp.sum(a * b)) for a, b in zip(jax.tree.leaves(slopes), jax.tree.leaves(way), strict=True))
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)


@pytest.mark.backends("jax", "jax-x64")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_precisions(dtype, backend):
    if dtype == "float64" and dtype not in backend.dtypes:
        pytest.skip("there are no 64-bit types")
    weight = normal(8, 16, dtype=dtype)
    made = lj.constrain({"weight": weight}, "rko")["weight"]
    assert made.dtype == weight.dtype
    exact = lj.constrain({"weight": weight.astype("float32")}, "rko")["weight"]
    np.testing.assert_allclose(made.astype("float32"), exact.astype(dtype).astype("float32"), atol=1e-5)
    # and the stored numbers have a certificate of their own
    assert lj.certify(lj.as_layer({"weight": made}), (16,)).bounds.upper < 1 + 2e-2


def test_export_is_what_was_trained_from_the_first_call_and_its_own():
    p, x = free(), normal(5, 4)
    plain = lj.export(p, "rko")
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(lj.constrain(p, "rko")), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(L.Sequential(*layers(plain))(x), logits(p, x))

    def step(q):
        return jax.tree.map(lambda a: a + 1, q)

    with pytest.MonkeyPatch.context() as patch:
        # the CPU may keep buffers that it was given; that what it does not keep is not ours is what counts
        patch.setattr("warnings.warn", lambda *args, **kwargs: None)
        jax.jit(step, donate_argnums=0)(p)
    assert p["first"]["bias"].is_deleted()
    assert np.isfinite(plain["first"]["bias"]).all()
    with pytest.raises(TypeError, match="it is being traced"):
        jax.jit(lambda q: lj.export(q, "rko"))(free())


def rings(samples: int = 60) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=samples)
    points = rng.standard_normal((samples, 4))
    points *= ((0.5 + labels) / np.linalg.norm(points, axis=1))[:, None]
    return jnp.asarray(points, dtype="float32"), jnp.asarray(labels)


@pytest.mark.parametrize("method", ["rko", "spectral", "sll"])
def test_two_hundred_steps(method):
    x, labels = rings()
    rules = {"mix": method, "*": "aol"}
    keys = jax.random.split(jax.random.key(0), 3)
    p = {
        "in": lj.init_dense(keys[0], 4, 8),
        "mix": lj.init_potential(keys[1], 8, log_scale=True),
        "out": lj.init_dense(keys[2], 8, 2),
    }

    def network(w):
        return [lj.as_layer(w["in"]), L.MaxMin(), lj.as_potential(w["mix"]), L.MaxMin(), lj.as_layer(w["out"])]

    def loss(q):
        found = L.Sequential(*network(lj.constrain(q, rules)))(x)
        return lc.nn.losses.tau_cross_entropy(found, labels, 5.0)

    @jax.jit
    def step(q):
        value, slopes = jax.value_and_grad(loss)(q)
        return value, slopes, jax.tree.map(lambda a, b: a - 0.5 * b, q, slopes)

    values = []
    for _ in range(200):
        value, slopes, p = step(p)
        values.append(float(value))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    assert values[-1] < 0.7 * values[0]
    weights = lj.export(p, rules)
    found = lj.certify(network(weights), (4,))
    assert found.bounds.kind == "rigorous"
    assert found.bounds.upper < 1 + 1e-4
    options = lj.guarantee(network(weights), (4,))
    proved = lc.nn.metrics.certified_accuracy(L.Sequential(*network(weights))(x), labels, 0.1, **options)
    assert float(proved) > 0.5


# what was once zero must not be lost to a division by it
@pytest.mark.parametrize("method", ["spectral", "frobenius", "aol"])
def test_weights_of_zero_have_finite_derivatives(method):
    p = jax.tree.map(jnp.zeros_like, free())
    slopes = jax.grad(lambda q: jnp.sum(logits(q, normal(5, 4), method)))(p)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
