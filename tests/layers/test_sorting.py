from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers.layer_conformance import SAMPLES, LayerCase, LayerConformance, points_of

import lipcore as lc
from lipcore import _backend as B

L = lc.layers
THETA = np.array([0.3, -2.0])
NO_JAX = ("numpy", "strict", "torch", "cupy")  # variants of what JAX compiles already


def apart(shape):
    """Points whose entries are at some distance from each other, in a random order."""

    def inputs(rng):
        n = math.prod(shape)
        return (np.stack([0.3 * rng.permutation(n) - 0.1 * n for _ in range(SAMPLES)]).reshape(SAMPLES, *shape),)

    return inputs


def _group_sort(x, size, axis):
    moved = np.moveaxis(x, axis, -1)
    return np.moveaxis(np.sort(moved.reshape(*moved.shape[:-1], -1, size), axis=-1).reshape(moved.shape), -1, axis)


def _torch_group_sort(x, size, axis):
    moved = x.movedim(axis, -1)
    return moved.reshape(*moved.shape[:-1], -1, size).sort(dim=-1).values.reshape(moved.shape).movedim(-1, axis)


def _householder(x, theta, xp):
    """Pairs of channels, by the vector normal to the line."""
    z = x.reshape(x.shape[0], -1, 2, *x.shape[2:])
    along = (-1, *(1,) * (x.ndim - 2))
    v = [xp.sin(theta / 2).reshape(along), -xp.cos(theta / 2).reshape(along)]
    side = v[0] * z[:, :, 0] + v[1] * z[:, :, 1]
    pairs = [xp.where(side > 0, z[:, :, i], z[:, :, i] - 2 * v[i] * side) for i in range(2)]
    return xp.stack(pairs, axis=2).reshape(x.shape)


def _torch_householder(x):
    import torch

    return _householder(x, torch.as_tensor(THETA), torch)


CASES = [
    LayerCase(
        f"group_sort-{size}-{axis}",
        lambda backend, dtype, size=size, axis=axis: L.GroupSort(size, axis),
        (shape,),
        lambda x, size=size, axis=axis: _group_sort(x, size, axis),
        lambda x, size=size, axis=axis: _torch_group_sort(x, size, axis),
        apart(shape),
    )
    for size, axis, shape in ((3, 1, (6, 2)), (2, -1, (2, 4)))
] + [
    LayerCase(
        "max_min",
        lambda backend, dtype: L.MaxMin(),
        ((4, 2),),
        lambda x: -_group_sort(-x, 2, 1),
        lambda x: -_torch_group_sort(-x, 2, 1),
        apart((4, 2)),
        natives=NO_JAX,
    ),
    LayerCase(
        "full_sort",
        lambda backend, dtype: L.FullSort(2),
        ((2, 5),),
        lambda x: np.sort(x, axis=2),
        lambda x: x.sort(dim=2).values,
        apart((2, 5)),
        natives=NO_JAX,
    ),
    LayerCase(
        "householder",
        lambda backend, dtype: L.Householder(backend.asarray(THETA.astype(B.dtype_name(dtype)))),
        ((4, 3),),
        lambda x: _householder(x, THETA, np),
        _torch_householder,
    ),
    LayerCase(
        "householder-shared",
        lambda backend, dtype: L.Householder(backend.asarray(np.array([1.0], dtype=B.dtype_name(dtype))), -1),
        ((2, 4),),
        lambda x: np.moveaxis(_householder(np.moveaxis(x, -1, 1), np.ones(2), np), 1, -1),
        natives=NO_JAX,
    ),
]


class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(0, 10**6))
def test_any_shape_with_ties(groups, size, inner, lead, seed):
    """Jacobians are permutations that give the sorted values, also where entries are equal."""
    rng = np.random.default_rng(seed)
    shape = (*(2,) * lead, groups * size, inner)
    x = rng.integers(-2, 3, (2, *shape)).astype(float)
    for layer in (L.GroupSort(size, lead + 1), L.FullSort(lead + 1)):
        J = layer.jacobian(x)
        assert np.array_equal(J.apply(x), layer(x))
        dense = J.to_dense()
        assert np.array_equal(dense.sum(axis=-1), np.ones(dense.shape[:2]))
        assert np.array_equal(dense.sum(axis=-2), np.ones(dense.shape[:2]))
        assert np.array_equal(J.apply_adjoint(layer(x)), x)
    assert np.array_equal(L.GroupSort(size, lead + 1)(x), _group_sort(x, size, lead + 1))


