from __future__ import annotations

import importlib
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.small_networks import Network, attack, network, orthogonal

import lipcore as lc
from lipcore.nn import metrics as M

SEEDS = range(6)


def drawn(seed, samples=40, classes=5):
    rng = np.random.default_rng(seed)
    return 2 * rng.standard_normal((samples, classes)), rng.integers(classes, size=samples)


def brute(logits, labels, constants, signed=False):
    """The definition, sample by sample and rival by rival; `constants` by pairs."""
    found = []
    for f, y in zip(logits, labels, strict=True):
        radius = min((f[y] - f[j]) / constants[y, j] for j in range(len(f)) if j != y)
        found.append(radius if signed else max(radius, 0.0))
    return np.array(found)


def constants_of(guarantee, ord, classes, weight=None, lipschitz=1.0):
    table = np.zeros((classes, classes))
    dual = {1: np.inf, 2: 2, np.inf: 1}[ord]
    for i, j in itertools.product(range(classes), repeat=2):
        e = np.eye(classes)
        if guarantee == "joint":
            table[i, j] = lipschitz * np.linalg.norm(e[i] - e[j], dual)
        elif guarantee == "per_logit":
            table[i, j] = 2 * lipschitz
        else:
            table[i, j] = lipschitz * np.linalg.norm(weight[i] - weight[j], dual)
    return table


@pytest.mark.parametrize("ord", [1, 2, np.inf])
@pytest.mark.parametrize("guarantee", ["joint", "per_logit", "pairwise"])
def test_is_the_definition_on_every_backend(guarantee, ord, backend):
    logits, labels = drawn(0)
    weight = np.random.default_rng(1).standard_normal((5, 7)) if guarantee == "pairwise" else None
    table = constants_of(guarantee, ord, 5, weight, 1.7)
    there = {"lipschitz": 1.7, "guarantee": guarantee, "ord": ord}
    if weight is not None:
        there["last_weight"] = backend.asarray(weight)
    x, y = backend.asarray(logits), backend.asarray(labels)
    tol = 1e-13 if "float64" in backend.dtypes else 1e-5
    for signed in (False, True):
        expected = brute(logits, labels, table, signed)
        found = M.certificates(x, y, **there, signed=signed)
        assert found.dtype == x.dtype
        np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=tol, atol=0)
        mean = M.mean_certificate(x, y, **there, signed=signed)
        assert float(backend.to_numpy(mean)) == pytest.approx(expected.mean(), rel=20 * tol)
    radii = brute(logits, labels, table)
    epsilons = [0.0, 0.1, 0.5, 2.0]
    found = M.certified_accuracy(x, y, epsilons, **there)
    np.testing.assert_allclose(backend.to_numpy(found), [np.mean(radii > e) for e in epsilons], rtol=1e-6)
    one = M.certified_accuracy(x, y, 0.5, **there)
    assert one.shape == ()
    assert float(backend.to_numpy(one)) == pytest.approx(np.mean(radii > 0.5), rel=1e-6)
    assert float(backend.to_numpy(M.accuracy(x, y))) == pytest.approx(np.mean(logits.argmax(1) == labels), rel=1e-6)


def test_every_form_of_labels_and_none():
    logits, labels = drawn(2)
    expected = M.certificates(logits, labels)
    hot = np.eye(5)[labels]
    for form in (hot, hot > 0, 2 * hot - 1, labels.astype(np.uint8)):
        np.testing.assert_array_equal(M.certificates(logits, form), expected)
    predicted = M.certificates(logits)
    np.testing.assert_array_equal(predicted, M.certificates(logits, logits.argmax(1)))
    assert np.all(predicted > 0)


# --- no claim is too large -------------------------------------------------------------------------------------------


def samples_of(net, seed, n=25):
    x = np.random.default_rng(seed).standard_normal((n, 6))
    return x, net(x)


