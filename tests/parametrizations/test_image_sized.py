from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from parametrizations.construction_conformance import gradient_by_jax, gradient_by_torch, parameters

import lipcore as lc
from lipcore import _backend as B
from lipcore import parametrizations as P
from lipcore.norms.skew_exponential import is_skew, one_sided
from lipcore.operators.skew_exponential import SkewExponential

EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


@dataclasses.dataclass(frozen=True)
class Sized:
    """One construction for images of one size."""

    function: Callable[..., Any]
    shape: tuple[int, ...]
    size: tuple[int, ...]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    zero: float | None = 1.0  # smallest singular value where the weight is zero
    host: bool = False
    orthogonal: bool = True

    @property
    def name(self) -> str:
        options = "".join(f"-{v}" for v in self.options.values())
        return f"{self.function.__name__}-{'x'.join(map(str, self.shape))}-on-{'x'.join(map(str, self.size))}{options}"

    def __call__(self, weight: Any) -> Any:
        return self.function(weight, (self.shape[1], *self.size), **self.options)


SHAPES = [((3, 2, 3, 3), (6, 5)), ((2, 3, 3, 1), (4, 4)), ((3, 3, 3), (7,)), ((2, 2, 1, 3, 1), (2, 3, 2))]
CASES = [
    *(Sized(P.cayley_convolution, shape, size) for shape, size in SHAPES),
    *(Sized(P.lot_convolution, shape, size, zero=0.0) for shape, size in SHAPES),
    *(Sized(P.soc_convolution, shape, size, host=True) for shape, size in SHAPES),
    Sized(P.soc_convolution, (2, 2, 3, 3), (4, 3), {"padding_mode": "circular"}, host=True),
    Sized(P.soc_convolution, (2, 3, 3), (5,), {"padding_mode": "circular", "form": "kernel"}, host=True),
    Sized(P.soc_convolution, (3, 2, 3, 1), (4, 5), {"padding_mode": "circular", "form": "kernel"}, host=True),
    Sized(P.soc_convolution, (2, 2, 3), (7,), {"form": "kernel"}, host=True, orthogonal=False),
    Sized(P.eco, (3, 2, 3, 2), (6, 4)),
    Sized(P.eco, (2, 3, 3), (9,)),
    Sized(P.eco, (2, 2, 2, 2, 3), (4, 2, 3)),
]
FEW = [CASES[0], CASES[4], CASES[8], CASES[13], CASES[-3]]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


@pytest.fixture(params=FEW, ids=lambda case: case.name)
def few(request):
    return request.param


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orthogonal_and_never_longer(case, dtype):
    for name, w in parameters(case.shape, dtype):
        A = case(w)
        assert A.dtype == w.dtype
        assert (A.domain_shape, A.range_shape) == ((case.shape[1], *case.size), (case.shape[0], *case.size))
        slack = 100 * EPS[dtype]
        bounds = lc.opnorm_bounds(A, rtol=1e-10, kind="rigorous")
        assert bounds.upper <= 1 + slack + 1e-9, name
        sigma = np.linalg.svd(A.to_dense().astype(np.float64), compute_uv=False)
        assert sigma[0] <= 1 + slack, name
        if case.orthogonal and name in ("random", "huge", "tiny"):
            assert sigma[-1] >= 1 - slack, name
        if name == "zero":
            assert abs(sigma[-1] - case.zero) <= slack


def test_certificate_and_products_in_single_precision_may_differ():
    w = np.random.default_rng(0).standard_normal((3, 3, 3)).astype("float32")
    bounds = lc.opnorm_bounds(P.soc_convolution(w, (3, 7)), rtol=1e-10)
    assert bounds.kind == "rigorous"
    assert bounds.upper == 1.0


def test_same_on_every_backend(few, backend):
    name = [n for n in backend.dtypes if n.startswith("float")][-1]
    for kind, w in parameters(few.shape, name):
        if kind in ("random", "zero"):
            A = few(backend.asarray(w))
            there = backend.to_numpy(A.to_dense())
            np.testing.assert_allclose(there, few(w).to_dense(), rtol=0, atol=2e3 * EPS[name])
            assert lc.check_adjoint(A, rng=0)


