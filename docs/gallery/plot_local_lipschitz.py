r"""
local_lipschitz: a trained network, image by image
==================================================

:func:`lipcore.local_lipschitz` gives the norm of the Jacobian at each of many points, in one batched solve. Here the
network is the small MNIST classifier of ``docs/models``, rebuilt from its arrays as a chain of layers; the images are
digits drawn with a font, turned and scaled at random.
"""

import matplotlib.pyplot as plt
import numpy as np
import onnx
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from onnx import numpy_helper

import lipcore as lc
from lipcore import layers as L

model = onnx.load("../models/mnist_cnn.onnx")  # these pages run in their own folder
arrays = {array.name: numpy_helper.to_array(array) for array in model.graph.initializer}


def convolution(name, **options):
    """A convolution of the file."""
    return L.Convolution(arrays[f"{name}.weight"], arrays[f"{name}.bias"], **options)


network = L.Sequential(
    convolution("conv1", padding=1),
    L.BatchNorm(*(arrays[f"norm1.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))),
    L.ReLU(),
    convolution("conv2", stride=2, padding=1),
    L.ReLU(),
    convolution("depthwise", padding=1, groups=32),
    convolution("pointwise"),
    L.ReLU(),
    convolution("conv3", stride=2, padding=1),
    L.ReLU(),
    L.Flatten(),
    L.Dense(arrays["dense1.weight"], arrays["dense1.bias"]),
    L.ReLU(),
    L.Dense(arrays["dense2.weight"], arrays["dense2.bias"]),
)


def drawn(digit, rng):
    """One digit as a (1, 28, 28) image with values from 0 to 1."""
    figure = Figure(figsize=(0.28, 0.28), dpi=100)
    canvas = FigureCanvasAgg(figure)
    size, angle = rng.uniform(13, 17), rng.uniform(-20, 20)
    figure.text(0.5, 0.47, str(digit), ha="center", va="center", fontsize=size, rotation=angle)
    canvas.draw()
    return 1 - np.asarray(canvas.buffer_rgba())[None, :, :, 0].astype(np.float32) / 255


rng = np.random.default_rng(0)
digits = np.tile(np.arange(10), 20)
images = np.stack([drawn(digit, rng) for digit in digits])
print(f"read as drawn: {np.mean(np.argmax(network(images), axis=1) == digits):.0%} of {len(digits)}")

# %%
# All norms at once, and the constant that holds everywhere: the product of the layers' constants, far away from what
# any image shows. A small ball does not help the product: in every layer some unit can be active, so that each ReLU
# still has the slope 1. The lower end is the norm at one point of the ball.

local = lc.local_lipschitz(network, images)
everywhere = network.lipschitz(2, input_shape=(1, 28, 28))
print(local.kind, f"from {local.lower.min():.2f} to {local.upper.max():.2f}; everywhere at most {everywhere.upper:.0f}")
print(f"within 0.1 of the first image: {network.lipschitz(2, lc.Ball(images[0], 0.1))}")

# %%
# The gentlest and the steepest images, and the norms digit by digit.

order = np.argsort(local.upper)
fig = plt.figure(figsize=(10, 4), layout="constrained")
pictures, chart = fig.subfigures(1, 2, width_ratios=(1, 1.1))
axes = pictures.subplots(2, 5)
for ax, index in zip(axes.flat, [*order[:5], *order[-5:]], strict=True):
    ax.imshow(images[index, 0], cmap="gray_r")
    ax.set_title(f"{local.upper[index]:.1f}", fontsize=9)
    ax.axis("off")
ax = chart.subplots()
ax.boxplot([local.upper[digits == digit] for digit in range(10)], tick_labels=range(10))
ax.set(xlabel="digit", ylabel="2-norm of the Jacobian")
plt.show()
