r"""
opnorm_bounds: what a claim costs
=================================

:func:`lipcore.opnorm_bounds` returns two numbers and the kind of truth behind the upper one. For one and the same
convolution each kind is asked for here. The picture shows the distance of both ends from the truth: to the left what
the vector in hand misses, to the right what the claim gives away.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

kernel = np.random.default_rng(0).standard_normal((6, 6, 3, 3))
A = lc.Convolution(kernel, (6, 14, 14), padding=1)
truth = np.linalg.norm(A.to_dense(), 2)

cases = [("estimate", 1e-2), ("probabilistic", 1e-1), ("probabilistic", 1e-2), ("probabilistic", 1e-3)]
cases += [("analytic", 1e-3), ("rigorous", 1e-1), ("rigorous", 1e-2)]
found = []
for kind, rtol in cases:
    bounds = lc.opnorm_bounds(A, kind=kind, rtol=rtol, rng=0)
    found.append((f"{bounds.kind}, rtol {rtol:g}", bounds))
    print(f"{kind:13s} {rtol:6g} {bounds.matvecs:5d} products  {bounds}")

# %%
# The estimate misses the truth: it claims nothing, and is cheap. A probabilistic bound can be had as narrow as one
# likes, for more products. The rigorous ones come from the kernel's symbol, and for a narrow one from the matrix
# itself where it is small enough to be written down.

fig, ax = plt.subplots(figsize=(7.4, 3.6), layout="constrained")
colors = {"rigorous": "C2", "analytic": "C0", "probabilistic": "C1", "estimate": "0.6"}
for row, (_, bounds) in enumerate(found):
    below, above = 100 * (bounds.lower / truth - 1), 100 * (bounds.upper / truth - 1)
    ax.plot([below, above], [row, row], color=colors[bounds.kind], lw=6, solid_capstyle="butt")
    ax.plot([below, above], [row, row], "|", color=colors[bounds.kind], ms=12)
ax.axvline(0, color="k", lw=1, label="truth (dense SVD)")
ax.set(yticks=range(len(found)), yticklabels=[name for name, _ in found], xlabel="percent above the truth")
ax.set_xscale("symlog", linthresh=1e-2)
ax.invert_yaxis()
ax.legend(loc="upper right")
plt.show()
