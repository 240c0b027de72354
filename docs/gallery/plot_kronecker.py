r"""
Kronecker: separable maps
=========================

:class:`lipcore.Kronecker` applies one matrix to the rows and another to the columns of an array without forming their
product. A separable blur is such a map. Its singular values are all products of the factors' singular values, so
norms and spectra come from two small problems.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc


def blur(n, width):
    """Gaussian blur of n samples, each row summing to one."""
    distance = np.arange(n)[:, None] - np.arange(n)
    kernel = np.exp(-0.5 * (distance / width) ** 2)
    return kernel / kernel.sum(axis=1, keepdims=True)


down, across = blur(40, 1.0), blur(60, 4.0)
A = lc.Kronecker(down, across)  # 2400 x 2400, stored as 40 x 40 and 60 x 60
print(A, lc.opnorm_bounds(A, rtol=1e-8))

# %%
# The blur of a test image, and the singular values of the product: a surface of products, sorted. The strong blur
# across leaves few of them.

image = np.zeros((40, 60))
image[8:32:6, 6:54] = 1
image[6:34, 10:50:8] = 1
blurred = (A @ image.ravel()).reshape(image.shape)
values = [np.linalg.svd(factor, compute_uv=False) for factor in (down, across)]
products = np.sort(np.outer(*values), axis=None)[::-1]

fig, axes = plt.subplots(1, 3, figsize=(10, 2.9), layout="constrained")
for ax, picture, title in zip(axes, (image, blurred), ("image", "blurred"), strict=False):
    ax.imshow(picture, cmap="gray_r")
    ax.set(title=title, xticks=[], yticks=[])
axes[2].semilogy(products)
axes[2].set(xlabel="index", title="singular values", ylim=(1e-12, 2))
plt.show()
