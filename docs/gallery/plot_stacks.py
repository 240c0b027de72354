r"""
VStack and HStack: the gradient of an image
===========================================

Finite differences in the two directions, one above the other, are the discrete gradient of total variation methods;
side by side, the adjoint, they are its divergence. The step size of such methods is set by the norm, for which the
literature uses :math:`\sqrt 8`. The truth depends on the size of the image and is a little less.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc


def gradient(n):
    """Differences along rows and columns of an n x n image, zero beyond the border."""
    across = lc.Convolution(np.array([-1.0, 1.0]).reshape(1, 1, 1, 2), (1, n, n))
    down = lc.Convolution(np.array([-1.0, 1.0]).reshape(1, 1, 2, 1), (1, n, n))
    return lc.VStack([across, down])


sizes = np.array([4, 6, 8, 12, 16, 24, 32, 48, 64])
norms = [float(lc.opnorm(gradient(n), rng=0)) for n in sizes]

# %%
# The adjoint of the upper stack is a row of adjoints: :class:`lipcore.HStack` is what ``A.H`` returns, and building
# it by hand gives the same map.

A = gradient(48)
divergence = lc.HStack([block.H for block in A.blocks])
y = np.random.default_rng(0).standard_normal(A.shape[0])
print(np.allclose(divergence @ y, A.H @ y))

# %%
# A disc and a bar, the length of their gradient, and the norm against the size of the image.

grid = np.arange(48)
image = ((grid[:, None] - 16) ** 2 + (grid - 18) ** 2 < 100) + 0.6 * (
    (abs(grid[:, None] - 36) < 5) & (abs(grid - 28) < 14)
)
dx, dy = (block.apply(image[None].astype(float))[0] for block in A.blocks)
length = np.hypot(dx[:47, :], dy[:, :47])

fig, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained", width_ratios=[1, 1, 1.3])
for ax, picture, title in zip(axes, (image, length), ("image", "length of its gradient"), strict=False):
    ax.imshow(picture, cmap="gray_r")
    ax.set(title=title, xticks=[], yticks=[])
axes[2].plot(sizes, norms, "C0o-", label="norm")
axes[2].axhline(np.sqrt(8), color="k", ls="--", lw=1, label=r"$\sqrt{8}$")
axes[2].set(xlabel="pixels per side")
axes[2].legend()
plt.show()
