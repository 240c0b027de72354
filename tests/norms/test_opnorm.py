"""opnorm: values against LAPACK, gradients, options, hard scales, counts of host reads."""

from __future__ import annotations

import numpy as np
import pytest
from _backends import Backend
from hypothesis import given, settings
from hypothesis import strategies as st

import lipcore as lc
from lipcore import _backend as B
from lipcore.norms.opnorm import DIRECT_SIZE


def _matrix(shape: tuple[int, ...], name: str = "float64", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if name.startswith("complex") else a).astype(name)


def _norm(a: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a.astype(np.complex128 if a.dtype.kind == "c" else np.float64), 2, axis=(-2, -1))


@pytest.mark.parametrize("shape", [(5, 3), (1, 7), (7, 1), (1, 1), (3, 4, 5), (2, 3, 6, 4), (150, 140), (140, 300)])
def test_matches_lapack(backend: Backend, shape: tuple[int, ...]) -> None:
    for name in backend.dtypes:
        a = _matrix(shape, name)
        value = lc.opnorm(backend.asarray(a), rng=0)
        assert value.shape == shape[:-2]
        assert value.dtype == B.real_dtype(backend.xp, backend.dtype(name))
        np.testing.assert_allclose(B.to_numpy(value), _norm(a), rtol=2e-6 if "64" in name[-2:] else 1e-5)


def test_large_batches_are_solved_together(backend: Backend) -> None:
    n = DIRECT_SIZE + 10
    a = _matrix((3, n, n), "float32")
    a[1] = np.eye(n)
    a[2] *= 1e-6
    np.testing.assert_allclose(B.to_numpy(lc.opnorm(backend.asarray(a), rng=1)), _norm(a), rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_double_precision_scales(scale: float) -> None:
    for n in (6, DIRECT_SIZE + 5):
        a = _matrix((n, n)) / 100
        assert float(lc.opnorm(a * scale, rng=0)) == pytest.approx(_norm(a) * scale, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-36, 1e36])
def test_single_precision_scales(backend: Backend, scale: float) -> None:
    for n in (6, DIRECT_SIZE + 5):
        a = (_matrix((n, n)) / 100).astype(np.float32)
        value = B.to_numpy(lc.opnorm(backend.asarray(a * np.float32(scale)), rng=0))
        assert float(value) == pytest.approx(float(_norm(a)) * scale, rel=1e-4)


