from __future__ import annotations

import numpy as np
import scipy.linalg

import lipcore as lc
from lipcore.operators.skew_exponential import SkewExponential


def test_is_the_taylor_polynomial(backend):
    name = backend.dtypes[-1]
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5, 5)).astype(name)
    if name.startswith("complex"):
        a = a + (1j * rng.standard_normal((5, 5))).astype(name)
    a = (a - np.conj(a.T)) / 4
    E = SkewExponential(lc.Dense(backend.asarray(a)), 30)
    tolerance = 1e-4 if a.dtype.itemsize <= 8 and name != "float64" else 1e-12
    np.testing.assert_allclose(backend.to_numpy(E.to_dense()), scipy.linalg.expm(a), atol=tolerance)
    np.testing.assert_allclose(
        backend.to_numpy(SkewExponential(lc.Dense(backend.asarray(a)), 2).to_dense()),
        np.eye(5) + a + a @ a / 2,
        atol=tolerance,
    )
    assert lc.check_adjoint(E, rng=0)
