r"""
Training a 1-Lipschitz network in Keras
=======================================

The layers of :mod:`lipcore.nn.keras` are layers of Keras 3 like any other: they are built, fitted, saved and loaded as
usual, on whatever backend Keras runs. Their kernels are made by the constructions of :mod:`lipcore.parametrizations`.
Two moons are told apart here, and :func:`lipcore.nn.keras.certify` proves from the numbers what came out.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported; "torch" and "tensorflow" train as well

import keras
import matplotlib.pyplot as plt
import numpy as np

import lipcore.nn.keras as lk

keras.utils.set_random_seed(0)


def moons(seed, samples=512):
    """Points on two half circles, and which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=samples)
    angle = rng.uniform(0, np.pi, samples) + np.pi * labels
    points = np.stack([np.cos(angle) + labels - 0.5, np.sin(angle) + 0.4 * labels - 0.2], axis=1)
    points = points + 0.08 * rng.standard_normal(points.shape)
    return points.astype("float32"), labels.astype("float32")[:, None]


# %%
# A binary classifier with one score. `method` says how a kernel is made; the default is that of deel-lip.

model = keras.Sequential(
    [
        keras.Input((2,)),
        lk.SpectralDense(32, method="cayley"),
        lk.MaxMin(),
        lk.SpectralDense(32, method="cayley"),
        lk.MaxMin(),
        lk.FrobeniusDense(1),
    ]
)
model.compile(keras.optimizers.Adam(0.01), loss=lk.HKR(alpha=30.0, min_margin=0.3))
x, y = moons(0)
history = model.fit(x, y, epochs=40, batch_size=128, verbose=0)
print(f"loss {history.history['loss'][0]:.2f} -> {history.history['loss'][-1]:.2f}")

# %%
# What is certified is the exported network, of plain layers of Keras with the kernels as numbers. No construction is
# relied upon.

plain = lk.export(model)
print([type(layer).__name__ for layer in plain.layers])
found = lk.certify(model)
print(found)

# %%
# The score over the constant is a distance within which the class cannot change. Each test point that is right gets a
# disc that the decision line cannot enter.

points, labels = moons(1, 60)
scores = keras.ops.convert_to_numpy(model(points))[:, 0]
right = (scores > 0) == (labels[:, 0] > 0)
radii = np.abs(scores) / found.bounds.upper
print(f"right: {right.mean():.3f}; proved at 0.1: {(right & (radii > 0.1)).mean():.3f}")

grid = np.stack(np.meshgrid(np.linspace(-2.2, 2.2, 120), np.linspace(-1.7, 1.7, 100)), axis=-1).astype("float32")
field = model.predict(grid.reshape(-1, 2), verbose=0, batch_size=4096).reshape(grid.shape[:2])
fig, ax = plt.subplots(figsize=(7, 5), layout="constrained")
ax.contour(grid[..., 0], grid[..., 1], field, levels=[0.0], colors="black")
for point, radius, label, fine in zip(points, radii, labels[:, 0], right, strict=True):
    color = "C0" if label > 0 else "C1"
    ax.plot(*point, "o" if fine else "x", color=color, markersize=4)
    if fine:
        ax.add_patch(plt.Circle(point, radius, color=color, alpha=0.12))
ax.set(aspect="equal", xlabel="x", ylabel="y", title="Proved discs do not cross the decision line")
plt.show()
