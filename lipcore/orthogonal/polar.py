"""The polar decomposition, and how it was reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Namespace
from .adaptive import Run, Work
from .half_precision import STEPS, half_start
from .inputs import check_finite, check_matrices, extreme_power_of_two, identity, power_of_two, tall, working_copy
from .minimax import NEWTON_SCHULZ, Odd, steps_needed
from .polar_derivative import pullback, pushforward
from .steps import gram, odd_steps

METHODS = ("auto", "polynomial", "rational", "svd")
# What a schedule that cannot look at the matrix is made for.
_FIXED_LOW = 1e-4


@dataclass(frozen=True)
class PolarResult:
    """A polar decomposition ``W = Q H`` (``W = H Q`` where m < n) and how it was reached.

    Attributes
    ----------
    Q : array (..., m, n)
        The polar factor: orthonormal columns where m >= n, else orthonormal rows.
    H : array (..., k, k), k = min(m, n)
        Hermitian and positive semidefinite up to rounding.
    residual : array (...)
        ``||Q^H Q - I||_F``, or of the rows where those are fewer, measured on the Q that is returned.
    matmuls : float
        Work for Q, in products of a max(m, n) x k by a k x k matrix; a stack counts as one. The products that measure
        the residual and form H come on top.
    method : str
        What was done, such as "rational x2, degree 5 x2, degree 3", "svd" or "fixed: degree 5 x9, degree 3".
    """

    Q: Array
    H: Array
    residual: Array
    matmuls: float
    method: str


def polar(
    W: Array,
    *,
    method: str = "auto",
    tol: float | None = None,
    dtype: Any = None,
    rng: int | np.random.Generator | None = None,
) -> PolarResult:
    r"""Polar decomposition, with what it took and how orthonormal the factor is.

    Parameters
    ----------
    W : array, shape (..., m, n)
        Matrices, real or complex.
    method, tol, dtype, rng
        As in `orthogonalize`.

    Returns
    -------
    PolarResult
        Q, H, residual, matmuls, method. Q and H carry derivatives.

    Raises
    ------
    TypeError
        If `W` is not a floating array.
    ValueError
        If it has fewer than two axes, holds NaN or infinity, or if an option is out of range.

    See Also
    --------
    orthogonalize : Q alone, and what is chosen when.

    Notes
    -----
    :math:`W = Q H` with :math:`H = (W^H W)^{1/2}` where m >= n, and :math:`W = H Q` with :math:`H = (W W^H)^{1/2}`
    where m < n. Q is the nearest matrix to W with orthonormal columns (rows), in every unitarily invariant norm.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> found = lc.polar(np.array([[0.0, -2.0], [3.0, 0.0]]))
    >>> np.allclose(found.Q, [[0.0, -1.0], [1.0, 0.0]]), np.allclose(found.H, [[3.0, 0.0], [0.0, 2.0]])
    (True, True)
    >>> bool(found.residual < 1e-14), found.matmuls < 24
    (True, True)
    """
    xp = check_matrices(W)
    q, matmuls, done = polar_factor(xp, W, method, tol, dtype, rng)
    x, _ = tall(working_copy(W))
    wide, _ = tall(working_copy(q))
    scale = power_of_two(x) if 0 not in tuple(W.shape) else 1.0
    h = B.matmul(B.adjoint(wide), x / scale)
    h = (h + B.adjoint(h)) * 0.5 * scale
    rest = gram(wide) - identity(wide, wide.shape[-1])
    residual = xp.sqrt(xp.sum(xp.abs(B.stop_gradient(rest)) ** 2, axis=(-2, -1)))
    return PolarResult(q, B.cast(h, W.dtype), residual, matmuls, done)


def polar_factor(
    xp: Namespace, W: Array, method: str, tol: float | None, dtype: Any, rng: Any
) -> tuple[Array, float, str]:
    """Q, the work in products, and a description of the steps."""
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
    if tol is not None and not 0.0 < tol < 1.0:
        raise ValueError(f"`tol` must be in (0, 1), got {tol}")
    if dtype is not None and (B.is_complex(xp, W.dtype) or not B.is_floating(xp, dtype) or B.is_complex(xp, dtype)):
        raise TypeError(f"`dtype` must be a real floating dtype, for real matrices, got {dtype}")
    generator = B.as_rng(rng)
    if 0 in tuple(W.shape):
        return B.copied(W), 0.0, "empty"
    matmuls, done = 0.0, ""

    def forward(x: Array) -> Array:
        nonlocal matmuls, done
        with B.detached(xp):
            q, matmuls, done = _tall_factor(xp, x, method, tol, dtype, generator)
        return q

    x, flipped = tall(working_copy(W))
    q = B.with_derivative(forward, pushforward, pullback, x / extreme_power_of_two(x))
    return B.cast(B.adjoint(q) if flipped else q, W.dtype), matmuls, done


def _tall_factor(
    xp: Namespace, x: Array, method: str, tol: float | None, dtype: Any, rng: np.random.Generator
) -> tuple[Array, float, str]:
    m, n = x.shape[-2:]
    eps = B.eps(xp, x.dtype)
    work = Work(m, n)
    half = dtype is not None and B.eps(xp, dtype) > eps
    done = f"{B.dtype_name(dtype)} degree 5 x{len(STEPS)} and a correction, " if half else ""
    if B.is_traced(x):
        return _fixed(x, method, dtype if half else None, work, done)
    check_finite(x)
    if method == "svd":
        return _by_svd(x, eps), 0.0, "svd"
    start = _half_start(x, dtype, work) if half else x
    # torch's threads are at work already: NumPy's would find them on their cores, and take longer than torch's products
    B.keep_freed_memory()
    host = None if half and B.is_torch(xp) else B.host_view(start)
    rational = method == "rational" or (method == "auto" and host is not None)
    run = Run(4 * eps * math.sqrt(n) if tol is None else tol, rational, rng, work, eps, half=dtype if half else None)
    if host is not None and (host.size == m * n or B.is_jax(xp)):
        # One matrix in the host's memory: NumPy's BLAS, whatever library holds it. JAX, which compiles every operation
        # that is not traced, leaves stacks to NumPy as well.
        q, deficient = run.polar_factor(host.reshape(m, n) if host.size == m * n else host)
        q = B.from_numpy(q.reshape(x.shape), xp=xp, device=B.device_of(x), shared=True)
    else:
        q, deficient = run.polar_factor(start)
    if np.any(deficient):
        mask = B.from_numpy(deficient.reshape((*x.shape[:-2], 1, 1)), xp=xp, device=B.device_of(x))
        q = xp.where(mask, _by_svd(x, eps), q)
        run.steps.append("svd of what lacks full rank")
    return q, work.total, done + _summary(run.steps)


def _half_start(x: Array, dtype: Any, work: Work) -> Array:
    work.large(1.0 + 2 * len(STEPS) + 2.0)
    work.small(len(STEPS))
    return half_start(x, dtype)


def _fixed(x: Array, method: str, half: Any, work: Work, done: str) -> tuple[Array, float, str]:
    """A schedule for condition numbers up to 1e4, where nothing can be read."""
    if method in ("rational", "svd"):
        raise ValueError(f"`method` {method!r} reads the matrix, which cannot be done while it is traced: use 'auto'")
    if half is not None:
        x = _half_start(x, half, work)
        steps: tuple[Odd, ...] = (NEWTON_SCHULZ, NEWTON_SCHULZ)
    else:
        root = B.eps(B.array_namespace(x), x.dtype) ** 0.5
        steps = (*steps_needed(_FIXED_LOW, 1.0, 5, root), NEWTON_SCHULZ)
    work.large(2 * len(steps))
    work.small(sum(len(p) - 2 for p in steps))
    names = [f"degree {2 * len(p) - 1}" for p in steps]
    return odd_steps(x, steps, normalize=half is None), work.total, "fixed: " + done + _summary(names)


def _by_svd(x: Array, eps: float) -> Array:
    """The polar factor by an SVD; what belongs to singular values that are rounding errors is left out."""
    xp = B.array_namespace(x)
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    kept = s > math.sqrt(x.shape[-2]) * eps * s[..., :1]
    q = B.matmul(u * B.cast(kept[..., None, :], u.dtype), vh)
    return odd_steps(q, (NEWTON_SCHULZ,), normalize=False)


def _summary(steps: list[str]) -> str:
    """``["a", "a", "b"]`` as "a x2, b"."""
    runs: list[tuple[str, int]] = []
    for step in steps:
        if runs and runs[-1][0] == step:
            runs[-1] = (step, runs[-1][1] + 1)
        else:
            runs.append((step, 1))
    return ", ".join(step if count == 1 else f"{step} x{count}" for step, count in runs)
