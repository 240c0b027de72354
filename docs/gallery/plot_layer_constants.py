r"""
All layers and their constants
==============================

Every layer, asked for its constant in the 1-, 2- and inf-norm over all inputs. A dash means that there is none: the
layer says why, and asks for a region. The guide (:doc:`../layers`) has the formulas.
"""

import matplotlib.pyplot as plt
import numpy as np

from lipcore import layers as L

rng = np.random.default_rng(0)
w, w2, w3 = rng.standard_normal((3, 6, 6)) / 6**0.5
kernel = rng.standard_normal((4, 4, 3, 3)) / 6
gates = {count: rng.standard_normal((2, 6 * count, 6)) / 12 for count in (1, 3, 4)}
two = ((6,), (6,))
activations = [
    *(L.Identity(), L.ReLU(), L.ReLU6(), L.LeakyReLU(), L.PReLU(np.array([2.0])), L.ELU(2.0), L.CELU(), L.SELU()),
    *(L.Abs(), L.Sigmoid(), L.HardSigmoid(), L.LogSigmoid(), L.Tanh(), L.Hardtanh(), L.Tanhshrink(), L.Softsign()),
    *(L.Arctan(), L.Softplus(), L.GELU(), L.SiLU(), L.Swish(2.0), L.QuickGELU(), L.Mish(), L.TanhExp(), L.HardSwish()),
    *(L.Softshrink(), L.Hardshrink(), L.Threshold(1.0, 0.0), L.Sin(2.0), L.Snake(), L.Exp(), L.SquaredReLU()),
]
vectors = [
    *(L.Dense(w), L.Embedding(w), L.Dropout(0.5), L.Dropout(0.5, seed=0), L.Softmax(), L.LogSoftmax(), L.LogSumExp()),
    *(L.LayerNorm(6), L.RMSNorm(6), L.CenterNorm(6), L.Normalize(), L.Normalize(eps=1e-2)),
    *(L.MaxMin(), L.GroupSort(3), L.FullSort(), L.Householder(np.array([0.5])), L.Reshape((2, 3)), L.Slice(slice(3))),
    *(L.GLU(), L.Gated(L.Tanh(), w, w2), L.SwiGLU(w, w2), L.GEGLU(w, w2), L.ReGLU(w, w2), L.Bilinear(w, w2)),
    *(L.Sequential(L.Dense(w), L.ReLU()), L.Residual(L.Dense(w)), L.Parallel(L.Dense(w), L.Dense(w2))),
]
images = [
    *(L.Convolution(kernel), L.ConvolutionTranspose(kernel), L.BatchNorm(np.zeros(4), np.ones(4)), L.GroupNorm(2)),
    *(L.InstanceNorm(), L.MaxPool(3, 2), L.AvgPool(2), L.L2NormPool(2), L.AdaptiveMaxPool(3), L.AdaptiveAvgPool(3)),
    *(L.GlobalMaxPool(), L.GlobalAvgPool(), L.Upsample(scale_factor=2), L.PixelShuffle(2), L.PixelUnshuffle(2)),
    *(L.Pad(1), L.Pad(1, "reflect"), L.Crop(1), L.Subsample(2), L.Flatten(), L.Permute((1, 2, 0))),
]
sequences = [
    *(L.RNN(*gates[1]), L.LSTM(*gates[4]), L.GRU(*gates[3]), L.L2Attention(w, w2, num_heads=2)),
    *(L.CosineAttention(w, w2, w3, num_heads=2, eps=0.1), L.MultiHeadAttention(w, w2, w3, num_heads=2)),
]
several = [(L.Add(), two), (L.Concatenate(), two), (L.Multiply(), two), (L.ScaledDotProductAttention(), ((5, 6),) * 3)]


def constants(layer, shape):
    """Upper ends for the three norms; NaN where there is no constant."""
    found = []
    for ord in (1, 2, np.inf):
        try:
            found.append(layer.lipschitz(ord, input_shape=shape).upper)
        except L.UnboundedError:
            found.append(np.nan)
    return found


groups = [
    [(layer, (6,)) for layer in activations],
    [(layer, (6,)) for layer in vectors],
    [(layer, (4, 8, 8)) for layer in images] + [(layer, (5, 6)) for layer in sequences] + several,
]

# %%
# Colour is the logarithm. Normalisations stand out, since their constants are those at rows without variance; so do
# unrolled cells with gates.

fig, axes = plt.subplots(1, 3, figsize=(11, 8.5), layout="constrained")
for ax, members in zip(axes, groups, strict=True):
    values = np.array([constants(layer, shape) for layer, shape in members])
    ax.imshow(np.log10(values), cmap="RdBu_r", vmin=-5, vmax=5, aspect="auto")
    ax.set_facecolor("0.85")
    for (row, column), value in np.ndenumerate(values):
        ax.text(column, row, "-" if np.isnan(value) else f"{value:.4g}", ha="center", va="center", fontsize=8)
    ax.set(xticks=range(3), xticklabels=["1", "2", "inf"], yticks=range(len(members)))
    ax.set_yticklabels([type(layer).__name__ for layer, _ in members], fontsize=8)
plt.show()

# %%
# What a layer without a constant says:

for layer in (L.Exp(), L.Hardshrink(), L.Normalize(), L.SwiGLU(w, w2)):
    try:
        layer.lipschitz(2, input_shape=(6,))
    except L.UnboundedError as error:
        print(error)
