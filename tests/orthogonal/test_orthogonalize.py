from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orthogonal.matrices import floor, largest, matrix, polar_factor, residual

import lipcore as lc
from lipcore import _backend as B
from lipcore.orthogonal.half_precision import half_start

METHODS = ["auto", "polynomial", "rational", "svd"]
SHAPES = [(7, 7), (40, 9), (9, 40), (1, 6), (6, 1), (1, 1), (3, 5, 4), (2, 2, 3, 12)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_is_the_polar_factor(backend, shape, dtype):
    if dtype not in backend.dtypes:
        pytest.skip(f"{backend.name} has no {dtype}")
    w = matrix(np.random.default_rng(0), shape, dtype, condition=30.0)
    q = lc.orthogonalize(backend.asarray(w), rng=0)
    assert q.shape == shape
    assert B.dtype_name(q.dtype) == dtype
    host = backend.to_numpy(q)
    assert residual(host).max() < floor(host)
    assert largest(host) <= 1 + 8 * np.finfo(dtype).eps
    assert np.abs(host - polar_factor(w)).max() < 300 * np.finfo(dtype).eps


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("condition", [1.0, 3.0, 1e3, 1e5])
@pytest.mark.parametrize("shape", [(50, 50), (120, 30)], ids=str)
def test_any_condition(backend, method, condition, shape):
    w = matrix(np.random.default_rng(1), shape, "float32", condition)
    q = backend.to_numpy(lc.orthogonalize(backend.asarray(w), method=method, rng=0))
    assert residual(q).max() < floor(q)
    assert largest(q) <= 1 + 8 * np.finfo("float32").eps
    # an error of eps in W moves the polar factor by eps times the condition number
    assert np.abs(q - polar_factor(w)).max() < 20 * condition * np.finfo("float32").eps


@pytest.mark.parametrize("method", ["polynomial", "rational"])
def test_nearly_singular(method):
    w = matrix(np.random.default_rng(2), (60, 60), "float64", 1e12)
    found = lc.polar(w, method=method, rng=0)
    assert "svd" not in found.method
    assert residual(found.Q) < floor(found.Q)
    assert np.abs(found.Q - polar_factor(w)).max() < 1e12 * 50 * np.finfo(float).eps


class Counted:
    """Counts the products and factorisations that really happen, in units of m n^2 multiplications."""

    def __init__(self, monkeypatch, m, n):
        self.total, self.unit = 0.0, m * n * n
        for name in ("matmul", "inverse_factor"):
            monkeypatch.setattr(B, name, self.wrap(name, getattr(B, name)))
        monkeypatch.setattr(np.linalg, "svd", self.forbidden)

    def wrap(self, name, function):
        def counted(a, *args, **kwargs):
            if name == "matmul":
                self.total += a.shape[-2] * a.shape[-1] * args[0].shape[-1] / self.unit
            else:  # a Cholesky factor, and a triangular solve with the identity
                self.total += a.shape[-1] ** 3 * (1 / 6 + 1 / 2) / self.unit
            return function(a, *args, **kwargs)

        return counted

    def forbidden(self, *_args, **_kwargs):
        raise AssertionError("an SVD is no product")


@pytest.mark.parametrize("method", ["auto", "polynomial", "rational"])
@pytest.mark.parametrize("shape", [(200, 200), (200, 150), (300, 60)], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_at_most_24_products(monkeypatch, method, shape, seed):
    """At condition number 1000 and residual 1e-6 in double precision; Björck's iteration needs 42."""
    w = matrix(np.random.default_rng(seed), shape, "float64", 1e3)
    with monkeypatch.context() as patch:
        counted = Counted(patch, *shape)
        q = lc.orthogonalize(w, method=method, tol=1e-6, rng=seed)
    assert residual(q) < 1e-6
    assert largest(q) <= 1 + 8 * np.finfo(float).eps
    assert counted.total <= 24.0
    found = lc.polar(w, method=method, tol=1e-6, rng=seed)
    # the Lanczos steps are products too, with one vector each: in the count here, left out there
    assert found.matmuls <= counted.total <= found.matmuls + 1.0
    assert found.matmuls <= 24.0


def test_bjorck_needs_42():
    w = matrix(np.random.default_rng(0), (200, 200), "float64", 1e3)
    w = w / np.linalg.norm(w, 2)
    assert residual(lc.bjorck(w, iterations=20, scale=False)) > 1e-6
    assert residual(lc.bjorck(w, iterations=21, scale=False)) < 1e-5


@pytest.mark.parametrize("shape", [(4, 6, 5), (2, 3, 20, 4), (3, 2, 9)], ids=str)
def test_batched_is_looped(backend, shape):
    rng = np.random.default_rng(3)
    w = np.stack([matrix(rng, shape[1:], "float32", 10.0**k) for k in range(shape[0])])
    whole = backend.to_numpy(lc.orthogonalize(backend.asarray(w), rng=0))
    for one, q in zip(w, whole, strict=True):
        alone = backend.to_numpy(lc.orthogonalize(backend.asarray(one), rng=0))
        assert np.abs(alone - q).max() < 20 * 10.0 ** shape[0] * np.finfo("float32").eps


@pytest.mark.parametrize("exponent", [-1000, -300, 0, 300, 1000])
def test_any_scale(exponent):
    """Powers of two change nothing at all."""
    w = matrix(np.random.default_rng(4), (8, 6), "float64", 20.0)
    found = lc.polar(np.ldexp(w, exponent), rng=0)
    assert np.array_equal(found.Q, lc.orthogonalize(w, rng=0))
    assert np.abs(np.ldexp(found.H, -exponent) - lc.polar(w, rng=0).H).max() == 0.0


@pytest.mark.parametrize("factor", [1e-300, 2e-38, 1e38, 1e300, 5e-324])
def test_extreme_scale(backend, factor):
    if "float64" not in backend.dtypes and not 1e-40 < factor < 1e39:
        pytest.skip("out of the range of float32")
    if backend.native == "jax" and factor < 1e-307:
        pytest.skip("XLA takes subnormal numbers for zero")
    w = factor * np.array([[0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])
    q = backend.to_numpy(lc.orthogonalize(backend.asarray(w), rng=0))
    assert np.abs(q - np.sign(w)).max() < 1e-6


@pytest.mark.parametrize("name", ["float32", "float64", "complex64"])
def test_largest_numbers(backend, name):
    if name not in backend.dtypes:
        pytest.skip("out of the range of the backend")
    signs = np.sign(np.random.default_rng(4).standard_normal((6, 4)))
    w = (signs * np.finfo(name).max).astype(name)
    for function in (lc.orthogonalize, lc.bjorck):
        found = backend.to_numpy(function(backend.asarray(w)))
        assert np.abs(found - polar_factor(signs)).max() < 1e-5


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 24), st.integers(1, 24), st.floats(0.0, 5.0), st.floats(-290.0, 290.0), st.integers(0, 2**31),
    st.sampled_from(["auto", "polynomial"]), st.sampled_from(["float64", "complex128"]),
)  # fmt: skip
def test_any_matrix(m, n, log_condition, log_scale, seed, method, dtype):
    w = matrix(np.random.default_rng(seed), (m, n), dtype, 10.0**log_condition)
    q = lc.orthogonalize(10.0**log_scale * w, method=method, rng=seed)
    assert residual(q) < floor(q)
    assert largest(q) <= 1 + 8 * np.finfo(float).eps
    assert np.abs(q - polar_factor(w)).max() < 1e3 * 10.0**log_condition * np.finfo(float).eps


# --- defined outcomes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("shape", "rank"), [((12, 12), 5), ((30, 6), 3), ((6, 30), 1), ((2, 9, 9), 8)], ids=str)
def test_without_full_rank(backend, method, shape, rank):
    """A partial isometry that maps the null space to zero, and a residual that counts the dimensions lost."""
    rng = np.random.default_rng(5)
    *batch, m, n = shape
    w = (rng.standard_normal((*batch, m, rank)) @ rng.standard_normal((*batch, rank, n))).astype("float32")
    found = lc.polar(backend.asarray(w), method=method, rng=0)
    q = backend.to_numpy(found.Q)
    u, _, vh = np.linalg.svd(w.astype(float), full_matrices=False)
    assert np.abs(q - u[..., :rank] @ vh[..., :rank, :]).max() < 1e-3
    values = np.linalg.svd(q.astype(float), compute_uv=False)
    assert np.abs(values[..., :rank] - 1).max() < 1e-5
    assert values[..., rank:].max() < 1e-5
    assert np.allclose(backend.to_numpy(found.residual), (min(m, n) - rank) ** 0.5, atol=1e-4)


def test_a_deficient_matrix_leaves_its_neighbours_alone(backend):
    rng = np.random.default_rng(6)
    w = matrix(rng, (4, 8, 5), "float32")
    w[1] = 0.0
    w[2, :, 3] = w[2, :, 1]
    found = lc.polar(backend.asarray(w), rng=0)
    q = backend.to_numpy(found.Q)
    assert np.all(q[1] == 0.0)
    assert np.abs(q[[0, 3]] - polar_factor(w[[0, 3]])).max() < 1e-5
    assert np.allclose(backend.to_numpy(found.residual), [0.0, 5**0.5, 1.0, 0.0], atol=1e-4)


def test_zero_and_empty(backend):
    zero = backend.asarray(np.zeros((3, 2), dtype="float32"))
    found = lc.polar(zero)
    assert np.all(backend.to_numpy(found.Q) == 0.0)
    assert np.all(backend.to_numpy(found.H) == 0.0)
    for shape in [(0, 3), (3, 0), (0, 2, 2), (2, 0, 0)]:
        found = lc.polar(backend.asarray(np.zeros(shape, dtype="float32")))
        assert found.Q.shape == shape
        assert found.H.shape == (*shape[:-2], min(shape[-2:]), min(shape[-2:]))
        assert found.residual.shape == shape[:-2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(0, 0), (3, 1)])