def product(case: Sized, x: np.ndarray) -> Callable[[Any], Any]:
    def function(w: Any) -> Any:
        xp = B.array_namespace(w)
        there = B.from_numpy(x.astype(B.numpy_dtype(w.dtype)), xp=xp, device=B.device_of(w))
        return case(w).apply(there)

    function.host = case.host
    return function


# gradients exist in torch and JAX; difference quotients need double precision
@pytest.mark.backends("torch")
def test_gradient_in_torch(case, backend):
    check_gradient(case, gradient_by_torch, ("zero", "huge", "tiny", "rank one", "ones"))


@pytest.mark.backends("jax-x64")
def test_gradient_in_jax(few, backend):
    check_gradient(few, gradient_by_jax, ("zero",))


def check_gradient(case, gradient, kinds):
    rng = np.random.default_rng(1)
    weights = dict(parameters(case.shape, "float64"))
    x, cotangent = (rng.standard_normal((2, case.shape[c], *case.size)) for c in (1, 0))
    function = product(case, x)
    # where the generator is divided by its bound, the derivative is that of `spectral`, tested there
    for scale in (0.05,) if case.host else (0.05, 1.0):
        w, step, h = scale * weights["random"], rng.standard_normal(case.shape), 1e-5
        found = float(np.sum(gradient(function, w, cotangent) * step))
        ends = [float(np.sum(cotangent * function(w + sign * h * step))) for sign in (1, -1)]
        quotient = (ends[0] - ends[1]) / (2 * h)
        assert abs(found - quotient) <= 1e-6 * (1 + abs(quotient))
    for kind in kinds:
        assert np.all(np.isfinite(gradient(function, weights[kind], cotangent))), kind


# only JAX has jit
@pytest.mark.backends("jax-x64")
def test_traces_under_jit(few, backend):
    import jax

    _, w = next(parameters(few.shape, "float64"))
    dense = np.asarray(jax.jit(lambda w: few(w).to_dense())(backend.asarray(w)))
    sigma = np.linalg.svd(dense, compute_uv=False)
    assert sigma[0] <= 1 + 1e-12
    if few.orthogonal:
        assert sigma[-1] >= 1 - 1e-10


