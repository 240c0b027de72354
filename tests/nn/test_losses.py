from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.loss_cases import CASES, batch

from lipcore import _backend as B
from lipcore.nn import losses as L

MULTICLASS = [case for case in CASES if case.multiclass]
BINARY = [case for case in CASES if not case.multiclass]
# one of each: compiling is slow
SEEN: set[str] = set()
ONCE = [case for case in CASES if not (case.loss.__name__ in SEEN or SEEN.add(case.loss.__name__))]


def ids(case):
    return case.name


def scalar(x):
    return float(B.to_numpy(x))


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_is_its_formula_on_every_backend(case, backend):
    logits, labels = batch(case)
    expected = case.reference(logits, labels, **case.options)
    x, y = backend.asarray(logits), backend.asarray(labels)
    each = case.loss(x, y, **case.options, reduction="none")
    assert each.dtype == x.dtype
    tol = 1e-12 if "float64" in backend.dtypes else 1e-4
    np.testing.assert_allclose(backend.to_numpy(each), expected, rtol=tol, atol=tol)
    for reduction, value in (("mean", expected.mean()), ("sum", expected.sum())):
        found = case.loss(x, y, **case.options, reduction=reduction)
        assert found.shape == ()
        assert scalar(found) == pytest.approx(value, rel=10 * tol, abs=10 * tol)
    assert scalar(case.loss(x, y, **case.options)) == pytest.approx(expected.mean(), rel=10 * tol, abs=10 * tol)


@pytest.mark.parametrize("case", MULTICLASS, ids=ids)
def test_every_form_of_class_labels(case):
    logits, labels = batch(case)
    expected = case.loss(logits, labels, **case.options, reduction="none")
    one_hot = np.eye(logits.shape[1])[labels]
    forms = [
        one_hot,
        one_hot > 0,
        2 * one_hot - 1,
        one_hot.astype(np.int8),
        labels.astype(np.uint8),
        labels.astype(np.int32),
    ]
    for form in forms:
        np.testing.assert_array_equal(case.loss(logits, form, **case.options, reduction="none"), expected)


@pytest.mark.parametrize("case", BINARY, ids=ids)
def test_every_form_of_signs(case):
    logits, labels = batch(case)
    expected = case.loss(logits, labels, **case.options, reduction="none")
    for form in (labels > 0, (labels > 0).astype(float), 2.5 * labels):
        np.testing.assert_array_equal(case.loss(logits, form, **case.options, reduction="none"), expected)
    column = case.loss(logits[:, :1], labels[:, :1], **case.options, reduction="none")
    for x, y in ((logits[:, 0], labels[:, 0]), (logits[:, 0], labels[:, :1]), (logits[:, :1], labels[:, 0])):
        np.testing.assert_array_equal(case.loss(x, y, **case.options, reduction="none"), column)


@pytest.mark.parametrize("case", MULTICLASS, ids=ids)
def test_a_label_that_is_no_class_gives_nan(case, backend):
    logits, labels = batch(case)
    for wrong in (-1, logits.shape[1], -100):
        bad = labels.copy()
        bad[2] = wrong
        found = backend.to_numpy(
            case.loss(backend.asarray(logits), backend.asarray(bad), **case.options, reduction="none")
        )
        assert np.isnan(found[2])
        assert np.isfinite(np.delete(found, 2)).all()
    for row in (np.zeros(4), np.array([1.0, 1.0, 0.0, 0.0])):
        hot = np.eye(4)[labels]
        hot[2] = row
        assert np.isnan(case.loss(logits, hot, **case.options))


# --- derivatives ----------------------------------------------------------------------------------------------------


