"""The peers for a dense matrix, each as a user would call it, at several tolerances where it has one.

What a tolerance means differs from package to package, so a claim of equal accuracy compares errors, not tolerances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse.linalg

from benchmarks.harness import UPPER, VALUE, Contestant, Missing

Array = Any
Entries = Iterator[Contestant | Missing]


def lapack(a: Array) -> Entries:
    yield Contestant("numpy.linalg.norm(A, 2)", lambda: np.linalg.norm(a, 2), VALUE)
    try:
        import torch
    except ImportError:
        yield Missing("torch.linalg.matrix_norm(A, 2)", "torch is not installed")
        return
    tensor = torch.from_numpy(a)
    yield Contestant("torch.linalg.matrix_norm(A, 2)", lambda: float(torch.linalg.matrix_norm(tensor, 2)), VALUE)


def scipy_svds(a: Array, k: int = 1) -> Entries:
    """SciPy's three solvers; PROPACK needs more than its default number of iterations on spectra without a gap."""

    def run(solver: str, **options: Any) -> Callable[[], Array]:
        def call() -> Array:
            rng = np.random.default_rng(3)
            s = scipy.sparse.linalg.svds(a, k, solver=solver, return_singular_vectors=False, rng=rng, **options)
            return np.sort(s)[::-1]

        return call

    yield Contestant("SciPy svds arpack", run("arpack"))
    yield Contestant("SciPy svds arpack, tol 1e-3", run("arpack", tol=1e-3))
    yield Contestant("SciPy svds propack, 300 iterations", run("propack", maxiter=300))
    yield Contestant("SciPy svds propack, tol 1e-4, 300 iterations", run("propack", maxiter=300, tol=1e-4))
    yield Contestant("SciPy svds lobpcg", run("lobpcg"))
    yield Contestant("SciPy svds lobpcg, tol 1e-3, 200 iterations", run("lobpcg", tol=1e-3, maxiter=200))


def primme(a: Any, k: int = 1, tolerances: tuple[float, ...] = (1e-3, 1e-4, 1e-6), *, slow: bool = False) -> Entries:
    try:
        import primme
    except ImportError:
        yield Missing("PRIMME", "primme is not installed; it builds from source with gfortran, BLAS and LAPACK headers")
        return

    def run(tolerance: float) -> Callable[[], Array]:
        return lambda: primme.svds(a, k, tol=tolerance, return_singular_vectors=False)

    for tolerance in tolerances:
        yield Contestant(f"PRIMME, tol {tolerance:.0e}", run(tolerance), slow=slow)


def randomized(a: Array) -> Entries:
    try:
        from sklearn.utils.extmath import randomized_svd
    except ImportError:
        yield Missing("scikit-learn randomized_svd", "scikit-learn is not installed")
        return
    yield Contestant("scikit-learn randomized_svd", lambda: randomized_svd(a, 1, random_state=0)[1])
    yield Contestant(
        "scikit-learn randomized_svd, 50 iterations", lambda: randomized_svd(a, 1, n_iter=50, random_state=0)[1]
    )


def matfree(a: Array, depths: tuple[int, ...] = (40, 100)) -> Entries:
    """Golub-Kahan with full reorthogonalisation, compiled; the compilation itself falls into the warm-up run."""
    try:
        import jax
        from matfree import decomp
    except ImportError as error:
        yield Missing("matfree, jit", f"{error.name} is not installed")
        return
    array = jax.numpy.asarray(a)
    start = jax.numpy.asarray(np.random.default_rng(4).standard_normal(a.shape[1]).astype(a.dtype))

    def run(depth: int) -> Callable[[], float]:
        bidiagonalize = decomp.bidiag(depth, materialize=True)

        @jax.jit
        def norm(matrix: Array, vector: Array) -> Array:
            _, b, *_ = bidiagonalize(lambda v, m: m @ v, vector, matrix)
            return jax.numpy.linalg.svd(b, compute_uv=False)[0]

        def call() -> float:
            # matfree mixes in 64-bit constants where they are enabled, and then fails on float32
            with jax.enable_x64(array.dtype.itemsize == 8):
                return float(norm(array, start))

        return call

    for depth in depths:
        yield Contestant(f"matfree bidiag, {depth} steps, jit", run(depth))


def gram_iteration(a: Array, steps: int = 10) -> Entries:
    """The only peer that bounds a dense norm from above (Delattre et al. 2023, arXiv 2305.16173).

    After t steps G = (AᴴA)^(2^(t-1)), so that ||A|| <= ||G||_F^(2^-t) in exact arithmetic.
    """
    try:
        import torch
    except ImportError:
        yield Missing("Gram iteration", "torch is not installed")
        return
    tensor = torch.from_numpy(a)

    def run() -> float:
        gram, log_scale = tensor, 0.0
        for _ in range(steps):
            norm = torch.linalg.matrix_norm(gram)
            gram = gram / norm
            gram = gram.mT @ gram
            log_scale = 2 * (log_scale + float(torch.log(norm)))
        total = float(torch.log(torch.linalg.matrix_norm(gram))) + log_scale
        return float(np.exp(total / 2**steps))

    yield Contestant(f"Gram iteration, {steps} steps, torch", run, UPPER)


def all_of(a: Array) -> list[Contestant | Missing]:
    return [*lapack(a), *scipy_svds(a), *primme(a), *randomized(a), *matfree(a)]
