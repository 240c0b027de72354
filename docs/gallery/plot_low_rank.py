r"""
LowRank: when does an update show?
==================================

:class:`lipcore.LowRank` is :math:`u v^H` in factored form, as in a low-rank fine-tuning of a weight. Adding one such
spike of strength :math:`s` to a noise matrix of norm 2 does nothing to the norm until :math:`s` passes 1; then the
norm leaves the bulk along :math:`s + 1/s` (the transition of Baik, Ben Arous and Péché). The sum is never formed.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

n = 1000
rng = np.random.default_rng(1)
noise = lc.Dense((rng.standard_normal((n, n)) / np.sqrt(n)).astype(np.float32))
u, v = rng.standard_normal((2, n, 1)).astype(np.float32)
update = lc.LowRank(u / np.linalg.norm(u), v / np.linalg.norm(v))

strengths = np.linspace(0.2, 3, 15)
norms = [float(lc.opnorm(noise + float(s) * update, rtol=1e-4, rng=0)) for s in strengths]

# %%
# Circles are computed, the line is the limit for large matrices.

s = np.linspace(0.2, 3, 300)
limit = np.where(s > 1, s + 1 / s, 2.0)

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.plot(s, limit, "k", lw=1, label="limit for large n")
ax.plot(strengths, norms, "C0o", ms=5, label=f"n = {n}")
ax.plot(s, s, color="0.6", ls=":", label="the update alone")
ax.axvline(1, color="0.8", zorder=0)
ax.set(xlabel="strength of the rank-one update", ylabel="norm of the sum")
ax.legend()
plt.show()
