"""Cholesky certificates: what they prove is true, and they prove what is within their error terms."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from _backends import Backend
from norms.referee import main, norm_is_at_most, rational, run

from lipcore.norms import cholesky
from lipcore.norms.cholesky import less_conversion, norm_at_most
from lipcore.norms.cholesky_device import norm_at_most_on_device
from lipcore.norms.error_budget import ErrorBudget
from lipcore.norms.gram_certificate import GramCertificate

SHAPES = [(1, 1), (1, 6), (6, 1), (5, 9), (9, 5), (40, 40)]
DTYPES = ["float32", "float64", "complex64", "complex128"]


def draw(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else a).astype(dtype)


def wide(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)


def budget(a: np.ndarray[Any, Any], precision: str) -> float:
    """Relative excess over the norm that the error terms ask for at most."""
    m, n = sorted(a.shape[-2:])
    unit = 2.0**-24 if precision == "float32" else 2.0**-53
    return (3 if a.dtype.kind == "c" else 1) * (m + 2) * (n + 2) * unit + 8 * unit


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_thresholds_above_the_norm_are_proved_and_below_never(
    shape: tuple[int, int], dtype: str, precision: str, order: Any
) -> None:
    a = np.asarray(draw(shape, dtype), order=order)
    norm = np.linalg.norm(wide(a), 2)
    assert norm_at_most(a, norm * (1 + 2 * budget(a, precision)), precision=precision)
    for excess in (1e-15, 1e-12, 1e-9, 1e-3):
        assert not norm_at_most(a, norm * (1 - excess), precision=precision)


def test_thousands_of_random_and_adversarial_cases_against_exact_arithmetic() -> None:
    violations, done, _ = run(count=3000, seed=20)
    assert not violations
    assert done["thresholds proved"] > 500


def test_the_referee_as_a_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["referee", "--count", "20", "--seed", "3"])
    assert main() == 0
    assert "violations: 0" in capsys.readouterr().out


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("is_complex", [False, True])
def test_computed_errors_stay_within_their_bounds(precision: str, is_complex: bool) -> None:
    """Gram matrix and factor in the working precision, against a wider one: each term of the budget by itself."""
    p, n = 60, 40
    dtype = {"float64": "c16" if is_complex else "f8", "float32": "c8" if is_complex else "f4"}[precision]
    a = draw((p, n), "complex128" if is_complex else "float64", 3).astype(dtype)
    terms = ErrorBudget(p, n, is_complex, precision)
    exact = _longdouble_gram(a)
    computed = a.conj().T @ a
    error = np.linalg.norm((computed.astype(exact.dtype) - exact).astype(np.complex128), 2)
    assert error <= terms.product * np.linalg.norm(wide(a)) ** 2
    t = 1.5 * np.linalg.norm(wide(a), 2) ** 2
    shifted = (t * np.eye(n) - computed).astype(dtype)
    factor = np.linalg.cholesky(shifted)
    residual = shifted.astype(exact.dtype) - _longdouble_gram(factor.conj().T)
    assert np.linalg.norm(residual.astype(np.complex128), 2) <= terms.factorization * np.trace(shifted).real
    assert terms.factorization < 4 * (3 if is_complex else 1) * n * terms.unit


def _longdouble_gram(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    b = a.astype(np.clongdouble)
    return b.conj().T @ b


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("entry", [0.7, 1 / 3, 0.9])
def test_rounding_that_all_goes_one_way(entry: float, is_complex: bool, precision: str) -> None:
    """Sums of thousands of equal squares come out too small by tens of units, which only the Gram term covers."""
    unit = 2.0**-24 if precision == "float32" else 2.0**-53
    value = np.float32(entry) if precision == "float32" else np.float64(entry)
    a = np.zeros((4000, 2), dtype=np.complex128 if is_complex else np.float64)
    a[:, 0] = value * (1 + 1j) if is_complex else value
    square = 4000 * Fraction(float(value)) ** 2 * (2 if is_complex else 1)
    for units in range(40):
        theta = math.sqrt(square) * (1 - units * unit)
        if Fraction(theta) ** 2 < square:
            assert not norm_at_most(a, theta, precision=precision)
    assert norm_at_most(a, math.sqrt(square) * (1 + 40000 * unit), precision=precision)


def test_constants_are_those_of_the_analysis() -> None:
    u = 2.0**-53
    real, imaginary = ErrorBudget(100, 20, False), ErrorBudget(100, 20, True)
    assert 100 * u <= real.product < 100.001 * u
    assert 200 * math.sqrt(2) * u <= imaginary.product < 200.001 * math.sqrt(2) * u
    assert 21 * u <= real.factorization < 21.001 * u
    assert 42 * math.sqrt(2) * u <= imaginary.factorization < 42.001 * math.sqrt(2) * u
    # t lies below the squared threshold by the three terms, each with its own weight
    threshold, trace = 2.0, 5.0
    least = real.product * trace + real.factorization * (20 * 4 - trace) + 4 * u
    assert least <= threshold**2 - real.shift(threshold, trace) < least + 64 * u


def test_entries_rounded_to_float32_are_paid_for() -> None:
    a = np.full((3, 2), 1 + 2.0**-25)
    limits = less_conversion(np.array([2.0]), np.array([1.5]), a[None], np.array([0]))
    assert limits[0] <= 2.0 - 1.5 * 2.0**-24
    exact = less_conversion(np.array([2.0]), np.array([1.5]), a[None].astype(np.float32), np.array([0]))
    assert exact[0] == 2.0
    scaled_down = less_conversion(np.array([2.0]), np.array([1.5]), a[None].astype(np.float32), np.array([40]))
    assert scaled_down[0] < 2.0


def test_budget_gives_up_where_nothing_can_be_said() -> None:
    hopeless = ErrorBudget(2**24, 4, False, "float32")
    assert hopeless.product == math.inf
    assert np.all(hopeless.shift(np.array([1.0]), np.array([1.0])) < 0)
    single = float(ErrorBudget(10, 10, False, "float32").shift(1.0, 4.0))
    assert single == float(np.float32(single)) < 1.0


@pytest.mark.parametrize("exponent", [-1000, -300, 300, 1000])
def test_scales_that_would_overflow_or_underflow(exponent: int) -> None:
    a = draw((4, 6), "float64", 1)
    scaled = np.ldexp(a, exponent)
    norm = np.linalg.norm(np.ldexp(scaled, -exponent), 2)
    assert norm_at_most(scaled, float(np.ldexp(norm * (1 + 1e-6), exponent)))
    assert not norm_at_most(scaled, float(np.ldexp(norm * (1 - 1e-6), exponent)))


def test_float32_denormals_are_kept() -> None:
    a = np.array([[3.0, 0.0], [4.0, 0.0]], dtype=np.float32) * np.float32(1e-44)
    norm = np.linalg.norm(a.astype(np.float64), 2)
    for precision in ("float64", "float32"):
        assert norm_at_most(a, norm * (1 + 1e-4), precision=precision)
        assert not norm_at_most(a, norm * (1 - 1e-4), precision=precision)


def test_a_perturbation_is_taken_off_the_threshold() -> None:
    a = np.eye(3)
    assert norm_at_most(a, 1.1, perturbation=0.0999)
    assert not norm_at_most(a, 1.1, perturbation=0.1001)
    assert not norm_at_most(a, math.inf, perturbation=math.inf)
    assert not norm_at_most(np.zeros((3, 3)), 0.1, perturbation=0.2)
    # perturbed to the very limit, the claim must still hold exactly
    theta, slack = 1.1, 0.0999
    assert norm_is_at_most(rational((1 + slack) * a), Fraction(theta))


def test_stacks_broadcast_and_agree_with_single_matrices() -> None:
    stack = draw((3, 4, 5, 7), "complex128", 2)
    norms = np.linalg.norm(stack, 2, axis=(-2, -1))
    thresholds = norms * np.where(np.arange(12).reshape(3, 4) % 3 == 0, 0.999, 1.001)
    proved = norm_at_most(stack, thresholds)
    np.testing.assert_array_equal(proved, thresholds > norms)
    np.testing.assert_array_equal(norm_at_most(stack[:, ::2, ::-1], thresholds[:, ::2]), (thresholds > norms)[:, ::2])
    assert norm_at_most(stack, 100.0).all()
    assert not norm_at_most(stack, np.zeros(4)).any()
    assert proved.shape == (3, 4)


def test_degenerate_matrices() -> None:
    assert norm_at_most(np.zeros((3, 2)), 0.0)
    assert not norm_at_most(np.zeros((3, 2)), -1.0)
    assert norm_at_most(np.zeros((0, 3)), 0.0)
    assert norm_at_most(np.ones((2, 2)), math.inf)
    assert norm_at_most(np.zeros((0, 2, 2)), 1.0).shape == (0,)
    read_only = np.eye(3)
    read_only.flags.writeable = False
    assert norm_at_most(read_only, 1.1)
    np.testing.assert_array_equal(read_only, np.eye(3))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_data_that_are_not_finite_are_refused(bad: float) -> None:
    a = np.eye(3)
    a[1, 2] = bad
    with pytest.raises(ValueError, match="must be finite"):
        norm_at_most(a, 2.0)
    with pytest.raises(ValueError, match="must be finite"):
        norm_at_most(a.view(np.float64).astype(np.complex128), 2.0)


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match="floating"):
        norm_at_most(np.eye(3, dtype=int), 2.0)
    with pytest.raises(ValueError, match=r"\(\.\.\., m, n\)"):
        norm_at_most(np.ones(3), 2.0)
    with pytest.raises(ValueError, match="`precision`"):
        norm_at_most(np.eye(3), 2.0, precision="half")
    with pytest.raises(ValueError, match="does not broadcast"):
        norm_at_most(np.eye(3), [1.0, 2.0])
    with pytest.raises(ValueError, match="NaN"):
        norm_at_most(np.eye(3), math.nan)
    with pytest.raises(ValueError, match="nonnegative"):
        norm_at_most(np.eye(3), 2.0, perturbation=-1.0)
    with pytest.raises(ValueError, match="NumPy matrix"):
        GramCertificate(np.ones(3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_library(backend: Backend, dtype: str) -> None:
    if dtype not in backend.dtypes:
        pytest.skip(f"{backend.name} has no {dtype}")
    a = draw((3, 6, 4), dtype, 5)
    norms = np.linalg.norm(wide(a), 2, axis=(-2, -1))
    proved = norm_at_most(backend.asarray(a), norms * np.array([1.0001, 0.9999, 1.0001]))
    assert isinstance(proved, np.ndarray)
    np.testing.assert_array_equal(proved, [True, False, True])


# The path for accelerators works on any torch tensor; torch alone has it on this host.
@pytest.mark.backends("torch", "torch-cuda", "cupy")
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_accelerators_path_proves_by_residuals(backend: Backend, dtype: str) -> None:
    for shape in ((6, 4), (4, 6), (1, 5), (30, 30)):
        a = draw((4, *shape), dtype, 6)
        a[3] = 0.0
        a[1] *= np.asarray(1e-30).astype(dtype)
        norms = np.linalg.norm(wide(a), 2, axis=(-2, -1))
        excess = 1 + 20 * budget(a, "float64")
        for factor in (excess, 1 - 1e-14, 0.5):
            proved = norm_at_most_on_device(backend.asarray(a), norms * factor, np.zeros(4))
            np.testing.assert_array_equal(proved, [*[factor > 1] * 3, True])


@pytest.mark.backends("torch")  # its Cholesky can be replaced by a wrong one
def test_a_wrong_factor_proves_nothing(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    from lipcore import _backend as B

    honest = B.cholesky

    def sloppy(g: Any) -> Any:
        factor, ok = honest(g)
        return factor * (1 + 1e-9), ok | True

    a = backend.asarray(draw((1, 5, 5), "float64"))
    norm = np.linalg.norm(draw((1, 5, 5), "float64"), 2, axis=(-2, -1))
    assert norm_at_most_on_device(a, norm * 1.01, np.zeros(1)).all()
    monkeypatch.setattr(B, "cholesky", sloppy)
    assert not norm_at_most_on_device(a, norm * 1.01, np.zeros(1)).any()


@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32"])
@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_gram_certificates(shape: tuple[int, int], dtype: str, order: Any) -> None:
    a = np.asarray(draw(shape, dtype, 8), order=order)
    gram = GramCertificate(a)
    norm = np.linalg.norm(wide(a), 2)
    assert not gram.norm_at_most(norm * (1 - 1e-12))
    assert gram.norm_at_most(norm * (1 + 1e-12))
    factor = np.tril(gram.factor)  # the strict upper triangle holds anything
    x = draw((gram.size,), dtype, 9).astype(factor.dtype)
    square = (norm * (1 + 1e-12)) ** 2
    np.testing.assert_allclose(factor @ (factor.conj().T @ x), square * x - gram.matvec(x), atol=1e-9)
    matrix, vector = gram.side(x)
    np.testing.assert_allclose(np.linalg.norm(matrix @ vector) ** 2, np.vdot(x, gram.matvec(x)).real)
    assert norm <= gram.smallest_threshold(norm) <= norm * (1 + 1e-12)
    assert gram.frobenius >= np.linalg.norm(wide(a))


def test_a_scaled_gram_certificate() -> None:
    a = draw((5, 3), "float64", 10)
    norm = np.linalg.norm(a, 2)
    for exponent in (900, -900):
        gram = GramCertificate(np.ldexp(a, exponent))
        assert gram.norm_at_most(float(np.ldexp(norm * (1 + 1e-9), exponent)))
        assert not gram.norm_at_most(float(np.ldexp(norm * (1 - 1e-9), exponent)))
    assert GramCertificate(np.zeros((2, 2))).norm_at_most(0.0)
    assert not GramCertificate(np.zeros((2, 2))).norm_at_most(-1.0)


def test_no_warning_escapes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scale in (1e-320, 1e-160, 1.0, 1e160, 1e300):
            a = np.diag([1.0, 1e-200, 0.5]) * scale
            for precision in ("float64", "float32"):
                norm_at_most(a, scale, precision=precision)


@pytest.mark.parametrize("n", [1, 3, 65, 400])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_gram_matrices_do_not_see_what_was_in_memory(monkeypatch, n, dtype):
    a = np.random.default_rng(0).standard_normal((n + 2, n)).astype(dtype)
    code = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}[dtype]
    clean = np.tril(cholesky.negative_gram(a, code))
    monkeypatch.setattr(np, "empty", lambda shape, **options: np.full(shape, np.nan, **options))
    assert np.array_equal(np.tril(cholesky.negative_gram(a, code)), clean)


def test_thresholds_after_the_first_see_the_same_gram_matrix():
    a = np.random.default_rng(1).standard_normal((50, 40))
    gram = GramCertificate(a)
    before, norm = gram.negative.copy(), np.linalg.norm(a, 2)
    assert [gram.norm_at_most(norm * f) for f in (0.99, 1.01, 0.99, 1.01)] == [False, True, False, True]
    assert np.array_equal(np.tril(gram.negative), np.tril(before))
    factor = np.tril(gram.factor)
    np.testing.assert_allclose(factor @ factor.T, (1.01 * norm) ** 2 * np.eye(40) - a.T @ a, atol=1e-10)