def test_not_finite(backend, bad, where):
    w = matrix(np.random.default_rng(0), (2, 4, 3), "float32")
    w[(1, *where)] = bad
    for method in METHODS:
        with pytest.raises(ValueError, match="`W` must be finite"):
            lc.orthogonalize(backend.asarray(w), method=method)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: lc.orthogonalize([[1.0]]), TypeError, "`W` must be an array"),
        (lambda w: lc.orthogonalize(np.eye(2, dtype=int)), TypeError, "`W` must be real or complex floating"),
        (lambda w: lc.orthogonalize(w[0]), ValueError, r"shape \(\.\.\., m, n\), got \(2,\)"),
        (lambda w: lc.orthogonalize(w, method="best"), ValueError, "`method` must be one of 'auto'"),
        (lambda w: lc.orthogonalize(w, tol=0.0), ValueError, "`tol` must be in"),
        (lambda w: lc.polar(w, tol=2.0), ValueError, "`tol` must be in"),
        (lambda w: lc.polar(w, dtype=np.int32), TypeError, "`dtype` must be a real floating dtype"),
        (lambda w: lc.polar(w + 0j, dtype=np.float16), TypeError, "for real matrices"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(np.eye(2))


# --- precision, the result, the host ---------------------------------------------------------------------------------


@pytest.mark.backends("torch", "jax")  # the libraries that have bfloat16
@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision_input(backend, name):
    w = matrix(np.random.default_rng(7), (48, 24), "float32", 20.0)
    half = backend.xp.astype(backend.asarray(w), backend.dtype(name))
    q = lc.orthogonalize(half, rng=0)
    assert B.dtype_name(q.dtype) == name
    exact = polar_factor(backend.to_numpy(half).astype(float))
    assert np.abs(backend.to_numpy(q).astype(float) - exact).max() < B.eps(backend.xp, q.dtype)


@pytest.mark.backends("torch", "jax")
@pytest.mark.parametrize("shape", [(96, 96), (120, 40), (40, 120)], ids=str)
def test_half_precision_steps_and_a_single_precision_finish(backend, shape):
    w = np.random.default_rng(8).standard_normal(shape).astype("float32")
    found = lc.polar(backend.asarray(w), dtype=backend.dtype("bfloat16"), rng=0)
    q = backend.to_numpy(found.Q)
    assert found.method.startswith("bfloat16")
    assert residual(q) < floor(q)
    assert largest(q) <= 1 + 8 * np.finfo("float32").eps


@pytest.mark.backends("numpy", "torch", "jax")
@pytest.mark.parametrize("name", ["bfloat16", "float16"])
@pytest.mark.parametrize("condition", [1.5, 300.0, 5e3])
def test_half_precision_leaves_one_cubic(backend, name, condition):
    """Nothing of three digits is left: the correction is orthonormal to some 1e-4."""
    if not hasattr(backend.xp, name):
        pytest.skip("the library has no such dtype")
    w = backend.asarray(matrix(np.random.default_rng(13), (128, 128), "float32", condition))
    start = backend.to_numpy(half_start(w, backend.dtype(name)))
    assert residual(start) < 64 * (1e-5 if name == "bfloat16" else 1e-6)
    found = lc.polar(w, dtype=backend.dtype(name), rng=0)
    assert found.method == f"{name} degree 5 x8 and a correction, degree 3"
    assert found.matmuls == 29.0


@pytest.mark.backends("torch", "jax")
def test_half_precision_from_double_and_without_full_rank(backend):
    w = matrix(np.random.default_rng(14), (60, 40), "float64", 30.0)
    q = backend.to_numpy(lc.orthogonalize(backend.asarray(w), dtype=backend.dtype("bfloat16")))
    assert residual(q) < floor(q)
    for zeros in (1, 40):
        w[:, :zeros] = 0.0
        q = backend.to_numpy(lc.orthogonalize(backend.asarray(w), dtype=backend.dtype("bfloat16")))
        assert np.isfinite(q).all()
        assert largest(q) <= 1 + 8 * np.finfo(q.dtype).eps


@pytest.mark.parametrize(
    ("change", "single", "double"), [(0.0, 2.0, 2.0), (1e-4, 2.0, 4.0), (1e-3, 4.0, 5.0), (2e-2, 5.0, 7.0)]
)
def test_nearly_orthonormal_is_a_warm_start(backend, change, single, double):
    rng = np.random.default_rng(15)
    start = matrix(rng, (100, 100), "float64", 1.0)
    w = start + change * matrix(rng, (100, 100), "float64", 1.5)
    found = lc.polar(backend.asarray(w), rng=0)
    assert found.matmuls <= (double if found.Q.dtype == backend.dtype("float64") else single)
    assert residual(backend.to_numpy(found.Q)) < floor(backend.to_numpy(found.Q))
    eps = B.eps(backend.xp, found.Q.dtype)
    assert np.linalg.norm(backend.to_numpy(found.Q) - polar_factor(w), 2) < 60 * eps


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9)], ids=str)
def test_polar_result(backend, shape):
    w = matrix(np.random.default_rng(9), shape, "complex64", 8.0)
    found = lc.polar(backend.asarray(w), rng=0)
    q, h = backend.to_numpy(found.Q), backend.to_numpy(found.H)
    assert np.abs((q @ h if shape[0] >= shape[1] else h @ q) - w).max() < 1e-6
    assert np.array_equal(h, h.conj().T)
    assert np.linalg.eigvalsh(h).min() > 0
    assert abs(float(backend.to_numpy(found.residual)) - residual(q)) < 1e-6
    assert found.matmuls > 0
    assert found.method


