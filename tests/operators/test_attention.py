from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc
from lipcore import _backend as B
from lipcore.operators.attention import attention

# batch of q, of k and of v, n, m, d, dv
SHAPES = {
    "single": ((), (), (), 4, 4, 3, 3),
    "heads": ((2, 3), (2, 3), (2, 3), 3, 3, 2, 2),
    "cross": ((), (), (), 3, 5, 2, 4),
    "broadcast": ((2, 2), (2, 1), (1,), 3, 2, 2, 1),
    "tall": ((), (), (), 5, 2, 2, 2),
    "long": ((), (), (), 7, 6, 2, 2),
}
MASK = np.array([[True, False, True, True], [False] * 4, [False, True, False, False], [True] * 4])
BIAS = np.array([[0.5, -1.0, 0.0], [-np.inf, 2.0, 1.0], [-np.inf, -np.inf, -np.inf]])


def reference(q, k, v, *, mask=None, bias=None, causal=False, scale=None, softcap=None):
    """Output, log-sum-exp, probabilities and their slopes, in NumPy, all scores at once."""
    logits = q @ np.swapaxes(k, -1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    slope = np.ones_like(logits)
    if softcap is not None:
        slope = 1 / np.cosh(logits / softcap) ** 2
        logits = softcap * np.tanh(logits / softcap)
    logits = logits + (0 if bias is None else bias)
    allowed = np.broadcast_to(True if mask is None else mask, logits.shape)
    if causal:
        allowed = allowed & np.tri(*logits.shape[-2:], dtype=bool)
    logits = np.where(allowed, logits, -np.inf)
    top = np.max(logits, axis=-1, keepdims=True)
    e = np.exp(logits - np.where(np.isinf(top), 0.0, top))
    total = np.sum(e, axis=-1, keepdims=True)
    p = e / np.where(total == 0, 1.0, total)
    with np.errstate(divide="ignore"):
        return p @ v, np.log(total[..., 0]) + top[..., 0], p, slope


def dense_jacobian(q, k, v, wrt="qkv", **options):
    """Blocks of the Jacobian as written down entry by entry."""
    output, _, p, slope = reference(q, k, v, **options)
    scale = q.shape[-1] ** -0.5 if options.get("scale") is None else options["scale"]
    batch = p.shape[:-2]
    q, k, v = (np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (q, k, v))
    (n, m), (d, dv) = p.shape[-2:], (q.shape[-1], v.shape[-1])
    moved = scale * (p * slope)[..., None] * (v[..., None, :, :] - output[..., :, None, :])  # (n, m, dv)
    eye_n, eye_dv = np.eye(n), np.eye(dv)
    blocks = {
        "q": np.einsum("...ijc,...jf,il->...iclf", moved, k, eye_n).reshape(*batch, n * dv, n * d),
        "k": np.einsum("...ijc,...if->...icjf", moved, q).reshape(*batch, n * dv, m * d),
        "v": np.einsum("...ij,ce->...icje", p, eye_dv).reshape(*batch, n * dv, m * dv),
    }
    return np.concatenate([blocks[x] for x in "qkv" if x in wrt], axis=-1)


def arrays_of(shape, rng, dtype):
    bq, bk, bv, n, m, d, dv = SHAPES[shape]
    return {
        "q": gaussian(rng, (*bq, n, d), dtype),
        "k": gaussian(rng, (*bk, m, d), dtype),
        "v": gaussian(rng, (*bv, m, dv), dtype),
    }


def case(name, shape, *, jax=False, block_size=None, mask=None, bias=None, **options):
    def build(backend, dtype, q, k, v):
        masks = {"mask": mask, "bias": bias}
        given = {key: backend.asarray(x) for key, x in masks.items() if x is not None}
        return lc.AttentionJacobian(q, k, v, block_size=block_size, **given, **options)

    def dense(q, k, v):
        return dense_jacobian(q, k, v, mask=mask, bias=bias, **options)

    # JAX compiles each case anew: one stands for all
    natives = ("numpy", "strict", "torch", "cupy", *(("jax",) if jax else ()))
    arrays = partial(arrays_of, shape)
    return Case(name, arrays, build, dense, natives=natives, dtypes=("float32", "float64"))


CASES = [
    case("single", "single"),
    case("heads", "heads", jax=True, scale=1.5),
    case("cross, wrt kv", "cross", wrt="vk"),
    case("broadcast", "broadcast", wrt="qk"),
    case("causal in blocks", "long", causal=True, block_size=4),
    case("masked row", "single", mask=MASK),
    case("bias and cap", "heads", bias=BIAS, softcap=0.8, wrt="q"),
    case("cap in blocks", "tall", softcap=0.8, block_size=3),
    case("many blocks", "long", block_size=1, wrt="qv"),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


OPTIONS = [
    {},
    {"causal": True},
    {"mask": np.random.default_rng(1).random((6, 5)) < 0.6},
    {"mask": np.random.default_rng(2).standard_normal((1, 5)), "softcap": 2.0, "scale": 1.3},
]


# torch is the judge
@pytest.mark.backends("torch")
@pytest.mark.parametrize("block_size", [None, 4])
@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "causal", "mask", "bias and cap"])
def test_equals_torch_func(backend, options, block_size):
    import torch

    rng = np.random.default_rng(0)
    q, k, v = (backend.asarray(rng.standard_normal(shape)) for shape in ((2, 6, 3), (2, 5, 3), (2, 5, 4)))
    given = {key: backend.asarray(x) if key == "mask" else x for key, x in options.items()}

    def plain(q, k, v):
        scores = q @ k.mT * options.get("scale", 3**-0.5)
        if "softcap" in options:
            scores = options["softcap"] * torch.tanh(scores / options["softcap"])
        mask = given.get("mask")
        if options.get("causal"):
            mask = torch.ones(6, 5, dtype=torch.bool).tril()
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        return torch.softmax(scores, -1) @ v

    J = lc.AttentionJacobian(q, k, v, block_size=block_size, **given)
    for i in range(2):
        blocks = torch.func.jacrev(plain, argnums=(0, 1, 2))(q[i], k[i], v[i])
        dense = torch.cat([block.reshape(24, -1) for block in blocks], dim=1)
        assert float(torch.max(torch.abs(J.to_dense()[i] - dense))) < 1e-12
        assert float(torch.max(torch.abs(J.H.to_dense()[i] - dense.mT))) < 1e-12
    assert torch.allclose(J.value, plain(q, k, v), rtol=0, atol=1e-13)
    if not {"softcap", "scale"} & set(options):
        native = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=given.get("mask"), is_causal=options.get("causal", False)
        )
        assert torch.allclose(J.value, native, rtol=0, atol=1e-13)


