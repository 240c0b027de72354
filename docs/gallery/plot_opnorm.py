r"""
opnorm: a norm with a gradient
==============================

:func:`lipcore.opnorm` is differentiable in JAX and torch. Its gradient at a simple largest singular value is the
rank-one matrix :math:`u v^H`, and costs one product beyond the norm itself. Following it downhill shows what spectral
regularisation does to a matrix.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

W = jnp.asarray(np.random.default_rng(0).standard_normal((24, 16)), dtype=jnp.float32)
norm, gradient = jax.value_and_grad(lc.opnorm)(W)
u, s, vh = np.linalg.svd(np.asarray(W))
print(float(norm) / s[0], float(jnp.max(jnp.abs(gradient - np.outer(u[:, 0], vh[0])))))

# %%
# Gradient descent on the norm, with the Frobenius norm held fixed. Each step presses the largest singular value down
# and the others share what it loses. One after the other they meet at the top and go down together, towards a matrix
# that is orthogonal up to a factor.

step = jax.jit(jax.grad(lambda W: lc.opnorm(W) / jnp.linalg.vector_norm(W)))
size = jnp.linalg.vector_norm(W)
path = []
for _ in range(300):
    path.append(np.linalg.svd(np.asarray(W), compute_uv=False))
    W = W - 3.0 * step(W)
    W = W * (size / jnp.linalg.vector_norm(W))

fig, ax = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
ax.plot(np.array(path), color="C0", lw=0.9)
ax.axhline(float(size) / 4, color="k", ls="--", lw=1, label="all equal")
ax.set(xlabel="steps of gradient descent on the norm", ylabel="singular values")
ax.legend()
plt.show()
