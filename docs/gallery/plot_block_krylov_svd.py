r"""
block_krylov_svd: repeated values need blocks
=============================================

A single vector sees one copy of a repeated singular value. :func:`lipcore.block_krylov_svd` moves a block of vectors
through a fixed number of steps (Musco and Musco 2015): every copy shows as soon as the block is wide enough.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

n = 300
rng = np.random.default_rng(0)
spectrum = np.concatenate([np.full(6, 2.0), np.linspace(1.6, 0.1, n - 6)])
left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
A = lc.Dense(left * spectrum @ right)

# %%
# Six copies of the largest value are asked for. With one column, rounding alone brings in further copies, slowly;
# with six columns they are all there after a few steps. To the right the same against the number of products, which
# is what costs time where a product with a block is no cheaper than its columns.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
for block in (1, 2, 3, 6):
    depths = [depth for depth in (2, 3, 4, 6, 8, 12, 16, 24, 32) if 6 <= depth * block <= 160]
    runs = [lc.block_krylov_svd(A, k=6, iterations=depth, block_size=block, rng=0) for depth in depths]
    shortfall = [max(1 - float(run.S[5]) / 2.0, 1e-16) for run in runs]
    axes[0].semilogy(depths, shortfall, "o-", ms=4, label=f"block of {block}")
    axes[1].semilogy([run.matvecs for run in runs], shortfall, "o-", ms=4)
axes[0].set(xlabel="depth", ylabel="shortfall of the sixth value")
axes[1].set(xlabel="products of columns")
axes[0].legend()
plt.show()
