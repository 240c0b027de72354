from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers.layer_conformance import LayerCase, LayerConformance
from layers.toy_layers import Matrix, Tanh, matrix, weight
from operators.conformance import Case, OperatorConformance

import lipcore as lc
from lipcore import layers
from lipcore.layers.composite import inner_point, point_norm
from lipcore.norms import Bounds
from lipcore.operators.placement import Placement

INF = math.inf


def placement_dense(shape, axis, before, after):
    size = (*shape[:axis], before + shape[axis] + after, *shape[axis + 1 :])
    columns = []
    for index in np.ndindex(*shape):
        whole = np.zeros(size)
        at = list(index)
        at[axis] += before
        whole[tuple(at)] = 1
        columns.append(whole.ravel())
    return np.stack(columns, axis=1)


PLACEMENTS = [
    Case(
        name,
        lambda rng, dtype: {},
        lambda backend, dtype, given=given: Placement(*given, dtype=dtype, xp=backend.xp, device=backend.device),
        lambda given=given: placement_dense(*given),
    )
    for name, given in [("middle", ((2, 3, 2), 1, 0, 2)), ("last", ((2, 2), 1, 1, 0))]
]


class TestPlacement(OperatorConformance):
    @pytest.fixture(params=PLACEMENTS, ids=lambda case: case.name)
    def case(self, request, backend):
        if backend.native == "jax" and request.param is not PLACEMENTS[0]:
            pytest.skip("JAX compiles each case anew: one stands for all")
        return request.param


def two_matrices(backend, dtype):
    return matrix(backend, dtype, 4, 3, 1), matrix(backend, dtype, 4, 3, 2)


CASES = [
    LayerCase("add", lambda b, d: layers.Add(), ((3, 2), (3, 2)), reference=np.add),
    LayerCase(
        "weighted",
        lambda b, d: layers.Add((2, -0.5, 0)),
        ((4,), (4,), (4,)),
        reference=lambda x, y, z: 2 * x - 0.5 * y,
    ),
    LayerCase(
        "concatenate",
        lambda b, d: layers.Concatenate(0),
        ((2, 3), (1, 3)),
        reference=lambda x, y: np.concatenate([x, y], axis=1),
    ),
    LayerCase(
        "concatenate last",
        lambda b, d: layers.Concatenate(-1),
        ((2, 3), (2, 1), (2, 2)),
        reference=lambda *xs: np.concatenate(xs, axis=-1),
    ),
    LayerCase("multiply", lambda b, d: layers.Multiply(), ((2, 3), (2, 3)), reference=np.multiply, bounded=False),
    LayerCase(
        "sequential",
        lambda b, d: layers.Sequential(matrix(b, d, 4, 3, 1), Tanh(), matrix(b, d, 2, 4, 2)),
        ((3,),),
    ),
    LayerCase("sequential of one", lambda b, d: layers.Sequential(Tanh()), ((2, 2),), reference=np.tanh),
    LayerCase(
        "sequential of two inputs",
        lambda b, d: layers.Sequential(layers.Add((1, -1)), Tanh()),
        ((3,), (3,)),
        reference=lambda x, y: np.tanh(x - y),
    ),
    LayerCase(
        "residual",
        lambda b, d: layers.Residual(matrix(b, d, 4, 3, 1), Tanh(), matrix(b, d, 3, 4, 2), scale=(0.5, 2)),
        ((3,),),
    ),
    LayerCase(
        "residual with shortcut",
        lambda b, d: layers.Residual(matrix(b, d, 4, 3, 1), Tanh(), shortcut=matrix(b, d, 4, 3, 3)),
        ((3,),),
    ),
    LayerCase("affine residual", lambda b, d: layers.Residual(matrix(b, d, 3, 3, 1)), ((3,),)),
    LayerCase("parallel", lambda b, d: layers.Parallel(*two_matrices(b, d), merge="concatenate", axis=-1), ((3,),)),
    LayerCase(
        "parallel product",
        lambda b, d: layers.Parallel(*two_matrices(b, d), merge=layers.Multiply()),
        ((3,),),
        bounded=False,
    ),
    LayerCase(
        "separate",
        lambda b, d: layers.Parallel(*two_matrices(b, d), merge="concatenate", separate=True),
        ((3,), (3,)),
    ),
    LayerCase(
        "nested",
        lambda b, d: layers.Sequential(
            layers.Residual(layers.Parallel(Tanh(), matrix(b, d, 3, 3, 1), Tanh())),
            layers.Parallel(layers.Sequential(matrix(b, d, 2, 3, 4), Tanh()), Tanh(), merge="concatenate"),
        ),
        ((3,),),
    ),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request, backend):
        if backend.native == "jax" and request.param.name not in ("nested", "separate"):
            pytest.skip("JAX compiles each case anew: two stand for all")
        return request.param


