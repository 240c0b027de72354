r"""
A slide deck, with its constants put right
==========================================

A public slide deck, "Lipschitz Constant in Neural Networks", walks through the layers that networks are made of and
estimates their constants by one random step of size 1e-6. This page takes the same layers, with weights drawn as
PyTorch draws them, and gives for each an enclosure: from below the largest norm of the Jacobian at some points
(:func:`lipcore.local_lipschitz`), from above a proof (``layer.lipschitz``). Beside them stands the deck's quotient.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
from lipcore import layers as L

rng = np.random.default_rng(42)


def dense(features, out, bias=True):
    """A fully connected layer as PyTorch starts it."""
    reach = features**-0.5
    return L.Dense(rng.uniform(-reach, reach, (out, features)), rng.uniform(-reach, reach, out) if bias else None)


def feed_forward(features, hidden, out):
    """Two dense layers with a ReLU between."""
    return L.Sequential(dense(features, hidden), L.ReLU(), dense(hidden, out))


def recurrent():
    """Slide 10: the last hidden state of 15 steps, through a dense layer."""
    reach = 20**-0.5
    wx, wh, bx, bh = (rng.uniform(-reach, reach, shape) for shape in ((20, 10), (20, 20), 20, 20))
    return L.Sequential(L.RNN(wx, wh, bx, bh), L.Slice(-1), dense(20, 5))


def attention():
    """Slide 6: 8 heads of 256 features that share their projections. (The deck scales logits by 1/16, not 32^-1/2.)"""
    shared = [np.kron(np.eye(8), dense(32, 32, bias=False).weight) for _ in range(3)]
    return L.MultiHeadAttention(*shared, dense(256, 256).weight, num_heads=8)


kernel = rng.uniform(-1, 1, (16, 3, 3, 3)) / 27**0.5
deck = {
    "1 sine": (L.Sin(), (8,)),
    "2 linear": (L.Dense(rng.standard_normal((5, 3))), (3,)),
    "3 convolution": (L.Convolution(kernel, padding=1), (3, 32, 32)),
    "4 ReLU": (L.ReLU(), (8,)),
    "4 sigmoid": (L.Sigmoid(), (8,)),
    "4 tanh": (L.Tanh(), (8,)),
    "5 batch norm": (L.BatchNorm(np.zeros(10), rng.uniform(0.3, 2, 10)), (10,)),
    "6 attention": (attention(), (10, 256)),
    "7 feed forward": (feed_forward(10, 20, 5), (10,)),
    "8 layer norm": (L.LayerNorm(10), (10,)),
    "9, 13 residual": (L.Residual(feed_forward(10, 10, 10)), (10,)),
    "10 recurrent": (recurrent(), (15, 10)),
    "11 max-pool": (L.MaxPool(2), (1, 4, 4)),
    "11 average-pool": (L.AvgPool(2), (1, 4, 4)),
    "12 dropout, one mask": (L.Dropout(0.5, seed=0), (100,)),
    "14 ten layers": (L.Sequential(*(dense(10, 10) for _ in range(10))), (10,)),
}

# %%
# Dot-product attention has no constant everywhere, so it is asked on a ball: every token within 0.1 of its place.

rows = {}
for name, (layer, shape) in deck.items():
    x = rng.standard_normal((2 if "attention" in name else 16, *shape))
    region = lc.Ball(x[0], 0.1, "token") if "attention" in name else None
    bounds = layer.lipschitz(2, region, input_shape=shape)
    local = lc.local_lipschitz(layer, x[:1] if region else x, kind="estimate", rng=0)
    step = 1e-6 * rng.standard_normal(x.shape)
    quotient = np.linalg.norm(layer(x + step) - layer(x)) / np.linalg.norm(step)
    rows[name] = quotient, float(np.max(local.lower)), bounds
    print(f"{name:22s} quotient {quotient:7.3f}   at points {rows[name][1]:7.3f}   constant {bounds}")

places = np.arange(len(rows))
quotients, points, found = zip(*rows.values(), strict=True)
upper = np.array([bounds.upper for bounds in found])
fig, ax = plt.subplots(figsize=(8.6, 5.4), layout="constrained")
ax.hlines(places, points, upper, color="C0", lw=7, alpha=0.45, label="norm at points to constant (upper)")
ax.plot([bounds.lower or np.nan for bounds in found], places, "k|", ms=13, label="constant (lower)")
ax.plot(upper, places, "C0|", ms=13)
ax.plot(quotients, places, "C3o", ms=5, label="the deck's quotient, divided once")
ax.set(xscale="log", yticks=places, yticklabels=rows, xlabel="2-norm")
ax.invert_yaxis()
ax.legend(fontsize=8, loc="lower right")
ax.grid(axis="x", alpha=0.3)
plt.show()

# %%
# A quotient along one random direction is a lower bound of the norm at one point, which is a lower bound of the
# constant; both gaps grow with the dimension. Layer norm shows the second one best: its constant, 316, is attained at
# constant rows, where no random sample ever is.
#
# **Divided by epsilon twice.** Slides 5 and 7 to 13 divide by the length of the step and by 1e-6 again. The identity
# then scores a million. In single precision a step of 1e-6 is also rounded by some percent when it is added:

x = rng.standard_normal((32, 10))
step = 1e-6 * rng.standard_normal(x.shape)
realised = (x + step).astype(np.float32) - x.astype(np.float32)
print(f"identity by the deck's formula: {np.linalg.norm(step) / (1e-6 * np.linalg.norm(step)):.0f}")
print(f"error of the step in single precision: {np.linalg.norm(realised - step) / np.linalg.norm(step):.1%}")

# %%
# **A reshaped kernel** (slide 3) is not the convolution: its norm misses that the taps overlap.

reshaped = np.linalg.norm(kernel.reshape(16, -1), 2)
print(f"reshaped {reshaped:.3f}, the layer {deck['3 convolution'][0].lipschitz(input_shape=(3, 32, 32))}")

# %%
# **Batch norm in training mode** (slide 5) mixes the samples, so that one sample has no constant. lipcore refuses it;
# in evaluation it is a diagonal map.

try:
    L.BatchNorm(np.zeros(10), np.ones(10), training=True)
except ValueError as error:
    print(error)

# %%
# **Max-pooling** (slide 11) has the constant 1 only where windows do not overlap. A peak in four windows is seen four
# times:

for kernel_size, stride in ((2, 2), (3, 2), (3, 1)):
    print(kernel_size, stride, L.MaxPool(kernel_size, stride).lipschitz(2, input_shape=(1, 9, 9)))

# %%
# **Dropout** (slide 12) in training mode draws a new mask for each call: the two outputs are of two functions, and the
# quotient grows without bound as the step shrinks. For one mask it is 1 / (1 - p), in evaluation 1.

for size in (1e-2, 1e-4, 1e-6):
    first, second = (L.Dropout(0.5, seed=seed) for seed in (1, 2))
    step = size * rng.standard_normal((1, 100))
    x = rng.standard_normal((1, 100))
    print(f"step {size:g}: {np.linalg.norm(first(x + step) - second(x)) / np.linalg.norm(step):.3g}")
print("one mask:", L.Dropout(0.5, seed=1).lipschitz(2, input_shape=(100,)), " evaluation:", L.Dropout(0.5).lipschitz())

# %%
# **A residual block** (slides 9 and 13) cannot exceed the sum of the constants of its parts, and **the product** of
# the layers' constants (slide 7) is an upper bound, not the constant. Ten linear layers (slide 14) are one matrix:

ten, _ = deck["14 ten layers"]
product = np.prod([layer.lipschitz().upper for layer in ten.layers])
print(f"product {product:.4f}, the norm of the whole {lc.opnorm(ten.linear_part((10,), np.zeros(1))):.4f}")
