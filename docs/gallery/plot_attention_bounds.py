r"""
Attention: theory against a point
=================================

Dot-product attention has a constant only on a region. This page sets the bounds of the guide (:doc:`../attention`)
beside what happens at points: on balls around a sequence, and as the number of tokens grows.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
from lipcore import layers as L

rng = np.random.default_rng(0)
tokens, features = 8, 8
wq, wk, wv = (rng.standard_normal((features, features)) * features**-0.5 for _ in range(3))
layer = L.MultiHeadAttention(wq, wk, wv, num_heads=1)
x = rng.standard_normal((tokens, features))
at = lc.local_lipschitz(layer, x[None]).upper[0]
print(f"norm of the Jacobian at the point: {at:.3f}")

# %%
# Left: each token may move by a radius. As the ball shrinks the bound tends to a multiple of the norm at the point; far
# out both grow with the square of the radius. Right: a ball of all tokens of norm at most R, with
# :math:`t = \|A\| R^2 = 1`. The bound in use, the one-line bound, that of Castin, Ablin and Peyre, and the largest norm
# that a few special points have: one token apart from all others, and two clusters.

radii = np.logspace(-3, 1, 17)
bounds = [layer.lipschitz(2, lc.Ball(x, r, "token")).upper for r in radii]
steps = rng.standard_normal((40, tokens, features))
steps /= np.linalg.norm(steps, axis=-1, keepdims=True)
reached = [float(np.max(lc.local_lipschitz(layer, x + r * steps).lower)) for r in radii]

counts = np.array([2, 4, 8, 16, 32, 64, 128])
same = L.MultiHeadAttention(*np.eye(2)[None].repeat(3, axis=0), num_heads=1, scale=-1.0)
in_use = [same.lipschitz(2, lc.Ball(np.zeros((n, 2)), 1.0, "token")).upper for n in counts]
token = [same.lipschitz("token", lc.Ball(np.zeros((n, 2)), 1.0, "token")).upper for n in counts]


def special(n):
    """Tokens (n, n, 2) in which the first m are at one end and the others at another."""
    first = np.arange(n)[None, :, None] <= np.arange(n)[:, None, None]
    ends = np.array([[[1.0, 0.0], [-1.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.6, 0.8]]])
    return np.concatenate([np.where(first, a, b) for a, b in ends])


found = [float(np.max(lc.local_lipschitz(same, special(n), kind="estimate", rng=0).lower)) for n in counts[:5]]
fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4), layout="constrained")
left.loglog(radii, bounds, label="bound on the ball")
left.loglog(radii, reached, "o", ms=4, label="largest norm at 40 points of it")
left.axhline(at, color="k", lw=0.8, ls=":")
left.set(xlabel="radius", ylabel="2-norm")
left.legend(fontsize=8)
right.loglog(counts, np.sqrt(3 * (4 * counts + 1 + counts)), label="Castin, Ablin, Peyre 2024", color="C3")
right.loglog(counts, np.sqrt(counts) + 1 + np.sqrt(counts), label="one line", color="C2")
right.loglog(counts, in_use, label="in use", color="C0")
right.loglog(counts, token, label="in use, token norm", color="C4", ls="--")
right.loglog(counts[:5], found, "o", ms=4, color="C1", label="norms at special points")
right.set(xlabel="tokens")
right.legend(fontsize=8)
plt.show()

# %%
# L2 attention and scaled cosine attention have constants everywhere; they grow with the logarithm of the tokens or not
# at all in the token norm.

l2 = L.L2Attention(wq, wv, num_heads=1)
cosine = L.CosineAttention(wq, wk, wv, num_heads=1, tau=4.0, eps=0.1)
for n in (8, 64, 512):
    print(n, l2.lipschitz("token", input_shape=(n, features)), cosine.lipschitz("token", input_shape=(n, features)))
