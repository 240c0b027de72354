"""The norm of the Jacobian at each of many points."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..layers import Layer
from ..layers.host_twin import host_twin
from ..norms import Bounds, opnorm_bounds
from ..operators import Jacobian, LinearOperator
from ..operators.opaque import Opaque
from ..operators.per_sample import PerSample, Unfolded

Samples: TypeAlias = tuple[int, int]  # from, to

# Below so many inputs or outputs `opnorm_bounds` writes operators down, up to the third power of entries.
_WRITTEN_DOWN = 256
# Bytes of Jacobians that are written down together, and the fewest samples that are worth a pass through the network.
_CACHE, _FEW = 8 << 20, 64


def local_lipschitz(
    f: Layer | Callable[[Array], Array],
    x: Array,
    *,
    ord: int | float = 2,
    rtol: float = 1e-3,
    kind: str = "auto",
    failure_probability: float = 1e-9,
    rng: int | np.random.Generator | None = None,
) -> Bounds:
    r"""Local Lipschitz constants of a map: the norm of its Jacobian at each sample.

    Parameters
    ----------
    f : Layer, or function of torch or JAX arrays
        A layer or any composition of layers (`lipcore.layers`), on any array library; or a function that maps a batch
        ``(samples, *input_shape)`` to ``(samples, *output_shape)`` and treats the samples independently.
    x : array, shape (samples, *input_shape)
        The points.
    ord : {2, 1, inf}
        Norm of input and output, over all entries of a sample. For one scalar output the number is the dual norm of
        the gradient: the 2-norm, the largest entry (1) or the sum of all (inf).
    rtol : float, default 1e-3
        Wanted relative width in the 2-norm.
    kind : {"auto", "analytic", "probabilistic", "estimate", "rigorous"}
        See `opnorm_bounds`. "estimate" is the quickest where inputs and outputs are many.
    failure_probability : float, default 1e-9
        Of a probabilistic bound, for all samples together.
    rng : None, int or numpy.random.Generator
        Source of the random start.

    Returns
    -------
    Bounds
        Arrays of shape (samples,). ``lower`` is attained at the point.

    Raises
    ------
    TypeError
        If `f` is not callable, or `x` is not a floating-point array (for a function: of torch or JAX).
    ValueError
        If `x` has no sample axis, or `f` mixes samples, as a batch normalisation in training mode does.

    Notes
    -----
    All samples are one batched operator: with few inputs or outputs (256) the Jacobians are written down by as many
    products, and kind is "analytic"; else Lanczos runs on all of them at once, each stopping on its own. 1- and
    inf-norms are exact in the former case, and estimates by the block method of Higham and Tisseur (2000) in the
    latter; ``kind`` says which. What is written down is computed in NumPy wherever a layer's arrays lie in the host's
    memory, some samples at a time in each thread: many small products take less time there. A point says nothing of
    its surroundings: for a constant that holds on a region, use ``f.lipschitz(ord, region)`` of a layer.

    For an array on the device, or a derivative with respect to parameters, use ``opnorm(f.jacobian(x))``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> net = lc.layers.Sequential(lc.layers.Dense(np.array([[3.0, 4.0], [0.0, 0.0]])), lc.layers.ReLU())
    >>> points = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> bounds = lc.local_lipschitz(net, points)
    >>> bounds.kind, [round(float(u), 6) for u in bounds.upper]
    ('analytic', [5.0, 0.0])
    """
    if not callable(f):
        raise TypeError(f"`f` must be a layer or a function, got {type(f).__name__}")
    B.array_namespace(x, name="x")
    if x.ndim < 1 or x.shape[0] < 1:
        raise ValueError(f"`x` must have shape (samples, ...) with at least one sample, got {tuple(x.shape)}")
    options: dict[str, Any] = {"rtol": rtol, "kind": kind, "failure_probability": failure_probability, "rng": rng}
    step = _samples_at_a_time(f, x) if kind in ("auto", "analytic") or ord != 2 else x.shape[0]
    groups = list(pairwise([*range(0, x.shape[0], step), x.shape[0]]))
    twin = host_twin(f, x) if isinstance(f, Layer) and len(groups) > 1 else None
    g, points = (f, x) if twin is None else twin

    def bounds_of(samples: tuple[int, int]) -> Bounds:
        return opnorm_bounds(_jacobian(g, points[slice(*samples), ...]), ord, **options)

    parts = [bounds_of(group) for group in groups] if twin is None else _in_threads(bounds_of, groups)
    if len(parts) == 1:
        return parts[0]
    lower, upper = (np.concatenate([getattr(part, name) for part in parts]) for name in ("lower", "upper"))
    return Bounds(lower, upper, parts[0].kind, ord=ord, matvecs=parts[0].matvecs, method=parts[0].method)


def _jacobian(f: Layer | Callable[[Array], Array], x: Array) -> LinearOperator:
    """The Jacobian at each sample, without its structure unless that says the norm."""
    jacobian = f.jacobian(x) if isinstance(f, Layer) else sample_jacobian(f, x)
    linear = isinstance(jacobian, PerSample) and not jacobian.operator.batch_shape
    return jacobian if linear else Opaque(jacobian)


def _in_threads(function: Callable[[Samples], Bounds], groups: list[Samples]) -> list[Bounds]:
    """Several groups at a time: what NumPy's copies take, in one thread each, is more than its products."""
    B.keep_freed_memory()
    with B.one_blas_thread():
        return B.map_in_threads(function, groups)


