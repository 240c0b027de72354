"""The same operator in narrower numbers, for steps of an iteration that need not be exact."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from .. import _backend as B
from .algebra import AdjointOperator
from .base import LinearOperator
from .convolution import Convolution
from .convolution_options import multiplications
from .convolution_transpose import ConvolutionTranspose
from .dense import Dense
from .detached import DetachedOperator

_NARROWER = {"float64": "float32", "complex128": "complex64", "float32": "bfloat16"}
# Errors of products with a unit vector, relative to the norm, that come with such numbers. The arithmetic of bfloat16
# sums in single precision, so what is left are roundings of kernel, vector and result by up to 2**-9 each; residuals of
# 0.9 times that were seen, and room for what is left of the iteration's own.
_ACCURACY = {"float32": 2.0**-17, "complex64": 2.0**-17, "bfloat16": 1.25 * 2.0**-9}
# Multiplications of a product from which on narrower numbers pay. A smaller matrix stays in the cache either way. Two
# products of a 3 x 3 convolution on torch took 4.6 ms in double and 1.3 ms in single precision (64 channels, 32 x 32:
# 38 million), 22 ms in single precision and 14 ms in bfloat16 (64, 224 x 224), and 2.5 ms and 1.8 ms (128, 32 x 32).
_WORK = {"matrix": 1 << 19, "convolution": 1 << 22, "bfloat16": 1 << 27}
# Entries between this and its inverse neither overflow in narrower numbers nor vanish beside the others.
_RANGE = 1e15


def narrowed(operator: LinearOperator, accuracy: float) -> LinearOperator | None:
    """A copy of `operator` in narrower numbers; None where there is none, or it would not pay.

    Parameters
    ----------
    operator : LinearOperator
        A matrix or convolution, or the adjoint of one; others have no copy.
    accuracy : float
        Error of a product with a unit vector, relative to the norm, that the caller can bear.

    Returns
    -------
    LinearOperator or None
        Double precision becomes single precision, and single precision bfloat16 where the processor has instructions
        for it and the operator is a large convolution. On the backend and device of `operator`.

    Notes
    -----
    One pass over the data for the copy, two over the copy for its range, and one number read.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.narrowed import narrowed
    >>> narrowed(lc.Dense(np.ones((800, 700))), 1e-4).dtype
    dtype('float32')
    >>> narrowed(lc.Dense(np.ones((800, 700))), 1e-6) is None
    True
    """
    name = _NARROWER.get(B.dtype_name(operator.dtype))
    if name is None or accuracy < _ACCURACY[name] or not hasattr(operator.xp, name):
        return None
    inner = _inner(operator)
    data = _data(inner)
    if data is None or B.is_traced(data) or B.is_sharded(data) or not _pays(inner, name):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        low = _recast(operator, B.dtype_named(operator.xp, name))
        return low if _in_range(_data(_inner(low))) else None


def _inner(operator: LinearOperator) -> LinearOperator:
    while isinstance(operator, AdjointOperator | DetachedOperator):
        operator = operator.operator
    return operator


def _data(operator: LinearOperator) -> Any:
    """The one array that the operator is made of; None where that is not known, as of a subclass."""
    if type(operator) is Dense:
        return operator.array
    return operator.kernel if type(operator) in (Convolution, ConvolutionTranspose) else None  # type: ignore[attr-defined]


def _pays(operator: LinearOperator, name: str) -> bool:
    if isinstance(operator, Dense):
        return name != "bfloat16" and math.prod(operator.shape) >= _WORK["matrix"]
    work = multiplications(operator)
    if name == "bfloat16":
        return work >= _WORK[name] and B.has_native_bfloat16(operator.xp, operator.device)
    return work >= _WORK["convolution"]


def _in_range(data: Any) -> bool:
    largest = B.largest_entry(B.array_namespace(data).reshape(data, (-1,)))
    return bool(1 / _RANGE < float(B.to_numpy(largest)[0]) < _RANGE)


def _recast(operator: LinearOperator, dtype: Any) -> LinearOperator:
    """A copy with the arrays, and the operators, that it is made of in another dtype."""
    copied = copy.copy(operator)
    for key, value in operator.__dict__.items():
        if isinstance(value, LinearOperator):
            copied.__dict__[key] = _recast(value, dtype)
        elif B.is_array(value):
            copied.__dict__[key] = B.stop_gradient(B.cast(value, dtype))
    copied.__dict__["dtype"] = np.dtype(dtype) if B.is_numpy(operator.xp) else dtype
    return copied
