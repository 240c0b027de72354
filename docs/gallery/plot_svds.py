r"""
svds: what does a trained layer amplify?
========================================

:func:`lipcore.svds` returns the leading singular triplets of any operator. For the first layer of a trained network
the right singular vectors are images: the perturbations of the input to which the layer answers most. The network is
the small one that the README's report reads.
"""

import matplotlib.pyplot as plt
import numpy as np
import onnx
from onnx import numpy_helper

import lipcore as lc

model = onnx.load("../models/mnist_cnn.onnx")  # these pages run in their own folder
arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
node = next(node for node in model.graph.node if node.op_type == "Conv")
kernel = arrays[node.input[1]].astype(np.float64)
print(node.name, kernel.shape)

layer = lc.Convolution(kernel, (1, 28, 28), padding="same")
U, S, Vh = lc.svds(layer, k=8, rng=0)
print(S)

# %%
# The eight images, and how much each is stretched. Neighbouring values are close, as is usual for convolutions: the
# vectors of such a cluster are determined only together.

fig, axes = plt.subplots(2, 4, figsize=(8, 4.4), layout="constrained")
for ax, image, value in zip(axes.flat, Vh, S, strict=True):
    picture = image.reshape(28, 28)
    ax.imshow(picture, cmap="RdBu", vmin=-abs(picture).max(), vmax=abs(picture).max())
    ax.set(xticks=[], yticks=[], title=f"{value:.4f}")
plt.show()
