"""1-, inf- and Frobenius norms against those of the matrix written down."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
from _backends import Backend

import lipcore as lc
from lipcore.norms.induced import induced_bounds
from lipcore.norms.one_norm_estimate import one_norm_estimate

ORDS = [1, math.inf, "fro"]
RNG = np.random.default_rng(5)
A, C = RNG.standard_normal((5, 7)), RNG.standard_normal((5, 7)) + 1j * RNG.standard_normal((5, 7))
TIGHT = {
    "dense": lc.Dense(A),
    "complex": lc.Dense(C),
    "single": lc.Dense(A.astype(np.float32)),
    "batch": lc.Dense(np.stack([A, 0 * A, 3 * A])),
    "diagonal": lc.Diagonal(A[0]),
    "complex diagonal": lc.Diagonal(C[0]),
    "identity": lc.Identity(4),
    "scaled": (2 - 1j) * lc.Dense(A),
    "adjoint": lc.Dense(C).H,
    "adjoint of a composition": lc.Kronecker(A, C).H,
    "low rank": lc.LowRank(C[:, :2], RNG.standard_normal((6, 2))),
    "low rank batch": lc.LowRank(RNG.standard_normal((2, 3, 2)), RNG.standard_normal((6, 2))),
    "block diagonal": lc.BlockDiagonal([A, C]),
    "kronecker": lc.Kronecker(A, C),
    "sparse": lc.aslinearoperator(sp.random_array((30, 20), density=0.2, rng=np.random.default_rng(0))),
    "empty": lc.Dense(np.zeros((0, 3))),
    "transposed convolution": lc.ConvolutionTranspose(RNG.standard_normal((2, 3, 3)), (2, 5), stride=2),
    "batch of convolutions": lc.Convolution(RNG.standard_normal((2, 3, 2, 3)), (2, 6), padding=1),
}
WIDE = {
    "rows": lc.VStack([A, C]),
    "columns": lc.HStack([A, C]),
    "sum": lc.Dense(A) + lc.Dense(C),
    "product": lc.Dense(A) @ lc.Dense(C).H,
    "power": lc.Dense(A[:, :5]) ** 3,
}


def exact(operator: Any, ord: Any) -> Any:
    dense = np.asarray(operator.to_dense())
    dense = dense.astype(np.complex128 if dense.dtype.kind == "c" else np.float64)
    return np.linalg.norm(dense, ord, axis=(-2, -1)) if dense.size else 0.0


@pytest.mark.parametrize("ord", ORDS)
@pytest.mark.parametrize("name", [*TIGHT, *WIDE])
def test_bounds_hold(name: str, ord: Any) -> None:
    operator = {**TIGHT, **WIDE}[name]
    bounds, norm = induced_bounds(operator, ord), exact(operator, ord)
    assert (bounds.kind, bounds.ord) == ("rigorous", ord)
    assert np.all(bounds.lower <= norm * (1 + 1e-14))
    assert np.all(bounds.upper >= norm * (1 - 1e-14))
    if name in TIGHT:
        assert np.all(bounds.relative_width < 1e-12)
    assert np.all(bounds.converged) == np.all(bounds.relative_width < 1e-12)


def test_one_way_of_stacking_is_tight() -> None:
    assert induced_bounds(WIDE["rows"], math.inf).relative_width < 1e-12
    assert induced_bounds(WIDE["columns"], 1).relative_width < 1e-12
    assert induced_bounds(WIDE["rows"], "fro").relative_width < 1e-12


CONVOLUTIONS = list(
    itertools.product(("zeros", "circular", "reflect", "replicate"), (1, 2), (1, 2), (1, 2), (1, 2), (4, 7))
)


@pytest.mark.parametrize(("mode", "axes", "stride", "dilation", "groups", "size"), CONVOLUTIONS)
def test_convolutions(mode: str, axes: int, stride: int, dilation: int, groups: int, size: int) -> None:
    rng = np.random.default_rng(axes)
    kernel = rng.standard_normal((4, 4 // groups) + (3,) * axes) * (1 - 1j if stride == 2 else 1)
    operator = lc.Convolution(
        kernel,
        (4,) + (size,) * axes,
        stride=stride,
        dilation=dilation,
        groups=groups,
        padding=[(1, 2), (0, 3)][:axes],
        padding_mode=mode,
    )
    for ord in ORDS:
        bounds, norm = induced_bounds(operator, ord), exact(operator, ord)
        assert bounds.lower <= norm * (1 + 1e-14)
        assert bounds.upper >= norm * (1 - 1e-14)
        assert bounds.relative_width < 1e-10


def test_taps_that_cancel_where_they_meet() -> None:
    """Replicated borders add up a kernel that sums to zero: the bounds must see the sum, not the absolute values."""
    operator = lc.Convolution(np.array([[[1.0, -1.0]]]), (1, 1), padding=[(1, 1)], padding_mode="replicate")
    for ord in ORDS:
        assert induced_bounds(operator, ord).upper < 1e-12


@pytest.mark.parametrize("exponent", [-1060, -700, 700, 1020])
def test_every_scale(exponent: int) -> None:
    a = np.ldexp(A, exponent)
    for ord in ORDS:
        log = exponent + math.log2(np.linalg.norm(np.ldexp(a, -exponent), ord))
        for operator in (lc.Dense(a), lc.Convolution(a[None], (5, 9))):
            bounds = induced_bounds(operator, ord)
            assert bounds.lower <= bounds.upper
            if isinstance(operator, lc.Dense):
                assert bounds.log2_lower <= log + 1e-12
                assert bounds.log2_upper >= log - 1e-12


def test_exact_cases_have_no_width() -> None:
    assert induced_bounds(lc.Diagonal(np.array([1.0, -3.0])), 1).upper == 3.0
    zero = induced_bounds(np.zeros((3, 2)), "fro")
    assert zero.lower == zero.upper == 0.0
    assert induced_bounds(lc.Identity(4), math.inf).upper == 1.0
    root = induced_bounds(lc.Identity(2), "fro")
    assert root.lower < math.sqrt(2) <= root.upper


def test_duplicate_entries_of_a_sparse_matrix_add_up() -> None:
    rows, columns = np.array([0, 0, 1, 1, 2]), np.array([1, 1, 2, 2, 0])
    matrix = sp.coo_array((np.array([1.0, -2.0, 3.0, 0.1, 0.5]), (rows, columns)), shape=(3, 4))
    for ord in ORDS:
        bounds, norm = induced_bounds(lc.aslinearoperator(matrix), ord), np.linalg.norm(matrix.toarray(), ord)
        assert bounds.lower <= norm <= bounds.upper


def by_products(n: int, m: int | None = None) -> tuple[lc.LinearOperator, np.ndarray[Any, Any]]:
    a = np.random.default_rng(n).standard_normal((m or n, n))
    products = {"matmat": lambda x: a @ x, "rmatmat": lambda y: a.T @ y}
    return lc.LinearOperator(a.shape, lambda x: a @ x, lambda y: a.T @ y, dtype=np.float64, **products), a


@pytest.mark.parametrize("ord", ORDS)
def test_operators_known_by_their_products(ord: Any) -> None:
    small, a = by_products(20, 300)
    bounds = induced_bounds(small, ord)
    assert bounds.kind == "analytic"
    assert bounds.lower <= np.linalg.norm(a, ord) * (1 + 1e-12)
    assert bounds.upper >= np.linalg.norm(a, ord) * (1 - 1e-12)
    large, a = by_products(300)
    estimate = induced_bounds(large, ord, rng=0)
    assert estimate.kind == "estimate"
    assert estimate.failure_probability == 1.0
    assert estimate.lower <= np.linalg.norm(a, ord) * (1 + 1e-12)
    assert abs(estimate.upper / np.linalg.norm(a, ord) - 1) < 0.2


def test_the_estimator_is_mostly_right_and_never_above() -> None:
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        a = rng.standard_normal((30, 25)) * np.exp(rng.standard_normal(25)) * (1 + 1j * (seed % 2))
        found = one_norm_estimate(lc.Dense(a), rng=seed)
        norm = np.linalg.norm(a, 1)
        assert found.value <= norm * (1 + 1e-12)
        attained = np.abs(a @ found.vector).sum() / np.abs(found.vector).sum()
        np.testing.assert_allclose(attained, found.value)
        hits += found.value > norm * (1 - 1e-12)
    assert hits >= 57


def test_stacks_are_estimated_member_by_member() -> None:
    stack = RNG.standard_normal((2, 3, 8, 6))
    found = one_norm_estimate(lc.Dense(stack), rng=0)
    assert found.value.shape == (2, 3)
    assert np.all(found.value <= np.linalg.norm(stack, 1, axis=(-2, -1)) * (1 + 1e-12))
    assert np.mean(found.value > np.linalg.norm(stack, 1, axis=(-2, -1)) * (1 - 1e-12)) > 0.8


def test_every_library(backend: Backend) -> None:
    for name in backend.dtypes:
        a = C.astype(name) if name.startswith("complex") else A.astype(name)
        operator = lc.Dense(backend.asarray(a))
        for ord in ORDS:
            norm = np.linalg.norm(a.astype(np.complex128), ord)
            bounds = induced_bounds(operator, ord)
            assert bounds.lower <= norm * (1 + 1e-12)
            assert bounds.upper >= norm * (1 - 1e-12)
        found = one_norm_estimate(operator, rng=1)
        assert found.value <= np.linalg.norm(a.astype(np.complex128), 1) * (1 + 1e-5)
        kernel = lc.Convolution(backend.asarray(a[None]), (5, 9))
        assert induced_bounds(kernel, 1).relative_width < 1e-12


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="`ord` must be"):
        induced_bounds(A, 3)
    with pytest.raises(ValueError, match="must be finite"):
        induced_bounds(np.array([[math.nan]]), 1)


@pytest.mark.parametrize("ord", [1, math.inf])
def test_complex_sums_against_forty_digits(ord: Any) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        a = rng.standard_normal((30, 3)) + 1j * rng.standard_normal((30, 3))
        bounds = induced_bounds(a, ord)
        with mpmath.workdps(40):
            sizes = [[abs(mpmath.mpc(complex(x))) for x in row] for row in (a.T if ord == 1 else a)]
            exact = max(mpmath.fsum(row) for row in sizes)
            assert mpmath.mpf(bounds.lower) <= exact <= mpmath.mpf(bounds.upper)
