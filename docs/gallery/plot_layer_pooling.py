r"""
Pooling and resampling
======================

Max-pooling "has the constant 1" only where windows do not overlap. In general the constant is :math:`\sqrt c` in the
2-norm, c being the largest number of windows that one pixel is in: an image with one peak shows it. Average pooling
never exceeds 1; copies made by upsampling or padding count like windows.
"""

import matplotlib.pyplot as plt
import numpy as np

from lipcore import layers as L

shape = (1, 12, 12)
kernels, strides = range(1, 6), range(1, 6)


def table(make):
    """The 2-norm for each kernel size and stride."""
    return np.array([[make(k, t).lipschitz(2, input_shape=shape).upper for t in strides] for k in kernels])


fig, axes = plt.subplots(1, 3, figsize=(12, 3.9), layout="constrained", width_ratios=(1, 1, 1.25))
for ax, make, name in zip(axes, (L.MaxPool, L.AvgPool), ("max-pooling", "average pooling"), strict=False):
    values = table(make)
    ax.imshow(np.log(values), cmap="coolwarm", vmin=-2, vmax=2)
    for (k, t), value in np.ndenumerate(values):
        ax.text(t, k, f"{value:.3g}", ha="center", va="center")
    ax.set(title=name, xticks=range(5), xticklabels=strides, yticks=range(5), yticklabels=kernels)
    ax.set(xlabel="stride", ylabel="kernel size")

others = {
    "global average": L.GlobalAvgPool(),
    "global maximum": L.GlobalMaxPool(),
    "L2-norm pool 2": L.L2NormPool(2),
    "pixel unshuffle 2": L.PixelUnshuffle(2),
    "nearest x 2": L.Upsample(scale_factor=2),
    "bilinear x 2": L.Upsample(scale_factor=2, mode="bilinear"),
    "zero padding": L.Pad(1),
    "reflect padding": L.Pad(1, "reflect"),
    "replicate padding 2": L.Pad(2, "replicate"),
}
for i, ord in enumerate((1, 2, np.inf)):
    values = [layer.lipschitz(ord, input_shape=shape).upper for layer in others.values()]
    axes[2].barh(np.arange(len(others)) + 0.27 * (i - 1), values, 0.25, label=f"ord {ord}")
axes[2].set(yticks=range(len(others)), yticklabels=others, xscale="log", xlim=(5e-3, 12))
axes[2].invert_yaxis()
axes[2].legend(fontsize=8)
plt.show()

# %%
# The peak at which overlapping max-pooling is steepest:

peak = np.zeros((1, *shape))
peak[0, 0, 4, 4] = 1.0
pool = L.MaxPool(3, stride=2)
print(np.linalg.norm(pool(peak)) / np.linalg.norm(peak), pool.lipschitz(2, input_shape=shape))
