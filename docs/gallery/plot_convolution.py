r"""
Convolution: a norm lives in frequency
======================================

:class:`lipcore.Convolution` has the semantics of torch's ``conv1d`` to ``conv3d`` on any array library: stride,
dilation, groups, four padding modes. Its norm is governed by the symbol, a small matrix for each pair of angles: for
circular padding the norm is the largest singular value of the symbol over the frequencies of the image, for zero
padding it stays below the supremum over all angles.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

kernel = np.random.default_rng(3).standard_normal((4, 3, 5, 5)) / 5

# %%
# The norm for growing images under zero and circular padding. The first never exceeds the supremum, and approaches it
# from below; the second jumps, since it sees the symbol only at the frequencies of the image.

supremum = lc.norms.convolution_supremum(kernel)
sizes = [6, 7, 8, 10, 12, 16, 20, 24, 32]
zeros = [float(lc.opnorm(lc.Convolution(kernel, (3, n, n), padding=2), rtol=1e-4, rng=0)) for n in sizes]
circular = [
    lc.opnorm_bounds(lc.Convolution(kernel, (3, n, n), padding=2, padding_mode="circular")).upper for n in sizes
]

# %%
# Left, the largest singular value of the symbol over the torus of angles.

angles = np.linspace(-np.pi, np.pi, 97)
phases = np.exp(-1j * np.outer(angles, np.arange(5)))
symbol = np.einsum("oiab,xa,yb->xyoi", kernel, phases, phases)
stretch = np.linalg.norm(symbol, ord=2, axis=(-2, -1))

fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
picture = left.imshow(stretch, extent=(-1, 1, -1, 1), cmap="magma", origin="lower")
left.set(xlabel=r"angle / $\pi$", ylabel=r"angle / $\pi$", title="largest singular value of the symbol")
fig.colorbar(picture, ax=left)
right.plot(sizes, zeros, "C0o-", label="zero padding")
right.plot(sizes, circular, "C1s-", label="circular padding")
right.axhline(supremum.upper, color="k", ls="--", lw=1, label="supremum, any size")
right.set(xlabel="pixels per side", title="norm")
right.legend()
plt.show()
