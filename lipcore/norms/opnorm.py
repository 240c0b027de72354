"""The norm of an operator as an array: differentiable, on the operator's backend."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import (
    BlockDiagonal,
    Dense,
    Diagonal,
    Identity,
    Kronecker,
    LinearOperator,
    aslinearoperator,
)
from ..operators.algebra import AdjointOperator, ScaledOperator, TransposedOperator
from ..operators.detached import DetachedOperator
from ..operators.host_twin import host_twin, may_be_differentiated
from ..operators.per_sample import Folded, PerSample
from ..solvers.results import ConvergenceError
from .induced_norm import induced_norm, length
from .leading import leading_run, smaller_side

# Up to this size LAPACK is faster than any iteration in Python.
DIRECT_SIZE = 128
_MAXITER = 3000
_DEFAULT_RTOL = 1e-6


class _Options(NamedTuple):
    rtol: float
    maxiter: int
    iterations: int | None
    v0: Array | None
    rng: Any


def opnorm(
    A: LinearOperator | Array,
    ord: int | float | str = 2,
    *,
    rtol: float | None = None,
    maxiter: int | None = None,
    iterations: int | None = None,
    v0: Array | None = None,
    rng: int | np.random.Generator | None = None,
) -> Array:
    r"""Induced norm of an operator: how much it can stretch its input.

    Parameters
    ----------
    A : LinearOperator or array, shape (*batch_shape, M, N)
        Operator, or stack of operators solved together.
    ord : {1, 2, inf, "fro"}, default 2
        2 is the largest singular value, 1 and inf the largest absolute column and row sum, "fro" the Frobenius norm.
    rtol : float, optional
        Wanted relative error of the 2-norm, by default 1e-6 (in single precision not below 16 roundings). The error is
        estimated; `opnorm_bounds` encloses it.
    maxiter : int, optional
        Most products with ``A^H A``, 3000 by default.
    iterations : int, optional
        Fixed mode, exclusive with `rtol` and `maxiter`: exactly so many Lanczos steps and no host read, so that the
        call traces under ``jax.jit`` and never stalls a device.
    v0 : array, shape (*batch_shape, N), optional
        Vector near the leading right singular vector, from an earlier run for instance. Unused where no iteration runs
        on the whole operator (LAPACK, diagonal, block-diagonal and Kronecker operators).
    rng : None, int or numpy.random.Generator
        Source of the random start.

    Returns
    -------
    array, shape batch_shape
        In the real dtype, namespace and device of `A`. It is a Rayleigh quotient, so apart from rounding never above
        the true norm.

    Raises
    ------
    ConvergenceError
        If `rtol` was not reached within `maxiter` products; ``.result`` holds the value that was.
    ValueError
        For an unknown `ord`, options that exclude each other, or an operator with NaN or infinite products.

    Notes
    -----
    Lanczos on the smaller of :math:`A^H A` and :math:`A A^H` from a random start, one host read every eight steps; a
    convolution starts from the plane wave at which its symbol peaks, and a little of those at other candidates. Small
    matrices go to LAPACK, and diagonal, block-diagonal, Kronecker and scaled operators are taken apart. The solver sees
    detached data. Where a derivative may be asked for, one product is then made at the vector found,
    :math:`\sigma = \|A v\|` with :math:`v` fixed, whose derivative :math:`\mathrm{Re}\,u^H \mathrm{d}A\, v` is that of
    a simple singular value. Where the largest one is multiple, the result is one element of the subdifferential.

    Where torch or JAX arrays lie in the host's memory, matrices, small convolutions and attention are iterated on in
    NumPy, without a copy. A matrix or convolution of double precision is iterated on in single precision first, in
    a copy, and finished in its own.

    Memory: two vectors of length min(M, N); where a derivative may be asked for (of an operator of one's own that
    cannot be seen), for short vectors, or of a copy in single precision, one per step, restarted at 2 GiB.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> A = np.array([[3.0, 0.0], [0.0, -4.0]])
    >>> float(lc.opnorm(A))
    4.0
    >>> conv = lc.Convolution(np.ones((1, 1, 3)), (1, 50), padding="same")
    >>> bool(abs(float(lc.opnorm(conv, rng=0)) - (1 + 2 * np.cos(np.pi / 51))) < 1e-6)
    True
    """
    operator = aslinearoperator(A)
    if iterations is not None and (rtol is not None or maxiter is not None):
        raise ValueError("`iterations` fixes the work: give either it, or `rtol` and `maxiter`")
    for name, count in (("iterations", iterations), ("maxiter", maxiter)):
        if count is not None and (isinstance(count, bool) or int(count) != count or count < 1):
            raise ValueError(f"`{name}` must be a positive integer, got {count!r}")
    if rtol is not None and not 0 < rtol < 1:
        raise ValueError(f"`rtol` must lie between 0 and 1, got {rtol!r}")
    if ord != 2:
        return induced_norm(operator, ord)
    if 0 in operator.shape[-2:]:
        return _constant(operator, 0.0)
    floor = 16 * B.eps(operator.xp, B.compute_dtype(operator.xp, operator.dtype))
    options = _Options(max(floor, _DEFAULT_RTOL if rtol is None else rtol), maxiter or _MAXITER, iterations, v0, rng)
    value = _norm(operator, options)
    return B.cast(value, B.real_dtype(operator.xp, operator.dtype))


def _constant(operator: LinearOperator, value: float) -> Array:
    real = B.real_dtype(operator.xp, operator.dtype)
    return operator.xp.full(operator.batch_shape, value, dtype=real, device=operator.device)


@singledispatch
def _norm(operator: LinearOperator, options: _Options) -> Array:
    """2-norm by the operator's structure; in general by iteration."""
    if options.iterations is not None:
        side, vector = _fixed_vector(operator, options)
        return attained(side, vector)
    twin = host_twin(operator)
    if twin is None:
        return _iterated(operator, operator, options, differentiated=may_be_differentiated(operator))
    return _iterated(twin.operator, operator, options, differentiated=twin.differentiated)


