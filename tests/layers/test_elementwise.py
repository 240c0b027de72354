from __future__ import annotations

import math
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layers.layer_conformance import SAMPLES, LayerCase, LayerConformance

import lipcore as lc
from lipcore.layers import Elementwise, UnboundedError

L = lc.layers
mp = mpmath.mp
SHAPE = (2, 3)


def _normal(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def _step(low, high, function):
    """A function between two places, constant beyond."""
    return lambda x: function(min(max(x, mp.mpf(low)), mp.mpf(high)))


_SELU = (mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717"))

# each function in arbitrary precision, with the places where it has a kink, and torch's name for it
ACTIVATIONS = [
    ("ReLU", L.ReLU(), lambda x: max(x, 0), [0], "relu"),
    ("ReLU6", L.ReLU6(), _step(0, 6, lambda x: x), [0, 6], "relu6"),
    ("Hardtanh", L.Hardtanh(-0.5, 2.0), _step(-0.5, 2, lambda x: x), [-0.5, 2], lambda F, x: F.hardtanh(x, -0.5, 2.0)),
    (
        "LeakyReLU",
        L.LeakyReLU(0.25),
        lambda x: x if x > 0 else x / 4,
        [0],
        lambda F, x: F.leaky_relu(x, 0.25),
    ),
    ("LeakyReLU-3", L.LeakyReLU(-3.0), lambda x: x if x > 0 else -3 * x, [0], lambda F, x: F.leaky_relu(x, -3.0)),
    ("ELU", L.ELU(), lambda x: x if x > 0 else mp.expm1(x), [0], "elu"),
    ("ELU2", L.ELU(2.0), lambda x: x if x > 0 else 2 * mp.expm1(x), [0], lambda F, x: F.elu(x, 2.0)),
    ("ELU-1", L.ELU(-1.0), lambda x: x if x > 0 else -mp.expm1(x), [0], lambda F, x: F.elu(x, -1.0)),
    ("CELU", L.CELU(0.5), lambda x: x if x > 0 else mp.expm1(2 * x) / 2, [0], lambda F, x: F.celu(x, 0.5)),
    ("SELU", L.SELU(), lambda x: _SELU[0] * (x if x > 0 else _SELU[1] * mp.expm1(x)), [0], "selu"),
    ("Softplus", L.Softplus(2.0), lambda x: mp.log1p(mp.exp(2 * x)) / 2, [], lambda F, x: F.softplus(x, 2.0)),
    ("Tanh", L.Tanh(), mp.tanh, [], "tanh"),
    ("Softsign", L.Softsign(), lambda x: x / (1 + abs(x)), [0], "softsign"),
    ("Arctan", L.Arctan(), mp.atan, [], lambda F, x: x.arctan()),
    ("Tanhshrink", L.Tanhshrink(), lambda x: x - mp.tanh(x), [], "tanhshrink"),
    ("Identity", L.Identity(), lambda x: x, [], lambda F, x: x),
    ("Abs", L.Abs(), abs, [0], lambda F, x: x.abs()),
    ("LogSigmoid", L.LogSigmoid(), lambda x: -mp.log1p(mp.exp(-x)), [], "logsigmoid"),
    ("Sigmoid", L.Sigmoid(), _sigmoid, [], "sigmoid"),
    # torch's own derivative of hardsigmoid is 1/6 rounded to single precision
    ("HardSigmoid", L.HardSigmoid(), _step(-3, 3, lambda x: (x + 3) / 6), [-3, 3], lambda F, x: F.relu6(x + 3) / 6),
    (
        "HardSigmoid0.25",
        L.HardSigmoid(0.25),
        _step(-2, 2, lambda x: x / 4 + 0.5),
        [-2, 2],
        lambda F, x: (x / 4 + 0.5).clamp(0, 1),
    ),
    ("GELU", L.GELU(), lambda x: x * _normal(x), [], "gelu"),
    (
        "GELU-tanh",
        L.GELU("tanh"),
        lambda x: x * _sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x**3)),
        [],
        lambda F, x: F.gelu(x, approximate="tanh"),
    ),
    ("SiLU", L.SiLU(), lambda x: x * _sigmoid(x), [], "silu"),
    ("Swish", L.Swish(2.5), lambda x: x * _sigmoid(2.5 * x), [], lambda F, x: x * F.sigmoid(2.5 * x)),
    (
        "QuickGELU",
        L.QuickGELU(),
        lambda x: x * _sigmoid(mp.mpf(1.702) * x),
        [],
        lambda F, x: x * F.sigmoid(1.702 * x),
    ),
    ("Mish", L.Mish(), lambda x: x * mp.tanh(mp.log1p(mp.exp(x))), [], "mish"),
    ("TanhExp", L.TanhExp(), lambda x: x * mp.tanh(mp.exp(x)), [], lambda F, x: x * x.exp().tanh()),
    ("HardSwish", L.HardSwish(), lambda x: x * min(max(x + 3, 0), 6) / 6, [-3, 3], "hardswish"),
    ("Sin", L.Sin(3.0), lambda x: mp.sin(3 * x), [], lambda F, x: (3 * x).sin()),
    ("Snake", L.Snake(2.0), lambda x: x + mp.sin(2 * x) ** 2 / 2, [], lambda F, x: x + (2 * x).sin() ** 2 / 2),
    ("Softshrink", L.Softshrink(0.5), lambda x: x - min(max(x, -0.5), 0.5), [-0.5, 0.5], "softshrink"),
    ("SquaredReLU", L.SquaredReLU(), lambda x: max(x, 0) ** 2, [0], lambda F, x: F.relu(x) ** 2),
    ("Exp", L.Exp(), mp.exp, [], lambda F, x: x.exp()),
]
# infinite everywhere
UNBOUNDED = {"SquaredReLU", "Exp"}
BY_NAME = {name: (layer, function, kinks) for name, layer, function, kinks, _ in ACTIVATIONS}
BOUNDED = [name for name in BY_NAME if name not in UNBOUNDED]


