r"""
Orthogonalise: what each product buys
=====================================

:func:`lipcore.orthogonalize` returns the matrix with orthonormal columns that is nearest to a given one. It works
through products, chosen from what the matrix shows, and stops when the columns are orthonormal; the iterations with a
fixed number of steps, among them :func:`lipcore.bjorck`, :func:`lipcore.newton_schulz`, :func:`lipcore.polar_express`
and :func:`lipcore.qdwh`, are there too.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

rng = np.random.default_rng(0)
W = rng.standard_normal((200, 200))
found = lc.polar(W, rng=0)
print(f"condition number {np.linalg.cond(W):.0f}")
print(f"residual {found.residual:.1e} with the work of {found.matmuls:.1f} products: {found.method}")

# %%
# The distance from orthonormality against the work. Björck's iteration raises small singular values by one half a
# step; compositions of best polynomials need about half of the products, and rational steps fewer still. Muon's
# coefficients are quick at first, and never converge.


def residual(Q):
    return np.linalg.norm(Q.T @ Q - np.eye(Q.shape[1]), 2)


low = 1 / (np.linalg.cond(W) * 4)  # the bound of the norm that scales W exceeds it by less than 4
steps = np.arange(1, 26)
curves = {
    "Björck": (2 * steps, [lc.bjorck(W, iterations=k) for k in steps]),
    "Muon's coefficients": (3 * steps, [lc.newton_schulz(W, iterations=k, coefficients="muon") for k in steps]),
    "Polar Express": (
        3 * steps[:13],
        [lc.polar_express(W, iterations=k, interval=(low, 1.0), finish=0) for k in steps[:13]],
    ),
    "QDWH, rational": (5 * steps[:7], [lc.qdwh(W, iterations=k, low=low, finish=0) for k in steps[:7]]),
}

fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
for name, (work, results) in curves.items():
    ax.semilogy(work, [residual(Q) for Q in results], ".-", label=name)
ax.semilogy(found.matmuls, residual(found.Q), "k*", ms=12, label="orthogonalize")
ax.set(xlabel="matrix products", ylabel=r"$\|Q^T Q - I\|_2$", xlim=(0, 52))
ax.legend()
plt.show()

# %%
# Orthogonal matrices also come from skew ones, without any iteration, by :func:`lipcore.cayley` and
# :func:`lipcore.matrix_exp`, and from a triangular instead of a Hermitian factor by :func:`lipcore.cholesky_qr`.

for name, Q in [("cayley", lc.cayley(W)), ("matrix_exp", lc.matrix_exp(W)), ("cholesky_qr", lc.cholesky_qr(W))]:
    print(f"{name:12} residual {residual(Q):.1e}")
