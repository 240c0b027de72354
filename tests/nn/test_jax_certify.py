"""Certificates of exported numbers, for networks of flax, equinox and plain functions."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="the functions are JAX's")
import jax.numpy as jnp  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.jax as lj  # noqa: E402

L = lc.layers
RULES = {"*conv": lj.Constraint("aol", stride=2), "*": "spectral"}


def normal(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype="float32")


def params() -> dict:
    return {
        "conv": {"kernel": normal(2, 2, 1, 4), "bias": normal(4)},
        "dense": {"kernel": normal(64, 6), "bias": normal(6)},
        "head": {"kernel": normal(6, 3), "bias": normal(3)},
    }


def layers(w) -> dict:
    """Images (8, 8, 1), as flax has them."""
    return {
        "in": L.Permute((2, 0, 1)),
        "conv": lj.as_layer(w["conv"], stride=2),
        "sort": L.MaxMin(),
        "out": L.Permute((1, 2, 0)),
        "flat": L.Flatten(),
        "dense": lj.as_layer(w["dense"]),
        "relu": L.ReLU(),
        "head": lj.as_layer(w["head"]),
    }


def network(w) -> L.Sequential:
    return L.Sequential(*layers(w).values())


def test_the_constant_of_the_whole_and_of_each_layer():
    found = lj.certify(layers(lj.export(params(), RULES)), (8, 8, 1))
    assert found.bounds.kind == "rigorous"
    assert found.bounds.upper < 1 + 1e-4
    assert [name for name, _ in found.layers] == list(layers(params()))
    # never below what a point shows
    slopes = jax.jit(jax.vmap(jax.jacrev(lambda x: found.network(x[None])[0])))(normal(5, 8, 8, 1))
    norms = np.linalg.svd(np.asarray(slopes).reshape(5, 3, 64), compute_uv=False)[:, 0]
    assert 0.01 < norms.max() <= found.bounds.upper * 1.0001
    free = lj.certify(layers(params()), (8, 8, 1)).bounds
    assert free.upper > 5


@pytest.mark.parametrize("place", ["conv", "dense", "head"])
def test_a_changed_weight_shows(place):
    weights = lj.export(params(), {"conv": lj.Constraint("spectral", stride=2), "*": "spectral"})
    weights[place]["kernel"] *= 1.2
    found = dict(lj.certify(layers(weights), (8, 8, 1)).layers)
    assert found[place].lower > 1.05
    assert all(bounds.upper < 1 + 1e-4 for name, bounds in found.items() if name != place)


def test_a_broken_construction_shows(monkeypatch):
    from lipcore.nn.jax import constraint

    right = lc.parametrizations.sll_weight
    monkeypatch.setitem(constraint.OWN, "sll", lambda weight: 1.5 * right(weight))
    jax.clear_caches()  # what was compiled before knows the right one
    free = lj.init_potential(jax.random.key(0), 6)
    network = [lj.as_potential(lj.export(free, "sll")), L.ReLU()]
    found = lj.certify(network, (6,))
    jax.clear_caches()
    assert found.bounds.upper > 1.2
    assert dict(found.layers)["1"].upper == 1.0
    monkeypatch.undo()
    assert lj.certify([lj.as_potential(lj.export(free, "sll"))], (6,)).bounds.upper < 1 + 1e-4


def test_layers_that_are_not_the_model():
    weights = lj.export(params(), RULES)
    right = jax.jit(network(weights))
    assert lj.certify(layers(weights), (8, 8, 1), model=right).bounds.upper < 1 + 1e-4
    for wrong in (
        lambda x: right(x) * 1.001,
        lambda x: right(x) + 0.01,
        lambda x: right(jnp.flip(x, axis=1)),
        lambda x: right(x) * jnp.nan,
    ):
        with pytest.raises(ValueError, match="`model` is not what the layers are"):
            lj.certify(layers(weights), (8, 8, 1), model=wrong)
    with pytest.raises(ValueError, match=r"outputs of shape \(4, 2\), the layers \(4, 3\)"):
        lj.certify(layers(weights), (8, 8, 1), model=lambda x: right(x)[:, :2])
    with pytest.raises(ValueError, match="`model` is not what the layers are"):
        lj.guarantee(layers(weights), (8, 8, 1), model=lambda x: 2 * right(x))


def test_what_a_network_may_be():
    one, two = L.Dense(jnp.eye(3)), L.Sequential(L.ReLU(), L.Dense(jnp.eye(3)))
    assert [name for name, _ in lj.certify(one, (3,)).layers] == ["0"]
    assert [name for name, _ in lj.certify({"a": one, "b": two}, (3,)).layers] == ["a", "b.0", "b.1"]
    assert [name for name, _ in lj.certify(L.Sequential(one, two), (3,)).layers] == ["0", "1.0", "1.1"]
    lj.certify(one, (3,), rtol=0.5)
    assert one.rtol == L.Dense.rtol
    for wrong in ([], {}, jnp.eye(3), None):
        with pytest.raises(TypeError, match="`network` must be a layer"):
            lj.certify(wrong, (3,))
    with pytest.raises(TypeError, match="'1' is a"):
        lj.certify([one, jax.nn.relu], (3,))


def test_pairs_of_logits_have_their_own_constants():
    weights = lj.export(params(), RULES)
    options = lj.guarantee(layers(weights), (8, 8, 1))
    assert options["guarantee"] == "pairwise"
    head = np.asarray(weights["head"]["kernel"]).T
    features = lj.certify(list(layers(weights).values())[:-1], (8, 8, 1)).bounds.upper
    expected = features * np.linalg.norm(head[:, None] - head[None], axis=-1)
    np.testing.assert_allclose(options["lipschitz"], expected, rtol=1e-4, atol=1e-6)
    joint = lj.guarantee([*layers(weights).values(), L.ReLU()], (8, 8, 1))
    assert joint["guarantee"] == "joint"
    # no perturbation within its certificate changes a class
    x = normal(20, 8, 8, 1, seed=3)
    run = jax.jit(network(weights))
    labels = jnp.argmax(run(x), axis=1)
    radii = lc.nn.metrics.certificates(run(x), labels, **options)
    assert float(jnp.min(radii)) > 0
    for seed in range(20):
        way = np.random.default_rng(seed).standard_normal((20, 64), dtype=np.float32)
        way = (0.999 * np.asarray(radii)[:, None] * way / np.linalg.norm(way, axis=1, keepdims=True)).reshape(x.shape)
        np.testing.assert_array_equal(jnp.argmax(run(x + way), axis=1), labels)


def test_linen():
    nn = pytest.importorskip("flax.linen", reason="flax is not installed")

    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Conv(4, (2, 2), strides=2, padding="VALID", name="conv")(x)
            x = L.MaxMin(axis=-1)(x).reshape(len(x), -1)
            return nn.Dense(3, name="head")(nn.relu(nn.Dense(6, name="dense")(x)))

    model = Model()
    free = model.init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))
    rules = {"params/conv": lj.Constraint("aol", stride=2), "params/*": "frobenius"}

    @jax.jit
    def slopes(p, x):
        return jax.grad(lambda q: jnp.sum(model.apply(lj.constrain(q, rules), x) ** 2))(p)

    assert jax.tree.structure(slopes(free, normal(2, 8, 8, 1))) == jax.tree.structure(free)
    weights = lj.export(free, rules)
    run = jax.jit(lambda x: model.apply(weights, x))
    assert lj.certify(layers(weights["params"]), (8, 8, 1), model=run).bounds.upper < 1 + 1e-4


def test_nnx():
    nnx = pytest.importorskip("flax.nnx", reason="flax is not installed")

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.first, self.last = nnx.Linear(4, 6, rngs=rngs), nnx.Linear(6, 2, rngs=rngs)
            self.drop = nnx.Dropout(0.5, deterministic=True, rngs=rngs)

        def __call__(self, x):
            return self.last(self.drop(jax.nn.relu(self.first(x))))

    graph, free = nnx.split(Model(nnx.Rngs(0)))
    paths = [leaf.path for leaf in lj.plan(free, "frobenius").leaves if leaf.constraint]
    assert paths == ["first/kernel", "last/kernel"]
    weights = lj.export(free, "frobenius")
    model = nnx.merge(graph, weights)
    for first, last in ((model.first, model.last), (weights["first"], weights["last"])):
        found = lj.certify([lj.as_layer(first), L.ReLU(), lj.as_layer(last)], (4,), model=model)
        assert found.bounds.upper < 1 + 1e-4


def test_equinox_with_optax():
    eqx = pytest.importorskip("equinox", reason="equinox is not installed")
    optax = pytest.importorskip("optax", reason="optax is not installed")
    model = eqx.nn.MLP(4, 2, 6, 2, key=jax.random.key(0))
    x = normal(16, 4)
    labels = (x[:, 0] > 0).astype("int32")
    optimizer = optax.adam(0.05)

    def loss(m):
        return lc.nn.losses.tau_cross_entropy(jax.vmap(lj.constrain(m, "frobenius"))(x), labels, 10.0)

    @eqx.filter_jit
    def step(m, state):
        value, slopes = eqx.filter_value_and_grad(loss)(m)
        changes, state = optimizer.update(slopes, state, m)
        return value, eqx.apply_updates(m, changes), state

    state, values = optimizer.init(eqx.filter(model, eqx.is_inexact_array)), []
    for _ in range(40):
        value, model, state = step(model, state)
        values.append(float(value))
    assert values[-1] < 0.7 * values[0]
    plain = lj.export(model, "frobenius")
    assert plain.activation is model.activation
    parts = [part for layer in plain.layers for part in (lj.as_layer(layer), L.ReLU())][:-1]
    assert lj.certify(parts, (4,), model=jax.vmap(plain)).bounds.upper < 1 + 1e-4


def test_transposed_convolutions_of_equinox_and_flax():
    eqx = pytest.importorskip("equinox", reason="equinox is not installed")
    layer = eqx.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, key=jax.random.key(1))
    options = {"transposed": True, "groups": 2, "stride": 2}
    plain = lj.export(layer, lj.Constraint("aol", **options))
    read = lj.as_layer(plain, padding=1, output_padding=1, **options)
    assert lj.certify(read, (4, 5, 5), model=jax.vmap(plain)).bounds.upper < 1 + 1e-4
    nn = pytest.importorskip("flax.linen", reason="flax is not installed")
    flax = nn.ConvTranspose(6, (3, 2), strides=(2, 2), padding="VALID")
    free = flax.init(jax.random.key(0), jnp.zeros((1, 5, 5, 4)))
    weights = lj.export(free, lj.Constraint("aol", transposed=True, stride=2))
    read = lj.as_layer(weights["params"], transposed=True, stride=2)
    around = [L.Permute((2, 0, 1)), read, L.Permute((1, 2, 0))]
    found = lj.certify(around, (5, 5, 4), model=lambda x: flax.apply(weights, x))
    assert found.bounds.upper < 1 + 1e-4
