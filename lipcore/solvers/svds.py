"""The front door to singular values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import Dense, LinearOperator
from . import validate
from .direct import direct_svd, is_cheap
from .lanczos_svd import lanczos_svd
from .power_method import power_method
from .results import ConvergenceError, SVDResult, SVDTriplets
from .stopping import stopping

_SOLVERS = ("auto", "direct", "lanczos", "power")


def svds(
    A: Any,
    k: int = 6,
    *,
    which: str = "LM",
    tol: float | None = None,
    maxiter: int | None = None,
    iterations: int | None = None,
    v0: Array | None = None,
    rng: int | np.random.Generator | None = None,
    solver: str = "auto",
    return_singular_vectors: bool | Literal["u", "vh"] = True,
) -> Any:
    """The k largest or smallest singular values and vectors, converged or not at all.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, M, N)
        Operator, or a stack of operators that are solved together.
    k : int
        Triplets wanted, ``1 <= k <= min(M, N)``.
    which : {"LM", "SM"}
        Largest or smallest singular values.
    tol : float, optional
        Residual norms wanted, relative to the largest singular value; ``None`` or 0: ``eps ** 0.75``, that is 1.8e-12
        in float64 and 6.4e-6 in float32. Values are more accurate than that: their error is at most the residual and
        about its square over the gap, so that SciPy's default (machine precision) is met in the values.
    maxiter : int, optional
        Most iterations.
    iterations : int, optional
        Exactly so many, without host reads and without a test for convergence: for tracing and for streams.
    v0 : array, optional
        Start (*batch_shape, N), as in `lanczos_svd`.
    rng : None, int or numpy.random.Generator
        Source of the random start.
    solver : {"auto", "direct", "lanczos", "power"}
        LAPACK on the matrix, `lanczos_svd` or `power_method`. "auto" goes direct where that is cheap: a short side up
        to 96, nearly all values of a moderate matrix, or the small end of one with a short side up to 2048.
    return_singular_vectors : bool, "u" or "vh"
        ``False`` returns S alone; "u" and "vh" leave the other factor ``None``.

    Returns
    -------
    SVDTriplets or array
        Named tuple ``(U, S, Vh)``, S **descending** (SciPy's order is ascending); or S alone.

    Raises
    ------
    ConvergenceError
        If a residual is above the tolerance; ``.result`` holds what was reached.
    ValueError
        If an argument is out of range, or `A` is empty or not finite.

    Notes
    -----
    The residuals that decide are computed from products with the returned vectors, on both sides. The small end is held
    to the same test: a wrong value is not returned, though a smaller one may have been missed if its vectors are nearly
    orthogonal to every random start. Relative to a small value itself the error may be large: it is bounded by ``tol``
    times the *largest* one. Without preconditioner the small end of a large operator may not converge; use `lobpcg`, or
    a solver.

    Cost: see `lanczos_svd`. Results are constants of differentiation; `opnorm` has the gradient of the largest value.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = np.diag(np.arange(1.0, 201.0))
    >>> lc.svds(A, k=3, rng=0).S
    array([200., 199., 198.])
    >>> lc.svds(A, k=2, which="SM", return_singular_vectors=False)
    array([2., 1.])
    """
    operator = validate.operator(A)
    k, which = validate.count(operator, k), validate.end(which)
    if solver not in _SOLVERS:
        raise ValueError(f"`solver` must be one of {', '.join(map(repr, _SOLVERS))}, got {solver!r}")
    if return_singular_vectors not in (True, False, "u", "vh"):
        raise ValueError(f"`return_singular_vectors` must be True, False, 'u' or 'vh', got {return_singular_vectors!r}")
    rule = stopping(operator, tol, maxiter, iterations)
    if solver == "direct" and rule.fixed:
        raise ValueError("`iterations` has no meaning for solver='direct'; leave one of them out")
    if solver == "power" and which != "LM":
        raise ValueError("solver='power' finds the largest values only; use solver='lanczos' or 'direct' for 'SM'")
    if solver == "direct" or (solver == "auto" and not rule.fixed and is_cheap(operator, k, small_end=which == "SM")):
        result = direct_svd(operator, k, which)
    elif solver == "power":
        result = power_method(operator, k, tol=tol, maxiter=maxiter, iterations=iterations, v0=v0, rng=rng)
    else:
        options = {"which": which, "tol": tol, "maxiter": maxiter, "iterations": iterations, "rng": rng}
        result = _lanczos(operator, k, v0, options, fixed=rule.fixed)
    if not rule.fixed:
        _require(result, rule.tol)
    if return_singular_vectors is False:
        return result.S
    return SVDTriplets(
        None if return_singular_vectors == "vh" else result.U,
        result.S,
        None if return_singular_vectors == "u" else result.Vh,
    )


def _lanczos(operator: LinearOperator, k: int, v0: Array | None, options: Any, *, fixed: bool) -> SVDResult:
    """`lanczos_svd`; matrices in the host's memory are iterated on by NumPy's BLAS, whatever library holds them."""
    host = B.host_view(operator.array) if isinstance(operator, Dense) and not fixed else None
    if host is None or B.is_numpy(operator.xp):
        return lanczos_svd(operator, k, v0=v0, **options)
    result = lanczos_svd(host, k, v0=v0 if v0 is None else B.to_numpy(v0), **options)
    home = {"xp": operator.xp, "device": operator.device}
    names = ("U", "S", "Vh", "residuals", "converged")
    return replace(result, **{name: B.from_numpy(getattr(result, name), **home) for name in names})


def _require(result: SVDResult, tol: float) -> None:
    converged = B.to_numpy(result.converged)
    if np.all(converged):
        return
    members = f" in {np.sum(~converged)} of {converged.size} operators" if converged.ndim else ""
    raise ConvergenceError(
        f"svds: residuals up to {float(np.max(B.to_numpy(result.residuals))):.1e}{members} after {result.matvecs} "
        f"products, wanted {tol:.1e} times the largest singular value; raise `maxiter` or `tol`, "
        "or take what was reached from `.result`",
        result,
    )