def _torch(how):
    def reference(x):
        import torch.nn.functional as F

        return getattr(F, how)(x) if isinstance(how, str) else how(F, x)

    return reference


def _off_kinks(kinks):
    """Points at some distance from the kinks, on all sides of them."""

    def inputs(rng):
        x = 2.5 * rng.standard_normal((SAMPLES, *SHAPE))
        for kink in kinks:
            x = np.where(np.abs(x - kink) < 0.05, x + 0.11, x)
        return (x,)

    return inputs


CASES = [
    LayerCase(
        name,
        lambda backend, dtype, layer=layer: layer,
        (SHAPE,),
        lambda x, function=function: np.vectorize(lambda t: float(function(mp.mpf(t))))(x),
        _torch(how),
        _off_kinks(kinks),
        bounded=name not in UNBOUNDED,
        tolerance=3.0 if name in ("Exp", "SquaredReLU") else 1.0,
    )
    for name, layer, function, kinks, how in ACTIVATIONS
] + [
    LayerCase(
        f"PReLU-{len(weight)}",
        lambda backend, dtype, w=weight: L.PReLU(backend.asarray(np.asarray(w, dtype=str(np.dtype(_name(dtype)))))),
        (SHAPE,),
        lambda x, w=weight: np.where(x > 0, x, np.asarray(w)[:, None] * x),
        lambda x, w=weight: _prelu(x, w),
        _off_kinks([0]),
    )
    for weight in ([0.25], [0.5, -2.0])
]


def _name(dtype):
    from lipcore import _backend as B

    return B.dtype_name(dtype)


def _prelu(x, weight):
    import torch

    return torch.nn.functional.prelu(x, torch.tensor(weight, dtype=x.dtype))


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


# --- constants ------------------------------------------------------------------------------------------------------


def _slope(function, x, side=0):
    """Derivative at 40 digits; one-sided by an offset that costs 1e-15."""
    with mp.workdps(40):
        return mp.diff(function, mp.mpf(x) + side * mp.mpf(10) ** -15, h=mp.mpf(10) ** -18)


