"""A matrix of double precision in single precision, where the steps towards a singular vector cost half."""

from __future__ import annotations

import math

import numpy as np

from .. import _backend as B
from ..operators.algebra import AdjointOperator
from ..operators.base import LinearOperator
from ..operators.dense import Dense
from ..operators.detached import DetachedOperator

_SINGLE = {"float64": "float32", "complex128": "complex64"}
# Smaller matrices stay in the cache in either precision, and the copy would not pay.
_ENTRIES = 1 << 19
# Norms between this and its inverse: no entry overflows single precision, and none that underflows matters.
_RANGE = 1e15


def in_single_precision(operator: LinearOperator) -> LinearOperator | None:
    """A single-precision copy of a NumPy matrix (or of its adjoint) in double precision; None where that is no help.

    One pass over the matrix for the copy, and one product that tells its scale.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.norms.single_precision import in_single_precision
    >>> in_single_precision(lc.Dense(np.ones((800, 700)))).dtype
    dtype('float32')
    """
    inner = operator.operator if isinstance(operator, DetachedOperator) else operator
    if isinstance(inner, AdjointOperator):
        low = in_single_precision(inner.operator)
        return None if low is None else low.adjoint()
    if not isinstance(inner, Dense) or not B.is_numpy(inner.xp) or inner.batch_shape:
        return None
    narrow = _SINGLE.get(B.dtype_name(inner.dtype))
    if narrow is None or math.prod(inner.shape) < _ENTRIES:
        return None
    n = inner.shape[-1]
    probe = np.random.default_rng(1969).standard_normal(n) / math.sqrt(n)  # large entries do not cancel in it
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.linalg.norm(inner.array @ probe)
        if not 1 / _RANGE < size < _RANGE:
            return None
        return Dense(inner.array.astype(narrow))
