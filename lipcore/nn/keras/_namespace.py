"""The array API over ``keras.ops``, as far as constructions, losses and metrics need it.

Functions take and give `Tensor`; dtypes are names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from keras import ops

from ._tensor import Tensor, unwrap

bool = "bool"
int32 = "int32"
# positions, which fit; some backends have no longer ones
int64 = "int32"
float32 = "float32"
float64 = "float64"
complex64 = "complex64"
complex128 = "complex128"


def _lifted(function: Callable[..., Any]) -> Callable[..., Any]:
    def lifted(*args: Any, **options: Any) -> Any:
        given = {name: unwrap(value) for name, value in options.items()}
        return Tensor(function(*(unwrap(a) for a in args), **given))

    lifted.__name__ = function.__name__
    return lifted


abs = _lifted(ops.abs)
add = _lifted(ops.add)
all = _lifted(ops.all)
any = _lifted(ops.any)
argmax = _lifted(ops.argmax)
argmin = _lifted(ops.argmin)
broadcast_to = _lifted(ops.broadcast_to)
clip = _lifted(ops.clip)
concat = _lifted(ops.concatenate)
conj = _lifted(ops.conjugate)
cos = _lifted(ops.cos)
cumulative_sum = _lifted(ops.cumsum)
divide = _lifted(ops.divide)
equal = _lifted(ops.equal)
exp = _lifted(ops.exp)
expand_dims = _lifted(ops.expand_dims)
expm1 = _lifted(ops.expm1)
flip = _lifted(ops.flip)
floor = _lifted(ops.floor)
full_like = _lifted(ops.full_like)
greater = _lifted(ops.greater)
greater_equal = _lifted(ops.greater_equal)
imag = _lifted(ops.imag)
isfinite = _lifted(ops.isfinite)
isnan = _lifted(ops.isnan)
less = _lifted(ops.less)
less_equal = _lifted(ops.less_equal)
log = _lifted(ops.log)
log1p = _lifted(ops.log1p)
log2 = _lifted(ops.log2)
logical_and = _lifted(ops.logical_and)
logical_not = _lifted(ops.logical_not)
logical_or = _lifted(ops.logical_or)
matmul = _lifted(ops.matmul)
max = _lifted(ops.max)
maximum = _lifted(ops.maximum)
mean = _lifted(ops.mean)
min = _lifted(ops.min)
minimum = _lifted(ops.minimum)
moveaxis = _lifted(ops.moveaxis)
multiply = _lifted(ops.multiply)
negative = _lifted(ops.negative)
not_equal = _lifted(ops.not_equal)
ones_like = _lifted(ops.ones_like)
permute_dims = _lifted(ops.transpose)
pow = _lifted(ops.power)
prod = _lifted(ops.prod)
real = _lifted(ops.real)
reshape = _lifted(ops.reshape)
sign = _lifted(ops.sign)
sin = _lifted(ops.sin)
sort = _lifted(ops.sort)
sqrt = _lifted(ops.sqrt)
square = _lifted(ops.square)
squeeze = _lifted(ops.squeeze)
stack = _lifted(ops.stack)
subtract = _lifted(ops.subtract)
sum = _lifted(ops.sum)
take = _lifted(ops.take)
tanh = _lifted(ops.tanh)
tensordot = _lifted(ops.tensordot)
where = _lifted(ops.where)
zeros_like = _lifted(ops.zeros_like)


def astype(x: Tensor, dtype: str, *, copy: object = True) -> Tensor:
    """`x` in another dtype."""
    return Tensor(ops.cast(x.value, dtype))


def asarray(a: Any, *, dtype: str | None = None, device: object = None) -> Tensor:
    """Anything as a tensor."""
    return Tensor(ops.convert_to_tensor(unwrap(a), dtype=dtype))


def arange(stop: int, *, device: object = None) -> Tensor:
    """Whole numbers from 0."""
    return Tensor(ops.arange(stop, dtype="int32"))


def eye(rows: int, columns: int | None = None, *, dtype: str, device: object = None) -> Tensor:
    """Ones on the diagonal."""
    return Tensor(ops.eye(rows, columns, dtype=dtype))


def zeros(shape: Sequence[int], *, dtype: str, device: object = None) -> Tensor:
    """Zeros."""
    return Tensor(ops.zeros(shape, dtype=dtype))


def finfo(dtype: str) -> np.finfo[Any]:
    """Limits of a dtype, a complex one's those of its parts."""
    return np.finfo(dtype)


def empty(shape: Sequence[int], *, dtype: str = "float32", device: object = None) -> Tensor:
    """Zeros, which is as good as anything."""
    return Tensor(ops.zeros(shape, dtype=dtype))


def matrix_transpose(x: Tensor) -> Tensor:
    """Swap of the last two axes."""
    return Tensor(ops.swapaxes(x.value, -1, -2))


def _svd(x: Tensor, *, full_matrices: object = True) -> tuple[Tensor, ...]:
    return tuple(Tensor(part) for part in ops.svd(x.value, full_matrices=full_matrices))


def _svdvals(x: Tensor) -> Tensor:
    return Tensor(ops.svd(x.value, compute_uv=False))


linalg = SimpleNamespace(solve=_lifted(ops.solve), svd=_svd, svdvals=_svdvals)