def central_differences(function, x, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        moved = np.zeros_like(x)
        moved[index] = step
        gradient[index] = (function(x + moved) - function(x - moved)) / (2 * step)
    return gradient


def options_at(case, logits):
    """A soft loss takes the scale of its batch for a constant, and so must the differences."""
    if case.loss is L.soft_hkr and "scale" not in case.options:
        return {**case.options, "scale": float(np.mean(np.abs(logits)))}
    return case.options


@pytest.mark.parametrize("case", CASES, ids=ids)
@pytest.mark.backends("torch")  # what differentiates eagerly
def test_gradient_by_torch(case, backend):
    import torch

    logits, labels = batch(case, seed=3)
    x = torch.tensor(logits, requires_grad=True)
    case.loss(x, torch.tensor(labels), **case.options).backward()
    options = options_at(case, logits)
    expected = central_differences(lambda z: float(case.loss(z, labels, **options)), logits)
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=2e-8)


@pytest.mark.parametrize("case", ONCE, ids=ids)
@pytest.mark.backends("jax-x64")  # what compiles, in double precision
def test_gradient_and_compilation_by_jax(case, backend):
    import jax

    logits, labels = batch(case, seed=3)
    x, y = backend.asarray(logits), backend.asarray(labels)
    value, gradient = jax.jit(jax.value_and_grad(lambda z, t: case.loss(z, t, **case.options)))(x, y)
    options = options_at(case, logits)
    expected = central_differences(lambda z: float(case.loss(z, labels, **options)), logits)
    np.testing.assert_allclose(np.asarray(gradient), expected, atol=2e-8)
    assert float(value) == pytest.approx(float(case.loss(logits, labels, **case.options)), rel=1e-12)


@pytest.mark.parametrize("case", CASES, ids=ids)
@pytest.mark.backends("torch")  # what differentiates eagerly
def test_gradient_is_finite_at_ties_and_at_the_ends_of_the_range(case, backend):
    import torch

    _, labels = batch(case)
    big = 1e30 if "hkr" not in case.loss.__name__ else 1e4
    for values in (np.zeros((7, 4)), np.full((7, 4), big), big * np.where(np.arange(28).reshape(7, 4) % 2, 1, -1)):
        x = torch.tensor(values.astype(np.float32), requires_grad=True)
        loss = case.loss(x, torch.tensor(labels), **case.options)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(x.grad).all()


@pytest.mark.backends("torch")  # what differentiates eagerly
def test_binary_gradient_at_zero_is_a_half(backend):
    import torch

    x = torch.zeros(2, requires_grad=True)
    L.tau_binary_cross_entropy(x, torch.tensor([1, -1]), 5.0, reduction="sum").backward()
    np.testing.assert_array_equal(x.grad.numpy(), [-0.5, 0.5])


@pytest.mark.backends("jax", "jax-x64")  # what traces
def test_weights_may_be_traced(backend):
    import jax

    logits, labels = batch(MULTICLASS[0])
    x, y = backend.asarray(logits), backend.asarray(labels)

    def loss(alpha, margin, tau):
        return L.multiclass_hkr(x, y, alpha, min_margin=margin) + L.tau_cross_entropy(x, y, tau)

    values = [backend.asarray(v) for v in (50.0, 0.2, 3.0)]
    found = jax.jit(loss)(*values)
    expected = L.multiclass_hkr(logits, labels, 50.0, min_margin=0.2) + L.tau_cross_entropy(logits, labels, 3.0)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


# --- identities -----------------------------------------------------------------------------------------------------

shapes = st.tuples(st.integers(1, 12), st.integers(2, 6), st.integers(0, 2**32 - 1))


def drawn(shape, scale=1.0):
    samples, classes, seed = shape
    rng = np.random.default_rng(seed)
    return scale * rng.standard_normal((samples, classes)), rng.integers(classes, size=samples)


