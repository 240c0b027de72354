r"""
Normalisation layers
====================

Layer norm divides by a standard deviation, and its derivative is one over it: the constant :math:`1/\sqrt e` is large,
316 for the usual stabiliser, and it is *attained*, at rows whose entries are all equal. Away from there the layer is
gentle, which a region can know.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
from lipcore import layers as L

n = 64
layers = {"layer norm": L.LayerNorm(n, eps=1e-5), "RMS norm": L.RMSNorm(n, eps=1e-5), "centre norm": L.CenterNorm(n)}
for name, layer in layers.items():
    print(name, *(f"ord {ord}: {layer.lipschitz(ord).upper:.4g}" for ord in (1, 2, np.inf)))
print("batch norm", L.BatchNorm(np.zeros(3), np.array([0.25, 1.0, 4.0])).lipschitz())

# %%
# Left: the norm of the Jacobian at rows that are ever closer to zero, and the constants. Right: the constant on balls
# around a row with standard deviation 1; at a radius of about eight the ball reaches rows that are constant.

rng = np.random.default_rng(0)
row = rng.standard_normal(n)
row = (row - row.mean()) / row.std()
sizes = np.logspace(-5, 1, 61)
radii = np.logspace(-2, 1.3, 60)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for i, (name, layer) in enumerate(layers.items()):
    left.loglog(sizes, lc.local_lipschitz(layer, sizes[:, None] * row).upper, color=f"C{i}", lw=5 - 2 * i, label=name)
    left.axhline(layer.lipschitz().upper, color=f"C{i}", ls="--", lw=1)
    right.loglog(radii, [layer.lipschitz(2, lc.Ball(row, r)).upper for r in radii], color=f"C{i}", lw=5 - 2 * i)
left.set(xlabel="standard deviation of the row", ylabel="2-norm of the Jacobian")
right.set(xlabel="radius of the ball", ylabel="constant on the ball")
left.legend(fontsize=8)
plt.show()
