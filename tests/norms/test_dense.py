"""Two-sided bounds of matrices: true, as narrow as asked for, at every scale."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from _backends import Backend
from norms.referee import norm_is_at_least, norm_is_at_most, rational

from lipcore.norms import dense, gram_lanczos
from lipcore.norms.dense import dense_bounds
from lipcore.norms.dense_device import dense_bounds_on_device
from lipcore.norms.gram_certificate import GramCertificate
from lipcore.norms.lower_bound import norm_lower_bound

DTYPES = ["float32", "float64", "complex64", "complex128"]
SHAPES = [(1, 1), (1, 9), (9, 1), (12, 7), (7, 12), (64, 64), (210, 230), (230, 210)]


def draw(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else a).astype(dtype)


def wide(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)


def with_values(values: np.ndarray[Any, Any], m: int, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    n = len(values)
    left, right = (np.linalg.qr(rng.standard_normal((x, n)))[0] for x in (m, n))
    return left * values @ right.T


def assert_around(bounds: Any, norm: Any, rtol: float = 1e-13) -> None:
    assert bounds.kind == "rigorous"
    assert np.all(bounds.lower <= norm * (1 + rtol))
    assert np.all(bounds.upper >= norm * (1 - rtol))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_widths_down_to_1e_8_in_every_dtype(shape: tuple[int, int], dtype: str, order: Any) -> None:
    a = np.asarray(draw(shape, dtype), order=order)
    norm = np.linalg.norm(wide(a), 2)
    for rtol in (1e-2, 1e-5, 1e-8):
        bounds = dense_bounds(a, rtol)
        assert_around(bounds, norm)
        assert bounds.converged is True
        assert bounds.relative_width <= rtol


def test_a_width_that_float64_cannot_reach_is_not_claimed() -> None:
    a = draw((40, 40), "float64")
    bounds = dense_bounds(a, 1e-15)
    assert_around(bounds, np.linalg.norm(a, 2))
    assert bounds.converged is False
    assert 1e-15 < bounds.relative_width < 1e-12


@pytest.mark.parametrize("size", [30, 220])
@pytest.mark.parametrize(
    "values",
    [
        lambda n: np.ones(n),
        lambda n: 1 - 0.001 * np.arange(n) / n,
        lambda n: np.where(np.arange(n) < 20, 1 - 0.0001 * np.arange(n), 0.5),
        lambda n: 10.0 ** -np.arange(n),
        lambda n: (np.arange(n) == 0) * 3.0,
        lambda n: np.where(np.arange(n) < 2, 1.0, 1e-9),
    ],
    ids=["identity", "even", "cluster", "graded", "rank one", "double"],
)
def test_hard_spectra(values: Any, size: int) -> None:
    a = with_values(values(size), size + 5)
    bounds = dense_bounds(a, 1e-8)
    assert_around(bounds, np.linalg.norm(a, 2))
    assert bounds.converged is True


@pytest.mark.parametrize("exponent", [-1070, -1030, -700, -200, 200, 700, 1018])
def test_every_scale(exponent: int) -> None:
    a = np.ldexp(draw((4, 3), "float64", 2), exponent)
    bounds = dense_bounds(a, 1e-6)
    exact = rational(a)
    assert norm_is_at_least(exact, Fraction(bounds.lower))
    assert bounds.upper == math.inf or norm_is_at_most(exact, Fraction(bounds.upper))
    log = exponent + math.log2(np.linalg.norm(np.ldexp(a, -exponent), 2))
    assert bounds.log2_lower <= log + 1e-9
    assert bounds.log2_upper >= log - 1e-9
    assert bounds.relative_width < 1e-6 or exponent < -1022


def test_a_norm_that_no_float_holds() -> None:
    bounds = dense_bounds(np.full((4, 4), 1.5e308), 1e-6)
    assert bounds.upper == math.inf
    assert bounds.lower == np.finfo(np.float64).max
    assert abs(bounds.log2_upper - (math.log2(1.5e308) + 2)) < 1e-5
    assert bounds.converged is True


@pytest.mark.parametrize("norm", [5.0, 13.0, 8.0])
def test_integer_matrices_of_known_norm(norm: float) -> None:
    a = {5.0: [[3.0, 0.0], [4.0, 0.0]], 13.0: [[5.0, -12.0], [12.0, 5.0]], 8.0: np.full((4, 16), 1.0)}[norm]
    bounds = dense_bounds(np.array(a), 1e-12)
    assert bounds.lower <= norm <= bounds.upper
    assert bounds.converged is True


def test_degenerate_matrices() -> None:
    for shape in ((3, 4), (1, 1), (5, 2)):
        zero = dense_bounds(np.zeros(shape))
        assert (zero.lower, zero.upper, zero.converged) == (0.0, 0.0, True)
    assert dense_bounds(np.zeros((0, 3))).upper == 0.0
    assert dense_bounds(np.zeros((2, 0, 3))).batch_shape == (2,)
    assert dense_bounds(np.zeros((0, 2, 3))).batch_shape == (0,)
    denormal = dense_bounds(np.array([[5e-324]]))
    assert denormal.lower <= 5e-324 <= denormal.upper <= 1e-323
    tiny = dense_bounds(np.full((2, 2), np.float32(1e-45)))
    assert_around(tiny, 2 * float(np.float32(1e-45)))
    assert tiny.converged is True


def test_stacks_agree_with_single_matrices() -> None:
    stack = draw((2, 3, 6, 5), "complex64", 4)
    stack[1, 1] *= 0
    bounds = dense_bounds(stack, 1e-7)
    assert bounds.batch_shape == (2, 3)
    assert bounds.converged.all()
    for index in np.ndindex(2, 3):
        assert bounds[index] == dense_bounds(stack[index], 1e-7)


def test_views_and_read_only_data_are_left_alone() -> None:
    a = draw((20, 30), "float64")[::-2, 3::2]
    before = a.copy()
    a.flags.writeable = False
    assert_around(dense_bounds(a), np.linalg.norm(a, 2))
    np.testing.assert_array_equal(a, before)


def test_bad_arguments() -> None:
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="must be finite"):
            dense_bounds(np.array([[1.0, bad]]))
    with pytest.raises(ValueError, match="`rtol`"):
        dense_bounds(np.eye(2), 0.0)
    with pytest.raises(TypeError, match="floating"):
        dense_bounds(np.eye(2, dtype=int))
    with pytest.raises(TypeError, match="must be an array"):
        dense_bounds([[1.0]])
    with pytest.raises(ValueError, match="shape"):
        dense_bounds(np.ones(3))


@pytest.mark.parametrize("size", [40, 230])
def test_a_poor_vector_costs_a_factorisation_and_no_truth(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vector misses the leading direction altogether; what the failed threshold's factor knows brings it back."""
    a = with_values(np.concatenate([[2.0], np.linspace(1.5, 0.1, size - 1)]), size)
    values, vectors = np.linalg.eigh(a.T @ a)
    del values
    monkeypatch.setattr(dense, "_direct_vector", lambda gram: (vectors[:, -2], 0))
    monkeypatch.setattr(dense, "leading_vector", lambda gram, rtol: (vectors[:, -2], 0))
    bounds = dense_bounds(a, 1e-7)
    assert_around(bounds, 2.0)
    assert bounds.converged is True