@settings(max_examples=30, deadline=None)
@given(shapes, st.floats(-50, 50))
def test_a_common_shift_matters_only_to_the_level_of_the_logits(shape, shift):
    logits, labels = drawn(shape)
    for loss in (L.multi_margin, L.categorical_hinge, L.offset_cross_entropy):
        moved = loss(logits + shift, labels, reduction="none")
        np.testing.assert_allclose(moved, loss(logits, labels, reduction="none"), atol=1e-12)
    moved = L.tau_cross_entropy(logits + shift, labels, 7.0, reduction="none")
    np.testing.assert_allclose(moved, L.tau_cross_entropy(logits, labels, 7.0, reduction="none"), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(shapes)
def test_order_of_samples_and_names_of_classes_do_not_matter(shape):
    logits, labels = drawn(shape)
    rng = np.random.default_rng(shape[2])
    rows, columns = rng.permutation(logits.shape[0]), rng.permutation(logits.shape[1])
    moved, renamed = logits[rows][:, columns], np.argsort(columns)[labels[rows]]
    for case in MULTICLASS:
        with np.errstate(all="raise"):
            found = case.loss(logits, labels, **case.options, reduction="none")
        again = case.loss(moved, renamed, **case.options, reduction="none")
        np.testing.assert_allclose(again, found[rows], rtol=1e-10, atol=1e-10, err_msg=case.name)


@settings(max_examples=30, deadline=None)
@given(shapes, st.floats(0, 1))
def test_the_two_conventions_of_alpha(shape, fraction):
    logits, labels = drawn(shape)
    signs = np.where(np.arange(labels.size) % 2, 1, -1)
    beside = fraction / (1 - fraction) if fraction < 1 else math.inf
    for loss, x, y in (
        (L.hkr, logits[:, 0], signs),
        (L.multiclass_hkr, logits, labels),
        (L.soft_hkr, logits, labels),
        (L.lse_hkr, logits, labels),
    ):
        convex = loss(x, y, fraction, convex=True)
        plain = loss(x, y, beside)
        factor = 1.0 if math.isinf(beside) else 1 + beside
        np.testing.assert_allclose(factor * convex, plain, rtol=1e-9, atol=1e-9 * factor)


def test_ends_of_alpha_are_the_parts():
    logits, labels = drawn((9, 4, 1))
    signs = np.where(np.arange(9) % 2, 1, -1)
    assert L.hkr(logits[:, 0], signs, 0.0) == -L.kr(logits[:, 0], signs)
    assert L.hkr(logits[:, 0], signs, math.inf) == L.hinge_margin(logits[:, 0], signs)
    assert L.multiclass_hkr(logits, labels, 0.0) == -L.multiclass_kr(logits, labels)
    assert L.multiclass_hkr(logits, labels, 1.0, convex=True) == L.multiclass_hinge(logits, labels)


def test_kr_bounds_the_distance_between_two_distributions_and_attains_it():
    """On the line the distance is that of the sorted samples, and the identity or a sign attains it here."""
    rng = np.random.default_rng(0)
    low, high = rng.random(50), 2 + rng.random(50)
    x, signs = np.concatenate([high, low]), np.repeat([1, -1], 50)
    distance = np.mean(np.abs(np.sort(high) - np.sort(low)))
    assert L.kr(x, signs) == pytest.approx(distance)
    for function in (np.abs, np.sin, lambda z: np.abs(z - 2.3), lambda z: -z):
        assert L.kr(function(x), signs) <= distance + 1e-12


def test_kr_is_the_difference_of_means_and_adds_up_over_shares_of_a_batch():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(40), np.where(rng.random(40) < 0.3, 1, 0)
    whole = L.kr(x, y)
    assert whole == pytest.approx(x[y > 0].mean() - x[y == 0].mean())
    shares = [L.kr(x[i::4], y[i::4], positive_fraction=float(y.mean())) for i in range(4)]
    assert np.mean(shares) == pytest.approx(whole)
    per_class = L.kr(np.stack([x, -x], axis=1), np.stack([y, y], axis=1), positive_fraction=np.array([y.mean()] * 2))
    assert per_class == pytest.approx(0.0, abs=1e-12)


def test_a_side_without_samples_adds_nothing(backend):
    x = backend.asarray(np.array([1.0, 2.0, 6.0]))
    assert scalar(L.kr(x, backend.asarray(np.ones(3)))) == pytest.approx(3.0)
    assert scalar(L.kr(x, backend.asarray(-np.ones(3)))) == pytest.approx(-3.0)


def test_limits_of_the_temperature():
    logits, labels = drawn((20, 5, 2))
    gap = logits.max(axis=1) - logits[np.arange(20), labels]
    found = L.tau_cross_entropy(logits, labels, 1e9, reduction="none")
    np.testing.assert_allclose(found, gap, atol=1e-8)
    mean = logits.mean(axis=1) - logits[np.arange(20), labels]
    cold = L.tau_cross_entropy(logits, labels, 1e-6, reduction="none") - math.log(5) / 1e-6
    np.testing.assert_allclose(cold, mean, atol=1e-5)
    hinge = L.categorical_hinge(logits, labels, min_margin=0.7, reduction="none")
    sharp = L.offset_cross_entropy(logits, labels, offset=0.7, temperature=1e-9, reduction="none")
    np.testing.assert_allclose(sharp, hinge, atol=1e-8)
    signs = np.where(labels > 2, 1, -1)
    binary = L.tau_binary_cross_entropy(logits[:, 0], signs, 1e9, reduction="none")
    np.testing.assert_allclose(binary, np.maximum(0, -signs * logits[:, 0]), atol=1e-8)


def test_offset_of_zero_is_the_cross_entropy_at_a_temperature():
    logits, labels = drawn((8, 5, 3))
    assert L.offset_cross_entropy(logits, labels, offset=0, temperature=0.5) == pytest.approx(
        L.tau_cross_entropy(logits, labels, 2.0)
    )


def test_probabilities_as_labels():
    logits, _ = drawn((8, 5, 4))
    p = np.random.default_rng(0).dirichlet(np.ones(5), size=8)
    each = np.stack([L.tau_cross_entropy(logits, np.full(8, c), 3.0, reduction="none") for c in range(5)], axis=1)
    found = L.tau_cross_entropy(logits, p, 3.0, reduction="none")
    np.testing.assert_allclose(found, np.sum(p * each, axis=1), rtol=1e-12)
    assert np.isnan(L.tau_cross_entropy(logits, 2 * p, 3.0))


def test_small_losses_keep_their_digits():
    logits = np.array([[1000.0, 999.0]])
    found = float(L.tau_cross_entropy(logits, np.array([0]), 30.0))
    assert found == pytest.approx(math.log1p(math.exp(-30.0)) / 30, rel=1e-2)


def test_smooth_maximum_of_lse_lies_where_it_should():
    logits, labels = drawn((50, 6, 5), 3.0)
    wrong = np.where(np.arange(6) == labels[:, None], -np.inf, logits).max(axis=1)
    for q, m in ((1.0, 1.0), (0.1, 0.5)):
        kr = -L.lse_hkr(logits, labels, 0.0, min_margin=m, penalty=q, reduction="none")
        top = logits[np.arange(50), labels] - kr
        assert np.all(top >= wrong - 1e-12)
        assert np.all(top <= wrong + q * m / 2 + 1e-12)


def test_a_class_of_minus_infinity_is_left_out():
    logits, labels = np.array([[0.5, -np.inf, 0.1]]), np.array([2])
    assert L.tau_cross_entropy(logits, labels, 3.0) == L.tau_cross_entropy(logits[:, [0, 2]], np.array([1]), 3.0)
    hot = np.array([[0.0, 0.0, 1.0]])
    assert L.tau_cross_entropy(logits, hot, 3.0) == L.tau_cross_entropy(logits, labels, 3.0)


def test_two_classes_and_one_wrong_logit():
    logits, labels = np.array([[0.2, -0.3]]), np.array([0])
    for loss in (L.lse_hkr, L.soft_hkr):
        assert float(loss(logits, labels, 2.0)) == pytest.approx(2 * (0.3 + 0.2) - 0.5)


def test_running_scale_moves_towards_the_size_of_the_logits(backend):
    x = backend.asarray(np.array([[4.0, -2.0], [3.0, -3.0]]))
    scale = L.soft_hkr_scale(1.0, x, decay=0.5)
    assert scalar(scale) == 2.0
    for _ in range(40):
        scale = L.soft_hkr_scale(scale, x, decay=0.5)
    assert scalar(scale) == pytest.approx(3.0)
    y = backend.asarray(np.array([0, 1]))
    assert scalar(L.soft_hkr(x, y, scale=scale)) == pytest.approx(scalar(L.soft_hkr(x, y)), rel=1e-5)
    assert scalar(L.soft_hkr_scale(5.0, x * 1e6, decay=0.0)) == 1000.0


@pytest.mark.backends("torch")  # one library that has both half formats
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_single(name, backend):
    for case in CASES:
        logits, labels = batch(case)
        half = B.cast(backend.asarray(logits), backend.dtype(name))
        y = backend.asarray(labels)
        found = case.loss(half, y, **case.options)
        assert B.dtype_name(found.dtype) == "float32"
        assert scalar(found) == scalar(case.loss(B.cast(half, backend.dtype("float32")), y, **case.options))


def test_learned_margins(backend):
    logits, labels = drawn((9, 4, 6))
    margins = np.array([0.2, 1.0, 2.0, 0.0])
    terms = np.zeros((9, 4))
    for i, y in enumerate(labels):
        for c in range(4):
            own = max(0.0, margins[c] / 2 - (1 if c == y else -1) * logits[i, c]) - 0.3 * margins[c] / 2
            terms[i, c] = own * (3 if c == y else 1)
    expected = 5 * terms.mean(axis=1) - L.multiclass_kr(logits, labels, reduction="none")
    x, y, m = backend.asarray(logits), backend.asarray(labels), backend.asarray(margins)
    found = L.auto_hkr(x, y, m, 5.0, inside=0.3, reduction="none")
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-4, atol=1e-5)
    # without a margin to learn it is the plain loss
    even = L.auto_hkr(logits, labels, np.full(4, 0.6), 5.0, inside=1e-12)
    assert float(even) == pytest.approx(float(L.multiclass_hkr(logits, labels, 5.0, min_margin=0.6)))