TABLE = {  # slope ranges and the constant, as published or derived by hand
    "ReLU": (0, 1), "ReLU6": (0, 1), "Hardtanh": (0, 1), "LeakyReLU": (0.25, 1), "LeakyReLU-3": (-3, 1), "ELU": (0, 1),
    "ELU2": (0, 2), "ELU-1": (-1, 1), "CELU": (0, 1), "SELU": (0, "1.758099340847376859940217520812319342"),
    "Softplus": (0, 1), "Tanh": (0, 1), "Softsign": (0, 1), "Arctan": (0, 1), "Tanhshrink": (0, 1), "Identity": (1, 1),
    "Abs": (-1, 1), "LogSigmoid": (0, 1), "Sigmoid": (0, 0.25), "HardSigmoid": (0, 1 / 6), "HardSigmoid0.25": (0, 0.25),
    "HardSwish": (-0.5, 1.5), "Sin": (-3, 3), "Snake": (0, 2), "Softshrink": (0, 1), "SquaredReLU": (0, "inf"),
    "Exp": (0, "inf"),
}  # fmt: skip
# stationary points of the slope to be polished: near which x
STATIONARY = {
    "GELU": (-1.41, 1.41), "GELU-tanh": (-1.4185, 1.4185), "SiLU": (-2.4, 2.4), "Swish": (-0.96, 0.96),
    "QuickGELU": (-1.41, 1.41), "Mish": (-2.256, 1.49), "TanhExp": (-2.066, 0.6966),
}  # fmt: skip


def _extremes(name):
    """Slope range by closed form, or by root finding at 40 digits."""
    if name in TABLE:
        return tuple(mp.mpf(end) for end in TABLE[name])
    function = BY_NAME[name][1]
    with mp.workdps(40):
        roots = [mp.findroot(lambda x: mp.diff(function, x, 2), start) for start in STATIONARY[name]]
        return tuple(mp.diff(function, root) for root in roots)


@pytest.mark.parametrize("name", BY_NAME)
def test_slope_range_encloses_the_exact_one(name):
    layer = BY_NAME[name][0]
    low, high = (float(x) for x in layer.slope_range())
    with mp.workdps(40):
        exact_low, exact_high = _extremes(name)
        assert low <= exact_low + mp.mpf(10) ** -30
        assert exact_high <= high + mp.mpf(10) ** -30
        if math.isfinite(high):
            assert abs(low - exact_low) <= 1e-12
            assert abs(high - exact_high) <= 1e-12


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("ord", [1, 2, math.inf, "token"])
def test_constant_is_the_largest_slope(name, ord):
    bounds = BY_NAME[name][0].lipschitz(ord)
    with mp.workdps(40):
        exact = max(abs(end) for end in _extremes(name))
        assert bounds.lower <= exact + mp.mpf(10) ** -30
        assert exact <= bounds.upper + mp.mpf(10) ** -30
    assert bounds.upper - bounds.lower <= 1e-14 * bounds.upper
    assert bounds.kind == "rigorous"
    assert bounds.ord == ord


