from __future__ import annotations

import math

import numpy as np
import pytest
from layers.layer_conformance import LayerCase, LayerConformance, autodiff_jacobian

import lipcore as lc
from lipcore import _backend as B

N, M, D = 4, 3, 5  # tokens, context tokens, features
MASK = np.array([[True, True, False, True], [False] * 4, [True] * 4, [False, True, True, False]])


def weights(seed, **shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape) / math.sqrt(shape[-1]) for name, shape in shapes.items()}


def softmax(scores, allowed=True):
    scores = np.where(allowed, scores, -np.inf)
    top = np.max(scores, axis=-1, keepdims=True)
    e = np.exp(scores - np.where(np.isinf(top), 0.0, top))
    total = np.sum(e, axis=-1, keepdims=True)
    return e / np.where(total == 0, 1.0, total)


def heads(x, w, b, count):
    """Head after head, one matrix at a time."""
    size = w.shape[0] // count
    for h in range(count):
        rows = slice(h * size, (h + 1) * size)
        yield x @ w[rows].T + (0 if b is None else b[rows])


def rotated(x, base, dim, interleaved):
    """Pairs turned as complex numbers."""
    dim = dim or x.shape[-1]
    turns = np.exp(1j * np.arange(x.shape[-2])[:, None] * base ** (-np.arange(dim // 2) * 2.0 / dim))
    out = x.copy()
    first, second = (slice(0, dim, 2), slice(1, dim, 2)) if interleaved else (slice(dim // 2), slice(dim // 2, dim))
    z = (x[..., first] + 1j * x[..., second]) * turns
    out[..., first], out[..., second] = z.real, z.imag
    return out


def brute(x, y, w, *, num_heads, num_kv_heads=None, causal=False, mask=None, bias=None, softcap=None, scale=None,
          rotary=None, qk_norm=None):  # fmt: skip
    """Multi-head attention, one head after the other."""
    kv = num_kv_heads or num_heads
    qs, ks, vs = (
        list(heads(source, w[f"w{name}"], w.get(f"b{name}"), count))
        for source, name, count in ((x, "q", num_heads), (y, "k", kv), (y, "v", kv))
    )
    outs = []
    for h, q in enumerate(qs):
        k, v = ks[h * kv // num_heads], vs[h * kv // num_heads]
        if qk_norm is not None:
            mean = np.mean if qk_norm.kind == "rms" else np.sum
            q, k = (z / np.sqrt(mean(z**2, axis=-1, keepdims=True) + qk_norm.eps) for z in (q, k))
            q, k = q * w.get("q_gain", 1), k * w.get("k_gain", 1)
        if rotary is not None:
            q, k = (rotated(z, rotary.base, rotary.dim, rotary.interleaved) for z in (q, k))
        scores = q @ np.swapaxes(k, -1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
        if softcap is not None:
            scores = softcap * np.tanh(scores / softcap)
        scores = scores + (0 if bias is None else np.broadcast_to(bias, (1, num_heads, *scores.shape[-2:]))[:, h])
        allowed = np.tri(*scores.shape[-2:], dtype=bool) if causal else np.asarray(True)
        allowed = allowed if mask is None else allowed & mask
        outs.append(softmax(scores, allowed) @ v)
    out = np.concatenate(outs, axis=-1)
    return out if "wo" not in w else out @ w["wo"].T + w.get("bo", 0)


def multi_head(name, w, *, mask=None, bias=None, qk_norm=None, cross=False, shapes=None, **options):
    masks = {key: x for key, x in (("mask", mask), ("bias", bias)) if x is not None}

    def build(backend, dtype):
        def real(x):
            return backend.asarray(x.astype(B.dtype_name(dtype)))

        norm = qk_norm and lc.layers.QKNorm(
            qk_norm.kind, qk_norm.eps, *(real(w[g]) if g in w else None for g in ("q_gain", "k_gain"))
        )
        given = {key: real(x) for key, x in w.items() if key not in ("q_gain", "k_gain")}
        others = {key: backend.asarray(x) if x.dtype == bool else real(x) for key, x in masks.items()}
        return lc.layers.MultiHeadAttention(**given, **others, qk_norm=norm, cross=cross, **options)

    def reference(*xs):
        kept = {key: x for key, x in options.items() if key != "block_size"}
        return brute(xs[0], xs[-1], w, qk_norm=qk_norm, **masks, **kept)

    shapes = shapes or (((N, D), (M, 4)) if cross else ((N, D),))
    return LayerCase(name, build, shapes, reference=reference, bounded=False)


FULL = weights(0, wq=(6, D), wk=(6, D), wv=(4, D), wo=(3, 4), bq=(6,), bk=(6,), bv=(4,), bo=(3,))
GROUPED = weights(1, wq=(8, D), wk=(4, D), wv=(6, D), wo=(D, 12))
CROSS = weights(2, wq=(4, D), wk=(4, 4), wv=(6, 4), wo=(2, 6), bo=(2,))
BARE = weights(3, wq=(8, D), wk=(8, D), wv=(4, D))
GAINS = {**weights(3, wq=(8, D), wk=(4, D), wv=(2, D)), **weights(4, q_gain=(4,), k_gain=(4,))}


def l2_reference(w, num_heads, causal=False):
    def forward(x):
        outs = []
        for h in range(num_heads):
            wq, wv = (np.split(w[name], num_heads)[h].T for name in ("wq", "wv"))
            q = x @ wq
            s = 1 / math.sqrt(q.shape[-1])
            gaps = np.sum((q[..., :, None, :] - q[..., None, :, :]) ** 2, axis=-1)
            allowed = np.tri(x.shape[-2], dtype=bool) if causal else True
            outs.append(softmax(-s * gaps, allowed) @ x @ (s * wq @ wq.T) @ wv)
        return np.concatenate(outs, axis=-1) @ w["wo"].T

    return forward


def cosine_reference(w, num_heads, tau, nu, eps):
    def forward(x):
        outs = []
        for h in range(num_heads):
            parts = (x @ np.split(w[name], num_heads)[h].T for name in ("wq", "wk", "wv"))
            q, k, v = (z / np.sqrt(np.sum(z**2, axis=-1, keepdims=True) + eps) for z in parts)
            outs.append(nu * softmax(tau * q @ np.swapaxes(k, -1, -2)) @ v)
        return np.concatenate(outs, axis=-1) @ w["wo"].T

    return forward


def made(kind, w, **options):
    def build(backend, dtype):
        return kind(**{key: backend.asarray(x.astype(B.dtype_name(dtype))) for key, x in w.items()}, **options)

    return build


def plain(q, k, v):
    return softmax(q @ np.swapaxes(k, -1, -2) / math.sqrt(3)) @ v


L2 = weights(5, wq=(6, D), wv=(4, D), wo=(3, 4))
COSINE = weights(6, wq=(6, D), wk=(6, D), wv=(4, D), wo=(3, 4))
Rotary, QKNorm = lc.layers.Rotary, lc.layers.QKNorm

CASES = [
    multi_head("two heads", FULL, num_heads=2, scale=0.7),
    multi_head("causal", FULL, num_heads=2, causal=True, block_size=3),
    multi_head("grouped", GROUPED, num_heads=4, num_kv_heads=2),
    multi_head("multi-query and masks", weights(7, wq=(8, D), wk=(2, D), wv=(3, D)), num_heads=4, num_kv_heads=1,
               mask=MASK, bias=np.random.default_rng(8).standard_normal((4, N, N))),
    multi_head("cross", CROSS, num_heads=2, cross=True),
    multi_head("rotary", BARE, num_heads=2, rotary=Rotary(100.0)),
    multi_head("interleaved rotary", BARE, num_heads=2, rotary=Rotary(100.0, 2, True), causal=True),
    multi_head("rms norm, rotary, cap, grouped", GAINS, num_heads=2, num_kv_heads=1, qk_norm=QKNorm("rms", 0.1),
               rotary=Rotary(), softcap=0.9),
    multi_head("l2 norm", BARE, num_heads=2, qk_norm=QKNorm("l2", 0.1)),
    LayerCase("l2", made(lc.layers.L2Attention, L2, num_heads=2), ((N, D),), reference=l2_reference(L2, 2)),
    LayerCase("causal l2", made(lc.layers.L2Attention, L2, num_heads=2, causal=True), ((N, D),),
              reference=l2_reference(L2, 2, causal=True)),
    LayerCase("cosine", made(lc.layers.CosineAttention, COSINE, num_heads=2, tau=2.0, nu=1.5, eps=0.1), ((N, D),),
              reference=cosine_reference(COSINE, 2, 2.0, 1.5, 0.1)),
    LayerCase("dot product", lambda backend, dtype: lc.layers.ScaledDotProductAttention(),
              ((N, 3), (M, 3), (M, 2)), reference=plain, bounded=False),
    LayerCase("dot product of heads", lambda backend, dtype: lc.layers.ScaledDotProductAttention(),
              ((2, N, 3), (2, M, 3), (2, M, 2)), reference=plain, bounded=False),
]  # fmt: skip
# each is compiled anew there, so a few stand for all
ON_JAX = {"jax": ("l2",), "jax-x64": ("rms norm, rotary, cap, grouped",)}


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request, backend):
        if backend.native == "jax" and request.param.name not in ON_JAX[backend.name]:
            pytest.skip("JAX compiles each case anew: a few stand for all")
        return request.param


# torch's layer is the judge
@pytest.mark.backends("torch")
@pytest.mark.parametrize("causal", [False, True])
def test_equals_torch_multi_head_attention(backend, causal):
    import torch

    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    for p in theirs.parameters():
        torch.nn.init.normal_(p, std=0.5).requires_grad_(False)
    wq, wk, wv = theirs.in_proj_weight.chunk(3)
    bq, bk, bv = theirs.in_proj_bias.chunk(3)
    wo, bo = theirs.out_proj.weight, theirs.out_proj.bias
    ours = lc.layers.MultiHeadAttention(
        wq, wk, wv, wo, num_heads=2, bq=bq, bk=bk, bv=bv, bo=bo, causal=causal
    )  # fmt: skip
    forbidden = ~torch.ones(5, 5, dtype=torch.bool).tril() if causal else None

    def forward(x):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return theirs(x, x, x, need_weights=False, attn_mask=forbidden)[0]

    x = torch.randn(2, 5, 8, dtype=torch.float64)
    assert torch.allclose(ours(x), forward(x), rtol=0, atol=1e-12)
    dense = autodiff_jacobian(forward, [x])
    np.testing.assert_allclose(B.to_numpy(ours.jacobian(x).to_dense()), dense, rtol=0, atol=1e-12)


# torch's function is the judge
@pytest.mark.backends("torch")
def test_equals_torch_scaled_dot_product_attention(backend):
    import torch

    torch.manual_seed(1)
    q, k, v = (torch.randn(2, 3, n, d, dtype=torch.float64) for n, d in ((5, 4), (6, 4), (6, 2)))
    bias = torch.randn(5, 6, dtype=torch.float64)

    def forward(q, k, v):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=0.3)

    layer = lc.layers.ScaledDotProductAttention(mask=bias, scale=0.3)
    assert torch.allclose(layer(q, k, v), forward(q, k, v), rtol=0, atol=1e-12)
    dense = autodiff_jacobian(forward, [q, k, v])
    np.testing.assert_allclose(B.to_numpy(layer.jacobian(q, k, v).to_dense()), dense, rtol=0, atol=1e-12)


# JAX has a grouped case above
@pytest.mark.backends("numpy", "strict", "torch", "cupy")
def test_grouped_heads_equal_repeated_keys_and_values(backend):
    w = {name: backend.asarray(x.astype(np.float32)) for name, x in GROUPED.items()}
    repeated = {**w}
    for name, size in (("wk", 2), ("wv", 3)):
        rows = GROUPED[name].astype(np.float32).reshape(2, 1, size, D)
        repeated[name] = backend.asarray(np.broadcast_to(rows, (2, 2, size, D)).reshape(-1, D))
    x = backend.asarray(np.random.default_rng(9).standard_normal((2, N, D)).astype(np.float32))
    grouped = lc.layers.MultiHeadAttention(**w, num_heads=4, num_kv_heads=2)
    full = lc.layers.MultiHeadAttention(**repeated, num_heads=4)
    np.testing.assert_allclose(B.to_numpy(grouped(x)), B.to_numpy(full(x)), rtol=0, atol=1e-6)
    dense = [B.to_numpy(layer.jacobian(x).to_dense()) for layer in (grouped, full)]
    np.testing.assert_allclose(*dense, rtol=0, atol=1e-5)


def test_padding_of_samples_is_a_mask_of_samples():
    w = weights(10, wq=(4, D), wk=(4, D), wv=(4, D))
    x = np.random.default_rng(11).standard_normal((2, N, D))
    mask = np.ones((2, 1, 1, N), dtype=bool)
    mask[1, ..., 2:] = False
    layer = lc.layers.MultiHeadAttention(**w, num_heads=2, mask=mask)
    alone = lc.layers.MultiHeadAttention(**w, num_heads=2)
    np.testing.assert_allclose(layer(x)[0], alone(x)[0], atol=1e-14)
    np.testing.assert_allclose(layer(x)[1, :2], alone(x[1:, :2])[0], atol=1e-14)
    columns = layer.jacobian(x).to_dense()[1].reshape(N, 4, N, D)[:2, :, 2:]
    assert np.all(columns == 0)


def test_scores_of_rotated_heads_depend_on_distance_only():
    w = weights(12, wq=(4, D), wk=(4, D), wv=(4, D))
    x = np.repeat(np.random.default_rng(13).standard_normal((1, 1, D)), 6, axis=1)
    layer = lc.layers.MultiHeadAttention(**w, num_heads=1, rotary=Rotary(50.0))
    q, k, _ = (branch.value[0, :, 0] for branch in layer._branches(x))
    scores = q @ k.T
    for i in range(1, 5):
        np.testing.assert_allclose(scores[i, i:], scores[0, : 6 - i], atol=1e-12)


# second derivatives need a library that differentiates
@pytest.mark.backends("torch")
def test_norm_of_the_jacobian_has_a_gradient(backend):
    import torch

    layer = CASES[0].build(backend, torch.float64)
    x = torch.from_numpy(np.random.default_rng(14).standard_normal((2, N, D)))

    def norms(x):
        return torch.sum(lc.opnorm(layer.jacobian(x), rtol=1e-12, rng=0))

    leaf = x.clone().requires_grad_()
    norms(leaf).backward()
    step = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    quotient = float(norms(x + 1e-5 * step) - norms(x - 1e-5 * step)) / 2e-5
    assert float(torch.sum(leaf.grad * step)) == pytest.approx(quotient, rel=1e-5)


W = np.ones((4, 3))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: lc.layers.MultiHeadAttention(W, W, W, num_heads=3), ValueError, "`wq` has 4 rows"),
        (lambda: lc.layers.MultiHeadAttention(W, W, W, num_heads=0), ValueError, "`num_heads` must be a positive"),
        (lambda: lc.layers.MultiHeadAttention(W, W, W, num_heads=2, num_kv_heads=3), ValueError, "must divide"),
        (lambda: lc.layers.MultiHeadAttention(W, W, W, num_heads=2, num_kv_heads=1), ValueError, "`wk` must have"),
        (lambda: lc.layers.MultiHeadAttention(W, np.ones((4, 2)), np.ones((4, 2)), num_heads=2), ValueError, "3 col"),
        (lambda: lc.layers.MultiHeadAttention(W, W, W[:, :2], num_heads=2), ValueError, "as many columns"),
        (lambda: lc.layers.MultiHeadAttention(W, W, W, W, num_heads=2), ValueError, "`wo` must have 4 columns"),
        (lambda: lc.layers.MultiHeadAttention(W, W, W, num_heads=2, bq=np.ones(3)), ValueError, "`bq` must have shape"),
        (lambda: lc.layers.MultiHeadAttention(W.astype(int), W, W, num_heads=2), TypeError, "`wq` must be real float"),
        (lambda: lc.layers.MultiHeadAttention(W, W, W, num_heads=2, mask=W), TypeError, "`mask` must be boolean"),
        (lambda: lc.layers.MultiHeadAttention(W, W, W, num_heads=2, bias=W > 0), TypeError, "`bias` must be floating"),
        (lambda: lc.layers.MultiHeadAttention(W, W, W, num_heads=2, softcap=-1), ValueError, "`softcap` must be pos"),
        (lambda: lc.layers.L2Attention(W, W[:, :2], num_heads=2), ValueError, "`wv` must have 3 columns"),
        (lambda: lc.layers.CosineAttention(W, W[:2], W, num_heads=2), ValueError, "`wk` must have the shape"),
        (lambda: lc.layers.CosineAttention(W, W, W, num_heads=2, eps=0), ValueError, "`eps` must be positive"),
        (lambda: lc.layers.Rotary(dim=3), ValueError, "`dim` must be a positive even"),
        (lambda: lc.layers.QKNorm("max"), ValueError, "`kind` must be"),
    ],
)  # fmt: skip
def test_bad_constructors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_bad_inputs():
    layer = lc.layers.MultiHeadAttention(W, W, W, num_heads=2)
    with pytest.raises(ValueError, match=r"`x` must have shape \(samples, tokens, 3\)"):
        layer(np.ones((2, 5, 4)))
    with pytest.raises(ValueError, match="`x` must have shape"):
        layer(np.ones((2, 3)))
    with pytest.raises(TypeError, match=r"takes 1 input\(s\)"):
        layer(np.ones((2, 5, 3)), np.ones((2, 5, 3)))
    with pytest.raises(ValueError, match="`rotary` turns 4 features"):
        lc.layers.MultiHeadAttention(W, W, W, num_heads=2, rotary=Rotary(dim=4))(np.ones((2, 5, 3)))
    with pytest.raises(ValueError, match="equal leading axes"):
        lc.layers.ScaledDotProductAttention()(np.ones((2, 3, 2)), np.ones((2, 1, 3, 2)), np.ones((2, 3, 2)))
    with pytest.raises(ValueError, match="must broadcast"):
        lc.layers.MultiHeadAttention(W, W, W, num_heads=2, mask=MASK)(np.ones((2, 5, 3)))