def test_factorisations_are_counted_on_the_fingers_of_one_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    honest = GramCertificate.norm_at_most
    monkeypatch.setattr(GramCertificate, "norm_at_most", lambda *a, **k: calls.append(1) or honest(*a, **k))
    for size in (64, 250):
        dense_bounds(draw((size, size), "float64"), 1e-8)
    assert len(calls) == 2


def test_lanczos_finds_the_leading_vector() -> None:
    for dtype in ("float64", "complex128"):
        a = draw((260, 240), dtype, 6)
        gram = GramCertificate(a)
        vector, steps = gram_lanczos.leading_vector(gram, 1e-9)
        matrix, vector = gram.side(vector)
        reached = np.linalg.norm(matrix @ vector) / np.linalg.norm(vector)
        assert reached >= np.linalg.norm(a, 2) * (1 - 1e-8)
        assert steps < 120


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_lanczos_in_single_precision_finds_it_too(dtype: str, order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    a = np.asarray(draw((330, 300), dtype, 7), order=order)
    gram = GramCertificate(a)
    monkeypatch.setattr(gram, "matvec", None)  # in double precision
    vector, steps = gram_lanczos.leading_vector(gram, 5e-7)
    assert vector.dtype.itemsize == wide(a).dtype.itemsize // 2
    matrix, vector = gram.side(vector)
    reached = np.linalg.norm(matrix @ vector) / np.linalg.norm(vector)
    assert np.linalg.norm(a, 2) * (1 - 1e-6) < reached
    assert steps < 80


@pytest.mark.parametrize("exponent", [-60, 60])
def test_large_and_small_entries_keep_to_double_precision(exponent: int) -> None:
    a = np.ldexp(draw((220, 210), "float64", 8), exponent)
    gram = GramCertificate(a)
    assert gram.exponent == 0
    assert gram.single_product() is None
    assert GramCertificate(np.ldexp(a, -exponent)).single_product() is not None
    assert_around(dense_bounds(a, 1e-6), np.linalg.norm(a, 2))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (400, 300), (300, 400)])
