r"""
Activations: the range of slopes
================================

An activation acts on each entry by itself, so that its Jacobian is diagonal and its constant the largest slope, in
every norm alike. Two common beliefs are wrong: that all of them are 1-Lipschitz, and that slopes are never negative.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
from lipcore import layers as L

shown = [L.ReLU(), L.Tanh(), L.Sigmoid(), L.GELU(), L.SiLU(), L.Mish(), L.HardSwish(), L.SELU(), L.Snake()]
names = [type(layer).__name__ for layer in shown]
for name, layer in zip(names, shown, strict=True):
    print(f"{name:10s} {layer.lipschitz()}")

# %%
# On the left the exact range of slopes over all inputs, from ``slope_range``. On the right the constant on intervals of
# length 2, as a function of their middle: what a network gains if it knows where its activations work.

fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4), layout="constrained")
ranges = np.array([layer.slope_range() for layer in shown], dtype=float).reshape(len(shown), 2)
places = np.arange(len(shown))
left.barh(places, ranges[:, 1] - ranges[:, 0], left=ranges[:, 0], color=[f"C{i}" for i in places], alpha=0.7)
for place, (low, high) in zip(places, ranges, strict=True):
    left.text(high + 0.04, place, f"[{low:.4g}, {high:.4g}]", va="center", fontsize=8)
left.axvline(1, color="k", lw=0.8, ls=":")
left.set(yticks=places, yticklabels=names, xlabel="slopes", xlim=(-0.6, 2.7))
left.invert_yaxis()

middles = np.linspace(-6, 6, 241)
for i in (2, 3, 4, 5, 6, 7):
    on = [shown[i].lipschitz(2, lc.Box(np.array([c - 1]), np.array([c + 1]))).upper for c in middles]
    right.plot(middles, on, color=f"C{i}", label=names[i])
right.set(xlabel="middle of the interval", ylabel="constant there")
right.legend(fontsize=8)
plt.show()
