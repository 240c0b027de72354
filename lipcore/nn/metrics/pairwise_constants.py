"""The constants of logits and of their differences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import _backend as B
from ..._typing import Array, Namespace
from ...norms import Bounds
from .._inputs import Batch, number

GUARANTEES = ("joint", "per_logit", "pairwise")
_BLOCK = 1 << 22  # entries of differences of rows that are held at once


def pairwise_constants(last_weight: Array, *, lipschitz: float | Bounds = 1.0, ord: float = 2) -> Array:
    r"""Constants of the differences of all pairs of logits of a last layer, to be used for many batches.

    Parameters
    ----------
    last_weight : array, shape (classes, features)
        Weight of the last layer.
    lipschitz : float or Bounds, default 1.0
        Constant L of the features.
    ord : {1, 2, inf}, default 2
        The norm p of the perturbation, and of the features.

    Returns
    -------
    array, shape (classes, classes)
        :math:`\|w_i - w_j\|_q L` with :math:`1/p + 1/q = 1`, rounded upward; 0 on the diagonal.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lc.nn.metrics.pairwise_constants(np.array([[3.0, 0.0], [0.0, 4.0]]))
    array([[0., 5.],
           [5., 0.]])
    """
    check_guarantee("pairwise", last_weight, ord)
    constant = read_constant(lipschitz, ord)
    xp = B.array_namespace(last_weight, name="last_weight")
    shape = tuple(last_weight.shape)
    if (
        len(shape) != 2
        or 0 in shape
        or B.dtype_name(last_weight.dtype) not in ("float16", "bfloat16", "float32", "float64")
    ):
        raise ValueError(
            "`last_weight` must be real floating of shape (classes, features), got "
            f"{B.dtype_name(last_weight.dtype)} of shape {shape}"
        )
    rows = B.cast(last_weight, B.compute_dtype(xp, last_weight.dtype))
    step = max(1, _BLOCK // (shape[0] * shape[1]))
    blocks = [_lengths(xp, rows[i : min(i + step, shape[0]), ...], rows, ord) for i in range(0, shape[0], step)]
    return (xp.concat(blocks) if len(blocks) > 1 else blocks[0]) * raised(rows, constant)


def _lengths(xp: Namespace, some: Array, rows: Array, ord: float) -> Array:
    """Upper bounds of the dual norms of the differences, shape (some, rows)."""
    gaps = xp.abs(xp.expand_dims(some, axis=1) - xp.expand_dims(rows, axis=0))
    eps, terms = B.eps(xp, rows.dtype), rows.shape[-1]
    if ord == 1:
        return xp.max(gaps, axis=-1) * (1 + 4 * eps)
    if ord == math.inf:
        return xp.sum(gaps, axis=-1) * (1 + (terms + 4) * eps)
    top = xp.max(gaps, axis=-1, keepdims=True)
    same = top == 0
    scaled = gaps / xp.where(same, xp.ones_like(top), top)  # so that no square underflows
    squares = xp.sum(scaled * scaled, axis=-1)
    root = xp.sqrt(xp.where(xp.squeeze(same, axis=-1), xp.ones_like(squares), squares))
    return xp.squeeze(top, axis=-1) * root * (1 + (terms + 8) * eps)


def check_guarantee(guarantee: str, last_weight: Array | None, ord: float) -> None:
    """Raise where these options are unknown or do not go together."""
    if guarantee not in GUARANTEES:
        raise ValueError(f"`guarantee` must be one of {', '.join(map(repr, GUARANTEES))}, got {guarantee!r}")
    if last_weight is not None and guarantee != "pairwise":
        raise ValueError(f'`last_weight` is for `guarantee="pairwise"`, got {guarantee!r}')
    if ord not in (1, 2, math.inf):
        raise ValueError(f"`ord` must be 1, 2 or inf, got {ord!r}")


def read_constant(lipschitz: Any, ord: float) -> Any:
    """The constant as a float or an array; of bounds the upper end."""
    if isinstance(lipschitz, Bounds):
        if lipschitz.kind == "estimate":
            raise ValueError("`lipschitz` is an estimate, which proves nothing; give bounds of another kind")
        if lipschitz.ord != ord:
            raise ValueError(f"`lipschitz` bounds the norm of `ord` {lipschitz.ord}, but `ord` is {ord}")
        if np.ndim(lipschitz.upper):
            raise ValueError(
                f"`lipschitz` must be one bound, got a stack of shape {np.shape(lipschitz.upper)}; use `.max()`"
            )
        return float(lipschitz.upper)
    if isinstance(lipschitz, float | int) or not B.is_array(lipschitz):
        return number(lipschitz, "lipschitz", ends="low high")
    return lipschitz


def raised(like: Array, value: Any) -> Any:
    """A Python float that stays at least as large in the dtype of `like`."""
    if not isinstance(value, float) or not 0 < value < math.inf:
        return value
    info = np.finfo(B.numpy_dtype(like.dtype))
    raised = max(value * (1 + 2 * float(info.eps)), float(info.tiny))
    return raised if raised <= float(info.max) else math.inf


def pair_constants(batch: Batch, constant: Any, guarantee: str, last_weight: Array | None, ord: float) -> Any:
    """Constants of the differences between the label's logit and all others: a number, or shape (samples, classes)."""
    xp, x = batch.xp, batch.logits
    classes, shape = x.shape[-1], tuple(getattr(constant, "shape", ()))
    known: tuple[tuple[int, ...], ...] = ((),)
    if guarantee == "per_logit":
        known = ((), (classes,))
    elif guarantee == "pairwise" and last_weight is None:
        known = ((classes, classes),)
    if shape not in known:
        kind = f"guarantee={guarantee!r}" + (" without `last_weight`" if guarantee == "pairwise" else "")
        shapes = " or ".join(map(str, known))
        raise ValueError(f"`lipschitz` must have shape {shapes} for {kind}, got {shape}")
    if guarantee == "joint":
        return raised(x, constant * {1: 1.0, 2: math.sqrt(2), math.inf: 2.0}[ord])
    if guarantee == "per_logit" and shape == ():
        return raised(x, 2 * constant)
    if guarantee == "per_logit":
        return xp.expand_dims(xp.take(constant, _label_index(batch), axis=0), axis=-1) + constant
    if last_weight is None:
        table = constant
    else:
        if tuple(getattr(last_weight, "shape", (-1,)))[:1] != (classes,):
            raise ValueError(
                f"`last_weight` must have a row for each of the {classes} classes, got {last_weight.shape}"
            )
        table = pairwise_constants(last_weight, lipschitz=constant, ord=ord)
    return xp.take(table, _label_index(batch), axis=0)


def _label_index(batch: Batch) -> Array:
    """The label as an index, which is in range for those that are none."""
    return batch.xp.argmax(batch.xp.astype(batch.positive, batch.xp.int32), axis=-1)