def norm(a, ord):
    return float(np.linalg.norm(a, ord))


@pytest.mark.parametrize(
    ("layer", "best", "shapes"),
    [
        (layers.Add(), {1: 1.0, 2: math.sqrt(2), INF: 2.0, "token": 2.0}, ((2, 2), (2, 2))),
        (layers.Add((3, -4)), {1: 4.0, 2: 5.0, INF: 7.0, "token": 7.0}, ((2, 2), (2, 2))),
        (layers.Concatenate(0), {1: 1.0, 2: 1.0, INF: 1.0}, ((2, 2), (1, 2))),
        (layers.Concatenate(-1), {1: 1.0, 2: 1.0, INF: 1.0, "token": math.sqrt(2)}, ((2, 2), (2, 1))),
    ],
)
def test_linear_constants_are_exact(layer, best, shapes):
    for ord, value in best.items():
        bounds = layer.lipschitz(ord, input_shape=shapes)
        assert bounds.lower <= value <= bounds.upper <= value * (1 + 1e-14)
        assert bounds.lower >= value * (1 - 1e-14)
        assert bounds.kind == "rigorous"


def test_product_on_a_box_is_attained_at_a_corner():
    rng = np.random.default_rng(0)
    ends = np.sort(rng.standard_normal((2, 2, 4)), axis=0)
    boxes = tuple(lc.Box(ends[0, i], ends[1, i]) for i in range(2))
    x, z = (np.max(np.abs(ends), axis=0)[i] for i in range(2))
    J = np.concatenate([np.diag(z), np.diag(x)], axis=1)
    for ord in (1, 2, INF):
        bounds = layers.Multiply().lipschitz(ord, boxes)
        assert bounds.lower <= norm(J, ord) <= bounds.upper <= norm(J, ord) * (1 + 1e-14)
        assert bounds.lower >= norm(J, ord) * (1 - 1e-14)
        gains = layers.Multiply().gains(ord, boxes)
        assert [g.upper for g in gains] == [max(z), max(x)]


def test_product_rule():
    box = lc.Box(-np.ones(2), 2 * np.ones(2))
    square = layers.Parallel(layers.Add((1,)), layers.Add((3,)), merge=layers.Multiply())
    # 3 x^2 has the slope 12 at 2
    for ord in (1, 2, INF):
        bounds = square.lipschitz(ord, box)
        assert 12 <= bounds.upper <= 12 * (1 + 1e-13)


@pytest.mark.parametrize("ord", [1, 2, INF])
def test_constants_of_branches_on_one_input(ord):
    a, b = weight(4, 3, 1), weight(4, 3, 2)
    before = [lc.opnorm_bounds(w, ord, rtol=1e-9) for w in (a, b)]
    gains = [Bounds(1.0, 1.0, "rigorous", ord=ord)] * 2
    stacked = layers.Concatenate(0).constant_after(ord, gains, before)
    known = {1: norm(a, 1) + norm(b, 1), 2: math.hypot(norm(a, 2), norm(b, 2)), INF: max(norm(a, INF), norm(b, INF))}
    assert stacked.upper == pytest.approx(known[ord], rel=1e-8)
    assert stacked.lower <= norm(np.concatenate([a, b]), ord) <= stacked.upper
    assert stacked.lower == pytest.approx(max(norm(a, ord), norm(b, ord)), rel=1e-8)
    added = layers.Add((2, -1)).constant_after(ord, gains, before)
    assert added.lower <= norm(2 * a - b, ord) <= added.upper
    assert added.upper == pytest.approx(2 * norm(a, ord) + norm(b, ord), rel=1e-8)
    assert added.lower == pytest.approx(abs(2 * norm(a, ord) - norm(b, ord)), rel=1e-6)


