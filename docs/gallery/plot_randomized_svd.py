r"""
randomized_svd: a budget known beforehand
=========================================

:func:`lipcore.randomized_svd` looks at the operator through a random block and a few power steps (Halko, Martinsson
and Tropp 2011). It suits low-rank approximation of matrices whose spectrum decays; on a flat spectrum it needs many
steps, and says so in its residuals.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

n, k = 500, 20
rng = np.random.default_rng(0)
left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
index = np.arange(1, n + 1)
spectra = {"1 / j": 1 / index, "flat": np.linspace(1, 0.5, n)}

# %%
# Leading values found (dots) and true (line), after no, one and four power steps.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, (name, spectrum) in zip(axes, spectra.items(), strict=True):
    A = lc.Dense(left * spectrum @ right)
    ax.plot(index[:k], spectrum[:k], "k", lw=1, label="truth")
    for steps, color in ((0, "C3"), (1, "C1"), (4, "C0")):
        run = lc.randomized_svd(A, k=k, iterations=steps, rng=0)
        ax.plot(index[:k], run.S, ".", color=color, label=f"{steps} power steps, {run.matvecs} products")
    ax.set(title=name, xlabel="index", yscale="log" if name == "1 / j" else "linear")
axes[0].set(ylabel="singular value")
axes[0].legend(fontsize=8)
plt.show()
