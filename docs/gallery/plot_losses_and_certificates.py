r"""
Losses and certificates: accuracy against robustness
====================================================

A 1-Lipschitz network cannot make its logits large, so its loss decides where the margins go. Here a small one is
trained on three rings with :func:`lipcore.nn.losses.tau_cross_entropy` and :func:`lipcore.nn.losses.multiclass_hkr`,
and :mod:`lipcore.nn.metrics` says what is proved of the results.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

losses, metrics = lc.nn.losses, lc.nn.metrics


def rings(seed, samples=600):
    """Points on three noisy rings around the origin, and which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=samples)
    radius = 0.5 + 0.7 * labels + 0.13 * rng.standard_normal(samples)
    angle = rng.uniform(0, 2 * np.pi, samples)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return jnp.asarray(points), jnp.asarray(labels)


# %%
# Rotations and absolute values are 1-Lipschitz. A weight is made orthogonal by the exponential of a skew matrix; the
# input is embedded in 16 dimensions first, and the head has orthonormal rows.

WIDTH, DEPTH = 16, 4


def orthogonal(p):
    return jax.scipy.linalg.expm(p - p.T)


def network(parameters, x):
    h = jnp.pad(x, ((0, 0), (0, WIDTH - 2)))
    for p, bias in zip(parameters["weights"], parameters["biases"], strict=True):
        h = jnp.abs(h @ orthogonal(p).T + bias)
    return h @ orthogonal(parameters["head"])[:3].T + parameters["last"]


def start(seed):
    rng = np.random.default_rng(seed)
    return {
        "weights": [jnp.asarray(0.5 * rng.standard_normal((WIDTH, WIDTH))) for _ in range(DEPTH)],
        "biases": [jnp.asarray(0.2 * rng.standard_normal(WIDTH)) for _ in range(DEPTH)],
        "head": jnp.asarray(0.5 * rng.standard_normal((WIDTH, WIDTH))),
        "last": jnp.zeros(3),
    }


def trained(loss, steps=300, rate=0.01):
    """Adam on the whole batch."""
    x, y = rings(0)
    gradient = jax.grad(lambda p: loss(network(p, x), y))

    @jax.jit
    def step(state, i):
        p, m, v = state
        g = gradient(p)
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.99 * a + 0.01 * b * b, v, g)

        def moved(a, b, c):
            return a - rate * (b / (1 - 0.9**i)) / (jnp.sqrt(c / (1 - 0.99**i)) + 1e-8)

        return jax.tree.map(moved, p, m, v), m, v

    state = (start(1), jax.tree.map(jnp.zeros_like, start(1)), jax.tree.map(jnp.zeros_like, start(1)))
    for i in range(1, steps + 1):
        state = step(state, jnp.float32(i))
    return state[0]


candidates = {
    "cross-entropy, τ = 2": lambda f, y: losses.tau_cross_entropy(f, y, 2.0),
    "cross-entropy, τ = 100": lambda f, y: losses.tau_cross_entropy(f, y, 100.0),
    "HKR, α = 5, margin 0.5": lambda f, y: losses.multiclass_hkr(f, y, 5.0, min_margin=0.5),
    "offset cross-entropy, 0.4": lambda f, y: losses.offset_cross_entropy(f, y, offset=0.4, temperature=0.05),
}
models = {name: trained(loss) for name, loss in candidates.items()}

# %%
# On points it has not seen: the accuracy, the mean certificate, and the accuracy that is proved at a radius. The mean
# is one number and may hide many samples with no margin; the curves show them. Half the gap between the rings is 0.35.

x, y = rings(2)
radii = np.linspace(0, 0.5, 60)
fig, ax = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
for name, parameters in models.items():
    logits = network(parameters, x)
    right, mean = float(metrics.accuracy(logits, y)), float(metrics.mean_certificate(logits, y))
    print(f"{name:28s} accuracy {right:.3f}, mean certificate {mean:.3f}")
    ax.plot(radii, np.asarray(metrics.certified_accuracy(logits, y, radii)), label=name)
ax.set(xlabel="radius of the perturbation", ylabel="certified accuracy", ylim=(0, 1))
ax.legend()
plt.show()

# %%
# The same logits, with what may be known of them. Orthonormal rows make the map to all logits 1-Lipschitz: the margin
# over the root of 2. If each logit alone were known to be 1-Lipschitz, it would be the margin over 2, which is
# the default of deel-lip's metrics. The rows themselves give the pairs.

parameters = models["HKR, α = 5, margin 0.5"]
logits, rows = network(parameters, x), orthogonal(parameters["head"])[:3]
for guarantee, options in {"joint": {}, "per_logit": {}, "pairwise": {"last_weight": rows}}.items():
    found = metrics.mean_certificate(logits, y, guarantee=guarantee, **options)
    print(f"{guarantee:10s} {float(found):.4f}")

# %%
# Whether the claim holds: many random perturbations just shorter than each sample's certificate, and none of
# another class.

predicted = jnp.argmax(logits, axis=1)
proved = metrics.certificates(logits)
rng = np.random.default_rng(0)
changed = 0
for _ in range(200):
    direction = rng.standard_normal(x.shape)
    step = 0.999 * np.asarray(proved)[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    changed += int(jnp.sum(jnp.argmax(network(parameters, x + step), axis=1) != predicted))
print(f"{changed} of {200 * len(predicted)} perturbations changed the class")
