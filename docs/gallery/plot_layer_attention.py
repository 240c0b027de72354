r"""
Attention's Jacobian: heads and causality
=========================================

The Jacobian of a causal attention layer at a point: which token moves which, how strongly, and how the singular
values of single heads compare with those of the whole layer.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

rng = np.random.default_rng(1)
tokens, features, heads = 12, 16, 4
wq, wk, wv, wo = (rng.standard_normal((features, features)) * features**-0.5 for _ in range(4))
layer = lc.layers.MultiHeadAttention(1.5 * wq, 1.5 * wk, wv, wo, num_heads=heads, causal=True)
x = rng.standard_normal((1, tokens, features))
J = layer.jacobian(x)
print(J, lc.opnorm_bounds(J, rng=0))

# %%
# Block (i, j) maps a change of token j to the change of output i. Left: the norm of each block; those above the
# diagonal are exactly zero. Middle: singular values of each head alone, behind its part of the output projection, and
# of the whole layer. Right: how far a unit change of one token can move all outputs together.

blocks = J.to_dense()[0].reshape(tokens, features, tokens, features).transpose(0, 2, 1, 3)
norms = np.linalg.norm(blocks, 2, axis=(2, 3))
assert np.all(norms[np.triu_indices(tokens, 1)] == 0)

size = features // heads
rows = [slice(h * size, (h + 1) * size) for h in range(heads)]
alone = [
    lc.layers.MultiHeadAttention(layer.wq[r], layer.wk[r], layer.wv[r], wo[:, r], num_heads=1, causal=True)
    for r in rows
]

fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained", width_ratios=(1.1, 1.2, 1))
picture = left.imshow(np.where(norms > 0, norms, np.nan), cmap="magma_r")
left.set(title="norms of blocks", xlabel="token that moves", ylabel="output")
fig.colorbar(picture, ax=left)
for h, head in enumerate(alone):
    values = lc.svds(head.jacobian(x), k=30, rng=0).S[0]
    middle.plot(np.arange(1, 31), values, color=f"C{h}", lw=1, label=f"head {h + 1}")
middle.plot(np.arange(1, 31), lc.svds(J, k=30, rng=0).S[0], "k", lw=2, label="all")
middle.set(title="singular values", xlabel="number", ylim=(0, None))
middle.legend(fontsize=8)
columns = np.linalg.norm(blocks.transpose(1, 0, 2, 3).reshape(tokens, tokens * features, features), 2, axis=(1, 2))
right.bar(np.arange(tokens), columns, color="C0")
right.set(title="all outputs from one token", xlabel="token that moves")
plt.show()