@pytest.mark.parametrize("ord", [1, 2, INF])
def test_affine_residual_is_the_norm_of_the_whole(ord):
    w = weight(5, 5, 3)
    bounds = layers.Residual(Matrix(w), scale=(2, 3)).lipschitz(ord, input_shape=(5,))
    exact = norm(2 * np.eye(5) + 3 * w, ord)
    assert bounds.lower <= exact * (1 + 1e-12) <= bounds.upper * (1 + 2e-12)
    assert bounds.upper <= exact * 1.01
    assert bounds.upper < 2 + 3 * norm(w, ord)
    # and of what is affine because its parts are
    deep = layers.Residual(Matrix(w), layers.Parallel(Matrix(w), Matrix(np.eye(5)), merge="add"))
    exact = norm(np.eye(5) + (w + np.eye(5)) @ w, ord)
    assert exact <= deep.lipschitz(ord, input_shape=(5,)).upper * (1 + 1e-12) <= exact * 1.01


def test_what_cancels_has_the_constant_zero():
    assert layers.Residual(Matrix(-np.eye(3))).lipschitz(2).upper >= 2.0  # shape unknown: the sum
    assert layers.Residual(layers.Sequential(Matrix(-np.eye(3)))).lipschitz(2, input_shape=(3,)).upper < 1e-14


def test_separate_inputs_have_the_largest_constant():
    a, b = weight(4, 3, 1), 2 * weight(4, 3, 2)
    for ord in (1, 2, INF):
        bounds = layers.Parallel(Matrix(a), Matrix(b), merge="concatenate", separate=True).lipschitz(ord)
        largest = max(norm(a, ord), norm(b, ord))
        assert bounds.lower <= largest * (1 + 1e-12)
        assert largest <= bounds.upper * (1 + 1e-12) <= largest * 1.01


def test_regions_pass_through():
    net = layers.Sequential(Matrix(3 * np.eye(2), np.array([6.0, -6.0])), Tanh(), Matrix(np.eye(2)))
    everywhere = net.lipschitz(2)
    local = net.lipschitz(2, lc.Ball(np.zeros(2), 1.0))
    slope = 1 - math.tanh(3.0) ** 2
    assert everywhere.upper >= 3
    assert 3 * slope <= local.upper <= 3 * slope * 1.01
    # what is squashed is bounded without a region
    assert net.image(None) is None
    np.testing.assert_allclose(net.image(None, input_shape=(2,)).upper, 1.0)
    np.testing.assert_allclose(layers.Sequential(Tanh(), Tanh()).image(None, input_shape=(2,)).upper, math.tanh(1))
    # behind the squashed values the constants are local
    deep = layers.Sequential(Matrix(np.eye(2)), Tanh(), layers.Parallel(Tanh(), Tanh(), merge=layers.Multiply()))
    with pytest.raises(layers.UnboundedError, match="region"):
        layers.Sequential(
            Matrix(np.eye(2)), layers.Parallel(Matrix(np.eye(2)), Tanh(), merge=layers.Multiply())
        ).lipschitz(2, input_shape=(2,))
    assert deep.lipschitz(2, input_shape=(2,)).upper <= 2 * math.tanh(1) * 1.01


