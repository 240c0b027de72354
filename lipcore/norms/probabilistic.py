r"""Upper bounds of a norm that hold with a stated probability over the random start of a Lanczos run."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal
from scipy.special import betaincinv, erfinv

_NEWTON_STEPS = 60
_MAX_PLANNED_STEPS = 10**9


def start_overlap(n: int, failure_probability: float, *, is_complex: bool) -> float:
    r"""Overlap that a uniform random unit vector has with a fixed one, but for `failure_probability`.

    Parameters
    ----------
    n : int
        Length of the vectors.
    failure_probability : float
        In (0, 1).
    is_complex : bool
        Whether the start is uniform on the complex sphere.

    Returns
    -------
    float
        `d` with :math:`P(|\langle b, x\rangle| < d)` equal to `failure_probability`.

    Notes
    -----
    :math:`|\langle b, x\rangle|^2` is Beta-distributed with parameters :math:`(1/2, (n-1)/2)` on the real sphere and
    :math:`(1, n-1)` on the complex one.

    Examples
    --------
    >>> from lipcore.norms.probabilistic import start_overlap
    >>> round(start_overlap(100, 0.1, is_complex=False), 4)
    0.0127
    """
    if n == 1:
        return 1.0
    if is_complex:
        return math.sqrt(-math.expm1(math.log1p(-failure_probability) / (n - 1)))
    return math.sqrt(float(betaincinv(0.5, (n - 1) / 2, failure_probability)))


def noise_overlap(failure_probability: float, *, is_complex: bool) -> float:
    r"""Overlap, in units of the noise, that a shifted Gaussian vector has with a fixed unit vector.

    Parameters
    ----------
    failure_probability : float
        In (0, 1).
    is_complex : bool
        Whether both parts of the noise are Gaussian.

    Returns
    -------
    float
        `t` with :math:`P(|\langle m + g, x\rangle| < t)` at most `failure_probability` for every fixed `m`.

    Notes
    -----
    By Anderson's inequality (1955) a shift of a symmetric unimodal density only takes mass away from an interval around
    zero, so `m = 0` is the worst case. A warm start thus keeps its claim once Gaussian noise is added to it, and the
    price is only the ratio of the noise to the norm of the sum.

    Examples
    --------
    >>> from lipcore.norms.probabilistic import noise_overlap
    >>> round(noise_overlap(0.1, is_complex=False), 4)
    0.1257
    """
    if is_complex:
        return math.sqrt(-2 * math.log1p(-failure_probability))
    return math.sqrt(2) * float(erfinv(failure_probability))


def lanczos_upper_bound(alpha: np.ndarray, beta: np.ndarray, overlap: float) -> float:
    r"""Upper bound of the largest eigenvalue from the coefficients of one Lanczos run.

    Parameters
    ----------
    alpha, beta : array, shape (k,)
        Diagonal of the tridiagonal matrix and the norms that follow each step: ``beta[j]`` couples ``j`` and ``j + 1``,
        the last one leads out of the space.
    overlap : float
        Lower bound of :math:`|\langle v_1, x_1\rangle|` for the unit start and a leading eigenvector.

    Returns
    -------
    float
        Rounded upwards; equal to the largest Ritz value where the space is invariant.

    Notes
    -----
    Van Dorsselaer, Hochstenbach and van der Vorst (SIAM J. Matrix Anal. Appl. 22, 2000). The vector after `k` steps is
    :math:`v_{k+1} = p_k(M) v_1` with :math:`p_k(t) = \prod (t - \theta_i) / \prod \beta_j`, and its component along
    :math:`x_1` is at most one: :math:`|p_k(\lambda_1)|\,|\langle v_1, x_1\rangle| \le 1`. Beyond the largest Ritz value
    :math:`p_k` increases, so :math:`\lambda_1` is at most the root of :math:`p_k(t) = 1/d`. The recurrence alone is
    used, so lost orthogonality does no harm.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.probabilistic import lanczos_upper_bound
    >>> round(lanczos_upper_bound(np.array([2.0]), np.array([1.0]), 0.5), 6)
    4.0
    """
    alpha, beta = np.asarray(alpha, dtype=np.float64), np.asarray(beta, dtype=np.float64)
    zeros = np.flatnonzero(beta <= 0)
    if zeros.size:  # the space is invariant: beyond it the start has no component
        alpha, beta = alpha[: zeros[0] + 1], beta[: zeros[0] + 1]
    theta = eigvalsh_tridiagonal(alpha, beta[:-1])
    slack = 4 * alpha.size * np.finfo(np.float64).eps * abs(theta[-1])
    if zeros.size:
        return float(theta[-1] + slack)
    gaps = theta[-1] - theta
    target = float(np.sum(np.log(beta))) - math.log(overlap)

    def excess(log_step: float) -> float:
        return float(np.sum(np.log(gaps + math.exp(log_step)))) - target

    # with t = theta + exp(s), sum(log(gaps + exp(s))) is increasing and convex in s, and every factor is at least
    # exp(s): Newton's method from that upper end never falls below the root
    s = target / alpha.size
    for _ in range(_NEWTON_STEPS):
        factors = gaps + math.exp(s)
        step = (float(np.sum(np.log(factors))) - target) / float(np.sum(math.exp(s) / factors))
        s -= step
        if step <= 1e-12 * max(1.0, abs(s)):
            break
    return float(theta[-1] + math.exp(s) * (1 + 1e-9) + slack)


def planned_steps(n: int, rtol: float, failure_probability: float) -> int:
    r"""Lanczos steps after which the norm is known to `rtol` but for `failure_probability`, whatever the spectrum.

    Parameters
    ----------
    n : int
        Length of the vectors.
    rtol : float
        Wanted relative error of the norm (not of its square).
    failure_probability : float
        In (0, 1).

    Returns
    -------
    int
        Number of products with :math:`A^H A`.

    Notes
    -----
    Kuczyński and Woźniakowski (SIAM J. Matrix Anal. Appl. 13, 1992):
    :math:`P \le 1.648 \sqrt n\, e^{-(2k-1)\sqrt\varepsilon}` for the relative error :math:`\varepsilon` of the largest
    eigenvalue after `k` steps from a uniform start. A plan, not a claim: the claim comes from the run itself.

    Examples
    --------
    >>> from lipcore.norms.probabilistic import planned_steps
    >>> planned_steps(3_200_000, 0.006, 1e-6)
    101
    """
    eps = -math.expm1(2 * math.log1p(-min(rtol, 0.999)))
    if eps <= 0:
        return _MAX_PLANNED_STEPS
    depth = math.log(1.648 * math.sqrt(n) / failure_probability)
    return min(_MAX_PLANNED_STEPS, max(1, math.ceil((depth / math.sqrt(eps) + 1) / 2)))
