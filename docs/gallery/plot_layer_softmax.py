r"""
Softmax and log-softmax
=======================

Softmax has the constant 1/2 in the 1-, 2- and inf-norm, however many classes there are; many programs take 1. Its
logarithm is another matter: the Jacobian is :math:`I - 1 p^T`, a projection, whose 2-norm approaches the root of the
number of classes as the prediction becomes certain.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

softmax, log_softmax = lc.layers.Softmax(), lc.layers.LogSoftmax()
for ord in (1, 2, np.inf):
    print(ord, softmax.lipschitz(ord, input_shape=(10,)), log_softmax.lipschitz(ord, input_shape=(10,)))

# %%
# Ten classes, one of which leads by a margin. The norm of the Jacobian at such a point, and the constants over all
# points as dashed lines: softmax is steepest where two classes have one half each, and flat once it is certain.

margin = np.linspace(0, 12, 121)
points = np.zeros((margin.size, 10))
points[:, 0] = margin
two = np.full((margin.size, 10), -40.0)
two[:, 0], two[:, 1] = margin, 0.0

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
left.plot(margin, lc.local_lipschitz(softmax, two).upper, label="two classes alive")
left.plot(margin, lc.local_lipschitz(softmax, points).upper, label="ten classes")
left.axhline(0.5, color="k", ls="--", lw=1, label="constant")
left.set(title="softmax", xlabel="lead of the first logit", ylabel="norm of the Jacobian", ylim=(0, 0.55))
left.legend(fontsize=8)
for i, (ord, name) in enumerate(((1, "1"), (2, "2"), (np.inf, "inf"))):
    right.plot(margin, lc.local_lipschitz(log_softmax, points, ord=ord).upper, color=f"C{i}", label=f"ord {name}")
    right.axhline(log_softmax.lipschitz(ord, input_shape=(10,)).upper, color=f"C{i}", ls="--", lw=1)
right.set(title="log-softmax", xlabel="lead of the first logit")
right.legend(fontsize=8)
plt.show()

# %%
# On a region that keeps the prediction certain, softmax has a far smaller constant.

sure = np.array([8.0, 0.0, 0.0, 0.0])
for radius in (0.5, 2.0, 4.0):
    print(radius, softmax.lipschitz(2, lc.Ball(sure, radius)))