HEADS = [
    ("orthonormal", "joint"),
    ("unit", "per_logit"),
    ("orthonormal", "pairwise"),
    ("unit", "pairwise"),
    ("any", "pairwise"),
]


@pytest.mark.parametrize(("head", "guarantee"), HEADS)
def test_no_perturbation_within_the_certificate_changes_the_class(head, guarantee):
    reached = []
    for seed in SEEDS:
        net = network(seed, head)
        x, logits = samples_of(net, seed)
        labels = logits.argmax(1)
        options = {"last_weight": net.head} if guarantee == "pairwise" else {}
        radii = M.certificates(logits, labels, guarantee=guarantee, **options)
        assert np.all(radii > 0)
        assert not attack(net, x, labels, radii * (1 - 1e-9), seed).any()
        reached.append(attack(net, x, labels, radii * 1.02, seed).mean())
    if guarantee == "pairwise" or head == "orthonormal":
        # two percent further the class does change for many: the claim is no larger, and not much smaller, than holds
        assert np.mean(reached) > 0.3


def test_the_attack_finds_a_claim_that_is_too_large():
    """Logits that are 1-Lipschitz one by one need the factor 2; with the root of 2 the attack finds the error."""
    found = 0
    for seed in SEEDS:
        net = network(seed, "unit")
        x, logits = samples_of(net, seed)
        labels = logits.argmax(1)
        found += attack(net, x, labels, M.certificates(logits, labels, guarantee="joint"), seed).sum()
    assert found > 0


@pytest.mark.parametrize("guarantee", ["joint", "pairwise"])
def test_certified_accuracy_is_at_most_the_accuracy_under_attack(guarantee):
    for seed in SEEDS:
        net = network(seed, "orthonormal")
        x, logits = samples_of(net, seed, 60)
        rng = np.random.default_rng(seed)
        labels = np.where(rng.random(60) < 0.8, logits.argmax(1), rng.integers(4, size=60))
        options = {"last_weight": net.head} if guarantee == "pairwise" else {}
        for radius in (0.0, 0.1, 0.3, 1.0):
            certified = M.certified_accuracy(logits, labels, radius, guarantee=guarantee, **options)
            right = logits.argmax(1) == labels
            attacked = np.mean(right & ~attack(net, x, labels, np.full(60, radius), seed, steps=10))
            assert certified <= attacked
            assert certified <= M.accuracy(logits, labels)


@pytest.mark.parametrize("ord", [1, 2, np.inf])
@pytest.mark.parametrize("guarantee", ["joint", "per_logit", "pairwise"])
def test_certificates_of_a_linear_map_are_attained_or_below(guarantee, ord):
    """The distance from a boundary of a linear classifier is known: margin over dual norm of the rows' difference."""
    rng = np.random.default_rng(3)
    dual = {1: np.inf, 2: 2, np.inf: 1}[ord]
    for _ in range(20):
        w = rng.standard_normal((4, 6))
        lipschitz = {
            "joint": np.linalg.norm(w, ord),
            "per_logit": max(np.linalg.norm(row, dual) for row in w),
            "pairwise": 1.0,
        }[guarantee]
        logits = rng.standard_normal((30, 6)) @ w.T
        labels = logits.argmax(1)
        exact = brute(logits, labels, constants_of("pairwise", ord, 4, w))
        options = {"last_weight": w} if guarantee == "pairwise" else {}
        found = M.certificates(logits, labels, lipschitz=lipschitz, guarantee=guarantee, ord=ord, **options)
        assert np.all(found <= exact)
        if guarantee == "pairwise":
            np.testing.assert_allclose(found, exact, rtol=1e-13)


