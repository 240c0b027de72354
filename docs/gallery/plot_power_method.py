r"""
power_method: cheap, and slow where it matters
==============================================

:func:`lipcore.power_method` keeps one vector and multiplies it. Its error falls like
:math:`(\sigma_2/\sigma_1)^{2k}`, which is quick for a steep spectrum and hopeless for the flat top of a random or
trained layer. Lanczos takes the same products and keeps them all.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

rng = np.random.default_rng(0)
n = 300
steep = lc.Dense(rng.standard_normal((n, n)) * 0.8 ** np.arange(n))
flat = lc.Dense(rng.standard_normal((n, n)))
steps = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]

# %%
# The relative shortfall of the largest singular value against the number of products with :math:`A` and :math:`A^H`
# together. Both methods run for a fixed number of steps here, from the same random start.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
for ax, A, title in zip(axes, (steep, flat), ("steep spectrum", "flat spectrum"), strict=True):
    exact = np.linalg.norm(A.array, 2)
    for solve, label, style in ((lc.power_method, "power", "C3s-"), (lc.lanczos_svd, "Lanczos", "C0o-")):
        runs = [solve(A, k=1, iterations=count, rng=1) for count in steps]
        shortfall = [max(1 - float(run.S[0]) / exact, 1e-16) for run in runs]
        ax.loglog([run.matvecs for run in runs], shortfall, style, ms=4, label=label)
    ax.set(title=title, xlabel="products")
axes[0].set(ylabel="relative shortfall of the norm", ylim=(1e-16, 1))
axes[1].legend()
plt.show()