@pytest.mark.backends("numpy", "torch", "jax")
def test_one_read_by_the_host_per_cycle(backend):
    w = backend.asarray(matrix(np.random.default_rng(10), (3, 40, 40), "float32", 100.0))
    before = B.host_reads.count
    lc.orthogonalize(w, method="polynomial", rng=0)
    assert B.host_reads.count - before <= 4


def test_same_seed_same_result():
    w = np.random.default_rng(11).standard_normal((30, 30))
    assert np.array_equal(lc.orthogonalize(w, rng=5), lc.orthogonalize(w, rng=5))


@pytest.mark.backends("jax")
def test_traced(backend):
    """Under jit a fixed schedule runs, and nothing is read."""
    import jax

    w = matrix(np.random.default_rng(12), (2, 20, 8), "float32", 1e3)
    before = B.host_reads.count
    q = jax.jit(lc.orthogonalize)(backend.asarray(w))
    assert B.host_reads.count == before
    assert residual(backend.to_numpy(q)).max() < 1e-5
    half = jax.jit(lambda a: lc.orthogonalize(a, dtype="bfloat16"))(backend.asarray(w[0]))
    assert residual(backend.to_numpy(half)) < 1e-5
    assert np.abs(backend.to_numpy(q) - polar_factor(w)).max() < 1e-3
    with pytest.raises(ValueError, match="while it is traced"):
        jax.jit(lambda x: lc.orthogonalize(x, method="svd"))(backend.asarray(w))
