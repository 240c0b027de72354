r"""
Sorting activations
===================

MaxMin, GroupSort and Householder activations only sort or reflect: their Jacobian is orthogonal everywhere, so a
network of them and orthogonal matrices keeps every gradient at length one. ReLU loses those of half of its inputs.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
from lipcore import layers as L

shown = {
    "ReLU": L.ReLU(),
    "MaxMin": L.MaxMin(),
    "Householder, 45 degrees": L.Householder(np.array([np.pi / 4])),
}
for name, layer in shown.items():
    print(f"{name:24s}", *(f"ord {ord}: {layer.lipschitz(ord, input_shape=(2,)).upper:.4g}" for ord in (1, 2, np.inf)))

# %%
# What they do to the plane: the image of a grid, coloured by where its points came from. Sorting folds the plane along
# the diagonal and stretches nothing.

side = np.linspace(-1, 1, 25)
points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
angle = np.arctan2(points[:, 1], points[:, 0])
fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained", sharex=True, sharey=True)
for ax, (name, layer) in zip(axes, shown.items(), strict=True):
    image = layer(points)
    ax.scatter(*image.T, c=angle, cmap="twilight", s=9)
    lost = float(np.mean(lc.local_lipschitz(layer, points).upper == 0))
    ax.set_title(f"{name}\n{lost:.0%} without a gradient", fontsize=10)
    ax.set_aspect("equal")
plt.show()

# %%
# Deep inside a network: 30 orthogonal matrices with one of the activations between. The norm of the whole Jacobian at
# random points, and its smallest singular value.

rng = np.random.default_rng(0)
matrices = [np.linalg.qr(rng.standard_normal((32, 32)))[0] for _ in range(30)]
x = rng.standard_normal((20, 32))
for layer in (L.ReLU(), L.MaxMin(), L.GroupSort(8), L.FullSort()):
    net = L.Sequential(*(part for matrix in matrices for part in (L.Dense(matrix), layer)))
    values = np.linalg.svd(net.jacobian(x).to_dense(), compute_uv=False)
    print(f"{type(layer).__name__:10s} largest {values[:, 0].mean():.4f}, smallest {values[:, -1].mean():.4f}")