@pytest.mark.parametrize("ord", [1, 2, np.inf])
def test_factors_are_attained(ord):
    """Maps with the constants that are claimed, and a perturbation as long as the certificate that reaches a tie."""
    joint = np.eye(2)
    logits = np.array([[1.0, 0.0]])
    radius = M.certificates(logits, np.array([0]), ord=ord)[0]
    push = {1: np.array([-1.0, 0.0]), 2: np.array([-1.0, 1.0]) / np.sqrt(2), np.inf: np.array([-1.0, 1.0])}[ord]
    moved = logits[0] + joint @ push * radius
    assert moved[0] == pytest.approx(moved[1], abs=1e-12)
    assert moved[0] >= moved[1] - 1e-15
    opposite = np.array([[1.0], [-1.0]])  # each logit has the constant 1
    radius = M.certificates(np.array([[0.5, -0.5]]), np.array([0]), guarantee="per_logit", ord=ord)[0]
    moved = np.array([0.5, -0.5]) + opposite @ np.array([-radius])
    assert moved[0] == pytest.approx(moved[1], abs=1e-12)


def test_logits_that_are_rounded():
    """Rounding to multiples of 0.25 errs by 0.125 at both ends; the certificate holds for the rounded network."""

    class Coarse(Network):
        def __call__(self, z):
            return np.round(4 * super().__call__(z)) / 4

    for seed in SEEDS:
        net = network(seed, "orthonormal")
        x, logits = samples_of(net, seed)
        coarse = Coarse(*net)
        labels = logits.argmax(1)
        radii = M.certificates(coarse(x), labels, logit_error=0.125)
        held = radii > 0
        assert not attack(coarse, x, labels, radii * (1 - 1e-9), seed)[held].any()
    assert M.certificates(np.array([[1.0, 0.0]]), np.array([0]), logit_error=0.125)[0] == pytest.approx(
        0.5 / np.sqrt(2)
    )
    signed = M.certificates(np.array([[1.0, 0.0], [0.1, 0.0]]), np.array([1, 1]), logit_error=0.125, signed=True)
    np.testing.assert_allclose(signed, [-0.5 / np.sqrt(2), 0.0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-30, 30), st.sampled_from([1, 2, np.inf]))
def test_single_precision_rounds_downward(seed, exponent, ord):
    """Against the exact quotient of the stored numbers, whatever their size."""
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal((8, 4)) * 2.0**exponent + rng.integers(-1, 2) * 2.0**exponent).astype(np.float32)
    labels = logits.argmax(1)
    weight = (rng.standard_normal((4, 9)) * 2.0 ** rng.integers(-60, 60)).astype(np.float32)
    weight[1] = weight[0] * np.float32(1 + 2**-20)  # nearly equal rows
    for guarantee, options in (("joint", {}), ("per_logit", {}), ("pairwise", {"last_weight": weight})):
        lipschitz = float(rng.random() + 0.1)
        found = M.certificates(logits, labels, lipschitz=lipschitz, guarantee=guarantee, ord=ord, **options)
        wide = logits.astype(np.longdouble), weight.astype(np.longdouble)
        exact = brute(wide[0], labels, constants_of(guarantee, ord, 4, wide[1].astype(np.float64), lipschitz))
        assert np.all(found.astype(np.float64) <= exact.astype(np.float64) * (1 + 1e-14))
        np.testing.assert_allclose(found, exact.astype(np.float64), rtol=2e-5)


def test_a_radius_that_is_equal_is_not_certified():
    logits, labels = np.array([[3.0, 1.0]], dtype=np.float32), np.array([0])
    certificate = float(M.certificates(logits, labels)[0])
    assert M.certified_accuracy(logits, labels, certificate) == 0
    assert M.certified_accuracy(logits, labels, certificate * (1 - 1e-5)) == 1
    assert certificate < 2 / math.sqrt(2)


def test_ties_errors_and_what_is_not_finite_count_nothing(backend):
    rows = [[1.0, 1.0], [0.0, 1.0], [np.nan, 0.0], [np.inf, 0.0], [0.0, -np.inf], [2.0, 1.0]]
    x, y = backend.asarray(np.array(rows)), backend.asarray(np.zeros(6, dtype=np.int64))
    for options in ({}, {"guarantee": "per_logit"}, {"lipschitz": 0.0}):
        found = backend.to_numpy(M.certificates(x, y, **options))
        np.testing.assert_array_equal(found[:5], 0)
        assert found[5] > 0
    assert float(backend.to_numpy(M.accuracy(x, y))) == pytest.approx(1 / 6)


