"""Constraints on trees of weights: which leaves, how their axes are read, and what comes out."""

from __future__ import annotations

import re

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="the functions are JAX's")
import jax.numpy as jnp  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.jax as lj  # noqa: E402
from lipcore.norms import convolution_supremum  # noqa: E402

# "rows" makes each output 1-Lipschitz, not the layer; "sandwich" is for matrices
METHODS = [method for method in lj.methods() if method not in ("rows", "sandwich")]
# their kernels are made by "rko"
MATRICES = ("block_reflectors", "cayley", "lot", "soc")


def normal(*shape: int, seed: int = 0, dtype: str = "float32") -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype=dtype)


def params() -> dict:
    """As flax names and lays out its parameters."""
    return {
        "params": {
            "Conv_0": {"kernel": normal(3, 3, 2, 4), "bias": normal(4)},
            "Dense_0": {"kernel": normal(5, 4), "bias": normal(4)},
            "Dense_1": {"kernel": normal(4, 3), "bias": normal(3)},
        }
    }


@pytest.mark.parametrize("method", METHODS)
def test_constrained_weights_are_certified(method):
    free = {"a": {"weight": normal(4, 6)}}
    if method not in MATRICES:
        free["b"] = {"weight": normal(4, 2, 2, 1)}
    made = lj.constrain(free, method)
    assert 0.1 < lc.opnorm_bounds(made["a"]["weight"], rtol=1e-6).upper < 1 + 1e-5
    if "b" in made:
        assert 0.1 < convolution_supremum(made["b"]["weight"], rtol=1e-5).upper < 1 + 1e-4


# tiles of an image: each method is tested elsewhere, here what the axes and options become
@pytest.mark.parametrize("method", ["aoc", "spectral"])
def test_kernels_of_flax_with_stride_and_groups(method):
    free = {"kernel": normal(2, 2, 3, 8)}
    made = lj.constrain(free, lj.Constraint(method, stride=2, groups=2))
    kernel = jnp.transpose(made["kernel"], (3, 2, 0, 1))
    A = lc.Convolution(kernel, (6, 4, 4), stride=2, groups=2)
    values = np.linalg.svd(np.asarray(A.to_dense()), compute_uv=False)
    assert values.max() < 1 + 1e-5
    if method == "aoc":
        np.testing.assert_allclose(convolution_supremum(kernel, stride=2, groups=2).lower, 1, atol=1e-4)


def reference(weight, layout):
    """The construction on each layer by itself, by explicit loops."""
    letters = list(layout)
    order = [p for letter in "boik" for p, found in enumerate(letters) if found == letter]
    split = np.transpose(np.asarray(weight), order)
    sizes = {letter: [weight.shape[p] for p, f in enumerate(letters) if f == letter] for letter in "boik"}
    stack = split.reshape(-1, int(np.prod(sizes["o"])), int(np.prod(sizes["i"])), *sizes["k"])
    made = np.stack([np.asarray(lc.parametrizations.frobenius(one)) for one in stack])
    return np.transpose(made.reshape(split.shape), np.argsort(order))


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((4, 3), "io"),
        ((4, 3), "oi"),
        ((3, 2, 4), "kio"),
        ((4, 2, 3), "ioo"),
        ((4, 2, 3), "iio"),
        ((2, 4, 3), "bio"),
        ((3, 2, 2, 4), "kkio"),
        ((2, 4, 3, 3, 2), "boikk"),
        ((4, 2, 3, 2), "obib"),
    ],
)
def test_layouts_say_what_is_one_layer(shape, layout):
    weight = normal(*shape)
    made = lj.constrain({"w": weight}, "frobenius", layout=layout)["w"]
    np.testing.assert_allclose(made, reference(weight, layout), rtol=1e-5)
    if set(layout) == {"i", "o"}:
        np.testing.assert_allclose(jnp.linalg.norm(made), 1, rtol=1e-5)


def test_transposed_convolutions_are_made_as_what_they_transpose():
    weight = normal(6, 2, 3, 3)  # equinox: (out, in / groups, *k)
    constraint = lj.Constraint("aol", transposed=True, groups=2, stride=2)
    made = np.asarray(lj.constrain({"weight": weight}, constraint)["weight"])
    turned = np.concatenate([np.swapaxes(half, 0, 1) for half in np.split(np.asarray(weight), 2)])
    expected = np.asarray(lc.parametrizations.aol(turned, stride=2, groups=2))
    expected = np.concatenate([np.swapaxes(half, 0, 1) for half in np.split(expected, 2)])
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-6)


