r"""
Sequential, Residual, Parallel: constants compose
=================================================

Compositions are layers. The product, the sum and the root of the sum of squares bound their constants from above, the
norm of the Jacobian at a point from below; where the branches of a sum are affine, the two meet.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
from lipcore import layers as L

rng = np.random.default_rng(0)
n = 16


def branch(gain):
    """Two dense layers of norm `gain` with a tanh between."""
    first, second = (np.linalg.qr(rng.standard_normal((n, n)))[0] * gain**0.5 for _ in range(2))
    return L.Sequential(L.Dense(first), L.Tanh(), L.Dense(second))


shape = {"input_shape": (n,)}
f, g = branch(0.9), branch(0.4)
print("f           ", f.lipschitz(2, **shape))
print("g after f   ", L.Sequential(f, g).lipschitz(2, **shape))
print("x + f(x)    ", L.Residual(f).lipschitz(2, **shape))
print("f and g     ", L.Parallel(f, g, merge="concatenate").lipschitz(2, **shape))
print("f + g       ", L.Parallel(f, g).lipschitz(2, **shape))
product = L.Parallel(f, g, merge=L.Multiply())
print("f * g, ball ", product.lipschitz(2, lc.Ball(np.zeros(n), 1.0)))

# %%
# Where all is affine, the whole is one operator: :math:`x - \tfrac12 x` has the constant 1/2, not 3/2.

print("x - x / 2   ", L.Residual(L.Dense(-0.5 * np.eye(n))).lipschitz(2, **shape))

# %%
# Depth. A chain of residual blocks :math:`x + f(x)` has the bound :math:`(1 + L)^k`; averaging with weights
# :math:`(1 - a) x + a f(x)` keeps it at one if the branch does. Dots: the norm of the Jacobian at points.

depths = np.arange(1, 13)
blocks = [branch(0.9) for _ in depths]
points = 0.1 * rng.standard_normal((10, n))
kinds = {
    "chain": blocks,
    "residual": [L.Residual(block) for block in blocks],
    "residual, 0.8 x + 0.2 f(x)": [L.Residual(block, scale=(0.8, 0.2)) for block in blocks],
}
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for i, (name, parts) in enumerate(kinds.items()):
    nets = [L.Sequential(*parts[:k]) for k in depths]
    ax.semilogy(depths, [net.lipschitz(2, **shape).upper for net in nets], color=f"C{i}", label=name)
    ax.semilogy(depths, [np.max(lc.local_lipschitz(net, points).upper) for net in nets], "o", ms=4, color=f"C{i}")
ax.set(xlabel="blocks", ylabel="2-norm")
ax.legend(fontsize=8)
plt.show()
