"""How far the largest Ritz value of a Lanczos run still is from the eigenvalue."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..solvers.tridiagonal import RitzPairs, largest_pairs

# Steps over which the rise of the Ritz value is watched.
_LAG = 4
# What is still to come is taken this many times as large as the extrapolation says: spectra with clusters converge in
# fits and starts.
_SAFETY = 6.0


def value_error(pairs: RitzPairs, resolution: float, rtol: float = 1.0) -> np.ndarray[Any, Any]:
    r"""Estimated relative error of the largest Ritz value.

    Parameters
    ----------
    pairs : RitzPairs
        The largest pair at least, with the tridiagonal matrix.
    resolution : float
        The estimate never falls below this fraction of the residual.
    rtol : float
        Where that fraction alone is above `rtol` it is the answer, which spares the rest.

    Returns
    -------
    array, shape (*batch_shape,)

    Notes
    -----
    With :math:`\theta_k` the largest Ritz value after k steps, :math:`\rho_k` its residual and a lag d of four steps,
    the error falls in d steps by about :math:`q = \rho_k^2 / \rho_{k-d}^2`, or as
    :math:`(\theta_k - \theta_{k-d}) / (\theta_{k-d} - \theta_{k-2d})` if that is more; what is left is then the rise of
    the last d steps times :math:`q / (1 - q)`, and six times that is the estimate, where it is not above
    :math:`\rho_k`. A cluster that the space has not begun to resolve looks like one value, with its spread for
    residual; hence the fraction of it.

    All of it is in the tridiagonal matrix: two more eigenvalue problems of orders k - d and k - 2 d.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore import Dense
    >>> from lipcore.norms.value_error import value_error
    >>> from lipcore.solvers.normal_lanczos import NormalLanczos
    >>> run = NormalLanczos(Dense(np.diag(np.arange(40.0))), np.ones(40), capacity=16)
    >>> run.expand(16)
    >>> pairs = run.ritz()
    >>> truth = 1 - float(pairs.theta[0]) / 39**2
    >>> bool(truth < value_error(pairs, 0.0) < 50 * truth)
    True
    """
    batch = pairs.theta.shape[:-1]
    if not batch:
        return np.asarray(_relative_error(pairs, (), resolution, rtol))
    errors = np.empty(batch)
    for i in np.ndindex(batch):
        errors[i] = _relative_error(pairs, i, resolution, rtol)
    return errors


def _relative_error(pairs: RitzPairs, i: tuple[int, ...], resolution: float, rtol: float) -> float:
    theta, rho = float(pairs.theta[i][0]), float(pairs.residual[i][0])
    if theta <= 0 or rho <= 0:
        return 0.0
    floor = resolution * rho
    return (floor if floor > rtol * theta else _error(pairs.alpha[i], pairs.beta[i], theta, rho, floor)) / theta


def _error(alpha: np.ndarray, beta: np.ndarray, theta: float, rho: float, floor: float) -> float:
    k = alpha.shape[0]
    lag = min(_LAG, k // 2)
    if lag == 0:
        return rho
    before, residual = _top(alpha, beta, k - lag)
    earlier = _top(alpha, beta, k - 2 * lag)[0] if k > 2 * lag else 0.0
    rise, last = max(theta - before, 0.0), max(before - earlier, 0.0)
    # a space that was invariant up to rounding has nothing to extrapolate from
    shrink = max((rho / residual) ** 2 if residual > 0 else 1.0, rise / last if last > 0 else 1.0)
    error = _SAFETY * rise * shrink / (1 - shrink) if shrink < 1 else rho
    return min(max(error, floor), rho)


def _top(alpha: np.ndarray, beta: np.ndarray, steps: int) -> tuple[float, float]:
    """Largest Ritz value after `steps` steps and its residual."""
    theta, residual, _ = largest_pairs(alpha[:steps], beta[:steps])
    return float(theta[0]), float(residual[0])
