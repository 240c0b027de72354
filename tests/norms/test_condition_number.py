"""condition_number: against exact values, singular matrices, and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from _backends import Backend

import lipcore as lc


def _graded(m: int, n: int, smallest: float, seed: int = 0, *, is_complex: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)

    def orthogonal(rows: int, columns: int) -> np.ndarray:
        a = rng.standard_normal((rows, columns))
        return np.linalg.qr(a + 1j * rng.standard_normal((rows, columns)) if is_complex else a)[0]

    k = min(m, n)
    return (orthogonal(m, k) * np.geomspace(1.0, smallest, k)) @ orthogonal(n, k).conj().T


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (3, 8), (120, 100), (1, 5), (5, 1)])
def test_encloses_lapack(shape: tuple[int, int], is_complex: bool) -> None:
    a = _graded(*shape, 1e-4, is_complex=is_complex)
    bounds = lc.condition_number(a)
    truth = np.linalg.cond(a)
    assert bounds.kind == "rigorous"
    assert bounds.lower <= truth * (1 + 1e-9)
    assert truth * (1 - 1e-9) <= bounds.upper
    assert bounds.converged


def test_known_exactly() -> None:
    # integer matrix with singular values 3 and 1
    bounds = lc.condition_number(np.array([[2.0, 1.0], [1.0, 2.0]]), rtol=1e-8)
    assert bounds.lower <= 3.0 <= bounds.upper
    assert bounds.upper - bounds.lower < 1e-7


def test_backends_and_batches(backend: Backend) -> None:
    for name in backend.dtypes:
        a = np.stack([_graded(5, 4, 0.1, seed) for seed in range(3)]).astype(name)
        bounds = lc.condition_number(backend.asarray(a))
        truth = np.linalg.cond(a.astype(np.complex128))
        assert bounds.lower.shape == (3,)
        assert np.all(bounds.lower <= truth * (1 + 1e-9))
        assert np.all(truth * (1 - 1e-9) <= bounds.upper)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_scale_does_not_matter(scale: float) -> None:
    a = _graded(5, 5, 1e-3)
    bounds = lc.condition_number(a * scale)
    assert bounds.lower <= 1000.0 * (1 + 1e-6)
    assert 1000.0 * (1 - 1e-6) <= bounds.upper < 1010.0


def test_ill_conditioned_until_it_cannot_be_proved() -> None:
    for exponent in range(1, 20):
        a = _graded(8, 8, 10.0**-exponent, seed=exponent)
        bounds = lc.condition_number(a)
        assert bounds.lower <= 10.0**exponent * 1.01 or exponent > 13
        assert bounds.upper >= 10.0**exponent * 0.99 or exponent > 13
        assert bounds.converged or exponent > 9


@pytest.mark.parametrize("a", [np.zeros((3, 3)), np.ones((3, 2)), np.diag([1.0, 0.0])])
def test_singular_matrices_have_no_upper_bound(a: np.ndarray) -> None:
    bounds = lc.condition_number(a)
    assert bounds.upper == np.inf
    assert not bounds.converged


def test_structure(backend: Backend) -> None:
    d = lc.Diagonal(backend.asarray(np.array([4.0, -0.5, 2.0], np.float32)))
    for op in (d, d.H, d.T, -3 * d):
        bounds = lc.condition_number(op)
        assert bounds.kind == "rigorous"
        assert bounds.lower <= 8.0 <= bounds.upper
    assert lc.condition_number(0.0 * d).upper == np.inf
    identity = lc.Identity(4, dtype=backend.dtype("float32"), xp=backend.xp, device=backend.device)
    assert lc.condition_number(identity).upper == 1.0


def test_products_are_taken_for_exact_and_say_so() -> None:
    a = _graded(6, 6, 0.01)
    bounds = lc.condition_number(lc.LinearOperator(a.shape, lambda x: a @ x, lambda y: a.T @ y, dtype=np.float64))
    assert bounds.kind == "analytic"
    assert bounds.lower <= 100 * (1 + 1e-6)
    assert bounds.upper >= 100 * (1 - 1e-6)


@pytest.mark.parametrize(
    ("argument", "options", "message"),
    [
        (np.zeros((0, 3)), {}, "must not be empty"),
        (np.ones((2, 2)), {"rtol": 0}, "`rtol`"),
        (np.full((2, 2), np.nan), {}, "finite|NaN"),
    ],
)
def test_bad_input(argument: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lc.condition_number(argument, **options)