def _iterated(twin: LinearOperator, operator: LinearOperator, options: _Options, *, differentiated: bool) -> Array:
    """Norm by an adaptive run on `twin`, which is `operator` or the same on NumPy arrays."""
    run = leading_run(
        twin,
        rtol=options.rtol,
        maxiter=options.maxiter,
        v0=options.v0 if options.v0 is None or twin is operator else B.to_numpy(options.v0),
        rng=options.rng,
        vector=differentiated,
    )
    real = B.real_dtype(operator.xp, B.compute_dtype(operator.xp, operator.dtype))
    value = B.from_numpy(np.asarray(run.value), xp=operator.xp, device=operator.device, dtype=real)
    if run.vector is not None:
        vector = run.vector
        if twin is not operator:
            vector = B.from_numpy(vector, xp=operator.xp, device=operator.device)
        value = attained(smaller_side(operator), vector)
    if not np.all(run.reached):
        raise ConvergenceError(
            f"opnorm: estimated relative error {float(np.max(run.error)):.1e} after {run.matvecs} products, wanted "
            f"rtol={options.rtol:.1e}; raise `maxiter` or `rtol`, the value reached is in `.result`",
            value,
        )
    return value


def _fixed_vector(operator: LinearOperator, options: _Options) -> tuple[LinearOperator, Array]:
    """Leading vector after a fixed number of steps, without a host read."""
    from ..solvers.lanczos_svd import lanczos_svd

    result = lanczos_svd(DetachedOperator(operator), 1, iterations=options.iterations, v0=options.v0, rng=options.rng)
    return operator, B.conj(result.Vh[..., 0, :])


def attained(operator: LinearOperator, vector: Array) -> Array:
    """``||A v|| / ||v||`` for a constant `v`, at any scale; its derivative is that of the singular value."""
    vector = B.stop_gradient(vector)
    image = operator.matvec(vector)
    return length(image) / length(vector)


@_norm.register
def _(operator: Dense, options: _Options) -> Array:
    if options.iterations is not None:
        return _norm.dispatch(LinearOperator)(operator, options)
    if min(operator.shape[-2:]) <= DIRECT_SIZE or B.is_traced(operator.array):
        return _direct(operator.array)
    host = None if B.is_numpy(operator.xp) else B.host_view(operator.array)
    if host is None:
        return _norm.dispatch(LinearOperator)(operator, options)
    # matrices in the host's memory are iterated on by NumPy's BLAS, whatever library holds them
    return _iterated(Dense(host), operator, options, differentiated=B.is_differentiated(operator.array))


def _direct(array: Array) -> Array:
    """2-norm by LAPACK; through a singular vector where a derivative may be wanted."""
    xp = B.array_namespace(array)
    array = B.cast(array, B.compute_dtype(xp, array.dtype))
    if B.is_differentiated(array):
        _, _, vh = xp.linalg.svd(B.stop_gradient(array), full_matrices=False)
        value = attained(Dense(array), B.conj(vh[..., 0, :]))
    else:
        try:
            value = xp.linalg.svdvals(array)[..., 0]
        except (np.linalg.LinAlgError, RuntimeError) as error:
            raise ValueError("`A` must be finite, it holds NaN or infinity") from error
    constant = B.stop_gradient(value)
    # LAPACK answers NaN for some matrices that hold it and fails for others
    if not B.is_traced(constant) and not np.all(np.isfinite(B.to_numpy(constant))):
        raise ValueError("`A` must be finite, it holds NaN or infinity")
    return value


@_norm.register
def _(operator: Diagonal, options: _Options) -> Array:
    return operator.xp.max(operator.xp.abs(operator.diagonal), axis=-1)


@_norm.register
def _(operator: Identity, options: _Options) -> Array:
    return _constant(operator, 1.0)


@_norm.register
def _(operator: ScaledOperator, options: _Options) -> Array:
    inner, scalar = _norm(operator.operator, options), operator.scalar
    return inner * (operator.xp.abs(scalar) if B.is_array(scalar) else abs(scalar))


@_norm.register
def _(operator: PerSample, options: _Options) -> Array:
    if operator.operator.batch_shape == operator.batch_shape:
        return _norm(operator.operator, options)
    one = _norm(operator.operator, options._replace(v0=None))  # a start for each sample says nothing of the one norm
    return operator.xp.broadcast_to(one, operator.batch_shape)


@_norm.register
def _(operator: Folded, options: _Options) -> Array:
    return operator.xp.max(_norm(operator.operator, options._replace(v0=None)), axis=-1)


@_norm.register(AdjointOperator)
@_norm.register(TransposedOperator)
def _(operator: Any, options: _Options) -> Array:
    v0 = options.v0
    if v0 is not None:  # its image is the start on the other side
        v0 = operator.matvec(v0)
        v0 = B.conj(v0) if isinstance(operator, TransposedOperator) else v0
    return _norm(operator.operator, options._replace(v0=v0))


@_norm.register
def _(operator: BlockDiagonal, options: _Options) -> Array:
    xp, largest = operator.xp, _constant(operator, 0.0)
    for block in operator.blocks:
        if 0 not in block.shape[-2:]:
            largest = xp.maximum(largest, _norm(block, options._replace(v0=None)))
    return largest


@_norm.register
def _(operator: Kronecker, options: _Options) -> Array:
    parts = [_norm(factor, options._replace(v0=None)) for factor in (operator.a, operator.b)]
    return parts[0] * parts[1]
