"""The array API over ``keras.ops``, as far as constructions, losses and metrics need it.

Functions take and give `Tensor`; dtypes are names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

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
all = _lifted(ops.all)
any = _lifted(ops.any)
argmax = _lifted(ops.argmax)
broadcast_to = _lifted(ops.broadcast_to)
clip = _lifted(ops.clip)
concat = _lifted(ops.concatenate)
conj = _lifted(ops.conjugate)
exp = _lifted(ops.exp)
expand_dims = _lifted(ops.expand_dims)
flip = _lifted(ops.flip)
floor = _lifted(ops.floor)
full_like = _lifted(ops.full_like)
imag = _lifted(ops.imag)
isfinite = _lifted(ops.isfinite)
isnan = _lifted(ops.isnan)
log = _lifted(ops.log)
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
ones_like = _lifted(ops.ones_like)
permute_dims = _lifted(ops.transpose)
pow = _lifted(ops.power)
real = _lifted(ops.real)
reshape = _lifted(ops.reshape)
sqrt = _lifted(ops.sqrt)
squeeze = _lifted(ops.squeeze)
stack = _lifted(ops.stack)
sum = _lifted(ops.sum)
take = _lifted(ops.take)
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


def matrix_transpose(x: Tensor) -> Tensor:
    """Swap of the last two axes."""
    return Tensor(ops.swapaxes(x.value, -1, -2))


def _svd(x: Tensor, *, full_matrices: object = True) -> tuple[Tensor, ...]:
    return tuple(Tensor(part) for part in ops.svd(x.value, full_matrices=full_matrices))


def _svdvals(x: Tensor) -> Tensor:
    return Tensor(ops.svd(x.value, compute_uv=False))


linalg = SimpleNamespace(solve=_lifted(ops.solve), svd=_svd, svdvals=_svdvals)
