r"""
Dense and convolution layers
============================

The layers that hold weights are affine: their constant is a norm of their operator, the same everywhere, and the two
ends of the enclosure meet. A convolution's norm grows with the image; without a shape the layer gives what holds for
every image size.
"""

import matplotlib.pyplot as plt
import numpy as np

from lipcore import layers as L

rng = np.random.default_rng(0)
dense = L.Dense(rng.standard_normal((20, 10)), rng.standard_normal(20))
for ord in (1, 2, np.inf):
    print("dense", ord, dense.lipschitz(ord))

# %%
# Tokens share a dense layer's weight, and the constant does not change with their number.

print(dense(rng.standard_normal((3, 7, 10))).shape, dense.lipschitz(2, input_shape=(7, 10)))

# %%
# Two convolutions on images from 4 to 32 pixels wide, as a share of the constant for all sizes (for which no shape is
# given). The kernel reshaped to a matrix, which many programs take for the norm, is off by a factor.

kernels = {
    "random": rng.standard_normal((8, 4, 3, 3)) / 6,
    "smooth": rng.random((8, 4, 1, 1)) * np.outer([1, 2, 1], [1, 2, 1]) / 16,
}
sizes = [4, 6, 8, 12, 16, 24, 32]
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for i, (name, kernel) in enumerate(kernels.items()):
    layer = L.Convolution(kernel, padding=1)
    supremum = layer.lipschitz().upper
    found = [layer.lipschitz(2, input_shape=(4, n, n)) for n in sizes]
    low, high = (np.array([getattr(bounds, end) for bounds in found]) / supremum for end in ("lower", "upper"))
    ax.fill_between(sizes, low, high, color=f"C{i}", alpha=0.4)
    ax.plot(sizes, low, color=f"C{i}", marker="o", label=f"{name}: constant {supremum:.3f}")
    ax.axhline(np.linalg.norm(kernel.reshape(8, -1), 2) / supremum, color=f"C{i}", ls=":", label=f"{name}: reshaped")
ax.axhline(1, color="k", lw=0.8)
ax.set(xlabel="width of the image", ylabel="share of the constant for all sizes", ylim=(0, 1.05))
ax.legend(fontsize=8, loc="center right")
plt.show()
