r"""
Parametrizations: layers that cannot stretch
============================================

The functions of :mod:`lipcore.parametrizations` turn any weight into one whose layer is 1-Lipschitz. They differ in
how much of the signal is left: an orthogonal layer keeps the length of (almost) every input, one that is divided by its
norm keeps that of the leading direction only. Nothing here relies on a construction being right: the norms are
certified by :func:`lipcore.opnorm_bounds` from the weights that came out.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
from lipcore import parametrizations as P

rng = np.random.default_rng(0)
weight = rng.standard_normal((8, 8, 3, 3))
image = (8, 8, 8)
circular = {"padding": 1, "padding_mode": "circular"}

# %%
# Explicit weights: a kernel goes in, a kernel of the same shape comes out. Those for one image size return an operator.

explicit = [P.frobenius, P.spectral, P.aol, P.bjorck, P.rko, P.bcop, P.aoc]
layers = {f.__name__: lc.Convolution(f(weight), image, **circular) for f in explicit}
for f in (P.cayley_convolution, P.lot_convolution):
    layers[f.__name__] = f(weight, image)
layers["soc_convolution"] = P.soc_convolution(weight, image, padding_mode="circular")
layers["eco"] = P.eco(rng.standard_normal((8, 8, 4, 4)), image)

bounds = {name: lc.opnorm_bounds(layer, rtol=1e-6, kind="rigorous") for name, layer in layers.items()}
for name, bound in bounds.items():
    print(f"{name:20s} {bound.lower:.6f} <= norm <= {bound.upper:.6f}   ({bound.method})")

# %%
# All singular values of the eleven layers, sorted. Where the curve stays at 1 the layer is orthogonal: nothing that
# passes it fades, however many of them stand in a row.

fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
styles = ["-", "--", "-.", ":"]
for i, (name, layer) in enumerate(layers.items()):
    sigma = np.linalg.svd(layer.to_dense(), compute_uv=False)
    ax.plot(np.linspace(0, 1, len(sigma)), sigma, styles[i % 4], color=f"C{i % 10}", lw=1.5 + (i > 6), label=name)
ax.set(xlabel="fraction of the singular values", ylabel="singular value", ylim=(0, 1.05))
ax.legend(ncol=2, fontsize="small")

# %%
# With zero padding, the skew exponential applied term by term is the one that stays orthogonal up to the border; the
# others keep their bound, and lose some length there.

zeros = {f.__name__: lc.Convolution(f(weight), image, padding=1) for f in (P.aol, P.rko, P.bcop)}
zeros["soc_convolution"] = P.soc_convolution(weight, image)

fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
for i, (name, layer) in enumerate(zeros.items()):
    sigma = np.linalg.svd(layer.to_dense(), compute_uv=False)
    ax.plot(np.linspace(0, 1, len(sigma)), sigma, styles[i % 4], label=name)
ax.set(xlabel="fraction of the singular values", ylabel="singular value", ylim=(0, 1.05), title="zero padding")
ax.legend(fontsize="small")
plt.show()

# %%
# Strides and groups are those of the convolution. A layer with a residual is a step down the gradient of a convex
# potential, 1-Lipschitz with the weight of either construction;
# a sandwich takes an activation between two halves of an orthogonal matrix.

kernel = P.aoc(rng.standard_normal((16, 2, 4, 4)), stride=2, groups=2)
strided = lc.Convolution(kernel, (4, 8, 8), stride=2, padding=1, groups=2, padding_mode="circular")
print("strided, grouped:", lc.opnorm_bounds(strided, kind="rigorous").upper)

for construction in (P.cpl, P.sll):
    print(construction.__name__, construction(weight).lipschitz().upper)

between = P.sandwich(rng.standard_normal((16, 6 + 4)), 6)  # from 4 numbers to 6
print("sandwich", between.lipschitz().upper)