@pytest.mark.backends("torch")  # what differentiates eagerly
def test_learned_margins_leave_a_part_of_the_samples_inside(backend):
    import torch

    logits, labels = drawn((400, 3, 7), 2.0)
    labels = np.arange(400) % 3
    logits[np.arange(400), labels] += 6.0
    x, y = torch.tensor(logits), torch.tensor(labels)
    margins = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([margins], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        L.auto_hkr(x, y, margins, math.inf, inside=0.2).backward()
        optimizer.step()
    sides = np.where(np.arange(3) == labels[:, None], 1, -1) * logits
    weights = np.where(np.arange(3) == labels[:, None], 2.0, 1.0)
    inside = sides < margins.detach().numpy() / 2
    parts = (inside * weights).sum(axis=0) / weights.sum(axis=0)
    np.testing.assert_allclose(parts, 0.2, atol=0.03)


def test_cosine_of_zeros_and_of_any_size():
    labels = np.array([0, 1])
    assert np.all(L.cosine(np.zeros((2, 3)), labels, reduction="none") == 0)
    for scale in (1e-300, 1e300):
        found = L.cosine(np.array([[3.0, 4.0], [0.0, 2.0]]) * scale, labels, reduction="none")
        np.testing.assert_allclose(found, [-0.6, -1.0])


# --- bad input ------------------------------------------------------------------------------------------------------

X, Y = np.zeros((3, 4)), np.array([0, 1, 2])


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: L.multiclass_kr(np.zeros((3, 4), int), Y), TypeError, "`logits` must be real floating"),
        (lambda: L.multiclass_kr([[1.0, 2.0]], Y), TypeError, "`logits` must be an array"),
        (lambda: L.multiclass_kr(np.zeros((3, 1)), Y), ValueError, "at least two classes"),
        (lambda: L.multiclass_kr(np.zeros((0, 4)), Y[:0]), ValueError, "at least one sample"),
        (lambda: L.kr(np.zeros((2, 3, 4)), X), ValueError, "`logits` must have shape"),
        (lambda: L.kr(X, Y), ValueError, "`labels` must have the shape of the `logits`"),
        (lambda: L.tau_cross_entropy(X, Y.astype(float), 1.0), TypeError, "`labels` of shape .3,. must be integer"),
        (lambda: L.tau_cross_entropy(X, Y[:2], 1.0), ValueError, "`labels` must be integer classes of shape"),
        (lambda: L.tau_cross_entropy(X, Y + 0j, 1.0), TypeError, "`labels` must be boolean"),
        (lambda: L.tau_cross_entropy(X, [0, 1, 2], 1.0), TypeError, "`labels` must be an array"),
        (lambda: L.tau_cross_entropy(X, Y, 0.0), ValueError, "`tau` must lie in"),
        (lambda: L.tau_cross_entropy(X, Y, math.inf), ValueError, "`tau` must lie in"),
        (lambda: L.tau_cross_entropy(X, Y, math.nan), ValueError, "`tau` must lie in"),
        (lambda: L.tau_cross_entropy(X, Y, "3"), TypeError, "`tau` must be a real number"),
        (lambda: L.tau_cross_entropy(X, Y, np.ones(2)), ValueError, "`tau` must be a number or an array of shape"),
        (lambda: L.tau_cross_entropy(X, Y, 1.0, reduction="max"), ValueError, "`reduction` must be one of"),
        (lambda: L.hkr(X, X, -1.0), ValueError, "`alpha` must lie in"),
        (lambda: L.hkr(X, X, 2.0, convex=True), ValueError, r"`alpha` must lie in \[0, 1\]"),
        (lambda: L.hkr(X, X, min_margin=-1.0), ValueError, "`min_margin` must lie in"),
        (lambda: L.lse_hkr(X, Y, min_margin=0.0), ValueError, "`min_margin` must lie in"),
        (lambda: L.lse_hkr(X, Y, penalty=0), ValueError, "`penalty` must lie in"),
        (lambda: L.soft_hkr(X, Y, scale=-1.0), ValueError, "`scale` must lie in"),
        (lambda: L.soft_hkr_scale(1.0, X, decay=2.0), ValueError, "`decay` must lie in"),
        (lambda: L.kr(X, X, positive_fraction=1.5), ValueError, "`positive_fraction` must lie in"),
        (lambda: L.kr(X, X, positive_fraction=np.ones(3)), ValueError, "`positive_fraction` must be a number or"),
        (lambda: L.offset_cross_entropy(X, Y, temperature=0.0), ValueError, "`temperature` must lie in"),
        (lambda: L.auto_hkr(X, Y, np.ones(3)), ValueError, "`margins` must be an array of shape"),
        (lambda: L.auto_hkr(X, Y, np.ones(4), inside=1.0), ValueError, "`inside` must lie in"),
        (lambda: L.cosine_margin(X, Y, 2.0), ValueError, r"`gamma` must lie in \[0, 1\]"),
        (lambda: L.cosine_margin(X, Y, guarantee="pairwise"), ValueError, "`guarantee` must be one of"),
    ],
)
def test_bad_input_names_the_argument(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.backends("torch")  # any second library
def test_labels_of_another_library_are_named(backend):
    with pytest.raises(TypeError, match="`labels` must be an array of the library of `logits`"):
        L.tau_cross_entropy(backend.asarray(X), Y, 1.0)
