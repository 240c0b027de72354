from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers.layer_conformance import SAMPLES, LayerCase, LayerConformance, points_of

import lipcore as lc
from lipcore import _backend as B
from lipcore.layers import UnboundedError

L = lc.layers
rng = np.random.default_rng(7)
G3, B3 = rng.standard_normal(3), rng.standard_normal(3)
G4, B4 = rng.standard_normal(4), rng.standard_normal(4)
G23, B23 = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
V3, M3 = rng.random(3) + 0.2, rng.standard_normal(3)


NO_JAX = ("numpy", "strict", "torch", "cupy")  # variants of what JAX compiles already


def on(backend, dtype, *arrays):
    """Weights in a dtype of a backend."""
    return [backend.asarray(a.astype(B.dtype_name(dtype))) for a in arrays]


def _layer_norm(x, axes, eps, g=1.0, b=0.0):
    mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(var + eps) * g + b


def _rms_norm(x, axes, eps, g=1.0):
    return x / np.sqrt((x * x).mean(axis=axes, keepdims=True) + eps) * g


def _group_norm(x, groups, eps, g, b):
    rows = x.reshape(x.shape[0], groups, -1)
    y = _layer_norm(rows, -1, eps).reshape(x.shape)
    along = (-1, *(1,) * (x.ndim - 2))
    return y * g.reshape(along) + b.reshape(along)


def _torch(name):
    def call(*args, **options):
        import torch

        args = [torch.as_tensor(a) if isinstance(a, np.ndarray) else a for a in args]
        options = {k: torch.as_tensor(a) if isinstance(a, np.ndarray) else a for k, a in options.items()}
        return getattr(torch.nn.functional, name)(*args, **options)

    return call


CASES = [
    LayerCase(
        "layer_norm",
        lambda backend, dtype: L.LayerNorm(4, 1e-2, *on(backend, dtype, G4, B4)),
        ((3, 4),),
        lambda x: _layer_norm(x, -1, 1e-2, G4, B4),
        lambda x: _torch("layer_norm")(x, (4,), G4, B4, 1e-2),
    ),
    LayerCase(
        "layer_norm-two-axes",
        lambda backend, dtype: L.LayerNorm((2, 3), 0.3, *on(backend, dtype, G23, B23)),
        ((2, 3),),
        lambda x: _layer_norm(x, (1, 2), 0.3, G23, B23),
        lambda x: _torch("layer_norm")(x, (2, 3), G23, B23, 0.3),
        natives=NO_JAX,
    ),
    LayerCase(
        "layer_norm-plain",
        lambda backend, dtype: L.LayerNorm(5),
        ((5,),),
        lambda x: _layer_norm(x, -1, 1e-5),
        lambda x: _torch("layer_norm")(x, (5,)),
        natives=NO_JAX,
    ),
    LayerCase(
        "rms_norm",
        lambda backend, dtype: L.RMSNorm(4, 1e-2, *on(backend, dtype, G4)),
        ((3, 4),),
        lambda x: _rms_norm(x, -1, 1e-2, G4),
        lambda x: _torch("rms_norm")(x, (4,), G4, 1e-2),
    ),
    LayerCase(
        "group_norm",
        lambda backend, dtype: L.GroupNorm(2, 1e-2, *on(backend, dtype, G4, B4)),
        ((4, 3),),
        lambda x: _group_norm(x, 2, 1e-2, G4, B4),
        lambda x: _torch("group_norm")(x, 2, G4, B4, 1e-2),
    ),
    LayerCase(
        "instance_norm",
        lambda backend, dtype: L.InstanceNorm(1e-2, *on(backend, dtype, G3, B3)),
        ((3, 4),),
        lambda x: _group_norm(x, 3, 1e-2, G3, B3),
        lambda x: _torch("instance_norm")(x, weight=G3, bias=B3, eps=1e-2),
        natives=NO_JAX,
    ),
    LayerCase(
        "center_norm",
        lambda backend, dtype: L.CenterNorm(4, *on(backend, dtype, G4, B4)),
        ((3, 4),),
        lambda x: 4 / 3 * (x - x.mean(axis=-1, keepdims=True)) * G4 + B4,
    ),
    LayerCase(
        "batch_norm",
        lambda backend, dtype: L.BatchNorm(*on(backend, dtype, M3, V3, G3, B3), 1e-2),
        ((3, 2),),
        lambda x: (x - M3[:, None]) / np.sqrt(V3[:, None] + 1e-2) * G3[:, None] + B3[:, None],
        lambda x: _torch("batch_norm")(x, M3, V3, G3, B3, False, 0.1, 1e-2),
    ),
    LayerCase(
        "normalize-eps",
        lambda backend, dtype: L.Normalize(1, 0.1),
        ((3, 2),),
        lambda x: x / np.sqrt((x * x).sum(axis=1, keepdims=True) + 0.1),
        lambda x: x / ((x * x).sum(1, keepdim=True) + 0.1).sqrt(),
    ),
    LayerCase(
        "normalize",
        lambda backend, dtype: L.Normalize(),
        ((2, 3),),
        lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True),
        lambda x: _torch("normalize")(x, dim=-1),
        inputs=lambda rng: (3 + rng.standard_normal((SAMPLES, 2, 3)),),
        bounded=False,
        natives=NO_JAX,
    ),
    LayerCase(
        "layer_norm-no-eps",
        lambda backend, dtype: L.LayerNorm(3, 0.0),
        ((2, 3),),
        lambda x: _layer_norm(x, -1, 0.0),
        inputs=lambda rng: (np.array([-3.0, 0.0, 3.0]) + 0.3 * rng.standard_normal((SAMPLES, 2, 3)),),
        bounded=False,
        natives=NO_JAX,
    ),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