def test_what_is_not_finite_shows_in_the_diagonal(shape: tuple[int, int], bad: float) -> None:
    """The matrix is not scanned beforehand."""
    for place in ((0, 0), (shape[0] - 1, shape[1] - 1), (7, 13)):
        a = draw(shape, "float64", 9)
        a[place] = bad
        with pytest.raises(ValueError, match="must be finite"):
            dense_bounds(a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_vectors_bound_from_below(dtype: str, scale: float) -> None:
    a, v = (draw((6, 5), dtype) * scale).astype(dtype), draw((5,), dtype, 1)
    reached = np.linalg.norm(wide(a) @ wide(v)) / np.linalg.norm(wide(v))
    bound = norm_lower_bound(a, v)
    assert reached * (1 - 1e-13) < bound <= reached * (1 + 1e-15)
    stacked = norm_lower_bound(np.stack([a, 2 * a]), np.stack([v, 0 * v]))
    np.testing.assert_array_equal(stacked, [bound, 0.0])
    np.testing.assert_array_equal(norm_lower_bound(np.stack([a, a]), v), [bound, bound])


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="`v` must have shape"):
        norm_lower_bound(np.eye(3), np.ones(2))
    with pytest.raises(ValueError, match="`v` must be finite"):
        norm_lower_bound(np.eye(2), np.array([1.0, math.nan]))
    with pytest.raises(TypeError, match="`v` must be real or complex"):
        norm_lower_bound(np.eye(2), np.ones(2, dtype=int))
    assert norm_lower_bound(np.zeros((2, 2)), np.ones(2)) == 0.0
    assert norm_lower_bound(np.zeros((0, 2)), np.ones(2)) == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_library(backend: Backend, dtype: str) -> None:
    if dtype not in backend.dtypes:
        pytest.skip(f"{backend.name} has no {dtype}")
    a = draw((2, 7, 4), dtype, 3)
    bounds = dense_bounds(backend.asarray(a), 1e-8)
    assert_around(bounds, np.linalg.norm(wide(a), 2, axis=(-2, -1)))
    assert bounds.converged.all()
    v = draw((2, 4), dtype, 4)
    bound = norm_lower_bound(backend.asarray(a), backend.asarray(v))
    assert np.all(bound <= bounds.upper)


# The path for accelerators works on any torch tensor; torch alone has it on this host.
@pytest.mark.backends("torch", "torch-cuda", "cupy")
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_accelerators_path(backend: Backend, dtype: str) -> None:
    for shape in ((2, 7, 4), (2, 4, 7), (5, 5), (40, 33), (1, 6)):
        a = draw(shape, dtype, 3)
        bounds = dense_bounds_on_device(backend.asarray(a), 1e-8)
        assert_around(bounds, np.linalg.norm(wide(a), 2, axis=(-2, -1)))
        assert np.all(bounds.converged)
        assert bounds.batch_shape == shape[:-2]
    a[0] = 0.0
    zero = dense_bounds_on_device(backend.asarray(a), 1e-8)
    assert (zero.lower, zero.upper) == (0.0, 0.0)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("n", [3, 300])
def test_a_gram_matrix_survives_failed_factorisations(dtype, n):
    rng = np.random.default_rng(3)
    a = rng.standard_normal((n + 20, n)) + (1j * rng.standard_normal((n + 20, n)) if dtype == "complex128" else 0)
    norm = np.linalg.norm(a, 2)
    gram = GramCertificate(a)
    tried = [0.9, 1 + 1e-9, 0.99, 1.1, 1 - 1e-9, 1 + 1e-9]
    assert [gram.norm_at_most(norm * t) for t in tried] == [t > 1 for t in tried]
    lower = np.tril(gram.factor)
    theta = norm * tried[-1] / 2.0**gram.exponent
    product = (gram.scaled.conj().T @ gram.scaled).conj() if dtype == "complex128" else gram.scaled.T @ gram.scaled
    np.testing.assert_allclose(lower @ lower.conj().T, theta**2 * np.eye(n) - product, atol=1e-7 * norm**2)


def test_a_product_in_single_precision_ignores_what_was_in_memory() -> None:
    a, x = draw((300, 250), "float64", 11), draw((250,), "float32", 12)
    gram = GramCertificate(a)
    gram.negative[np.triu_indices(250, 1)] = 1e300  # warns of an overflow where it is read
    product = gram.single_product()
    assert product is not None
    np.testing.assert_allclose(product(x), a.T @ (a @ x), rtol=0, atol=1e-4 * np.linalg.norm(a, 2) ** 2)