def test_value_and_log_sum_exp(backend):
    rng = np.random.default_rng(3)
    host = [rng.standard_normal(shape).astype(np.float32) for shape in ((2, 4, 3), (4, 3), (4, 2))]
    q, k, v = map(backend.asarray, host)
    output, log_sum_exp, _, _ = reference(*(x.astype(np.float64) for x in host), mask=MASK)
    for block_size in (None, 3):
        J = lc.AttentionJacobian(q, k, v, mask=backend.asarray(MASK), block_size=block_size)
        np.testing.assert_allclose(B.to_numpy(J.value), output, rtol=0, atol=1e-6)
        np.testing.assert_allclose(B.to_numpy(J.log_sum_exp), log_sum_exp, rtol=0, atol=1e-6)
        assert np.all(B.to_numpy(J.value)[:, 1] == 0)
        assert np.all(np.isneginf(B.to_numpy(J.log_sum_exp)[:, 1]))
        alone = attention(q, k, v, mask=backend.asarray(MASK), block_size=block_size)
        np.testing.assert_allclose(B.to_numpy(alone), output, rtol=0, atol=1e-6)


# JAX compiles each small step by itself; the conformance suite runs there
@pytest.mark.backends("numpy", "strict", "torch", "cupy")
def test_masked_keys_have_zero_columns(backend):
    rng = np.random.default_rng(4)
    q, k, v = (backend.asarray(rng.standard_normal(shape).astype(np.float32)) for shape in ((5, 2), (4, 2), (4, 3)))
    allowed = np.array([[True, False, True, False]])
    for block_size in (None, 2):
        J = lc.AttentionJacobian(q, k, v, mask=backend.asarray(allowed), block_size=block_size)
        dense = B.to_numpy(J.to_dense())
        keys, values = dense[:, 10:18].reshape(15, 4, 2), dense[:, 18:].reshape(15, 4, 3)
        for part in (keys, values):
            assert np.all(part[:, ~allowed[0]] == 0)
            assert np.all(np.any(part[:, allowed[0]] != 0, axis=(0, 2)))