# a training loop is torch's
@pytest.mark.backends("torch")
def test_hundreds_of_random_steps(few, backend):
    import torch

    generator = torch.Generator().manual_seed(0)
    w = torch.randn(few.shape, generator=generator, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        y = few(w).apply(torch.randn((1, few.shape[1], *few.size), generator=generator))
        (y * torch.randn(y.shape, generator=generator)).sum().backward()
        assert bool(torch.isfinite(w.grad).all())
        optimizer.step()
    assert lc.opnorm_bounds(few(w.detach().numpy()), rtol=1e-6).upper <= 1 + 1e-5


def test_truncated_exponential_stays_below_one_as_far_as_claimed():
    for terms in range(4, 28, 4):
        y = np.linspace(0, one_sided(terms), 2001)
        values = np.abs(sum((1j * y) ** t / float(np.prod(np.arange(1.0, t + 1))) for t in range(terms + 1)))
        assert np.max(values) <= 1 + 1e-15
    assert one_sided(6) == 0.0


def test_certificate_of_the_exponential():
    rng = np.random.default_rng(0)
    skew = rng.standard_normal((2, 2, 3))
    skew = skew - np.flip(np.swapaxes(skew, 0, 1), axis=2)
    skew *= 2.5 / lc.norms.convolution_supremum(skew).upper
    for mode in ("zeros", "circular"):
        A = lc.Convolution(skew, (2, 6), padding="same", padding_mode=mode)
        for terms in (3, 4, 6, 9, 12):
            E = SkewExponential(A, terms)
            bounds = lc.opnorm_bounds(E, rtol=1e-6, kind="rigorous")
            sigma = np.linalg.svd(E.to_dense(), compute_uv=False)
            assert bounds.lower <= sigma[0] * (1 + 1e-14)
            assert sigma[0] <= bounds.upper * (1 + 1e-14)
            assert (bounds.upper == 1.0) == (terms % 4 == 0)
    E = SkewExponential(lc.Convolution(rng.standard_normal((2, 2, 3)), (2, 6), padding=1), 4)
    with pytest.raises(lc.NoCertificateError):
        lc.opnorm_bounds(E, kind="rigorous")
    assert not is_skew(lc.Convolution(skew, (2, 6), padding=0))
    with pytest.raises(ValueError, match="square"):
        SkewExponential(lc.Dense(np.ones((2, 3))), 4)
    with pytest.raises(ValueError, match="terms"):
        SkewExponential(lc.Dense(np.ones((2, 2))), 0)


def test_channel_factors_break_a_skew_kernel():
    """What an adaptive variant of the exponential did: another factor for every channel is no longer skew."""
    rng = np.random.default_rng(3)
    skew = rng.standard_normal((3, 3, 3))
    skew = skew - np.flip(np.swapaxes(skew, 0, 1), axis=2)
    whole = np.linalg.svd(SkewExponential(lc.Convolution(skew / 9, (3, 6), padding=1), 20).to_dense())[1]
    assert np.ptp(whole) < 1e-12
    scaled = skew * np.array([1.0, 0.5, 0.2])[:, None, None]
    A = lc.Convolution(scaled / 9, (3, 6), padding=1)
    assert not is_skew(A)
    assert np.linalg.svd(SkewExponential(A, 20).to_dense())[1][0] > 1.01


def test_few_terms_for_small_weights():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((2, 2, 3))
    large = P.soc_convolution(w * 100, (2, 6))
    small = P.soc_convolution(w * 1e-4, (2, 6))
    assert (large.terms, small.terms) == (28, 4)
    assert P.soc_convolution(w, (2, 6), terms=8).terms == 8


def test_explicit_kernel_is_the_polynomial_term_by_term():
    rng = np.random.default_rng(0)
    w = 0.2 * rng.standard_normal((2, 3, 3, 3))
    for size in ((3, 4), (9, 10), (70, 1)):
        options = {"padding_mode": "circular", "terms": 8}
        if size[1] == 1:
            w = w[..., 1:2]
        one, many = (P.soc_convolution(w, (3, *size), form=form, **options) for form in ("kernel", "terms"))
        x = rng.standard_normal((3, *size))
        np.testing.assert_allclose(one.apply(x), many.apply(x), atol=1e-12)


def test_eco_needs_its_own_frequencies():
    w = np.random.default_rng(0).standard_normal((2, 2, 3))
    with pytest.raises(ValueError, match="multiples of the taps"):
        P.eco(w, (2, 10))
    kernel = P.eco(w, (2, 9)).kernel
    # between its frequencies the symbol is longer than 1, so that other sizes would break the promise
    assert lc.norms.convolution_supremum(kernel).lower > 1.05


@pytest.mark.parametrize("function", [P.cayley_convolution, P.lot_convolution, P.soc_convolution, P.eco])
def test_bad_input(function):
    w = np.ones((2, 3, 3, 3))
    with pytest.raises(ValueError, match="does not fit `input_shape`"):
        function(w, (2, 6, 6))
    with pytest.raises(ValueError, match="does not fit `input_shape`"):
        function(w, (3, 6))
    with pytest.raises(TypeError, match="float32 or float64"):
        function(w.astype(complex), (3, 6, 6))


def test_bad_options_of_the_exponential():
    w = np.ones((2, 2, 3))
    for options, message in [
        ({"padding_mode": "reflect"}, "padding_mode"),
        ({"form": "fft"}, "form"),
        ({"terms": 0}, "terms"),
    ]:
        with pytest.raises(ValueError, match=message):
            P.soc_convolution(w, (2, 6), **options)
    with pytest.raises(ValueError, match="odd extents"):
        P.soc_convolution(np.ones((2, 2, 2)), (2, 6))