def test_constants_of_zero_and_infinity():
    logits, labels = np.array([[2.0, 1.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0, 0, 0])
    np.testing.assert_array_equal(M.certificates(logits, labels, lipschitz=0.0), [np.inf, 0, 0])
    np.testing.assert_array_equal(M.certificates(logits, labels, lipschitz=0, signed=True), [np.inf, -np.inf, 0])
    np.testing.assert_array_equal(M.certificates(logits, labels, lipschitz=math.inf), [0, 0, 0])
    np.testing.assert_array_equal(M.certificates(logits, labels, lipschitz=np.asarray(-1.0)), [0, 0, 0])
    same = np.ones((2, 3))  # two classes whose difference is constant
    np.testing.assert_array_equal(
        M.certificates(logits, labels, guarantee="pairwise", last_weight=same), [np.inf, 0, 0]
    )
    huge = np.array([[1.5e308, -1.5e308]])
    with np.errstate(over="ignore"):
        assert M.certificates(huge, labels[:1])[0] <= 1.5e308 * math.sqrt(2)
    tiny = float(M.certificates(logits.astype(np.float32), labels, lipschitz=1e-60)[0])
    assert np.isfinite(tiny)
    assert tiny <= 1 / (math.sqrt(2) * 1e-60)


def test_a_label_that_is_no_class_is_not_an_error_but_nan(backend):
    x, y = backend.asarray(np.array([[1.0, 0.0], [1.0, 0.0]])), backend.asarray(np.array([0, 2]))
    found = backend.to_numpy(M.certificates(x, y))
    assert found[0] > 0
    assert np.isnan(found[1])
    for value in (M.accuracy(x, y), M.mean_certificate(x, y), M.certified_accuracy(x, y, 0.1)):
        assert np.isnan(float(backend.to_numpy(value)))


# --- relations between the guarantees -------------------------------------------------------------------------------


def test_pairs_are_never_worse_than_the_other_guarantees():
    rng = np.random.default_rng(5)
    for seed in SEEDS:
        logits, labels = drawn(seed)
        rows = orthogonal(rng, 5, 8)
        pairs = M.certificates(logits, labels, guarantee="pairwise", last_weight=rows)
        np.testing.assert_allclose(pairs, M.certificates(logits, labels), rtol=1e-12)
        rows = rng.standard_normal((5, 8))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        pairs = M.certificates(logits, labels, guarantee="pairwise", last_weight=rows)
        assert np.all(pairs >= M.certificates(logits, labels, guarantee="per_logit") * (1 - 1e-12))


def test_numbers_of_other_libraries():
    """Their formulas: the mean of the positive part of the margin over 2 L or sqrt(2) L, errors as 0 or negative."""
    logits, labels = drawn(7)
    rivals = np.where(np.arange(5) == labels[:, None], -np.inf, logits).max(axis=1)
    margin = logits[np.arange(40), labels] - rivals
    for guarantee, factor in (("per_logit", 2.0), ("joint", math.sqrt(2))):
        options = {"guarantee": guarantee, "lipschitz": 1.3}
        positive = np.mean(np.maximum(margin, 0)) / (factor * 1.3)
        assert M.mean_certificate(logits, labels, **options) == pytest.approx(positive, rel=1e-13)
        signed = np.mean(margin) / (factor * 1.3)
        assert M.mean_certificate(logits, labels, **options, signed=True) == pytest.approx(signed, rel=1e-12)
        certified = np.mean(margin / (factor * 1.3) > 36 / 255)
        assert M.certified_accuracy(logits, labels, 36 / 255, **options) == pytest.approx(certified)


def test_tables_of_constants(backend):
    logits, labels = drawn(8)
    weight = np.random.default_rng(2).standard_normal((5, 7))
    x, y, w = backend.asarray(logits), backend.asarray(labels), backend.asarray(weight)
    table = M.pairwise_constants(w, lipschitz=1.5)
    direct = M.certificates(x, y, lipschitz=1.5, guarantee="pairwise", last_weight=w)
    by_table = M.certificates(x, y, lipschitz=table, guarantee="pairwise")
    np.testing.assert_array_equal(backend.to_numpy(direct), backend.to_numpy(by_table))
    each = np.array([1.0, 2.0, 0.5, 1.0, 3.0])
    found = M.certificates(x, y, lipschitz=backend.asarray(each), guarantee="per_logit")
    expected = brute(logits, labels, each[:, None] + each)
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-5)


