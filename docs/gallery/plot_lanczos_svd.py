r"""
lanczos_svd: Ritz values close in on the spectrum
=================================================

:func:`lipcore.lanczos_svd` is the default engine. Each step adds a dimension to the space in which the operator is
seen; the singular values of the small bidiagonal matrix, the Ritz values, approach those of the operator from below,
the ends of the spectrum first.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

n = 400
rng = np.random.default_rng(0)
spectrum = np.concatenate([[3.0, 2.7, 2.4, 2.1], np.linspace(1.9, 0.1, n - 4)])
left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
A = lc.Dense(left * spectrum @ right)

# %%
# One column of dots per number of steps. The four separated values are found within some twenty steps, the edge of
# the dense part follows.

steps = range(1, 41)
fig, ax = plt.subplots(figsize=(7.2, 4), layout="constrained")
for step in steps:
    ritz = lc.lanczos_svd(A, k=min(step, 8), iterations=step, sides="both", rng=0).S
    ax.plot(np.full(ritz.shape, step), ritz, "C0.", ms=5)
for value in spectrum[:4]:
    ax.axhline(value, color="0.7", lw=0.8, zorder=0)
ax.axhspan(0.1, 1.9, color="0.93", zorder=0, label="dense part of the spectrum")
ax.set(xlabel="steps", ylabel="leading Ritz values", ylim=(0, 3.2))
ax.legend(loc="lower right")
plt.show()

# %%
# In adaptive mode the result says how it was reached.

result = lc.lanczos_svd(A, k=4, rng=0)
print(result.S, result.converged, result.iterations, result.matvecs, result.reason)
