"""
BlockDiagonal: independent parts
================================

:class:`lipcore.BlockDiagonal` puts operators of any kind on a diagonal; the heads of an attention layer and the
groups of a grouped convolution act like that. Its norm is the largest norm of a block, so the bounds are those of the
blocks.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

rng = np.random.default_rng(0)
blocks = [
    lc.Dense(rng.standard_normal((12, 8)) / 3),
    lc.Diagonal(np.linspace(2.5, 0.5, 10)),
    lc.Convolution(np.array([[[0.5, 1.0, 0.5]]]), (1, 14), padding=1),
    lc.LowRank(np.ones((6, 1)), np.ones((10, 1)) / 4),
]
A = lc.BlockDiagonal(blocks)
bounds = [lc.opnorm_bounds(block, rng=0) for block in blocks]
total = lc.opnorm_bounds(A, rng=0)
print(total)

# %%
# Left, the matrix that is never formed; right, the bounds of its blocks and of the whole.

names = [type(block).__name__ for block in blocks] + ["BlockDiagonal"]
middle = [(b.lower + b.upper) / 2 for b in [*bounds, total]]

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", width_ratios=[1, 1.2])
dense = A.to_dense()
left.imshow(dense, cmap="RdBu", vmin=-2.5, vmax=2.5)
left.set(title="entries", xticks=[], yticks=[])
right.barh(names, middle, color=["C0"] * len(blocks) + ["C3"])
right.invert_yaxis()
right.set(xlabel="norm")
plt.show()
