"""
Diagonal: stretching along the axes
===================================

:class:`lipcore.Diagonal` multiplies each coordinate by its own number; a batch normalisation in evaluation mode is
one. Its norm is the largest modulus, and its bounds are rigorous without a single product.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

D = lc.Diagonal(np.array([0.6, -1.7]))
bounds = lc.opnorm_bounds(D)
print(bounds)

# %%
# The unit circle and its image. No point of the image lies outside the circle whose radius is the norm.

angle = np.linspace(0, 2 * np.pi, 400)
circle = np.stack([np.cos(angle), np.sin(angle)])
image = D @ circle

fig, ax = plt.subplots(figsize=(4.6, 4.6), layout="constrained")
ax.plot(*circle, "k", lw=1, label="unit circle")
ax.plot(*(bounds.upper * circle), color="C3", ls="--", lw=1, label=f"radius {bounds.upper:.1f}")
ax.fill(*image, color="C0", alpha=0.4, label="image")
ax.set(aspect="equal", xlabel="first coordinate", ylabel="second coordinate")
ax.legend(loc="upper right", fontsize=8)
plt.show()