# JAX compiles each small step by itself; the conformance suite runs there
@pytest.mark.backends("numpy", "strict", "torch", "cupy")
def test_causal_jacobian_is_block_lower_triangular(backend):
    rng = np.random.default_rng(5)
    q, k, v = (backend.asarray(rng.standard_normal((5, 2)).astype(np.float32)) for _ in range(3))
    for block_size in (None, 2):
        J = lc.AttentionJacobian(q, k, v, causal=True, block_size=block_size)
        for x in "qkv":
            blocks = B.to_numpy(J.with_respect_to(x).to_dense()).reshape(5, 2, 5, 2)
            for i in range(5):
                assert np.all(blocks[i, :, i + 1 :] == 0)


def test_a_constant_added_to_a_row_changes_nothing():
    rng = np.random.default_rng(6)
    q, k, v = rng.standard_normal((5, 3)), rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    shift = 100 * rng.standard_normal((5, 1))
    plain, moved = lc.AttentionJacobian(q, k, v), lc.AttentionJacobian(q, k, v, mask=shift)
    np.testing.assert_allclose(moved.value, plain.value, rtol=0, atol=1e-12)
    np.testing.assert_allclose(moved.to_dense(), plain.to_dense(), rtol=0, atol=1e-12)


def test_large_logits_neither_overflow_nor_lose_the_derivative():
    rng = np.random.default_rng(7)
    q, k, v = (100 * rng.standard_normal((6, 4)) for _ in range(3))
    J = lc.AttentionJacobian(q, k, v, block_size=2)
    np.testing.assert_allclose(J.to_dense(), dense_jacobian(q, k, v), rtol=0, atol=1e-9)


def test_half_masks_of_both_kinds_meet():
    rng = np.random.default_rng(8)
    q, k, v = (rng.standard_normal((4, 2)) for _ in range(3))
    bias = rng.standard_normal((4, 4))
    J = lc.AttentionJacobian(q, k, v, mask=MASK, bias=bias)
    np.testing.assert_allclose(J.to_dense(), dense_jacobian(q, k, v, mask=MASK, bias=bias), rtol=0, atol=1e-13)
    twice = lc.AttentionJacobian(q, k, v, mask=bias, bias=np.where(MASK, 0.0, -np.inf))
    np.testing.assert_allclose(twice.to_dense(), J.to_dense(), rtol=0, atol=1e-13)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4),
    st.lists(st.integers(1, 3), max_size=2), st.integers(1, 7), st.booleans(), st.sampled_from(["q", "kv", "qkv"]),
)  # fmt: skip
def test_any_shape(n, m, d, dv, batch, block_size, causal, wrt):
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((*batch, *shape)) for shape in ((n, d), (m, d), (m, dv)))
    mask = rng.random((n, m)) < 0.7
    J = lc.AttentionJacobian(q, k, v, mask=mask, causal=causal, block_size=block_size, wrt=wrt)
    dense = dense_jacobian(q, k, v, mask=mask, causal=causal, wrt=wrt)
    np.testing.assert_allclose(J.to_dense(), dense, rtol=0, atol=1e-12)
    np.testing.assert_allclose(J.H.to_dense(), np.swapaxes(dense, -1, -2), rtol=0, atol=1e-12)


def test_memory_grows_with_the_tokens_and_not_their_square():
    n, d = 4096, 16
    rng = np.random.default_rng(9)
    q, k, v = (rng.standard_normal((n, d)) for _ in range(3))
    mask = np.ones((1, n), dtype=bool)
    x, y = rng.standard_normal(3 * n * d), rng.standard_normal(n * d)
    tracemalloc.start()
    try:
        J = lc.AttentionJacobian(q, k, v, causal=True, mask=mask)
        left, right = J.matvec(x) @ y, J.rmatvec(y) @ x
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left == pytest.approx(right, rel=1e-9)
    assert peak < n * n * 8 / 2


