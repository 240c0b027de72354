"""opnorm_bounds: every operator and kind against brute force; the choice of kind; warm starts; bad input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sparse
from _backends import Backend
from hypothesis import given, settings
from hypothesis import strategies as st

import lipcore as lc
from lipcore import _backend as B
from lipcore.norms.bounds import KINDS

TIGHT = 1e-4  # what a float64 reference may be off by, beyond single-precision data


def _matrix(shape: tuple[int, ...], name: str = "float64", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if name.startswith("complex") else a).astype(name)


def _truth(operator: lc.LinearOperator) -> np.ndarray:
    dense = B.to_numpy(operator.to_dense())
    return np.linalg.norm(dense.astype(np.complex128 if dense.dtype.kind == "c" else np.float64), 2, axis=(-2, -1))


def _encloses(bounds: lc.Bounds, truth: np.ndarray, slack: float = 1e-10) -> None:
    assert np.all(bounds.lower <= truth * (1 + slack))
    assert np.all(truth * (1 - slack) <= bounds.upper)


def _operators(backend: Backend, name: str) -> dict[str, lc.LinearOperator]:
    def array(*shape: int, seed: int = 0) -> object:
        return backend.asarray(_matrix(shape, name, seed))

    A, C = lc.Dense(array(5, 4)), lc.Dense(array(3, 6, seed=1))
    kernel = array(2, 3, 3, 3, seed=2)
    return {
        "dense": A,
        "diagonal": lc.Diagonal(array(7)),
        "low rank": lc.LowRank(array(6, 2), array(5, 2, seed=3)),
        "block diagonal": lc.BlockDiagonal([A, C]),
        "vstack": lc.VStack([A, lc.Dense(array(2, 4, seed=4))]),
        "hstack": lc.HStack([A, lc.Dense(array(5, 3, seed=5))]),
        "kronecker": lc.Kronecker(A, C),
        "scaled": -2.5 * A,
        "adjoint": A.H,
        "transpose": A.T,
        "product": A.H @ A,
        "sum": A + 2 * A,
        "power": (A.H @ A) ** 2,
        "zeros": lc.Convolution(kernel, (3, 6, 5), padding=1),
        "valid": lc.Convolution(kernel, (3, 6, 5), stride=2),
        "circular": lc.Convolution(kernel, (3, 6, 5), padding=1, padding_mode="circular"),
        "reflect": lc.Convolution(kernel, (3, 6, 5), padding=1, padding_mode="reflect"),
        "replicate": lc.Convolution(kernel, (3, 6, 5), padding=1, padding_mode="replicate"),
        "transposed": lc.ConvolutionTranspose(kernel, (2, 4, 3), stride=2),
    }


@pytest.mark.parametrize("rtol", [1e-2, 1e-5])
def test_auto_encloses_every_operator_within_rtol(backend: Backend, rtol: float) -> None:
    for name in (backend.dtypes[0], backend.dtypes[-1]):
        for label, operator in _operators(backend, name).items():
            bounds = lc.opnorm_bounds(operator, rtol=rtol, rng=0)
            slack = 1e-6 if bounds.kind == "rigorous" else TIGHT
            _encloses(bounds, _truth(operator), slack)
            assert bounds.converged, label
            assert bounds.relative_width <= rtol, label


def test_rigorous_is_had_by_every_structure(backend: Backend) -> None:
    for label, operator in _operators(backend, backend.dtypes[0]).items():
        bounds = lc.opnorm_bounds(operator, kind="rigorous")
        assert bounds.kind == "rigorous", label
        _encloses(bounds, _truth(operator), 1e-6)  # the reference rounds where padding folds taps


@pytest.mark.parametrize("kind", ["probabilistic", "estimate"])
def test_weaker_kinds_on_request(backend: Backend, kind: str) -> None:
    for operator in _operators(backend, backend.dtypes[0]).values():
        bounds = lc.opnorm_bounds(operator, kind=kind, rtol=0.05, rng=1)
        assert bounds.kind == kind
        if kind == "estimate":  # which claims nothing of its upper end
            assert np.all(bounds.lower <= _truth(operator) * (1 + TIGHT))
        else:
            _encloses(bounds, _truth(operator), TIGHT)
        assert (bounds.failure_probability == 1e-9) == (kind == "probabilistic")


def test_products_alone_give_analytic_or_probabilistic(backend: Backend) -> None:
    a = _matrix((300, 280), "float32")
    x = backend.asarray(a)
    xp = backend.xp

    def operator(rows: int) -> lc.LinearOperator:
        part = x[:rows, :]
        return lc.LinearOperator(
            (rows, 280),
            lambda v: xp.matmul(part, v[:, None])[:, 0],
            lambda v: xp.matmul(B.transpose(part), v[:, None])[:, 0],
            dtype=part.dtype,
            xp=xp,
            device=backend.device,
        )

    for rows, kind in ((40, "analytic"), (300, "probabilistic")):
        bounds = lc.opnorm_bounds(operator(rows), rtol=0.1, rng=0)
        assert bounds.kind == kind
        assert bounds.converged
        _encloses(bounds, np.linalg.norm(a[:rows].astype(np.float64), 2), TIGHT)
        with pytest.raises(lc.NoCertificateError, match="kind='rigorous' is not to be had for LinearOperator"):
            lc.opnorm_bounds(operator(rows), kind="rigorous")
    assert lc.opnorm_bounds(operator(300), kind="analytic").kind == "analytic"


def test_wide_certificates_give_way_to_narrow_claims_and_say_so() -> None:
    # sums and products of large parts: the certificate is a product of norms, the claim comes from the whole
    A, C = lc.Dense(_matrix((400, 300))), lc.Dense(_matrix((300, 350), seed=1))
    wide = lc.opnorm_bounds(A @ C, kind="rigorous")
    assert not wide.converged
    narrow = lc.opnorm_bounds(A @ C, rtol=0.02, rng=0)
    assert narrow.kind == "probabilistic"
    assert narrow.converged
    assert wide.lower <= narrow.upper <= wide.upper
    # where the claim does not reach rtol either, the stronger statement is kept
    kept = lc.opnorm_bounds(A @ C, rtol=1e-9, maxiter=5, rng=0)
    assert kept.kind == "rigorous"
    assert not kept.converged


def test_stack_of_operators_has_arrays_of_bounds(backend: Backend) -> None:
    a = _matrix((3, 6, 5), "float32")
    a[1] = 0
    for kind in ("rigorous", "probabilistic"):
        bounds = lc.opnorm_bounds(backend.asarray(a), kind=kind, rtol=1e-2, rng=0)
        assert isinstance(bounds.lower, np.ndarray)
        assert bounds.lower.shape == bounds.upper.shape == (3,)
        _encloses(bounds, np.linalg.norm(a.astype(np.float64), 2, axis=(-2, -1)), TIGHT)


@pytest.mark.parametrize("ord", [1, np.inf, "fro"])
def test_other_norms(backend: Backend, ord: object) -> None:
    for operator in _operators(backend, backend.dtypes[0]).values():
        bounds = lc.opnorm_bounds(operator, ord)
        dense = B.to_numpy(operator.to_dense()).astype(np.float64)
        assert bounds.ord == ord
        _encloses(bounds, np.linalg.norm(dense, ord), TIGHT)


@pytest.mark.parametrize("scale", [1e-310, 1e-300, 1e300])
def test_scales(scale: float) -> None:
    a = _matrix((6, 5))
    for kind in ("rigorous", "probabilistic"):
        bounds = lc.opnorm_bounds(a * scale, kind=kind, rtol=1e-2, rng=0)
        _encloses(bounds, np.linalg.norm(a, 2) * scale, 1e-6 if scale > 1e-308 else 0.1)


def test_overflowing_norms_are_held_by_logarithms() -> None:
    bounds = lc.opnorm_bounds(np.full((50, 50), 1e308))
    truth = np.log2(50) + np.log2(1e308)
    assert bounds.upper == np.inf
    assert bounds.log2_lower <= truth * (1 + 1e-12)
    assert truth * (1 - 1e-12) <= bounds.log2_upper


@given(
    m=st.integers(1, 8),
    n=st.integers(1, 8),
    rank=st.integers(0, 8),
    log_scale=st.integers(-200, 200),
    seed=st.integers(0, 2**31),
    kind=st.sampled_from(["rigorous", "probabilistic", "analytic"]),
)
@settings(max_examples=60, deadline=None)
def test_any_matrix(m: int, n: int, rank: int, log_scale: int, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((m, min(rank, m, n))) @ rng.standard_normal((min(rank, m, n), n)) * 10.0**log_scale
    bounds = lc.opnorm_bounds(a, kind=kind, rng=seed)
    _encloses(bounds, np.linalg.norm(a, 2), 1e-9)


def test_warm_start_is_used_and_keeps_the_kind() -> None:
    a = _matrix((300, 260))
    start = np.linalg.svd(a)[2][0]
    bounds = lc.opnorm_bounds(a, kind="probabilistic", rtol=0.05, v0=start, rng=0)
    assert bounds.kind == "probabilistic"
    _encloses(bounds, np.linalg.norm(a, 2))
    # a start orthogonal to the leading vector does no harm: the noise finds it
    misled = lc.opnorm_bounds(a, kind="probabilistic", rtol=0.05, v0=np.linalg.svd(a)[2][-1], rng=0)
    _encloses(misled, np.linalg.norm(a, 2))


def test_not_reached_is_said() -> None:
    a = np.diag(np.linspace(0.9, 1.0, 400))
    op = lc.LinearOperator(a.shape, lambda x: a @ x, lambda y: a.T @ y, dtype=np.float64)
    bounds = lc.opnorm_bounds(op, kind="probabilistic", rtol=1e-6, maxiter=5, rng=0)
    assert not bounds.converged
    _encloses(bounds, np.asarray(1.0))


def test_empty_is_zero() -> None:
    bounds = lc.opnorm_bounds(np.zeros((2, 0, 3)))
    np.testing.assert_array_equal(bounds.upper, [0.0, 0.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "certain"}, "`kind` must be 'auto' or one of"),
        ({"rtol": 0.0}, "`rtol`"),
        ({"failure_probability": 0.0}, "`failure_probability`"),
        ({"failure_probability": 1.0}, "`failure_probability`"),
        ({"maxiter": 0}, "`maxiter`"),
        ({"ord": 3}, "ord"),
        ({"ord": 2, "v0": np.ones(7), "kind": "probabilistic"}, "`v0`"),
    ],
)
def test_bad_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lc.opnorm_bounds(np.eye(3), **options)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["rigorous", "probabilistic", "estimate"])
def test_data_that_are_not_finite_are_refused(kind: str, value: float) -> None:
    a = np.eye(4)
    a[1, 2] = value
    with pytest.raises(ValueError, match=r"finite|NaN"):
        lc.opnorm_bounds(a, kind=kind)


def test_kinds_are_those_of_the_design() -> None:
    assert KINDS == ("rigorous", "analytic", "probabilistic", "estimate")


def test_sparse_matrices_are_rigorous_unless_entries_are_stored_in_pieces() -> None:
    rows, columns, values = np.array([0, 0, 1]), np.array([0, 0, 2]), np.array([1.0, 2.0, 4.0])
    pieces = sparse.coo_array((values, (rows, columns)), shape=(2, 3))
    for matrix, kind in ((sparse.csr_array(pieces.todense()), "rigorous"), (pieces, "analytic")):
        bounds = lc.opnorm_bounds(matrix)
        assert bounds.kind == kind
        assert bounds.lower <= 4.0 <= bounds.upper
