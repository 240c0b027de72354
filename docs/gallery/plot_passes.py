r"""
Choosing a solver by passes
===========================

One pass is a product with :math:`A` and one with :math:`A^H` on the whole block. Where that is what costs, the best
method is the one with the fewest passes. This page counts them for four spectra; the guide's page on choosing a
solver quotes the table.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

n, cap = 1000, 256
rng = np.random.default_rng(0)
index = np.arange(1, n + 1)
spectra = {
    "1 / j": 1 / index,
    "Gaussian matrix": np.linalg.svd(rng.standard_normal((n, n)), compute_uv=False),
    "evenly in [0.9, 1]": np.linspace(1, 0.9, n),
    "20 values within 0.2 %": np.concatenate([np.linspace(1, 0.998, 20), 0.9 / np.arange(1, n - 19) ** 0.5]),
}
methods = {
    "power": (lc.power_method, {}),
    "Lanczos": (lc.lanczos_svd, {}),
    "block Krylov, 4 columns": (lc.block_krylov_svd, {"block_size": 4}),
    "block Krylov, 16 columns": (lc.block_krylov_svd, {"block_size": 16}),
}


def passes(method, spectrum, accuracy):
    """Fewest iterations for which the norm is within `accuracy`, by bisection; NaN beyond the cap."""
    solve, options = method
    most = min(cap, spectrum.size // options.get("block_size", 1))
    A, limit = lc.Diagonal(spectrum), spectrum[0] * (1 - accuracy)

    def enough(steps):
        return float(solve(A, k=1, iterations=steps, rng=1, **options).S[0]) >= limit

    low, high = 0, 1
    while not enough(high):
        if high == most:
            return np.nan
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


# %%
# Passes until the norm is within one percent, and within one part in 10,000. Grey: more than the cap of 256 passes,
# or of a basis as large as the operator.

accuracies = (1e-2, 1e-4)
counts = np.array([[[passes(f, s, a) for f in methods.values()] for s in spectra.values()] for a in accuracies])

fig, axes = plt.subplots(1, 2, figsize=(10.5, 3.2), layout="constrained", sharey=True)
for ax, table, accuracy in zip(axes, counts, accuracies, strict=True):
    ax.imshow(np.log(table), cmap="YlOrRd", vmin=0, vmax=np.log(cap), aspect="auto")
    ax.set_facecolor("0.8")
    for (row, column), count in np.ndenumerate(table):
        ax.text(column, row, "more" if np.isnan(count) else f"{count:.0f}", ha="center", va="center")
    ax.set(title=f"within {accuracy:g}", xticks=range(len(methods)), yticks=range(len(spectra)))
    ax.set_xticklabels([name.replace(", ", "\n") for name in methods], fontsize=8)
    ax.set_yticklabels(spectra)
plt.show()

# %%
# A flat top, which random and trained layers have, is where the methods part: the power method needs ten times the
# passes of Lanczos, and a block saves passes at the price of more columns in each. On a steep spectrum everything is
# quick, and the cheapest step wins.

print(counts)
