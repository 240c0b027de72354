r"""
Algebra: polynomials of an operator
===================================

Operators add, multiply, scale, and take powers and adjoints, and stay matrix-free. The error of Landweber's iteration
for :math:`A x = b` after :math:`p` steps is :math:`(I - \tau A^H A)^p`, whose norm tells whether it converges: it
does for :math:`\tau < 2/\|A\|^2`, and stalls where :math:`A` has small singular values.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

n = 64
diffusion = lc.Convolution(np.array([[[0.25, 0.5, 0.25]]]), (1, n), padding=1)
A = 0.5 * lc.Identity(n) + 0.5 * diffusion @ diffusion
norm = lc.opnorm_bounds(A, rtol=1e-6, rng=0)
print(norm)

# %%
# Four step sizes, as multiples of the largest one that is safe. The last is a little beyond it.

steps = [1, 2, 3, 5, 8, 13, 21, 34]
fig, ax = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
for fraction in (0.25, 0.5, 0.95, 1.05):
    error = lc.Identity(n) - (fraction * 2 / norm.upper**2) * (A.H @ A)
    norms = [float(lc.opnorm(error**p, rtol=1e-3, rng=0)) for p in steps]
    ax.semilogy(steps, norms, "o-", ms=4, label=rf"$\tau = {fraction}\cdot 2/\|A\|^2$")
ax.axhline(1, color="0.7", lw=1, zorder=0)
ax.set(xlabel="steps", ylabel="norm of the error operator")
ax.legend()
plt.show()
