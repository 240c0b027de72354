from __future__ import annotations

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance, gaussian
from operators.test_attention import dense_jacobian

import lipcore as lc
from lipcore.operators.attention_heads import AttentionHeads

GROUPS, MEMBERS, N, M, D, DV = 2, 2, 3, 2, 2, 1


def _arrays(rng, dtype, batch=()):
    shapes = {"q": (GROUPS, MEMBERS, N, D), "k": (GROUPS, 1, M, D), "v": (GROUPS, 1, M, DV)}
    return {name: gaussian(rng, (*batch, *shape), dtype) for name, shape in shapes.items()}


def _dense(q, k, v, wrt="qkv"):
    """Column by column from the heads' matrices."""
    batch, heads = q.shape[:-4], GROUPS * MEMBERS
    out = np.zeros((*batch, N, heads, DV, 0))
    for x, (tokens, features) in {"q": (N, D), "k": (M, D), "v": (M, DV)}.items():
        if x not in wrt:
            continue
        J = dense_jacobian(q, k, v, wrt=x).reshape(*batch, GROUPS, MEMBERS, N, DV, tokens, features)
        count = MEMBERS if x == "q" else 1
        block = np.zeros((*batch, N, GROUPS, MEMBERS, DV, tokens, GROUPS, count, features))
        for g in range(GROUPS):
            for i in range(MEMBERS):
                block[..., :, g, i, :, :, g, i % count, :] = J[..., g, i, :, :, :, :]
        out = np.concatenate([out, block.reshape(*batch, N, heads, DV, -1)], axis=-1)
    return out.reshape(*batch, N * heads * DV, -1)


CASES = [
    Case(
        name,
        lambda rng, dtype, batch=batch: _arrays(rng, dtype, batch),
        lambda backend, dtype, q, k, v, wrt=wrt: AttentionHeads(lc.AttentionJacobian(q, k, v, wrt=wrt)),
        lambda q, k, v, wrt=wrt: _dense(q, k, v, wrt),
        dtypes=("float32", "float64"),
        natives=natives,
    )
    for name, batch, wrt, natives in [
        ("single", (), "qkv", ("numpy", "strict", "torch", "jax", "cupy")),
        ("batch", (2,), "kv", ("numpy", "strict", "torch", "cupy")),
        ("queries", (), "q", ("numpy", "strict", "torch", "cupy")),
    ]
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


def test_heads_need_their_axes():
    q = np.ones((2, 3, 2))
    with pytest.raises(ValueError, match="groups, members"):
        AttentionHeads(lc.AttentionJacobian(q, q, q))