def test_constants_in_blocks_are_the_same(monkeypatch):
    module = importlib.import_module("lipcore.nn.metrics.pairwise_constants")  # its function hides the attribute
    weight = np.random.default_rng(2).standard_normal((9, 4))
    whole = M.pairwise_constants(weight)
    monkeypatch.setattr(module, "_BLOCK", 100)
    np.testing.assert_array_equal(M.pairwise_constants(weight), whole)
    np.testing.assert_array_equal(np.diag(whole), 0)


def test_bounds_give_their_upper_end():
    logits, labels = drawn(9)
    weight = np.random.default_rng(2).standard_normal((5, 5))
    bounds = lc.opnorm_bounds(weight, kind="rigorous")
    np.testing.assert_array_equal(
        M.certificates(logits, labels, lipschitz=bounds), M.certificates(logits, labels, lipschitz=bounds.upper)
    )


# --- a single logit --------------------------------------------------------------------------------------------------


def test_binary(backend):
    f, labels = np.array([2.0, -3.0, 1.0, 0.0]), np.array([1, -1, -1, 1])
    x, y = backend.asarray(f), backend.asarray(labels)
    for form in (x, backend.xp.reshape(x, (4, 1))):
        for guarantee in ("joint", "per_logit"):
            found = backend.to_numpy(M.certificates(form, y, lipschitz=2.0, guarantee=guarantee))
            np.testing.assert_allclose(found, [1.0, 1.5, 0.0, 0.0], rtol=1e-5)
        signed = backend.to_numpy(M.certificates(form, y, signed=True))
        np.testing.assert_allclose(signed, [2.0, 3.0, -1.0, 0.0], rtol=1e-5)
        np.testing.assert_allclose(backend.to_numpy(M.certificates(form)), [2.0, 3.0, 1.0, 0.0], rtol=1e-5)
        assert float(backend.to_numpy(M.accuracy(form, y))) == 0.5


# --- tracing and derivatives ----------------------------------------------------------------------------------------


@pytest.mark.backends("jax")  # what traces
def test_everything_traces(backend):
    import jax

    logits, labels = drawn(1, samples=6)
    weight = np.random.default_rng(2).standard_normal((5, 7))

    @jax.jit
    def all_of(x, y, w, constant):
        options = {"guarantee": "pairwise", "last_weight": w, "lipschitz": constant}
        return M.mean_certificate(x, y, **options), M.certified_accuracy(x, y, [0.1, 0.2], **options), M.accuracy(x, y)

    found = all_of(*map(backend.asarray, (logits, labels, weight, np.asarray(1.5))))
    options = {"guarantee": "pairwise", "last_weight": weight, "lipschitz": 1.5}
    assert float(found[0]) == pytest.approx(float(M.mean_certificate(logits, labels, **options)), rel=1e-5)
    np.testing.assert_allclose(found[1], M.certified_accuracy(logits, labels, [0.1, 0.2], **options), rtol=1e-6)