# --- constants everywhere ---------------------------------------------------------------------------------------------


def _worst(layer, n, ord, eps, seeds=4, steps=60):
    """Largest norm of the Jacobian found by search: rows of all scales, then steps uphill."""
    rng = np.random.default_rng(n)
    x = np.sqrt(eps) * np.exp(rng.uniform(-3, 2, (400, 1))) * rng.standard_normal((400, n))
    x[:100] *= np.exp(rng.uniform(-3, 0, (100, n)))
    x[0] = 0.0
    norms = np.linalg.norm(layer.jacobian(x).to_dense(), ord, axis=(-2, -1))
    best = float(norms.max())
    points, heights = x[np.argsort(norms)[-seeds:]], np.sort(norms)[-seeds:]
    for step in np.geomspace(0.5, 0.01, steps):
        tries = points[:, None] + step * np.sqrt(eps) * rng.standard_normal((seeds, 16, n))
        found = np.linalg.norm(layer.jacobian(tries.reshape(-1, n)).to_dense(), ord, axis=(-2, -1)).reshape(seeds, 16)
        at = found.argmax(axis=1)
        better = found.max(axis=1) > heights
        points = np.where(better[:, None], tries[np.arange(seeds), at], points)
        heights = np.maximum(heights, found.max(axis=1))
        best = max(best, float(heights.max()))
    return best


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("ord", [1, 2, math.inf])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [L.LayerNorm, L.RMSNorm, L.CenterNorm])
def test_constants_are_not_violated_by_search(kind, n, ord, weighted):
    eps = 0.04
    weight = np.random.default_rng(n).standard_normal(n) if weighted else None
    layer = kind(n, weight=weight) if kind is L.CenterNorm else kind(n, eps, weight=weight)
    bounds = layer.lipschitz(ord)
    found = _worst(layer, n, ord, eps)
    assert found <= bounds.upper * (1 + 1e-12)
    assert bounds.lower <= bounds.upper
    if ord == 2 or kind is L.CenterNorm:
        assert found >= bounds.lower * (1 - 1e-9)  # attained at zero
        assert bounds.upper - bounds.lower <= 1e-12 * bounds.upper
        assert bounds.kind == "rigorous"
    else:
        assert found >= 0.85 * bounds.upper
        assert bounds.kind == "analytic"


def test_two_norm_without_factors():
    bounds = L.LayerNorm(768, 1e-5).lipschitz()
    assert bounds.lower <= math.sqrt(1e5) <= bounds.upper <= math.sqrt(1e5) * (1 + 1e-14)
    assert L.RMSNorm(768, 1e-6).lipschitz().upper == pytest.approx(1000, rel=1e-14)


