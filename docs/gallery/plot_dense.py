r"""
Dense: a matrix is an operator
==============================

:class:`lipcore.Dense` wraps a matrix, or a stack of them; every function also takes the bare array. A Gaussian matrix
shows what a norm is made of: its singular values fill an interval whose ends random matrix theory knows, and the norm
sits at the right end.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

rows, columns = 600, 300
array = np.random.default_rng(0).standard_normal((rows, columns)) / np.sqrt(rows)
A = lc.Dense(array)
bounds = lc.opnorm_bounds(A, rtol=1e-6, rng=0)
print(bounds)

# %%
# The histogram of all singular values (from LAPACK, for the picture only) against the law of Marchenko and Pastur,
# and the enclosure of the largest one, which needed no decomposition: the two lines lie on each other.

values = np.linalg.svd(array, compute_uv=False)
ratio = columns / rows
left, right = 1 - np.sqrt(ratio), 1 + np.sqrt(ratio)
s = np.linspace(left, right, 400)
density = np.sqrt(np.maximum((right**2 - s**2) * (s**2 - left**2), 0)) / (np.pi * ratio * s)

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.hist(values, bins=40, density=True, color="C0", alpha=0.5, label="singular values")
ax.plot(s, density, "k", lw=1, label="Marchenko-Pastur")
ax.axvline(bounds.lower, color="C3", lw=2, label="lower end")
ax.axvline(bounds.upper, color="C1", lw=1, ls="--", label="upper end")
ax.set(xlabel="singular value", ylabel="density")
ax.legend()
plt.show()
