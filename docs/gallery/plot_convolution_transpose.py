r"""
ConvolutionTranspose: checkerboards have a norm
===============================================

:class:`lipcore.ConvolutionTranspose` is the adjoint of a convolution (for a real kernel), used to enlarge images.
When the kernel's width is not a multiple of the stride the outputs overlap unevenly: a constant image becomes a
checkerboard. Its norm is that of the convolution it transposes.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

image = np.ones((1, 8, 8))
fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.3), layout="constrained")
for ax, taps in zip(axes, (2, 3, 4), strict=True):
    kernel = np.full((1, 1, taps, taps), (2 / taps) ** 2)  # every pixel gets one on average
    A = lc.ConvolutionTranspose(kernel, (1, 8, 8), stride=2)
    bounds = lc.opnorm_bounds(A, rtol=1e-3, rng=0)
    enlarged = A.apply(image)[0]
    ax.imshow(enlarged, cmap="viridis", vmin=0, vmax=2)
    ax.set(xticks=[], yticks=[], title=f"{taps} x {taps} taps, norm {bounds.lower:.3f}")
    print(f"{taps} x {taps}: {bounds}")
plt.show()

# %%
# All three have the same mean response, and a norm of about two, since each input pixel feeds four output pixels on
# average. The uneven overlap of three taps is plain to see and changes the norm by little: a norm bounds how much a
# perturbation can grow, not how it looks.

circle = lc.ConvolutionTranspose(np.full((1, 1, 3, 3), 4 / 9), (1, 8, 8), stride=2)
print(lc.check_adjoint(circle, rng=0))