@pytest.mark.parametrize(("n", "value"), [(8, 1.066), (64, 1.964), (768, 5.729)])
def test_sums_of_rms_norm_are_attained(n, value):
    """At one large entry among equal ones, where the bound is an equality."""
    layer = L.RMSNorm(n, 1.0)
    bounds = layer.lipschitz(math.inf)
    assert bounds.upper == pytest.approx(value, abs=6e-4)
    q = (math.sqrt(n) - 1) / 2
    theta = (2 * q - 1) / (3 * q)
    c = (1 - 1 / math.sqrt(n)) / 2  # share of the large entry where -c + sqrt((n - 1) c (1 - c)) is largest
    total = n * theta / (1 - theta)  # squares of x for which theta comes out, eps being 1
    x = np.full((1, n), math.sqrt(total * (1 - c) / (n - 1)))
    x[0, 0] = math.sqrt(total * c)
    J = layer.jacobian(x)
    row = np.zeros((1, n))
    row[0, 0] = 1.0
    assert np.abs(J.rmatvec(row)).sum() == pytest.approx(bounds.upper, rel=1e-8)
    assert bounds.upper == pytest.approx(2 / 3 * (q + 1) * math.sqrt((q + 1) / (3 * q)), rel=1e-8)
    assert layer.lipschitz(1).upper == bounds.upper