def test_patterns_choose_and_say_what_they_chose():
    rules = {"params/Conv_*": "spectral", "*Dense_1": None, "*/kernel": "frobenius"}
    made, free = lj.constrain(params(), rules)["params"], params()["params"]
    np.testing.assert_allclose(jnp.linalg.norm(made["Dense_0"]["kernel"]), 1, rtol=1e-5)
    for layer, leaf in (("Dense_1", "kernel"), ("Dense_1", "bias"), ("Conv_0", "bias")):
        np.testing.assert_array_equal(made[layer][leaf], free[layer][leaf])
    found = lj.plan(params(), rules)
    assert found.layers == 2
    assert [leaf.path for leaf in found.leaves if leaf.constraint] == ["params/Conv_0/kernel", "params/Dense_0/kernel"]
    assert "params/Conv_0/kernel  (3, 3, 2, 4)  kkio  Constraint('spectral')" in str(found)
    assert "params/Dense_1/kernel  (4, 3)  as it is: its rule is None" in str(found)
    shapes = jax.eval_shape(params)
    assert str(lj.plan(shapes, rules)) == str(found)


def test_a_function_chooses():
    def rules(path, leaf):
        return "frobenius" if leaf.ndim == 2 else None

    made, free = lj.constrain(params(), rules)["params"], params()["params"]
    np.testing.assert_array_equal(made["Conv_0"]["kernel"], free["Conv_0"]["kernel"])
    np.testing.assert_allclose(jnp.linalg.norm(made["Dense_1"]["kernel"]), 1, rtol=1e-5)


def test_own_constructions():
    def halved(weight, factor=0.5):
        return factor * lc.parametrizations.frobenius(weight)

    made = lj.constrain({"weight": normal(3, 3)}, lj.Constraint(halved, factor=0.25, lipschitz=2.0))
    np.testing.assert_allclose(jnp.linalg.norm(made["weight"]), 0.5, rtol=1e-5)
    with pytest.raises(ValueError, match=r"leaf 'weight'.*must keep the shape"):
        lj.constrain({"weight": normal(3, 3)}, lj.Constraint(lambda weight: weight[:2]))


def test_leaves_beside_the_weight_are_options_of_its_construction():
    free = {"weight": normal(3, 4), "log_scale": jnp.asarray([0.0, 1.0, -2.0])}
    made = lj.constrain(free, "sll")
    host = {name: np.asarray(leaf) for name, leaf in free.items()}
    expected = lc.parametrizations.sll_weight(host["weight"], log_scale=host["log_scale"])
    np.testing.assert_allclose(made["weight"], expected, rtol=1e-5)
    plain = lc.parametrizations.sll_weight(host["weight"])
    assert float(jnp.max(jnp.abs(made["weight"] - plain))) > 0.05
    slopes = jax.jit(jax.grad(lambda p: jnp.sum(lj.constrain(p, "sll")["weight"] ** 3)))(free)
    assert float(jnp.max(jnp.abs(slopes["log_scale"]))) > 1e-3
    stack = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), free)
    both = lj.constrain(stack, {"weight": lj.Constraint("sll", layout="boi"), "log_scale": None})["weight"]
    np.testing.assert_allclose(both[0], expected, rtol=1e-5)
    np.testing.assert_allclose(
        both[1], lc.parametrizations.sll_weight(host["weight"], log_scale=2 * host["log_scale"]), rtol=1e-5
    )


def test_lipschitz_is_spread_over_the_layers_of_stacks_too():
    free = {"a": normal(2, 4, 4), "b": normal(4, 4)}
    rules = {"a": lj.Constraint("rko", layout="boi"), "b": lj.Constraint("rko", layout="oi", lipschitz=3.0)}
    made = lj.constrain(free, rules, lipschitz=8.0)
    norms = [np.linalg.norm(w, 2) for w in (*made["a"], made["b"])]
    np.testing.assert_allclose(norms, [2, 2, 6], rtol=1e-4)