def test_lower_bound_is_a_jacobian_inside():
    net = layers.Sequential(Matrix(weight(6, 4, 1)), Tanh(), Matrix(weight(5, 6, 2)))
    assert net.lipschitz(2).lower == 0
    rng = np.random.default_rng(0)
    for ord in (1, 2, INF):
        bounds = net.lipschitz(ord, lc.Ball(np.zeros(4), 0.1))
        peak = max(norm(J, ord) for J in net.jacobian(0.05 * rng.standard_normal((200, 4))).to_dense())
        assert 0.5 * peak <= bounds.lower <= peak * 1.1
        assert net.lipschitz(ord, input_shape=(4,)).lower > 0


class Relu(Tanh):
    """Whose slope at zero is taken as one."""

    def _forward(self, *xs):
        return np.maximum(xs[0], 0)

    def _jacobians(self, *xs):
        return (lc.Diagonal(np.where(xs[0] >= 0, 1.0, 0.0)),)


def test_kinks_give_no_false_lower_bound():
    # relu(x) - relu(-x) - x = 0, but the slopes chosen at zero add up to 1 + 1 - 1
    zero = layers.Parallel(
        Relu(), layers.Sequential(layers.Add((-1,)), Relu()), layers.Add((1,)), merge=layers.Add((1, -1, -1))
    )
    x = np.zeros((1, 2))
    assert np.linalg.norm(zero.jacobian(x).to_dense()) > 0
    assert zero.lipschitz(2, lc.Ball(x[0], 1.0)).lower == 0


def test_points_lie_inside():
    rng = np.random.default_rng(0)
    center = rng.standard_normal((2, 3))
    for ord in (1, 2, INF, "token"):
        ball = lc.Ball(center, 0.5, ord)
        point = inner_point(ball & lc.Box(center - 0.1, center + 1), rng)
        assert np.all(np.abs(point - center) < 0.5)
        assert np.all(point > center - 0.1)
        assert lc.Ball(point - center, 0.0).norm(ord) <= 0.5
    assert inner_point(lc.Ball(center, 0.0), rng) is None
    assert inner_point(lc.Box(center, center), rng) is None
    assert point_norm(Tanh(), 2, (None,), (None,)) == 0


def test_images_keep_balls():
    rng = np.random.default_rng(0)
    a, b = (lc.Ball(rng.standard_normal((2, 3)), radius) for radius in (0.3, 0.4))
    total = layers.Add((2, -1)).image((a, b))
    assert total.spread(2) == pytest.approx(1.0, rel=1e-6)
    joined = layers.Concatenate(0).image((a, b))
    assert joined.spread(2) == pytest.approx(0.5, rel=1e-6)
    assert layers.Concatenate(0).image((a, b)).spread("token") == pytest.approx(0.4, rel=1e-6)
    assert layers.Concatenate(-1).image((a, b)).spread("token") == pytest.approx(0.5, rel=1e-6)
    assert layers.Add().image((a, None)) is None
    weaker = layers.Add().image((a, lc.Box(a.lower, a.upper, kind="analytic")))
    assert weaker.kind == "analytic"


def test_token_norms_of_compositions():
    rng = np.random.default_rng(0)
    block = layers.Residual(layers.Add((0.5,)), scale=(1, 2))
    assert "token" in block.ords
    bounds = block.lipschitz("token", lc.Ball(rng.standard_normal((3, 2)), 1.0, "token"))
    assert bounds.upper == pytest.approx(2.0)
    assert bounds.ord == "token"


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.integers(0, 1000))
def test_products_bound_any_depth(widths, seed):
    rng = np.random.default_rng(seed)
    parts = []
    for i, (n, m) in enumerate(itertools.pairwise(widths)):
        parts += [Matrix(weight(m, n, seed + i)), Tanh()]
    net = layers.Sequential(*parts)
    ball = lc.Ball(rng.standard_normal(widths[0]), 0.5)
    for ord in (1, 2, INF):
        everywhere, local = net.lipschitz(ord), net.lipschitz(ord, ball)
        assert local.upper <= everywhere.upper * (1 + 1e-9)
        x = ball.center + rng.uniform(-1, 1, (20, widths[0])) * 0.5 / math.sqrt(widths[0])
        assert max(norm(J, ord) for J in net.jacobian(x).to_dense()) <= local.upper * (1 + 1e-9)


