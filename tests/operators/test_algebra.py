from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc
from lipcore import _backend as B
from lipcore.operators import algebra


def _pair(shape_a, shape_b):
    return lambda rng, dtype: {"a": gaussian(rng, shape_a, dtype), "b": gaussian(rng, shape_b, dtype)}


def _conjugate_transpose(a):
    return np.conj(np.swapaxes(a, -1, -2))


CASES = [
    Case(
        "sum and difference",
        _pair((2, 2, 3), (3, 1, 2, 3)),
        lambda backend, dtype, a, b: lc.Dense(a) - lc.Dense(b) + 2 * lc.Dense(a),
        lambda a, b: 3 * a - b,
    ),
    Case(
        "product",
        _pair((2, 1, 2, 3), (3, 3, 2)),
        lambda backend, dtype, a, b: lc.Dense(a) @ lc.Dense(b) @ lc.Dense(b).H,
        lambda a, b: a @ b @ _conjugate_transpose(b),
    ),
    Case(
        "scalings",
        _pair((2, 3), ()),
        lambda backend, dtype, a, b: (lc.Dense(a) / 4 * -0.5) * b,
        lambda a, b: b * a / -8,
    ),
    Case(
        "complex scalar",
        lambda rng, dtype: {"a": gaussian(rng, (2, 3), dtype)},
        lambda backend, dtype, a: -(2 - 1j) * lc.Dense(a),
        lambda a: -(2 - 1j) * a,
        halves=False,
        dtypes=("complex64", "complex128"),
    ),
    Case(
        "power",
        lambda rng, dtype: {"a": gaussian(rng, (2, 3, 3), dtype)},
        lambda backend, dtype, a: lc.Dense(a) ** 3,
        lambda a: a @ a @ a,
        halves=False,  # three roundings to half precision are beyond the suite's tolerance
    ),
    Case(
        "adjoints and transposes",
        _pair((2, 3), (2, 2, 3)),
        lambda backend, dtype, a, b: (lc.Dense(a).H.T.H @ lc.Dense(b).T.H).H,
        lambda a, b: _conjugate_transpose(np.swapaxes(a, -1, -2) @ np.conj(b)),
    ),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


matrix = lc.Dense(np.arange(4.0).reshape(2, 2))


def test_composites_show_their_parts():
    total = matrix + 2 * matrix - matrix
    assert isinstance(total, algebra.SumOperator)
    assert len(total.operands) == 3
    product = matrix @ matrix.H @ matrix
    assert isinstance(product, algebra.ProductOperator)
    assert len(product.operands) == 3
    scaled = 2j * matrix
    assert isinstance(scaled, algebra.ScaledOperator)
    assert (scaled.operator, scaled.scalar) == (matrix, 2j)
    power = matrix**2
    assert isinstance(power, algebra.PowerOperator)
    assert (power.operator, power.exponent) == (matrix, 2)


def test_involutions_unwrap():
    eye = lc.LinearOperator((2, 2), np.copy, np.copy, dtype=float)
    assert eye.H.H is eye
    assert eye.T.T is eye


@pytest.mark.parametrize("scalar", [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), True * 2, Fraction(2)])
def test_scalars_of_all_kinds(scalar):
    x = np.ones(2)
    for scaled in (scalar * matrix, matrix * scalar, matrix / (1 / scalar)):
        assert scaled.dtype == np.float64
        assert np.array_equal(scaled @ x, 2 * matrix.array @ x)
        assert np.array_equal(scaled.rmatvec(x), 2 * matrix.array.T @ x)


def test_narrow_operators_stay_narrow(backend):
    a = backend.asarray(np.eye(2, dtype=np.float32))
    x = backend.asarray(np.ones(2, dtype=np.float32))
    scalars = [2, 2.0, np.float64(2.0)]
    if "float64" in backend.dtypes:
        scalars.append(backend.asarray(np.array(2.0)))
    for scalar in scalars:
        for scaled in (lc.Dense(a) * scalar, lc.Dense(a) / scalar):
            assert scaled.dtype == (scaled @ x).dtype == a.dtype


def test_power_zero_is_the_identity():
    x = np.array([1.0, 2.0])
    result = matrix**0 @ x
    assert np.array_equal(result, x)
    result[0] = 7
    assert x[0] == 1.0


def test_gradient_of_a_scalar(backend):
    if backend.native == "torch":
        scalar = backend.xp.asarray(3.0, requires_grad=True)
        lc.Dense(backend.asarray(np.eye(2, dtype=np.float32))).matvec(backend.xp.ones(2)).sum()
        (scalar * lc.Dense(backend.xp.eye(2))).matvec(backend.xp.ones(2)).sum().backward()
        assert float(scalar.grad) == 2.0
    elif backend.native == "jax":
        import jax

        def total(s):
            return backend.xp.sum((s * lc.Dense(backend.xp.eye(2))).matvec(backend.xp.ones(2)))

        assert float(jax.grad(total)(3.0)) == 2.0
    else:
        pytest.skip("this library has no derivatives")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: matrix + lc.Identity(3), ValueError, "shapes differ"),
        (lambda: matrix @ lc.Identity(3), ValueError, "shapes differ"),
        (lambda: lc.Identity(2, batch_shape=(2,)) + lc.Identity(2, batch_shape=(3,)), ValueError, "broadcast"),
        (lambda: lc.Dense(np.ones((2, 3))) ** 2, ValueError, "square"),
        (lambda: matrix**-1, ValueError, "nonnegative integer"),
        (lambda: matrix**0.5, ValueError, "nonnegative integer"),
        (lambda: matrix @ 2, ValueError, r"use \* instead"),
        (lambda: 2 @ matrix, ValueError, r"use \* instead"),
        (lambda: matrix / np.ones(2), ValueError, "by a number only"),
        (lambda: matrix + 1, TypeError, "unsupported operand"),
        (lambda: matrix - np.ones((2, 2)), TypeError, "operand"),
        (lambda: matrix + np.ones((2, 2)), TypeError, "operand"),
    ],
)
def test_bad_operands(make, error, message):
    with pytest.raises(error, match=message):
        make()


# one other library is enough
@pytest.mark.backends("torch")
def test_libraries_do_not_mix(backend):
    with pytest.raises(TypeError, match="cannot be combined"):
        matrix + lc.Dense(backend.asarray(np.eye(2)))


# array-api-strict has several devices on any machine
@pytest.mark.backends("strict")
def test_devices_do_not_mix(backend):
    elsewhere = lc.Dense(backend.xp.ones((2, 2), device=backend.xp.Device("device1")))
    with pytest.raises(ValueError, match="cannot be combined"):
        lc.Dense(backend.asarray(np.eye(2))) @ elsewhere


def test_half_precision_promotes_sensibly(backend):
    if backend.native not in ("torch", "jax"):
        pytest.skip("this library has no bfloat16")
    xp = backend.xp
    half, brain = (lc.Dense(xp.astype(xp.eye(2), d)) for d in (xp.float16, xp.bfloat16))
    assert (half + brain).dtype == xp.float32
    assert B.dtype_name((brain @ brain).dtype) == "bfloat16"
