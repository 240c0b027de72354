"""SciPy's own tests of LinearOperator, run against ours through an adapter; nothing of theirs is copied."""

from __future__ import annotations

from types import SimpleNamespace

import array_api_compat.numpy
import numpy as np
import pytest
import scipy.sparse

import lipcore as lc
from lipcore.operators import algebra

suite = pytest.importorskip("scipy.sparse.linalg.tests.test_interface", reason="this SciPy ships no tests")


def floating(x):
    """Lists, integers and `numpy.matrix`, which lipcore refuses by design and SciPy's tests are written in."""
    if isinstance(x, list | tuple | np.ndarray):
        x = np.asarray(x)
        return x.astype(np.float64) if x.dtype.kind in "iub" else x
    return x


def aslinearoperator(A):
    if scipy.sparse.issparse(A) and A.dtype.kind in "iub":
        A = A.astype(np.float64)
    return lc.aslinearoperator(floating(A))


class ScipyStyle(lc.LinearOperator):
    """SciPy's way to subclass: set `shape` and `dtype`, and define some of `_matvec`, `_matmat`, `_adjoint`, ..."""

    xp, device, args = array_api_compat.numpy, None, ()
    domain_shape = property(lambda self: self.shape[1:])
    range_shape = property(lambda self: self.shape[:1])

    def __new__(cls, *args, **options):
        return lc.LinearOperator(*args, **options) if cls is ScipyStyle else object.__new__(cls)

    def __init__(self, dtype=None, shape=None):
        self.dtype, self.shape = np.dtype(np.float64 if dtype is None else dtype), shape

    def __setattr__(self, name, value):
        super().__setattr__(name, np.result_type(value, np.float32) if name == "dtype" else value)

    def _matmat(self, X):
        return np.stack([self._matvec(x) for x in X.T], axis=1)

    def _rmatmat(self, Y):
        if hasattr(self, "_rmatvec"):
            return np.stack([self._rmatvec(y) for y in Y.T], axis=1)
        if hasattr(self, "_adjoint"):
            return self._adjoint().matmat(Y)
        raise NotImplementedError("rmatvec is not defined")


def scaled_args(operator):
    """SciPy folds the factors of nested scalings when it makes them, lipcore where it needs them."""
    scalar = operator.scalar
    while isinstance(operator.operator, algebra.ScaledOperator):
        operator = operator.operator
        scalar = scalar * operator.scalar
    return operator.operator, scalar


ARGS = {
    lc.LinearOperator: lambda operator: (),
    algebra.SumOperator: lambda operator: operator.operands,
    algebra.ProductOperator: lambda operator: operator.operands,
    algebra.ScaledOperator: scaled_args,
    algebra.PowerOperator: lambda operator: (operator.operator, operator.exponent),
}

# What SciPy's tests ask for, and lipcore does differently on purpose. Each entry says why; each must fail.
DIFFERENT = {
    "test_repr": "its function answers a vector with the number 1; lipcore wants an array",
    "test_attributes": "the hook is `_matmat`, not `_matvec`",
    "test_inheritance": "a class without hooks raises when it is used, SciPy's warns when it is made",
    "test_determine_lo_dtype_from_matvec": "a function that says nothing of its dtype is probed with float64 zeros",
    "test_determine_lo_dtype_for_int": "the same",
}


def raises_in_any_words(error, *args, match=None):
    """The type of an error is compared, its words are ours."""
    return pytest.raises(error, *args)


def functions():
    for name, value in vars(suite).items():
        if name.startswith("test_"):
            yield pytest.param(value, id=name)
        elif name.startswith("Test"):
            yield from (pytest.param((value, n), id=n) for n in vars(value) if n.startswith("test_"))


@pytest.fixture
def ours(monkeypatch):
    """The module under SciPy's tests replaced by ours, and products that cast what they are given."""
    monkeypatch.setattr(
        suite,
        "interface",
        SimpleNamespace(
            LinearOperator=ScipyStyle,
            aslinearoperator=aslinearoperator,
            IdentityOperator=lambda shape: lc.Identity(shape[0]),
            MatrixLinearOperator=lc.Dense,
            _SumLinearOperator=algebra.SumOperator,
            _ProductLinearOperator=algebra.ProductOperator,
            _ScaledLinearOperator=algebra.ScaledOperator,
            _PowerLinearOperator=algebra.PowerOperator,
        ),
    )
    for name in ("matvec", "rmatvec", "matmat", "rmatmat", "dot", "rdot"):
        product = getattr(lc.LinearOperator, name)
        monkeypatch.setattr(lc.LinearOperator, name, lambda self, x, product=product: product(self, floating(x)))
    monkeypatch.setattr(suite, "assert_raises", raises_in_any_words)
    for kind, args in ARGS.items():
        monkeypatch.setattr(kind, "args", property(args), raising=False)


@pytest.mark.parametrize("test", list(functions()))
def test_scipy(test, ours, request):
    name = request.node.callspec.id
    if name in DIFFERENT:
        request.applymarker(pytest.mark.xfail(reason=DIFFERENT[name]))
    if isinstance(test, tuple):
        instance = test[0]()
        instance.setup_method()
        test = getattr(instance, test[1])
    parametrized = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    for arguments in [(value,) for value in parametrized[0].args[1]] if parametrized else [()]:
        test(*arguments)
