r"""
lanczos_eigh: both ends of a spectrum
=====================================

:func:`lipcore.solvers.lanczos_eigh` is the engine behind :func:`lipcore.eigsh`. Lanczos finds the ends of a Hermitian
spectrum first, and isolated values before the others: here the energies of a particle that hops on a ring with random
site energies, one of which is a deep trap.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

n = 500
rng = np.random.default_rng(0)
energies = rng.uniform(-1, 1, n)
energies[137] = -5
hop = lc.Convolution(np.array([[[-1.0, 0.0, -1.0]]]), (1, n), padding=1, padding_mode="circular")
H = hop + lc.Diagonal(energies)

# %%
# The trapped state is found at once, the band's edges follow. The dots to the right are the values from LAPACK.

fig, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
for steps in range(2, 61, 2):
    for which in ("SA", "LA"):
        found = lc.solvers.lanczos_eigh(H, k=min(4, steps), which=which, iterations=steps, rng=0)
        ax.plot(np.full(found.eigenvalues.shape, steps), found.eigenvalues, "C0.", ms=4)
ax.plot(np.full(n, 64), np.linalg.eigvalsh(H.to_dense()), "k_", ms=10, alpha=0.4)
ax.set(xlabel="steps", ylabel="energy")
plt.show()

# %%
# The state in the trap falls off exponentially on both sides.

trapped = lc.eigsh(H, k=1, which="SA", rng=0).eigenvectors[:, 0]
fig, ax = plt.subplots(figsize=(7.2, 2.4), layout="constrained")
ax.semilogy(np.arange(117, 158), abs(trapped[117:158]), "o-", ms=4)
ax.set(xlabel="site", ylabel="amplitude")
plt.show()
