r"""
Training a 1-Lipschitz network in JAX
=====================================

:func:`lipcore.nn.jax.constrain` maps a tree of free weights to the weights of layers that stretch nothing. It is a pure
function, called inside of the loss; what the tree belongs to (flax, equinox, a dictionary) does not matter. Here three
rings are told apart by a small network, and :func:`lipcore.nn.jax.certify` proves from the numbers what came out.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
import lipcore.nn.jax as lj

L = lc.layers


def rings(seed, samples=400):
    """Points on three noisy rings around the origin, and which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=samples)
    radius = 0.5 + 0.7 * labels + 0.13 * rng.standard_normal(samples)
    angle = rng.uniform(0, 2 * np.pi, samples)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return jnp.asarray(points, dtype=jnp.float32), jnp.asarray(labels)


# %%
# Free parameters, and rules that say how each weight is made: patterns of paths, of which the first that fits counts.
# A rule that fits nothing is an error, and so is a weight without a rule. :func:`lipcore.nn.jax.plan` shows what the
# rules come to.

keys = jax.random.split(jax.random.key(0), 4)
params = {
    "stem": lj.init_dense(keys[0], 2, 16),
    "block": lj.init_potential(keys[1], 16, 32, log_scale=True),
    "dense": lj.init_dense(keys[2], 16, 16),
    "head": lj.init_dense(keys[3], 16, 3),
}
rules = {"block": "sll", "head": "cayley", "*": "rko"}
print(lj.plan(params, rules))

# %%
# The network is a function of constrained weights. Layers of lipcore run compiled, and are what is certified later; any
# other model that takes these weights would do.


def layers(w):
    return {
        "stem": lj.as_layer(w["stem"]),
        "sort": L.MaxMin(),
        "block": lj.as_potential(w["block"]),
        "dense": lj.as_layer(w["dense"]),
        "sort again": L.MaxMin(),
        "head": lj.as_layer(w["head"]),
    }


def logits(w, x):
    return L.Sequential(*layers(w).values())(x)


x, y = rings(0)


@jax.jit
def step(params, momentum):
    def loss(p):
        return lc.nn.losses.tau_cross_entropy(logits(lj.constrain(p, rules), x), y, 8.0)

    value, slopes = jax.value_and_grad(loss)(params)
    momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, slopes)
    return value, jax.tree.map(lambda p, m: p - 0.1 * m, params, momentum), momentum


momentum = jax.tree.map(jnp.zeros_like, params)
values = []
for _ in range(300):
    value, params, momentum = step(params, momentum)
    values.append(float(value))

# %%
# The exported weights are the constrained ones as plain numbers, in a tree of the same structure. The constants of the
# layers are computed from them, without trust in any construction: a weight that was changed shows.

weights = lj.export(params, rules)
print(lj.certify(layers(weights), (2,), model=lambda z: logits(weights, z)))

changed = weights | {"dense": {**weights["dense"], "weight": 1.1 * weights["dense"]["weight"]}}
print("\nchanged:", dict(lj.certify(layers(changed), (2,)).layers)["dense"])

# %%
# Each difference of two logits has a constant of its own, which :func:`lipcore.nn.jax.guarantee` finds from the last
# weight. The margin over it is the radius within which no perturbation changes the class.

test, labels = rings(1)
options = lj.guarantee(layers(weights), (2,))
found = logits(weights, test)
print(f"accuracy {float(lc.nn.metrics.accuracy(found, labels)):.3f}")
for radius in (0.1, 0.2):
    proved = lc.nn.metrics.certified_accuracy(found, labels, radius, **options)
    print(f"proved right within {radius}: {float(proved):.3f}")

side = jnp.linspace(-2.5, 2.5, 120)
grid = jnp.stack(jnp.meshgrid(side, side), axis=-1).reshape(-1, 2)
values_there = logits(weights, grid)
classes = jnp.argmax(values_there, axis=1)
radii = lc.nn.metrics.certificates(values_there, classes, **options)

fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
left.plot(values)
left.set(xlabel="step", ylabel="loss")
shown = right.pcolormesh(side, side, radii.reshape(120, 120), cmap="Greys_r")
right.scatter(*np.asarray(test).T, c=np.asarray(labels), s=6, cmap="viridis")
right.set(title="radius that is proved", aspect="equal")
fig.colorbar(shown, ax=right)
plt.show()
