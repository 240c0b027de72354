r"""
lobpcg: the small end, with a preconditioner
============================================

The smallest eigenvalues of a stiff operator are out of reach for methods that only multiply. :func:`lipcore.lobpcg`
takes an approximate inverse. Here it is diffusion in a medium whose conductivity jumps by a factor of a thousand, and
three preconditioners: none, the diagonal, and an incomplete factorisation.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as splinalg

import lipcore as lc

n = 32
row, column = np.mgrid[:n, :n] / n
conductivity = np.where((row - 0.5) ** 2 + (column - 0.5) ** 2 < 0.09, 1000.0, 1.0)
difference = sparse.diags_array([-np.ones(n), np.ones(n)], offsets=[-1, 0], shape=(n + 1, n))
edge = np.pad(conductivity, 1, mode="edge")
down = 2 / (1 / edge[1:, 1:-1] + 1 / edge[:-1, 1:-1])
across = 2 / (1 / edge[1:-1, 1:] + 1 / edge[1:-1, :-1])
along = [sparse.kron(difference, sparse.eye_array(n)), sparse.kron(sparse.eye_array(n), difference)]
matrix = sum(
    step.T @ sparse.diags_array(weight.ravel()) @ step for step, weight in zip(along, (down, across), strict=True)
)
A = lc.aslinearoperator(sparse.csr_array(matrix))

factor = splinalg.spilu(sparse.csc_array(matrix), drop_tol=1e-3, fill_factor=8)
preconditioners = {
    "none": None,
    "diagonal": lc.Diagonal(1 / matrix.diagonal()),
    "incomplete LU": factor.solve,
}

# %%
# Residuals of the four smallest pairs, relative to the largest value seen, against the iterations; and the two lowest
# modes. The first is flat on the conducting disc, the second avoids it.

start = np.random.default_rng(0).standard_normal((n * n, 4))
fig, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained", width_ratios=[1.5, 1, 1])
for name, preconditioner in preconditioners.items():
    result = lc.lobpcg(A, start, preconditioner=preconditioner, largest=False, tol=1e-10, maxiter=120)
    axes[0].semilogy(
        [state.iterations for state in result.history], [state.residuals.max() for state in result.history], label=name
    )
    print(f"{name:14s} {result.reason:10s} {result.iterations} iterations, {result.eigenvalues}")
axes[0].set(xlabel="iterations", ylabel="largest residual")
axes[0].legend()
for ax, mode in zip(axes[1:], result.eigenvectors.T, strict=False):
    picture = mode.reshape(n, n)
    ax.imshow(picture, cmap="RdBu", vmin=-abs(picture).max(), vmax=abs(picture).max())
    ax.contour(conductivity, levels=[10], colors="k", linewidths=0.8)
    ax.set(xticks=[], yticks=[])
plt.show()