@pytest.mark.parametrize("name", BY_NAME)
def test_slopes_on_a_dense_grid(name):
    """Nothing is steeper than the range says, in the tails as little as in the middle."""
    layer, function, kinks = BY_NAME[name]
    x = np.concatenate([np.linspace(-12, 12, 4001), np.geomspace(12, 600, 60), -np.geomspace(12, 600, 60)])
    x = x[np.all([np.abs(x - kink) > 1e-9 for kink in kinks], axis=0)] if kinks else x
    low, high = layer.slope_range(x.min(), x.max())
    slope = layer._slope(np, x[None])[0]
    assert np.all((low <= slope) & (slope <= high))
    for at in x[:: len(x) // 60]:
        exact = float(_slope(function, at))
        (here,), (there,) = layer._slope(np, np.array([[at]]))[0], [exact]
        assert abs(here - there) <= 1e-13 * max(1.0, abs(there))


@pytest.mark.parametrize("name", BY_NAME)
def test_curvature_bounds_the_change_of_slope(name):
    layer, _, _ = BY_NAME[name]
    x = np.linspace(-6, 6, 20001)
    slope = layer._slope(np, x[None])[0]
    steepest = np.max(np.abs(np.diff(slope))) / (x[1] - x[0])
    if name == "Exp":
        assert layer.curvature == math.inf
    elif layer.curvature < math.inf:
        assert steepest <= layer.curvature * (1 + 1e-9)
        assert steepest >= layer.curvature * (1 - 2e-3)
    else:
        assert steepest > 100 or name == "SELU"


CURVATURES = {
    "GELU": "0.797884560802865355879892", "SiLU": "0.5", "Tanh": "0.769800358919501015",
    "Sigmoid": "0.0962250448649376", "Mish": None, "TanhExp": None, "Arctan": "0.649519052838329",
}  # fmt: skip


@pytest.mark.parametrize("name", CURVATURES)
def test_curvature_at_high_precision(name):
    layer, function, _ = BY_NAME[name]
    with mp.workdps(30):
        grid = np.linspace(-3, 3, 601)
        start = max(grid, key=lambda x: abs(mp.diff(function, x, 2)))
        top = abs(mp.diff(function, mp.findroot(lambda x: mp.diff(function, x, 3), start), 2))
        assert top <= layer.curvature + mp.mpf(10) ** -20
        assert abs(top - layer.curvature) <= 1e-15
        if CURVATURES[name]:
            assert abs(top - mp.mpf(CURVATURES[name])) < 1e-14


@pytest.mark.parametrize("name", STATIONARY)
def test_turning_points_are_where_they_are_said_to_be(name):
    """Within an ulp, so that an interval that ends beside one is not told that it holds it, nor the other way."""
    layer, function, _ = BY_NAME[name]
    for order, profile in ((1, layer.values), (2, layer.slopes)):
        for turn in profile.turns:
            with mp.workdps(40):
                place = mp.findroot(lambda x, order=order: mp.diff(function, x, order), turn.at)
                assert abs(place - turn.at) <= 2 * math.ulp(turn.at)
                low, high = turn.values[0]
                assert low <= mp.diff(function, place, order - 1) <= high


# --- intervals ------------------------------------------------------------------------------------------------------

ENDS = st.one_of(
    st.floats(-8, 8), st.floats(-60, 60), st.sampled_from([0.0, 0.5, 3.0, -3.0, 6.0, 2.399357280515468, -1e308, 1e308])
)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(BY_NAME)), ENDS, ENDS, st.booleans())
def test_ranges_over_intervals(name, first, second, close):
    """Against a dense grid, refined near stationary points by bounded slopes of the slope."""
    layer, _, kinks = BY_NAME[name]
    lower, upper = min(first, second), max(first, second)
    if close:
        upper = lower + min(upper - lower, 0.05)
    assume(name not in ("Exp", "SquaredReLU", "Sin", "Snake") or max(abs(lower), abs(upper)) < 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = layer.slope_range(lower, upper)
        bottom, top = layer.value_range(lower, upper)
    assert low.dtype == high.dtype == np.float64
    near_lower, near_upper = max(lower, -50), min(upper, 50)
    if near_lower > near_upper:
        return
    grid = np.linspace(near_lower, near_upper, 4001)
    slopes, values = layer._slope(np, grid[None])[0], layer._value(np, grid[None])[0]
    slack = 1e-13 * (1 + np.abs(values))
    assert low - 1e-13 <= slopes.min()
    assert slopes.max() <= high + 1e-13 * (1 + abs(high))
    assert np.all(bottom - slack <= values)
    assert np.all(values <= top + slack)
    spacing = (near_upper - near_lower) / 4000
    whole = lower >= -50 and upper <= 50
    if whole and not any(lower <= kink <= upper for kink in kinks):
        bend = layer.curvature if layer.curvature < math.inf else 40 * math.exp(max(upper, 0.0))
        assert slopes.min() - low <= spacing * bend + 1e-12 * (1 + abs(low))
        assert high - slopes.max() <= spacing * bend + 1e-12 * (1 + abs(high))
        steep = max(abs(low), abs(high))
        assert values.min() - bottom <= spacing * steep + 1e-12 * (1 + abs(bottom))
        assert top - values.max() <= spacing * steep + 1e-12 * (1 + abs(top))


@pytest.mark.parametrize("name", BY_NAME)
def test_ends_are_enclosed_at_high_precision(name):
    """A range over a point is an interval around the slope, at most 1e-12 wide, also far in the tails."""
    layer, function, kinks = BY_NAME[name]
    rng = np.random.default_rng(3)
    for x in [*rng.uniform(-5, 5, 12), *rng.uniform(-37, 37, 12), -600.0, 600.0]:
        if any(abs(x - kink) < 1e-6 for kink in kinks) or (name == "Exp" and x > 300):
            continue
        low, high = (float(end) for end in layer.slope_range(x, x))
        bottom, top = (float(end) for end in layer.value_range(x, x))
        with mp.workdps(400 if abs(x) > 40 else 60):
            slope = mp.diff(function, mp.mpf(x), h=mp.mpf(10) ** -(150 if abs(x) > 40 else 25))
            value = function(mp.mpf(x))
        assert low <= slope * (1 + mp.mpf(10) ** -20) + mp.mpf(10) ** -300
        assert slope * (1 - mp.mpf(10) ** -20) - mp.mpf(10) ** -300 <= high
        waves = max(1.0, abs(x)) if name in ("Sin", "Snake") else 0.0  # rounding of w x
        assert high - low <= 2e-12 * max(abs(slope), 0.05 if abs(x) < 5 else 1e-285, waves)
        assert bottom <= value <= top
        assert top - bottom <= 2e-12 * max(
            abs(value), abs(x) if name in ("Tanhshrink", "Sin", "HardSigmoid", "HardSigmoid0.25") else 1e-285
        )


def test_ranges_at_kinks_have_both_slopes():
    low, high = L.ReLU().slope_range(np.array([0.0, -1.0, 1e-300]), np.array([2.0, 0.0, 1.0]))
    assert np.array_equal(low, [0, 0, 1])
    assert np.array_equal(high, [1, 1, 1])
    low, high = L.HardSwish().slope_range(3.0, 4.0)
    assert (low, high) == (1.0, 1.5)


def test_lower_is_attained_on_the_region():
    """On a region whose end is a kink, the slope of the other side is in the range but not attained."""
    box = lc.Box(np.array([0.0]), np.array([1.0]))
    bounds = L.ELU(3.0).lipschitz(region=box)
    assert bounds.lower <= 1.0
    ball = lc.Ball(np.array([-1.0, 4.0]), 1.0)
    assert L.ReLU().lipschitz(region=ball).lower == 1.0
    assert L.ELU(3.0).lipschitz(region=lc.Ball(np.array([-1.0]), 1.0)).lower == pytest.approx(3.0, abs=1e-12)
    both = ball & lc.Box(np.full(2, -2.0), np.full(2, 0.5))
    assert L.Sigmoid().lipschitz(region=both).lower <= 0.25


def test_images_keep_the_ball():
    ball = lc.Ball(np.zeros(100), 1.0)
    image = L.Tanh().image(ball)
    assert image.norm(2) <= 1.0 + 1e-9  # the box alone says 7.6
    assert L.Sigmoid().image(None, input_shape=(3,)).norm(math.inf) == 1.0
    assert L.ReLU().image(None, input_shape=(3,)) is None
    assert L.Sigmoid().image(None) is None


def test_constants_of_unbounded_functions_need_a_region():
    for layer in (L.SquaredReLU(), L.Exp()):
        with pytest.raises(UnboundedError, match=r"give a bounded region such as lc\.Ball"):
            layer.lipschitz()
        with pytest.raises(UnboundedError, match="region"):
            layer.lipschitz(region=lc.Box(np.array([0.0]), np.array([np.inf])))
    assert L.SquaredReLU().lipschitz(region=lc.Box(np.array([-np.inf]), np.array([0.0]))).upper == 0.0


JUMPS = [
    (L.Hardshrink(1.0), (-1.0, 1.0), 0.0, [(0.5, 1.5), (-2.0, -1.0), (-3.0, 3.0)]),
    (L.Hardshrink(1.0), (1.5, 3.0), 1.0, [(1.0, 1.5)]),
    (L.Threshold(1.0, -2.0), (-5.0, 1.0), 1.0, [(0.5, 1.5), (1.0, 2.0)]),
    (L.Threshold(1.0, -2.0), (1.25, 2.0), 1.0, [(0.0, 7.0)]),
]


@pytest.mark.parametrize(("layer", "good", "constant", "bad"), JUMPS)
def test_functions_that_jump(layer, good, constant, bad):
    assert layer.lipschitz(region=lc.Box(*(np.array([end]) for end in good))).upper == constant
    for ends in bad:
        with pytest.raises(UnboundedError, match="jumps at"):
            layer.lipschitz(region=lc.Box(*(np.array([end]) for end in ends)))
    with pytest.raises(UnboundedError, match="jumps at"):
        layer.lipschitz()
    points = np.linspace(-4, 4, 81)[None]
    low, high = layer.value_range(points[0].min(), points[0].max())
    assert low <= layer(points).min()
    assert layer(points).max() <= high


def test_continuous_threshold_and_shrink():
    assert L.Threshold(1.0, 1.0).lipschitz().upper == 1.0
    assert L.Hardshrink(0.0).lipschitz().upper == 1.0


# torch's own conventions
@pytest.mark.backends("torch")
@pytest.mark.parametrize("name", BY_NAME)
def test_slopes_at_kinks_are_those_of_torch(name, backend):
    import torch

    if name == "HardSigmoid0.25":
        pytest.skip("no layer of torch's")
    layer, _, kinks = BY_NAME[name]
    how = next(row[4] for row in ACTIVATIONS if row[0] == name)
    x = torch.tensor([[*map(float, kinks), 0.0]], dtype=torch.float64, requires_grad=True)
    _torch(how)(x).sum().backward()
    np.testing.assert_allclose(layer._slope(backend.xp, x.detach()).numpy(), x.grad.numpy(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", [n for n in BOUNDED if n not in ("Sin", "Snake")])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_overflow_anywhere(name, dtype):
    layer = BY_NAME[name][0]
    far = 1e308 if dtype == "float64" else 1e38
    x = np.array([[-far, -1e30, -1000.0, -90.0, -1e-30, 0.0, 1e-30, 90.0, 1000.0, 1e30, far]], dtype=dtype)
    x = x / max(1.0, abs(getattr(layer, "negative_slope", 1.0)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y, J = layer(x), layer.jacobian(x).to_dense()
    assert np.all(np.isfinite(y))
    assert np.all(np.isfinite(J))
    assert np.isnan(layer(np.array([[np.nan]], dtype=dtype))).all()


def test_ranges_do_not_depend_on_being_asked_together():
    rng = np.random.default_rng(0)
    lower = rng.uniform(-4, 3, (3, 4))
    upper = lower + rng.uniform(0, 3, (3, 4))
    for name, (layer, _, _) in BY_NAME.items():
        low, high = layer.slope_range(lower, upper)
        for index in np.ndindex(lower.shape):
            one = layer.slope_range(lower[index], upper[index])
            assert (low[index], high[index]) == (one[0], one[1]), name


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.Hardtanh(1.0, 1.0), ValueError, "`min_val` must be below `max_val`"),
        (lambda: L.Softplus(0.0), ValueError, "`beta` must be positive"),
        (lambda: L.Swish(-1.0), ValueError, "`beta` must be positive"),
        (lambda: L.Sin(math.inf), ValueError, "`w` must be finite"),
        (lambda: L.CELU(-1.0), ValueError, "`alpha` must be positive"),
        (lambda: L.ELU("1"), TypeError, "`alpha` must be a real number"),
        (lambda: L.Softshrink(-1.0), ValueError, "`lambd` must not be negative"),
        (lambda: L.GELU("sigmoid"), ValueError, '`approximate` must be "none" or "tanh"'),
        (lambda: L.PReLU(np.ones((2, 2))), ValueError, "`weight` must have shape"),
        (lambda: L.PReLU(np.array([np.nan])), ValueError, "`weight` must be finite"),
        (lambda: L.PReLU(np.ones(3))(np.ones((2, 4))), ValueError, r"`x` must have shape \(samples, 3"),
        (lambda: L.ReLU()(np.ones((2, 4), dtype=np.int64)), TypeError, "real floating point"),
        (lambda: L.ReLU().slope_range(1.0, 0.0), ValueError, "`lower` must not exceed `upper`"),
        (lambda: L.ReLU().lipschitz("fro"), ValueError, "`ord` must be one of"),
        (lambda: Elementwise()(np.ones((1, 1))), NotImplementedError, "_value"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
