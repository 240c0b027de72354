r"""
Identity: what a residual connection does
=========================================

:class:`lipcore.Identity` stores nothing. It earns its place in sums: a residual block is :math:`I + t W`, and its
singular values move away from one as the branch grows.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

n = 200
W = lc.Dense(np.random.default_rng(0).standard_normal((n, n)) / np.sqrt(n))
I = lc.Identity(n)  # noqa: E741
strengths = np.linspace(0, 1.5, 16)
norms = [float(lc.opnorm(I + t * W, rng=0)) for t in strengths]

# %%
# The triangle inequality gives :math:`1 + t\|W\|` with :math:`\|W\| \approx 2`. The truth stays well below it: the
# directions that the branch stretches most are not those that it keeps.

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ax.plot(strengths, 1 + strengths * float(lc.opnorm(W, rng=0)), "k--", lw=1, label=r"$1 + t\,\|W\|$")
ax.plot(strengths, norms, "C0o-", ms=4, label=r"$\|I + t\,W\|$")
ax.set(xlabel="strength t of the residual branch", ylabel="norm")
ax.legend()
plt.show()
