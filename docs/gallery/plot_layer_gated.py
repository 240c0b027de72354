r"""
Gated units on a region
=======================

A gated unit multiplies two projections of its input, so its slope grows with the input and no constant holds
everywhere. On a ball around zero of growing radius the constant grows at last with the radius.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

rng = np.random.default_rng(0)
features, hidden = 12, 32
w1, w2 = rng.standard_normal((2, hidden, features)) / features**0.5
units = {
    "bilinear": lc.layers.Bilinear(w1, w2),
    "ReGLU": lc.layers.ReGLU(w1, w2),
    "SwiGLU": lc.layers.SwiGLU(w1, w2),
}
try:
    units["SwiGLU"].lipschitz()
except lc.layers.UnboundedError as error:
    print(error)

# %%
# Solid: the constant on the ball. Dots: the largest norm of the Jacobian at 300 points on its sphere. The truth lies
# between them.

radii = np.logspace(-1, 1, 13)
sphere = rng.standard_normal((300, features))
sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)

fig, ax = plt.subplots(figsize=(6.8, 4), layout="constrained")
for i, (name, unit) in enumerate(units.items()):
    upper = [unit.lipschitz(2, lc.Ball(np.zeros(features), r)).upper for r in radii]
    lower = [float(np.max(lc.local_lipschitz(unit, r * sphere).lower)) for r in radii]
    ax.loglog(radii, upper, color=f"C{i}", lw=4 - 1.4 * i, label=name)
    ax.loglog(radii, lower, color=f"C{i}", marker="o", ms=4, ls="none")
ax.set(xlabel="radius of the ball around zero", ylabel="2-norm")
ax.legend(fontsize=8)
plt.show()

# %%
# Around a point the gates are known, and the bound comes down to a small multiple of the norm there: it adds the norms
# of the two paths, which partly cancel.

x = sphere[0]
at = lc.local_lipschitz(units["SwiGLU"], x[None])
for radius in (1.0, 0.1, 0.01):
    print(f"radius {radius}: {units['SwiGLU'].lipschitz(2, lc.Ball(x, radius))}, at the point {at.upper[0]:.4f}")
