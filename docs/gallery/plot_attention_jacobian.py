r"""
AttentionJacobian: which token moves which
==========================================

:class:`lipcore.AttentionJacobian` is the derivative of softmax attention with respect to queries, keys and values. It
is applied block by block of queries, in memory that grows with the number of tokens and not with its square. Here a
short causal sequence, so that the matrix can be looked at, and then one of 4096 tokens, whose matrix would take 52 GB.
"""

import matplotlib.pyplot as plt
import numpy as np

import lipcore as lc

rng = np.random.default_rng(0)
n, d = 24, 8
q, k, v = (rng.standard_normal((n, d)) for _ in range(3))
J = lc.AttentionJacobian(q, k, v, causal=True)
print(J, lc.check_adjoint(J, rng=0))

# %%
# How much output token i moves with key j and with value j: norms of the d x d blocks. Nothing above the diagonal,
# since a query does not meet later keys. The first query meets one key only, which gets the whole probability whatever
# it is: no derivative with respect to keys.

fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
for ax, letter, title in zip(axes, "kv", ("keys", "values"), strict=True):
    blocks = J.with_respect_to(letter).to_dense().reshape(n, d, n, d)
    picture = ax.imshow(np.linalg.norm(blocks, ord=2, axis=(1, 3)), cmap="gray_r")
    ax.set(title=f"with respect to {title}", xlabel="input token", ylabel="output token")
    fig.colorbar(picture, ax=ax)
plt.show()

# %%
# The norm grows with the queries and keys: dot-product attention has no Lipschitz constant. A cap on the logits,
# ``softcap``, holds it down at these points, since the slope of a saturated cap is small.

n = 128
q, k, v = (rng.standard_normal((n, d)) for _ in range(3))
sizes = np.geomspace(0.1, 10, 13)
for softcap, style in ((None, "k-"), (5.0, "k:")):
    norms = [float(lc.opnorm(lc.AttentionJacobian(t * q, t * k, v, softcap=softcap), rng=0)) for t in sizes]
    plt.loglog(sizes, norms, style, label=f"softcap={softcap}")
plt.gca().set(xlabel="factor of queries and keys", ylabel="norm of the Jacobian")
plt.legend()
plt.show()

# %%
# A long sequence: one product in each direction.

n, d = 4096, 16
q, k, v = (rng.standard_normal((n, d)).astype(np.float32) for _ in range(3))
J = lc.AttentionJacobian(q, k, v, causal=True)
x = rng.standard_normal(J.shape[1]).astype(np.float32)
print(J, np.linalg.norm(J.rmatvec(J.matvec(x))) / np.linalg.norm(x))

# %%
# What a pair of products (a tangent and a cotangent of queries, keys and values) takes as sequences of 64 features
# grow, measured by ``benchmarks/test_attention.py`` on two cores in float32: time with the square of the number of
# tokens, memory on top of the inputs with the number, once the probabilities no longer fit into 32 MiB. The matrix
# itself would take the square of 64 times as many numbers.

tokens = np.array([1024, 2048, 4096, 16384])
measured = {
    "NumPy": ([5.7, 22, 175, 2300], [13, 42, 51, 96]),
    "torch": ([10, 41, 272, 5000], [17, 106, 103, 132]),
}
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for (library, (milliseconds, mebibytes)), style in zip(measured.items(), ("ko-", "ks--"), strict=True):
    left.loglog(tokens, milliseconds, style, label=library)
    right.loglog(tokens, mebibytes, style, label=library)
left.loglog(tokens, 5.7 * (tokens / 1024) ** 2, "k:", label="square")
right.loglog(tokens, 96 * tokens / 16384, "k:", label="linear")
left.set(xlabel="tokens", ylabel="milliseconds")
right.set(xlabel="tokens", ylabel="MiB on top of the inputs")
left.legend()
plt.show()
