r"""
Recurrent layers: the constant against the length
=================================================

A recurrent layer is unrolled in time. How its constant grows with the number of steps depends on the recurrent matrix:
below norm one it levels off, above it grows exponentially. Gates help less than one may think: a worst case over all
inputs may open all of them.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc
from lipcore import layers as L

rng = np.random.default_rng(0)
features, hidden = 4, 16


def gates(count):
    """Weights for `count` gates, as PyTorch draws them."""
    reach = hidden**-0.5
    return rng.uniform(-reach, reach, (count * hidden, features)), rng.uniform(-reach, reach, (count * hidden, hidden))


wx, wh = gates(1)
wh /= np.linalg.norm(wh, 2)
cells = {
    "RNN, recurrent norm 0.7": L.RNN(wx, 0.7 * wh),
    "RNN, recurrent norm 1.3": L.RNN(wx, 1.3 * wh),
    "LSTM": L.LSTM(*gates(4)),
    "GRU": L.GRU(*gates(3)),
}

# %%
# Solid: the constant of the map from the whole input sequence to the whole sequence of hidden states, over all inputs.
# Dashed: over inputs within 0.1 of zero. Dots: the norm of the Jacobian at zero.

lengths = [1, 2, 4, 8, 16, 32]
fig, ax = plt.subplots(figsize=(7.4, 4.4), layout="constrained")
for i, (name, cell) in enumerate(cells.items()):
    everywhere = [cell.lipschitz(2, input_shape=(n, features)).log2_upper for n in lengths]
    balls = [lc.Ball(np.zeros((n, features)), 0.1, np.inf) for n in lengths]
    near = [cell.lipschitz(2, ball).log2_upper for ball in balls]
    at = [float(np.log2(lc.local_lipschitz(cell, np.zeros((1, n, features))).upper[0])) for n in lengths]
    ax.plot(lengths, everywhere, color=f"C{i}", label=name)
    ax.plot(lengths, near, color=f"C{i}", ls="--")
    ax.plot(lengths, at, color=f"C{i}", marker="o", ls="none")
ax.set(xscale="log", xticks=lengths, xticklabels=lengths, xlabel="steps", ylabel="binary logarithm of the 2-norm")
ax.set_ylim(-2, 40)
ax.legend(fontsize=8)
plt.show()

# %%
# The logarithm holds also where a float would not:

print(cells["LSTM"].lipschitz(2, input_shape=(400, features)).log2_upper)
