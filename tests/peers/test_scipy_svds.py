"""SciPy's own tests of svds, run against ours through an adapter; nothing of theirs is copied."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

import lipcore as lc

suite = pytest.importorskip("scipy.sparse.linalg._eigen.tests.test_svds", reason="this SciPy ships no tests")

# What SciPy's tests ask for, and lipcore does differently on purpose. Each entry says why; each must fail.
UNREAD = "small matrices go to LAPACK, which needs no start: `v0` is not looked at"
DIFFERENT = {
    "test_svds_input_validation_A[args3]": "a stack of operators is allowed",
    "test_svds_input_validation_k_1[3]": "k = min(M, N) is allowed",
    **{
        f"test_svds_input_validation_v0_1[{n}-{transpose}]": UNREAD
        for n, transpose in itertools.product((4, 6, 7, 8), (True, False))
    },
    "test_svds_input_validation_v0_2": UNREAD,
    **{f"test_svds_input_validation_v0_3[{v0}]": UNREAD for v0 in ("hi", "1", "v02")},
    "test_svds_parameter_tol": "its table of errors knows the names of SciPy's solvers only",
}


def svds(A, k=6, *, which="LM", tol=0, v0=None, maxiter=None, return_singular_vectors=True, solver=None, rng=None):
    """SciPy's signature and order, and what lipcore refuses by design: integers, and NumPy arrays of objects."""
    if isinstance(A, np.ndarray) or scipy.sparse.issparse(A):
        A = A.astype(np.float64) if A.dtype.kind in "iub" else A
    found = lc.svds(
        A,
        k,
        which=which,
        tol=tol,
        v0=v0,
        maxiter=maxiter,
        rng=rng,
        return_singular_vectors=return_singular_vectors,
    )
    if return_singular_vectors is False:
        return found[::-1]
    u, s, vh = found
    return None if u is None else u[:, ::-1], s[::-1], None if vh is None else vh[::-1]


def raises(error, match=None):
    """ValueError and TypeError count as one, and their words are ours."""
    return pytest.raises((ValueError, TypeError) if error in (ValueError, TypeError) else error)


class TestSvds(suite.SVDSCommonTests):
    solver = "lipcore"

    @pytest.fixture(autouse=True)
    def ours(self, monkeypatch, request):
        monkeypatch.setattr(suite, "svds", svds)
        own = {name: getattr(pytest, name) for name in ("warns", "mark", "skip", "xfail")}
        monkeypatch.setattr(suite, "pytest", SimpleNamespace(raises=raises, **own))
        if request.node.name in DIFFERENT:
            request.applymarker(pytest.mark.xfail(reason=DIFFERENT[request.node.name]))
