"""The front door to eigenvalues of Hermitian operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array
from . import validate
from .direct import direct_eigh, is_cheap
from .lanczos_eigh import lanczos_eigh
from .results import ConvergenceError, EighPairs
from .stopping import stopping


def eigsh(
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
    return_eigenvectors: bool = True,
) -> Any:
    """The k eigenvalues and vectors of a Hermitian operator at one end, converged or not at all.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, N, N)
        Hermitian operator, or a stack of them.
    k : int
        Pairs wanted, ``1 <= k <= N``.
    which : {"LM", "SM", "LA", "SA"}
        Largest or smallest magnitude, largest or smallest value.
    tol, maxiter, iterations, v0, rng
        As in `svds`; `tol` is relative to the largest magnitude.
    solver : {"auto", "direct", "lanczos"}
        LAPACK on the matrix or `lanczos_eigh`; "auto" goes direct where that is cheap, as in `svds`.
    return_eigenvectors : bool
        ``False`` returns the eigenvalues alone.

    Returns
    -------
    EighPairs or array
        Named tuple ``(eigenvalues, eigenvectors)``, eigenvalues ascending as in SciPy; or the eigenvalues alone.

    Raises
    ------
    ConvergenceError
        If a residual is above the tolerance (also because `A` is not Hermitian); ``.result`` holds what was reached.
    ValueError
        If an argument is out of range, or `A` is empty, not square or not finite.

    Notes
    -----
    Residuals that decide are computed from products with the returned vectors. Cost: see `lanczos_eigh`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = np.diag(np.linspace(-3.0, 2.0, 501))
    >>> lc.eigsh(A, k=3, rng=0).eigenvalues
    array([-3.  , -2.99, -2.98])
    """
    operator = validate.operator(A, hermitian=True)
    k, which = validate.count(operator, k), validate.end(which, hermitian=True)
    if solver not in ("auto", "direct", "lanczos"):
        raise ValueError(f"`solver` must be one of 'auto', 'direct', 'lanczos', got {solver!r}")
    rule = stopping(operator, tol, maxiter, iterations)
    if solver == "direct" and rule.fixed:
        raise ValueError("`iterations` has no meaning for solver='direct'; leave one of them out")
    cheap = not rule.fixed and is_cheap(operator, k, small_end=which == "SM")
    if solver == "direct" or (solver == "auto" and cheap):
        result = direct_eigh(operator, k, which)
    else:
        result = lanczos_eigh(operator, k, which=which, tol=tol, maxiter=maxiter, iterations=iterations, v0=v0, rng=rng)
    if not rule.fixed and not np.all(B.to_numpy(result.converged)):
        raise ConvergenceError(
            f"eigsh: residuals up to {float(np.max(B.to_numpy(result.residuals))):.1e} after {result.matvecs} "
            f"products, wanted {rule.tol:.1e} times the largest magnitude; raise `maxiter` or `tol`, check that `A` is "
            "Hermitian, or take what was reached from `.result`",
            result,
        )
    xp = operator.xp
    order = xp.argsort(result.eigenvalues, axis=-1)
    values = xp.take_along_axis(result.eigenvalues, order, axis=-1)
    if not return_eigenvectors:
        return values
    columns = xp.broadcast_to(order[..., None, :], result.eigenvectors.shape)
    return EighPairs(values, xp.take_along_axis(result.eigenvectors, columns, axis=-1))