# the loop over many blocks is compiled, not written out
@pytest.mark.backends("jax")
def test_compiled_program_does_not_grow_with_the_blocks(backend):
    import jax

    def size(n):
        shapes = [jax.ShapeDtypeStruct((n, 4), "float32")] * 3 + [jax.ShapeDtypeStruct((n * 12,), "float32")]

        def normal(q, k, v, x):
            J = lc.AttentionJacobian(q, k, v, block_size=16, causal=True)
            return J.rmatvec(J.matvec(x))

        return str(jax.make_jaxpr(normal)(*shapes)).count(" = ")

    assert size(16 * 1000 + 1) == size(16 * 10 + 1)
    rng = np.random.default_rng(10)
    q, k, v = (backend.asarray(rng.standard_normal((37, 3)).astype(np.float32)) for _ in range(3))
    x = backend.asarray(rng.standard_normal(37 * 9).astype(np.float32))

    def normal(q, k, v, x, block_size):
        J = lc.AttentionJacobian(q, k, v, block_size=block_size, causal=True)
        y = J.matvec(x)
        return J.value, y, J.rmatvec(y)

    blocked = jax.jit(normal, static_argnums=4)(q, k, v, x, 4)
    for found, expected in zip(blocked, normal(q, k, v, x, None), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


# the libraries with function transforms, in which nothing may be overwritten
@pytest.mark.backends("torch", "jax-x64")
def test_second_derivatives_and_transforms(backend):
    rng = np.random.default_rng(11)
    host = [rng.standard_normal((5, 3)) for _ in range(3)]
    x, w = rng.standard_normal(45), rng.standard_normal(15)

    def product(q):
        J = lc.AttentionJacobian(q, backend.asarray(host[1]), backend.asarray(host[2]), block_size=2, softcap=1.5)
        return J.matvec(backend.asarray(x)) @ backend.asarray(w)

    q = backend.asarray(host[0])
    if backend.native == "torch":
        import torch

        gradient = torch.func.grad(product)(q)
        stack = torch.func.vmap(product)(torch.stack([q, 2 * q]))
        forward = torch.func.jvp(product, (q,), (torch.ones_like(q),))[1]
    else:
        import jax

        plain, product = product, jax.jit(product)
        gradient = jax.jit(jax.grad(plain))(q)
        stack = jax.jit(jax.vmap(plain))(backend.xp.stack([q, 2 * q]))
        forward = jax.jit(lambda q: jax.jvp(plain, (q,), (backend.xp.ones_like(q),))[1])(q)
    h = 1e-5
    quotient = (B.to_float(product(q + h)) - B.to_float(product(q - h))) / (2 * h)
    assert B.to_float(forward) == pytest.approx(quotient, rel=1e-6)
    assert float(np.sum(B.to_numpy(gradient))) == pytest.approx(quotient, rel=1e-6)
    assert B.to_float(stack[1]) == pytest.approx(B.to_float(product(2 * q)), rel=1e-10)


GOOD = np.ones((3, 2))


@pytest.mark.parametrize(
    ("arrays", "options", "error", "message"),
    [
        (([[1.0]], GOOD, GOOD), {}, TypeError, "`q` must be an array"),
        ((GOOD, GOOD, GOOD + 1j), {}, TypeError, "`v` must be real floating"),
        ((GOOD, np.ones((3, 3)), GOOD), {}, ValueError, "`q` and `k` must have as many features, got 2 and 3"),
        ((GOOD, GOOD, np.ones((2, 2))), {}, ValueError, "`k` and `v` must have as many tokens"),
        ((GOOD, GOOD[:0], GOOD[:0]), {}, ValueError, "`k` must have shape"),
        ((np.ones(3), GOOD, GOOD), {}, ValueError, "`q` must have shape"),
        ((np.ones((2, 3, 2)), np.ones((3, 3, 2)), GOOD), {}, ValueError, "do not broadcast"),
        ((GOOD, GOOD, GOOD), {"wrt": "qq"}, ValueError, "`wrt` must hold"),
        ((GOOD, GOOD, GOOD), {"wrt": ""}, ValueError, "`wrt` must hold"),
        ((GOOD, GOOD, GOOD), {"wrt": "x"}, ValueError, "`wrt` must hold"),
        ((GOOD, GOOD, GOOD), {"mask": np.ones((3, 3), dtype=int)}, TypeError, "`mask` must be boolean or floating"),
        ((GOOD, GOOD, GOOD), {"mask": np.ones((2, 3))}, ValueError, "`mask` must broadcast"),
        ((GOOD, GOOD, GOOD), {"mask": np.ones((2, 3, 3))}, ValueError, "`mask` must broadcast"),
        ((GOOD, GOOD, GOOD), {"bias": np.ones((3, 3), dtype=bool)}, TypeError, "`bias` must be floating"),
        ((GOOD, GOOD, GOOD), {"scale": np.inf}, ValueError, "`scale` must be finite"),
        ((GOOD, GOOD, GOOD), {"softcap": 0.0}, ValueError, "`softcap` must be positive"),
        ((GOOD, GOOD, GOOD), {"block_size": 0}, ValueError, "`block_size` must be a positive integer"),
    ],
)
def test_bad_input(arrays, options, error, message):
    with pytest.raises(error, match=message):
        lc.AttentionJacobian(*arrays, **options)