def test_forward_pass_is_shared():
    class Counted(Tanh):
        calls = 0

        def _forward(self, *xs):
            type(self).calls += 1
            return super()._forward(*xs)

        def _jacobians(self, *xs):
            y = np.tanh(xs[0])
            return (lc.Diagonal(1 - y * y),)

    net = layers.Sequential(*(layers.Residual(Counted()) for _ in range(4)))
    net.jacobian(np.zeros((1, 2)))
    assert Counted.calls == 4


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.Add(()), ValueError, "`weights` must hold"),
        (lambda: layers.Add((1, "a")), TypeError, "`weights` must be"),
        (lambda: layers.Add((1, math.nan)), ValueError, "`weights` must be finite"),
        (lambda: layers.Add()(np.ones((1, 2)), np.ones((1, 3))), ValueError, "must have one shape"),
        (lambda: layers.Add((1, 1))(np.ones((1, 2))), TypeError, "takes 2"),
        (lambda: layers.Concatenate(0.5), TypeError, "`axis` must be an integer"),
        (lambda: layers.Concatenate(2)(np.ones((1, 2))), ValueError, "`axis` must be an axis"),
        (lambda: layers.Concatenate(0)(np.ones((1, 2, 2)), np.ones((1, 2, 3))), ValueError, "may differ along axis 0"),
        (lambda: layers.Multiply()(np.ones((1, 2)), np.ones((1, 3))), ValueError, "must have one shape"),
        (lambda: layers.Multiply().lipschitz(2), layers.UnboundedError, "region"),
        (lambda: layers.Sequential(), ValueError, "at least one layer"),
        (lambda: layers.Sequential(np.tanh), TypeError, r"`layers\[0\]` must be a layer"),
        (lambda: layers.Sequential(Tanh(), layers.Multiply()), ValueError, r"`layers\[1\]`, Multiply, takes 2"),
        (lambda: layers.Parallel(), ValueError, "at least one layer"),
        (lambda: layers.Parallel(layers.Multiply()), ValueError, r"`branches\[0\]` must take one input"),
        (lambda: layers.Parallel(Tanh(), merge="max"), ValueError, "`merge` must be"),
        (lambda: layers.Parallel(Tanh(), merge=3), TypeError, "`merge` must be a layer"),
        (lambda: layers.Parallel(Tanh(), merge=layers.Multiply()), ValueError, "`merge` takes 2 inputs"),
        (lambda: layers.Residual(), ValueError, "at least one layer"),
        (lambda: layers.Residual(Tanh(), scale=(1,)), ValueError, "`scale` must be a pair"),
        (lambda: layers.Residual(Tanh(), scale=(1, INF)), ValueError, "finite"),
        (lambda: layers.Sequential(Tanh()).lipschitz(3), ValueError, "`ord` must be one of"),
        (lambda: Placement((2,), 1, 0, 0, dtype=np.float64, xp=np), ValueError, "`axis` must be an axis"),
        (lambda: Placement((2,), 0, -1, 0, dtype=np.float64, xp=np), ValueError, "nonnegative"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_affine_layers_in_a_row_have_the_norm_of_their_product():
    rng = np.random.default_rng(7)
    weights = [rng.standard_normal((6, 6)) / 4 for _ in range(5)]
    net = layers.Sequential(*(layers.Dense(w) for w in weights))
    product = np.linalg.multi_dot(weights[::-1])
    for ord in (1, 2, np.inf):
        bounds = net.lipschitz(ord, input_shape=(6,))
        exact = np.linalg.norm(product, ord)
        assert bounds.lower <= exact * (1 + 1e-12)
        assert exact <= bounds.upper * (1 + 1e-12)
        assert bounds.upper <= exact * 1.01
    assert net.lipschitz(2).upper > 1.5 * np.linalg.norm(product, 2)  # of unknown samples only the factors are known
