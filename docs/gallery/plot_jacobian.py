r"""
Jacobian: how much a network stretches, point by point
======================================================

:class:`lipcore.Jacobian` is the derivative of a JAX or torch function at a point, known by its products only. Its
norm is the local Lipschitz constant. Here the function is a small network with two inputs, so that the whole plane
can be shown.
"""

from itertools import pairwise

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

rng = np.random.default_rng(4)
sizes = [2, 24, 24, 8]
weights = [jnp.asarray(rng.standard_normal((m, n)) * np.sqrt(2.5 / n), dtype=jnp.float32) for n, m in pairwise(sizes)]
biases = [jnp.asarray(rng.standard_normal(m), dtype=jnp.float32) for m in sizes[1:]]


def network(x):
    """Three layers with a ReLU between them."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = jax.nn.relu(weight @ x + bias)
    return weights[-1] @ x + biases[-1]


J = lc.Jacobian(network, jnp.asarray([0.3, -0.7], dtype=jnp.float32))
print(J, lc.opnorm_bounds(J, rng=0))

# %%
# The operator is piecewise constant in the point. With two columns a dense Jacobian is cheap, so the map below takes
# it from the operator for each of the 1600 points; the product of the layers' norms bounds all of them, by far.

side = jnp.linspace(-2, 2, 40)
points = jnp.stack(jnp.meshgrid(side, side), axis=-1).reshape(-1, 2)
dense = jax.jit(jax.vmap(lambda x: lc.Jacobian(network, x).to_dense()))(points)
local = lc.opnorm(dense).reshape(40, 40)
product = lc.opnorm_bounds(weights[0]) @ lc.opnorm_bounds(weights[1]) @ lc.opnorm_bounds(weights[2])

fig, ax = plt.subplots(figsize=(5.8, 4.6), layout="constrained")
picture = ax.imshow(local, extent=(-2, 2, -2, 2), origin="lower", cmap="magma")
ax.set(
    title=f"local norm; product of the layers' norms: {product.upper:.1f}", xlabel="first input", ylabel="second input"
)
fig.colorbar(picture, ax=ax)
plt.show()
