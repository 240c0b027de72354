r"""
eigsh: the modes of a membrane
==============================

:func:`lipcore.eigsh` computes eigenpairs of Hermitian operators. The modes of an L-shaped drum are the smallest
eigenvalues of the discrete Laplacian, whose spectrum lies in :math:`[0, 8]`; the largest of :math:`8 I - L` are the
same, at the end where an iteration without factorisations works.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sparse

import lipcore as lc

n = 33
inside = np.ones((n, n), dtype=bool)
inside[: n // 2, n // 2 :] = False
second = sparse.diags_array([-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1])
laplacian = sparse.csr_array(sparse.kronsum(second, second))[inside.ravel()][:, inside.ravel()]
L = lc.aslinearoperator(laplacian)
print(L)

values, vectors = lc.eigsh(8 * lc.Identity(L.shape[0]) - L, k=6, which="LA", tol=1e-8, rng=0)
frequencies = np.sqrt(8 - values[::-1])

# %%
# The first mode of this shape is the logo of a well-known program.

fig, axes = plt.subplots(2, 3, figsize=(8, 5.4), layout="constrained")
for ax, mode, frequency in zip(axes.flat, vectors.T[::-1], frequencies, strict=True):
    picture = np.full((n, n), np.nan)
    picture[inside] = mode
    largest = abs(mode).max()
    ax.contourf(picture, levels=21, cmap="RdBu", vmin=-largest, vmax=largest)
    ax.set(xticks=[], yticks=[], aspect="equal", title=f"{frequency / frequencies[0]:.3f} x the lowest tone")
plt.show()