def _samples_at_a_time(f: Layer | Callable[[Array], Array], x: Array) -> int:
    """All of them, unless their Jacobians are written down: then as many as stay in the cache."""
    if x.shape[0] <= _FEW:
        return int(x.shape[0])
    one = _jacobian(f, x[:1, ...])
    m, n = one.shape[-2:]
    if isinstance(one, PerSample) or min(m, n) > _WRITTEN_DOWN or _FEW * m * n > _WRITTEN_DOWN**3:
        return int(x.shape[0])
    return max(_FEW, _CACHE // (B.numpy_dtype(one.dtype).itemsize * max(1, m * n)))


def sample_jacobian(f: Callable[[Array], Array], x: Array) -> LinearOperator:
    """The Jacobian of a function of a batch as a stack with one member per sample, (samples, M, N).

    Raises
    ------
    TypeError
        If `x` is not an array of torch or JAX.
    ValueError
        If there is no sample axis, or an input of one sample changes the output of another.
    """
    samples, whole = x.shape[0], Jacobian(f, x)
    if len(whole.range_shape) < 1 or whole.range_shape[0] != samples:
        raise ValueError(f"`f` must map {samples} samples to as many, got an output of shape {whole.range_shape}")
    if samples > 1:
        _require_independent(whole, samples)
    stack = Unfolded(whole, samples)
    return stack.with_shapes(tuple(x.shape[1:]) or (1,), tuple(whole.range_shape[1:]) or (1,))


def _require_independent(jacobian: Jacobian, samples: int) -> None:
    """Move every other sample at random: the outputs of the others must stay."""
    xp = jacobian.xp
    direction = B.random_normal(B.as_rng(0), jacobian.domain_shape, xp=xp, device=jacobian.device, dtype=jacobian.dtype)
    even = xp.arange(samples, device=jacobian.device) % 2 == 0
    mask = B.cast(xp.reshape(even, (samples,) + (1,) * (direction.ndim - 1)), direction.dtype)
    moved = jacobian.apply(direction * mask)
    others = B.cast(xp.reshape(~even, (samples,) + (1,) * (moved.ndim - 1)), moved.dtype)
    if B.is_traced(moved) or not bool(B.to_numpy(xp.any(moved * others != 0))):
        return
    raise ValueError(
        "`f` mixes samples: an input of one changes the output of another, so that no constant belongs to one sample; "
        "batch normalisation must be in its evaluation mode"
    )