@pytest.mark.backends("torch")  # what differentiates eagerly
def test_certificates_can_be_trained_on(backend):
    import torch

    logits, labels = drawn(1, samples=6)
    x = torch.tensor(logits, requires_grad=True)
    w = torch.tensor(np.random.default_rng(2).standard_normal((5, 7)), requires_grad=True)
    M.mean_certificate(x, torch.tensor(labels), guarantee="pairwise", last_weight=w).backward()
    for tensor in (x, w):
        gradient = tensor.grad.numpy()
        step = 1e-6
        for index in itertools.islice(np.ndindex(*gradient.shape), 12):
            moved = {"x": x.detach().numpy().copy(), "w": w.detach().numpy().copy()}
            key = "x" if tensor is x else "w"
            values = []
            for side in (step, -step):
                moved[key][index] += side
                values.append(M.mean_certificate(moved["x"], labels, guarantee="pairwise", last_weight=moved["w"]))
                moved[key][index] -= side
            assert gradient[index] == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-7)


# --- bad input ------------------------------------------------------------------------------------------------------

X, Y = np.zeros((3, 4)), np.array([0, 1, 2])
ESTIMATE = lc.Bounds(1.0, 2.0, "estimate", 1.0, ord=2)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"guarantee": "disjoint"}, ValueError, "`guarantee` must be one of"),
        ({"ord": "fro"}, ValueError, "`ord` must be 1, 2 or inf"),
        ({"last_weight": X}, ValueError, "`last_weight` is for"),
        ({"guarantee": "pairwise"}, ValueError, "`lipschitz` must have shape .4, 4. for guarantee='pairwise' without"),
        ({"guarantee": "pairwise", "last_weight": X[:3]}, ValueError, "`last_weight` must have a row for each"),
        ({"guarantee": "pairwise", "last_weight": X[0]}, ValueError, "`last_weight` must be real floating of shape"),
        (
            {"guarantee": "pairwise", "last_weight": np.zeros((4, 3), int)},
            ValueError,
            "`last_weight` must be real floating",
        ),
        ({"lipschitz": -1.0}, ValueError, "`lipschitz` must lie in"),
        ({"lipschitz": math.nan}, ValueError, "`lipschitz` must lie in"),
        ({"lipschitz": "1"}, TypeError, "`lipschitz` must be a real number"),
        ({"lipschitz": np.ones(4)}, ValueError, "`lipschitz` must have shape"),
        ({"lipschitz": ESTIMATE}, ValueError, "`lipschitz` is an estimate"),
        ({"lipschitz": lc.Bounds(1.0, 2.0, "rigorous", ord=1)}, ValueError, "`lipschitz` bounds the norm of `ord` 1"),
        ({"lipschitz": lc.Bounds(np.ones(2), np.ones(2), "rigorous", ord=2)}, ValueError, "must be one bound"),
        ({"logit_error": -1.0}, ValueError, "`logit_error` must lie in"),
    ],
)
def test_bad_options_name_the_argument(options, error, match):
    with pytest.raises(error, match=match):
        M.certificates(X, Y, **options)


def test_bad_arrays_and_radii_name_the_argument():
    with pytest.raises(ValueError, match="`labels` must be integer classes"):
        M.certificates(X, Y[:2])
    with pytest.raises(TypeError, match="`logits` must be real floating"):
        M.certificates(X.astype(int), Y)
    with pytest.raises(TypeError, match="`logits` must be an array"):
        M.certificates([[1.0, 2.0]], Y)
    with pytest.raises(ValueError, match="for a single logit"):
        M.certificates(X[:, 0], guarantee="pairwise")
    with pytest.raises(ValueError, match="`lipschitz` must be a number for a single logit"):
        M.certificates(X[:, 0], lipschitz=np.ones(3), guarantee="per_logit")
    with pytest.raises(ValueError, match="`radius` must lie in"):
        M.certified_accuracy(X, Y, -0.1)
    with pytest.raises(ValueError, match="`radius` must be a number or several"):
        M.certified_accuracy(X, Y, [])
