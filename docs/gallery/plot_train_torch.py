r"""
Training a 1-Lipschitz network in torch
=======================================

The modules of :mod:`lipcore.nn.torch` take the places of torch's own. Their weights are parametrizations: an optimizer
moves free parameters, and every forward pass makes the weight anew. Stripes are told apart here by a small network of
convolutions, and :func:`lipcore.nn.torch.certify` proves from the numbers what came out.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

import lipcore as lc
import lipcore.nn.torch as lt

torch.manual_seed(0)


def stripes(seed, samples=256):
    """Images (1, 8, 8) of waves that run across, down or along the diagonal, with noise, and which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=samples)
    ways = np.array([[1.0, 0.0], [0.0, 1.0], [0.7, 0.7]])[labels]
    at = np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1)
    phase = rng.uniform(0, 2 * np.pi, (samples, 1, 1))
    images = np.sin(1.6 * np.einsum("abk,sk->sab", at, ways) + phase) + 0.5 * rng.standard_normal((samples, 8, 8))
    return torch.from_numpy(images[:, None]).float(), torch.from_numpy(labels)


# %%
# An orthogonal convolution, a step down a convex potential, pooling by Euclidean norms, and linear layers with
# orthonormal rows. Where a network of plain modules is there already, :func:`lipcore.nn.torch.constrain` changes it in
# place.

net = torch.nn.Sequential(
    lt.AdaptiveOrthoConv2d(1, 8, 3),
    lt.GroupSort2(),
    lt.SLLConv2d(8, 16),
    lt.ScaledL2NormPool2d(2),
    lt.AdaptiveOrthoConv2d(8, 16, 3, stride=2),
    lt.MaxMin(),
    torch.nn.Flatten(),
    lt.OrthoLinear(64, 32, method="cayley"),
    lt.HouseHolder(32),
    lt.OrthoLinear(32, 3),
)
loss = lt.HKRMulticlassLoss(alpha=20.0, min_margin=1.0)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
x, y = stripes(0)
values = []
for _ in range(100):
    optimizer.zero_grad()
    value = loss(net(x), y)
    value.backward()
    optimizer.step()
    values.append(value.item())

# %%
# The exported network is made of torch's own modules where they exist, and has the same weights bit for bit. The
# constants are computed from these numbers; no construction is relied upon.

plain = lt.export(net)
print([type(module).__name__ for module in plain])
print(lt.certify(plain, (1, 8, 8)))

with torch.no_grad():
    changed = lt.export(net)
    changed[7].weight *= 1.1
print("\nchanged:", dict(lt.certify(changed, (1, 8, 8)).layers)["7"])

# %%
# :func:`lipcore.nn.torch.guarantee` bounds each difference of two logits by itself. The margin over it is the radius
# within which no perturbation of the image changes the class.

images, labels = stripes(1)
with torch.no_grad():
    logits = plain(images)
options = lt.guarantee(plain, (1, 8, 8))
print(f"accuracy {float(lc.nn.metrics.accuracy(logits, labels)):.3f}")

radii = np.linspace(0, 3, 60)
proved = lc.nn.metrics.certified_accuracy(logits, labels, radii, **options)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
left.plot(values)
left.set(xlabel="step", ylabel="loss")
right.plot(radii, proved)
right.set(xlabel="radius of the perturbation", ylabel="certified accuracy", ylim=(0, 1))
plt.show()