@pytest.mark.parametrize(
    ("free", "rules", "options", "error", "message"),
    [
        ({"w": (3, 3)}, "rko", {}, ValueError, "leaf 'w' of shape (3, 3): `layout` is needed"),
        ({"kernel": (3, 3, 4)}, "rko", {}, ValueError, "leaf 'kernel' of shape (3, 3, 4): `layout` is needed"),
        ({"weight": (3, 3, 4)}, "rko", {}, ValueError, "`layout` is needed"),
        ({"w": (3, 3)}, "rko", {"layout": "ik"}, ValueError, "at least one o and one i; got 'ik'"),
        ({"w": (3, 3)}, "rko", {"layout": "oik"}, ValueError, "a letter for each of the 2 axes"),
        ({"w": (3, 3)}, "rko", {"layout": "oi", "transposed": True}, ValueError, "`transposed` is for convolutions"),
        ({"weight": (3, 3)}, {"weigth": "rko"}, {}, ValueError, "no pattern of `rules` matches 'weight'"),
        ({"weight": (3, 3)}, {"*": "rko", "head": "rko"}, {}, ValueError, "'head' of `rules` matches no leaf"),
        ({"weight": (3, 3)}, {"*": "rko", "we*": None}, {}, ValueError, "only weight, which an earlier rule takes"),
        ({"weight": (3, 3)}, {"*": None}, {}, ValueError, "no leaf of `params` is to be constrained"),
        ({"bias": (3,)}, "rko", {}, ValueError, "no leaf of `params` is to be constrained"),
        ({}, "rko", {}, ValueError, "its leaves are none"),
        ({"weight": (3, 3)}, "orthodox", {}, ValueError, "`method` must be one of"),
        ({"weight": (3, 3)}, "rko", {"iterations": 3}, ValueError, "`method` 'rko' does not know iterations=3"),
        ({"weight": (4, 4, 2, 2)}, "bcop", {"stride": 2}, ValueError, "`stride` must be 1 for bcop"),
        ({"weight": (3, 3)}, "rko", {"stride": 2}, ValueError, "leaf 'weight' of shape (3, 3): `stride` must be 1"),
        ({"weight": (4, 2, 3, 3)}, "rko", {"groups": 3}, ValueError, "`groups` must divide"),
        ({"weight": (4, 2, 3, 3)}, "rko", {"groups": 0}, ValueError, "`groups` must be a positive integer"),
        ({"weight": (3, 3)}, {"*": "rko"}, {"stride": 2}, TypeError, "`stride` belongs into a Constraint"),
        ({"weight": (3, 3)}, {"*": 3}, {}, TypeError, "a rule must be a method"),
        ({"weight": (3, 3)}, 3, {}, TypeError, "`rules` must be a method"),
        ({"weight": (3, 3)}, "rko", {"lipschitz": 0.0}, ValueError, "positive and finite"),
        ({"weight": (4, 2, 3, 3)}, "sandwich", {}, ValueError, "leaf 'weight' of shape (4, 2, 3, 3): `weight` must be"),
    ],
)
def test_nothing_is_skipped_silently(free, rules, options, error, message):
    tree = {name: normal(*shape) for name, shape in free.items()}
    with pytest.raises(error, match=re.escape(message)):
        lj.constrain(tree, rules, **options)


def test_complex_weights_and_methods_of_no_kind():
    with pytest.raises(TypeError, match=r"leaf 'weight'.*float32 or float64"):
        lj.constrain({"weight": normal(2, 2).astype("complex64")}, "rko")
    with pytest.raises(TypeError, match="`method` must be a name or a function"):
        lj.Constraint(3)
    free = {"weight": normal(2, 2), "log_scale": jnp.zeros(2)}
    with pytest.raises(ValueError, match="its constraint sets 'log_scale'"):
        lj.constrain(free, lj.Constraint("sll", log_scale=0.0))


def test_what_is_no_weight_stays():
    free = {"weight": normal(2, 2), "steps": jnp.arange(6).reshape(2, 3), "act": jax.nn.relu, "bias": normal(2, 1, 1)}
    free |= {"key": jax.random.key(0), "host": np.ones(3)}
    made = lj.export(free, "frobenius")
    assert made["act"] is jax.nn.relu
    for name in ("steps", "bias", "host"):
        np.testing.assert_array_equal(made[name], free[name])
    assert made["host"] is not free["host"]
    assert "steps  (2, 3)  as it is: of type int32" in str(lj.plan(free))


def test_constraints_are_equal_by_what_they_say():
    first, second = (
        lj.Constraint("aoc", stride=[2, 2], layout="oikk"),
        lj.Constraint("aoc", layout="oikk", stride=(2, 2)),
    )
    assert first == second
    assert hash(first) == hash(second)
    assert first != lj.Constraint("aoc", stride=2)
    assert (
        repr(lj.Constraint("rko", transposed=True, lipschitz=2)) == "Constraint('rko', transposed=True, lipschitz=2.0)"
    )
