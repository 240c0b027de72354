r"""
LinearOperator: two functions are enough
========================================

Any pair of functions makes an operator: here integration over :math:`[0, 1]`, which is a cumulative sum, and its
adjoint, which sums from the other end. :func:`lipcore.check_adjoint` is the test that catches a wrong pair.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

n = 400
V = lc.LinearOperator(
    (n, n),
    matvec=lambda x: (np.cumsum(x, axis=-1) - x / 2) / n,
    rmatvec=lambda y: (np.cumsum(y[..., ::-1], axis=-1)[..., ::-1] - y / 2) / n,
    dtype=np.float64,
)
print(lc.check_adjoint(V, rng=0))

# %%
# The continuous operator (Volterra's) has the singular values :math:`2 / ((2j - 1)\pi)` and sines and cosines for
# singular vectors.

U, S, Vh = lc.svds(V, k=4, rng=0)
print(S * np.pi / 2, "against", 1 / np.array([1, 3, 5, 7]))

t = (np.arange(n) + 0.5) / n
fig, ax = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
for j in range(4):
    ax.plot(t, Vh[j] * np.sqrt(n) * np.sign(Vh[j, 0]), color=f"C{j}", label=rf"$\sigma_{j + 1} = {S[j]:.4f}$")
ax.set(xlabel="t", title="right singular vectors of integration")
ax.legend(loc="lower left", fontsize=8)
plt.show()
