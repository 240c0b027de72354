r"""
convolution_supremum: one bound for every image size
====================================================

:func:`lipcore.norms.convolution_supremum` encloses the norm that a convolution approaches on large images, rigorously
and to any accuracy, by branch and bound over the angles of its symbol. The bounds in common use are closed formulas
in the norms of the kernel's unfoldings; the picture shows how much they give away.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

rng = np.random.default_rng(0)
binomial = np.outer([1, 2, 1], [1, 2, 1]) / 16
shift = np.zeros((3, 3))
shift[1, 1] = 1
channels = 12
kernels = {
    "Gaussian 3 x 3": rng.standard_normal((channels, channels, 3, 3)),
    "Gaussian 5 x 5": rng.standard_normal((channels, channels, 5, 5)),
    "low-pass": rng.random((channels, channels))[..., None, None] * binomial,
    "near identity": np.eye(channels)[..., None, None] * shift + 0.03 * rng.standard_normal((channels, channels, 3, 3)),
}


def unfoldings(kernel):
    """The reshape bound, and the least of the four unfoldings of Singla and Feizi (2021)."""
    taps = np.sqrt(kernel[0, 0].size)
    out, inn, rows, columns = kernel.shape
    four = [
        kernel.transpose(0, 2, 1, 3).reshape(out * rows, inn * columns),
        kernel.transpose(0, 3, 1, 2).reshape(out * columns, inn * rows),
        kernel.reshape(out, -1),
        kernel.transpose(0, 2, 3, 1).reshape(-1, inn),
    ]
    norms = [np.linalg.norm(matrix, 2) for matrix in four]
    return taps * norms[2], taps * min(norms)


# %%
# Each bound as a multiple of the supremum, which is known here to one part in a million.

ratios = []
for name, kernel in kernels.items():
    supremum = lc.norms.convolution_supremum(kernel, rtol=1e-6)
    norm = lc.opnorm(lc.Convolution(kernel, (channels, 16, 16), padding="same"), rtol=1e-4, rng=0)
    reshape, four = unfoldings(kernel)
    ratios.append(
        [float(norm) / supremum.lower, supremum.upper / supremum.lower, four / supremum.lower, reshape / supremum.lower]
    )
    print(f"{name:15s} {supremum}  {supremum.method}")

labels = ["16 x 16 image, zero padding", "supremum, upper end", "four unfoldings", "reshape"]
fig, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
for i, label in enumerate(labels):
    ax.bar(np.arange(len(kernels)) + 0.2 * (i - 1.5), np.array(ratios)[:, i], 0.19, label=label)
ax.axhline(1, color="k", lw=0.8)
ax.set(xticks=range(len(kernels)), xticklabels=kernels, ylabel="multiple of the supremum", ylim=(0.8, 3.1))
ax.legend(fontsize=8)
plt.show()