@pytest.mark.parametrize("n", [64, 256])
def test_sums_of_layer_norm_are_nearly_attained(n):
    """Rows with one large entry and two levels besides; the search for them is repeated here by their Jacobians."""
    layer = L.LayerNorm(n, 1.0)
    bounds = layer.lipschitz(math.inf)
    assert bounds.upper - bounds.lower <= 2e-3 * bounds.upper
    best = 0.0
    for m in range(n // 2 + 1, n):
        for a in np.sqrt(n * np.linspace(0.05, 0.9, 40)):
            w = (n - 1 - a * a) / (2 * m - (n - 1))
            hat = np.concatenate([[a], np.full(m, (w - 1) / a), np.full(n - 1 - m, -(1 + w) / a)])
            theta = np.mean(hat**2)
            if theta < 1:
                J = (np.eye(n)[0] - 1 / n - hat[0] * hat / n) * math.sqrt(1 - theta)
                best = max(best, float(np.abs(J).sum()))
                assert abs(hat.sum()) < 1e-9 * n
    assert bounds.lower * (1 - 1e-3) <= best <= bounds.upper
    assert L.LayerNorm(16, 1.0).lipschitz(math.inf).upper == pytest.approx(2 * (1 - 1 / 16), rel=1e-9)


def test_group_norm_takes_the_largest_group():
    weight = np.array([1.0, 1.0, 3.0, -3.0])
    layer = L.GroupNorm(2, 1.0, weight)
    assert layer.lipschitz(2, input_shape=(4, 2)).upper == pytest.approx(3.0, rel=1e-12)
    assert layer.lipschitz(2, input_shape=(4, 1)).upper == pytest.approx(3.0, rel=1e-12)
    alone = L.GroupNorm(4, 1.0, np.array([1.0, -2.0, 0.5, 1.0]))
    assert alone.lipschitz(2, input_shape=(4,)).upper == 0.0  # rows of one entry are always zero
    with pytest.raises(ValueError, match="depends on the sample's shape"):
        layer.lipschitz()


# --- regions --------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.floats(0.01, 5), st.sampled_from([1, 2, math.inf]), st.booleans(), st.integers(0, 10**6))
def test_local_constants_hold(n, radius, norm, weighted, seed):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal(n) if weighted else None
    ball = lc.Ball(3 * rng.standard_normal((2, n)), radius, norm)
    points = points_of(ball, rng, 40)
    for layer in (L.LayerNorm(n, 0.01, weight), L.RMSNorm(n, 0.01, weight), L.Normalize(-1, 0.01)):
        dense = layer.jacobian(points).to_dense()
        for ord in (1, 2, math.inf):
            bounds = layer.lipschitz(ord, ball)
            worst = np.linalg.norm(dense, ord, axis=(-2, -1)).max()
            assert bounds.lower * (1 - 1e-9) <= worst <= bounds.upper * (1 + 1e-12)
            assert bounds.kind == "analytic"
        image, y = layer.image(ball), layer(points)
        for found in y:
            assert np.all(image.lower <= found + 1e-12)
            assert np.all(found <= image.upper + 1e-12)
            assert np.linalg.norm(found) <= image.norm(2) * (1 + 1e-12)


def test_local_constants_are_near():
    """Far from constant rows the bound is that of one point."""
    ball = lc.Ball(np.array([-10.0, 3.0, 8.0, 0.0]), 1e-6)
    for layer in (L.LayerNorm(4), L.RMSNorm(4), L.Normalize()):
        bounds = layer.lipschitz(2, ball)
        assert bounds.upper <= 1.000001 * np.linalg.norm(layer.jacobian(ball.center[None]).to_dense()[0], 2)


def test_a_token_at_a_time():
    layer = L.LayerNorm(4, 1e-2, G4)
    assert layer.lipschitz("token").upper == layer.lipschitz(2).upper
    with pytest.raises(ValueError, match="`ord` must be one of"):
        L.LayerNorm((2, 4)).lipschitz("token")


def test_without_eps_only_regions_away_from_the_singular_rows():
    with pytest.raises(UnboundedError, match="constant rows"):
        L.LayerNorm(3, 0.0).lipschitz(region=lc.Ball(np.array([1.0, 1.0, 1.1]), 1.0))
    with pytest.raises(UnboundedError, match="zero rows"):
        L.Normalize().lipschitz(region=lc.Ball(np.array([1.0, 1.0]), 1.5))
    bounds = L.Normalize().lipschitz(region=lc.Ball(np.array([3.0, 4.0]), 1.0))
    assert bounds.upper == pytest.approx(0.25, rel=1e-12)


def test_a_large_mean_is_no_variance():
    """Variances of rows far from zero are bounded with the rounding of the mean."""
    layer = L.LayerNorm(3, 1e-12)
    ball = lc.Ball(np.full(3, 1e8) + np.array([0.0, 1e-8, 0.0]), 0.0)
    assert layer.lipschitz(2, ball).upper == pytest.approx(1e6, rel=1e-9)


def test_batch_norm_constant_and_refusal():
    layer = L.BatchNorm(M3, V3, G3, B3, 1e-2)
    exact = np.max(np.abs(G3) / np.sqrt(V3 + 1e-2))
    for ord in (1, 2, math.inf):
        bounds = layer.lipschitz(ord)
        assert bounds.lower <= exact * (1 + 1e-15)
        assert exact * (1 - 1e-15) <= bounds.upper <= exact * (1 + 1e-14)
        assert bounds.kind == "rigorous"
    with pytest.raises(ValueError, match="`training` must be False: with the statistics of the batch"):
        L.BatchNorm(M3, V3, training=True)
    assert np.isneginf(layer.image(lc.Box(np.full(3, -np.inf), np.zeros(3))).lower[G3 > 0]).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.LayerNorm(0), ValueError, "`normalized_shape` must be positive"),
        (lambda: L.LayerNorm(()), ValueError, "at least one axis"),
        (lambda: L.LayerNorm(3, weight=np.ones(4)), ValueError, "`weight` must have shape"),
        (lambda: L.LayerNorm(3)(np.ones((2, 4))), ValueError, "`x` must have samples of shape"),
        (lambda: L.RMSNorm(3, -1.0), ValueError, "`eps` must not be negative"),
        (lambda: L.RMSNorm(3, weight=np.full(3, np.nan)), ValueError, "`weight` must be finite"),
        (lambda: L.GroupNorm(2)(np.ones((2, 3))), ValueError, "must divide the channels"),
        (lambda: L.GroupNorm(2.0), TypeError, "`num_groups` must be an integer"),
        (lambda: L.GroupNorm(2, weight=np.ones(2))(np.ones((2, 4))), ValueError, "`weight` has 2 channels"),
        (lambda: L.CenterNorm(1), ValueError, "at least two entries"),
        (lambda: L.Normalize(0), ValueError, "`axis` must not be 0"),
        (lambda: L.BatchNorm(M3, -V3), ValueError, "`running_var` must not be negative"),
        (lambda: L.BatchNorm(M3, np.zeros(3), eps=0.0), ValueError, "nor zero where `eps` is"),
        (lambda: L.BatchNorm(M3, V3, np.ones(2)), ValueError, "`weight` must have shape"),
        (lambda: L.BatchNorm(M3, V3)(np.ones((1, 4))), ValueError, "`x` must have samples of shape"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