@pytest.mark.parametrize("ord", [1, 2, math.inf])
def test_constants(ord):
    for layer in (L.GroupSort(3), L.MaxMin(), L.FullSort()):
        bounds = layer.lipschitz(ord)
        assert (bounds.lower, bounds.upper, bounds.kind) == (1.0, 1.0, "rigorous")
    bounds = L.Householder(THETA).lipschitz(ord)
    exact = 1.0 if ord == 2 else np.max(np.abs(np.cos(THETA)) + np.abs(np.sin(THETA)))
    assert bounds.lower <= exact * (1 + 1e-15)
    assert exact * (1 - 1e-15) <= bounds.upper <= exact * (1 + 1e-13)
    # attained where pairs are reflected
    x = np.random.default_rng(0).standard_normal((200, 4))
    norms = np.linalg.norm(L.Householder(THETA).jacobian(x).to_dense(), ord, axis=(-2, -1))
    assert norms.max() == pytest.approx(exact, rel=1e-13)
    assert L.Householder(np.array([math.pi / 2])).lipschitz(ord).upper <= 1 + 1e-12


def test_householder_is_continuous_and_an_isometry_between_sides():
    rng = np.random.default_rng(1)
    theta = rng.uniform(-4, 4, 3)
    layer = L.Householder(theta)
    t = rng.standard_normal((50, 3))
    on_the_line = np.stack([t * np.cos(theta / 2), t * np.sin(theta / 2)], axis=-1).reshape(50, 6)
    np.testing.assert_allclose(layer(on_the_line), on_the_line, atol=1e-14)
    a, b = rng.standard_normal((2, 300, 6))
    assert np.all(np.linalg.norm(layer(a) - layer(b), axis=1) <= np.linalg.norm(a - b, axis=1) * (1 + 1e-14))


def test_images_are_sharp():
    box = lc.Box(np.array([0.0, 2.0, -1.0]), np.array([5.0, 3.0, 1.0]))
    image = L.FullSort().image(box)
    assert np.array_equal(image.lower, [-1, 0, 2])
    assert np.array_equal(image.upper, [1, 3, 5])
    ball = lc.Ball(np.array([3.0, 1.0]), 0.5)
    assert L.FullSort().image(ball).norm(2) <= math.sqrt(10) + 0.5 + 1e-12
    both = L.MaxMin().image(ball & lc.Box(np.full(2, 0.0), np.full(2, 3.2)))
    assert both.upper[0] <= 3.2
    assert L.GroupSort(2).image(None) is None


def test_householder_image_holds_reflections_far_away():
    layer = L.Householder(THETA)
    box = lc.Box(np.array([-np.inf, 0.0, 1.0, 2.0]), np.array([0.0, 1.0, 1.0, 2.0]))
    image = layer.image(box)
    points = points_of(box, np.random.default_rng(0), 40)
    for y in layer(points):
        assert np.all(image.lower <= y + 1e-12)
        assert np.all(y <= image.upper + 1e-12)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.GroupSort(0), ValueError, "`group_size` must be positive"),
        (lambda: L.GroupSort(2, 0), ValueError, "`axis` must not be 0"),
        (lambda: L.GroupSort(3)(np.ones((2, 4))), ValueError, "`group_size` 3 must divide the axis 1"),
        (lambda: L.MaxMin().lipschitz(input_shape=(3,)), ValueError, "must divide the axis"),
        (lambda: L.Householder(np.ones((2, 2))), ValueError, "`theta` must have shape"),
        (lambda: L.Householder(np.array([np.inf])), ValueError, "`theta` must be finite"),
        (
            lambda: L.Householder(np.ones(3))(np.ones((1, 4))),
            ValueError,
            "3 entries, the axis 1 has 2 pairs",
        ),
        (lambda: L.Householder(np.ones(1))(np.ones((1, 3))), ValueError, "must have an even number of entries"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
