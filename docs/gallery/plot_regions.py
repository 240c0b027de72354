r"""
Regions: where a constant is to hold
====================================

A constant over all inputs is the most that can be asked, and often too much. :class:`lipcore.Ball` and
:class:`lipcore.Box` say where it is to hold; layers pass on regions that hold their outputs, so that what is
known of the input is known further on too.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
from lipcore import layers as L

rng = np.random.default_rng(0)
net = L.Sequential(
    L.Dense(rng.standard_normal((6, 2)), rng.standard_normal(6)),
    L.Tanh(),
    L.Dense(rng.standard_normal((2, 6))),
)
center = np.array([1.2, -1.4])
regions = {
    "ball": lc.Ball(center, 0.5),
    "box": lc.Box(center - 0.4, center + 0.4),
    "both": lc.Ball(center, 0.5) & lc.Box(center - 0.4, center + 0.4),
}
print("everywhere", net.lipschitz(2, input_shape=(2,)))
for name, region in regions.items():
    print(f"{name:10s}", net.lipschitz(2, region))

# %%
# Points of each region, their images, and the region that the layers derive for them: an intersection of a box and a
# ball, of which both are drawn.

fig, axes = plt.subplots(1, 3, figsize=(11, 4.4), layout="constrained", sharex=True, sharey=True)
points = center + rng.uniform(-0.5, 0.5, (20000, 2))
inside = {
    "ball": np.linalg.norm(points - center, axis=1) <= 0.5,
    "box": np.max(np.abs(points - center), axis=1) <= 0.4,
}
inside["both"] = inside["ball"] & inside["box"]
for ax, (name, region) in zip(axes, regions.items(), strict=True):
    image = net.image(region)
    ax.scatter(*net(points[inside[name]]).T, s=1, color="C0")
    width, height = image.upper - image.lower
    ax.add_patch(plt.Rectangle(image.lower, width, height, fill=False, color="C3"))
    for part in getattr(image, "regions", (image,)):
        if isinstance(part, lc.Ball):
            ax.add_patch(plt.Circle(part.center, part.radius, fill=False, color="C1"))
    ax.set(title=name, aspect="equal")
axes[0].autoscale_view()
plt.show()

# %%
# The smaller the region, the closer the constant comes to the norm at a point. "token" is the norm of sequences: the
# largest Euclidean norm along the last axis.

print("at the centre", lc.local_lipschitz(net, center[None]))
for radius in (1.0, 0.1, 0.01):
    print(radius, net.lipschitz(2, lc.Ball(center, radius)))
sequence = rng.standard_normal((5, 3))
print(lc.Ball(sequence, 0.1, "token").spread(2), "for five tokens that move by 0.1 each")