@pytest.mark.parametrize("n", [5, DIRECT_SIZE + 3])
@pytest.mark.parametrize(
    "spectrum", ["identity", "zero", "rank one", "multiple", "cluster", "near orthogonal", "denormal"]
)
def test_hard_spectra(n: int, spectrum: str) -> None:
    sigma = {
        "identity": np.ones(n),
        "zero": np.zeros(n),
        "rank one": np.r_[3.0, np.zeros(n - 1)],
        "multiple": np.r_[[2.0] * (n // 2), [1.0] * (n - n // 2)],
        "cluster": np.r_[np.linspace(0.998, 1.0, min(n, 20)), np.full(n - min(n, 20), 0.3)],
        "near orthogonal": np.linspace(0.9, 1.0, n),
        "denormal": np.r_[1e-310, np.zeros(n - 1)],
    }[spectrum]
    rng = np.random.default_rng(2)
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    p, _ = np.linalg.qr(rng.standard_normal((n, n)))
    a = np.diag(sigma) if spectrum == "denormal" else (q * sigma) @ p
    assert float(lc.opnorm(a, rng=3)) == pytest.approx(sigma.max(), rel=1e-5, abs=1e-320)


@given(
    m=st.integers(1, 9),
    n=st.integers(1, 9),
    log_scale=st.integers(-280, 280),
    rank=st.integers(0, 9),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_any_shape_scale_and_rank(m: int, n: int, log_scale: int, rank: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((m, min(rank, m, n))) @ rng.standard_normal((min(rank, m, n), n))
    scale = 10.0**log_scale
    assert float(lc.opnorm(a * scale)) == pytest.approx(_norm(a) * scale, rel=1e-6, abs=0)


def test_structure_is_taken_apart(backend: Backend) -> None:
    for name in backend.dtypes:
        a, b = _matrix((4, 3), name), _matrix((2, 5), name, seed=1)
        A, D = lc.Dense(backend.asarray(a)), lc.Diagonal(backend.asarray(_matrix((6,), name)))
        Bop = lc.Dense(backend.asarray(b))
        scalar = -2.5 if name.startswith("float") else 1 - 2j
        for op in (D, 3 * A, A.H, A.T, scalar * A.H, lc.BlockDiagonal([A, Bop]), lc.Kronecker(A, Bop), A.H @ A, A + A):
            dense = B.to_numpy(op.to_dense())
            np.testing.assert_allclose(B.to_numpy(lc.opnorm(op, rng=0)), _norm(dense), rtol=1e-4)
        identity = lc.Identity(3, dtype=backend.dtype(name), xp=backend.xp, device=backend.device)
        assert B.to_float(lc.opnorm(identity)) == 1.0


@pytest.mark.parametrize("ord", [1, np.inf, "fro"])
def test_other_norms(backend: Backend, ord: object) -> None:
    for name in backend.dtypes:
        a = _matrix((2, 4, 3), name)
        value = B.to_numpy(lc.opnorm(backend.asarray(a), ord))
        np.testing.assert_allclose(value, np.linalg.norm(a, ord, axis=(-2, -1)), rtol=1e-5)


@pytest.mark.parametrize("n", [6, DIRECT_SIZE + 10])
@pytest.mark.backends("torch", "jax", "jax-x64")  # the libraries that differentiate
def test_gradient_is_that_of_the_singular_value(backend: Backend, n: int) -> None:
    name = "float64" if "float64" in backend.dtypes else "float32"
    a = _matrix((n, n - 2), name)
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    expected = np.outer(u[:, 0], vh[0])
    if backend.native == "torch":
        t = backend.asarray(a).requires_grad_()
        lc.opnorm(t, rtol=1e-12 if name == "float64" else None, rng=0).backward()
        gradient = t.grad
    else:
        import jax

        gradient = jax.grad(lambda t: lc.opnorm(t, rtol=1e-12 if name == "float64" else None, rng=0))(
            backend.asarray(a)
        )
    np.testing.assert_allclose(B.to_numpy(gradient), expected, atol=1e-5 if name == "float64" else 2e-3)


@pytest.mark.backends("torch", "jax", "jax-x64")  # the libraries that differentiate
def test_gradient_reaches_everything_an_operator_is_made_of(backend: Backend) -> None:
    a, b, s = _matrix((5, 4), "float32"), _matrix((4, 3), "float32", seed=1), np.float32(1.5)

    def norm(a: object, b: object, s: object) -> object:
        return lc.opnorm(s * (lc.Dense(a) @ lc.Dense(b)), rng=0)

    u, sigma, vh = np.linalg.svd(a @ b)
    outer = np.outer(u[:, 0], vh[0])
    expected = (s * outer @ b.T, s * a.T @ outer, sigma[0])
    arrays = [backend.asarray(t) for t in (a, b, s)]
    if backend.native == "torch":
        for t in arrays:
            t.requires_grad_()
        norm(*arrays).backward()
        gradients = [t.grad for t in arrays]
    else:
        import jax

        gradients = jax.grad(norm, argnums=(0, 1, 2))(*arrays)
    for gradient, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(B.to_numpy(gradient), wanted, atol=2e-3)


def test_fixed_mode_reads_nothing(backend: Backend) -> None:
    a = _matrix((20, 30), "float32")
    x = backend.asarray(a)
    before = B.host_reads.count
    value = lc.opnorm(x, iterations=15, rng=0)
    assert B.host_reads.count == before
    np.testing.assert_allclose(B.to_numpy(value), _norm(a), rtol=1e-3)


def test_adaptive_mode_reads_once_a_cycle() -> None:
    before = B.host_reads.count
    lc.opnorm(_matrix((400, 300)), rtol=1e-6, rng=0)
    assert B.host_reads.count - before <= 12


@pytest.mark.backends("jax")  # jit is JAX's
def test_fixed_mode_traces_under_jit(backend: Backend) -> None:
    import jax

    a = _matrix((20, 30), "float32")
    value = jax.jit(lambda t: lc.opnorm(t, iterations=15, rng=0))(backend.asarray(a))
    assert float(value) == pytest.approx(float(_norm(a)), rel=1e-3)
    gradient = jax.jit(jax.grad(lambda t: lc.opnorm(t, iterations=15, rng=0)))(backend.asarray(a))
    assert gradient.shape == a.shape


def test_one_seed_one_value_on_every_backend(backend: Backend) -> None:
    a = _matrix((150, 160), "float32")
    here = B.to_numpy(lc.opnorm(backend.asarray(a), rng=5))
    there = lc.opnorm(a, rng=5)
    np.testing.assert_allclose(here, there, rtol=1e-6)


def test_warm_start_saves_products() -> None:
    a = _matrix((500, 400))
    counts = []
    _, _, vh = np.linalg.svd(a)
    for v0 in (None, vh[0]):
        seen = []
        op = lc.LinearOperator(
            a.shape, lambda x, seen=seen: seen.append(1) or a @ x, lambda y: a.T @ y, dtype=np.float64
        )
        value = lc.opnorm(op, v0=v0, rng=0)
        assert float(value) == pytest.approx(_norm(a), rel=1e-6)
        counts.append(len(seen))
    assert counts[1] < counts[0]


def test_half_precision_follows_the_input() -> None:
    torch = pytest.importorskip("torch", reason="bfloat16 lives in torch and JAX")
    for dtype in (torch.float16, torch.bfloat16):
        t = torch.tensor(_matrix((20, 15), "float32")).to(dtype)
        value = lc.opnorm(t)
        assert value.dtype == dtype
        assert float(value) == pytest.approx(_norm(t.float().numpy()), rel=1e-2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("n", [5, DIRECT_SIZE + 2])
def test_data_that_are_not_finite_are_refused(backend: Backend, value: float, n: int) -> None:
    a = np.ones((n, n), np.float32)
    a[1, 2] = value
    with pytest.raises(ValueError, match=r"finite|NaN"):
        lc.opnorm(backend.asarray(a), rng=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ord": 3}, "`ord`"),
        ({"ord": "nuclear"}, "`ord`"),
        ({"rtol": 0.0}, "`rtol` must lie between 0 and 1"),
        ({"rtol": 2.0}, "`rtol` must lie between 0 and 1"),
        ({"maxiter": 0}, "`maxiter` must be a positive integer"),
        ({"iterations": 1.5}, "`iterations` must be a positive integer"),
        ({"iterations": 3, "rtol": 0.1}, "`iterations` fixes the work"),
        ({"v0": np.ones(4)}, "`v0` must have shape"),
    ],
)
def test_bad_options_are_named(options: dict, message: str) -> None:
    op = lc.LinearOperator((3, 3), lambda x: x, lambda y: y, dtype=np.float64)
    with pytest.raises(ValueError, match=message):
        lc.opnorm(op, **options)


def test_too_few_products_raise_with_what_was_reached() -> None:
    a = np.diag(np.linspace(0.999, 1.0, 2000))
    with pytest.raises(lc.ConvergenceError, match="raise `maxiter` or `rtol`") as info:
        lc.opnorm(a, rtol=1e-9, maxiter=5, rng=0)
    assert 0.99 < float(info.value.result) <= 1.0


def test_empty_operators_have_norm_zero(backend: Backend) -> None:
    for shape in ((0, 3), (3, 0), (2, 0, 3)):
        value = B.to_numpy(lc.opnorm(backend.asarray(np.zeros(shape, np.float32))))
        np.testing.assert_array_equal(value, np.zeros(shape[:-2]))


def test_integers_and_lists_are_refused() -> None:
    with pytest.raises(TypeError, match="floating"):
        lc.opnorm(np.eye(3, dtype=int))
    with pytest.raises(TypeError):
        lc.opnorm([[1.0, 2.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_runs_without_a_basis_stay_below_the_norm(dtype: type) -> None:
    n = 40_000  # too long to be reorthogonalised
    d = (1 - np.linspace(0, 1, n) ** 0.5).astype(dtype)
    seen = []

    def product(x: np.ndarray) -> np.ndarray:
        seen.append(1)
        return d * x

    operator = lc.LinearOperator((n, n), product, product, dtype=dtype)
    value = float(lc.opnorm(operator, rtol=1e-5, rng=0))
    eps = np.finfo(dtype).eps
    assert 1 - 2e-5 <= value <= 1 + 8 * eps
    assert len(seen) > 60
