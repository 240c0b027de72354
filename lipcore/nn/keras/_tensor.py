"""Tensors of any Keras backend as arrays of the array API, so that what is written for arrays runs on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from ..._typing import Namespace


def unwrap(x: Any) -> Any:
    """The Keras tensor inside, also inside sequences; anything else as it is."""
    if isinstance(x, Tensor):
        return x.value
    if isinstance(x, list | tuple):
        return type(x)(unwrap(part) for part in x)
    return x


def _number(x: Any) -> Any:
    """Whole numbers beyond 32 bits are numbers all the same."""
    return float(x) if isinstance(x, int | float | np.floating) and not isinstance(x, bool) else unwrap(x)


def _forwards(function: Callable[..., Any]) -> Callable[[Tensor, Any], Tensor]:
    return lambda self, other: Tensor(function(self.value, _number(other)))


def _backwards(function: Callable[..., Any]) -> Callable[[Tensor, Any], Tensor]:
    return lambda self, other: Tensor(function(_number(other), self.value))


class Tensor:
    """A tensor of Keras with the operators, attributes and namespace of an array.

    Parameters
    ----------
    value : tensor
        Of the Keras backend that is in use, eager or symbolic.

    Notes
    -----
    Its values are taken for unreadable (`is_traced`), in a compiled step and outside of one: what is computed is the
    same function of the numbers in both. Derivatives are those of the operations of Keras.
    """

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]

    #: Where fresh arrays belong: left to Keras.
    device = None
    #: The values are not looked at.
    is_traced = True

    def __init__(self, value: Any) -> None:
        self.value = value

    def __array_namespace__(self, *, api_version: str | None = None) -> Namespace:
        from . import _namespace

        return _namespace

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape."""
        return tuple(int(n) for n in self.value.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.value.shape)

    @property
    def dtype(self) -> str:
        """Name of the dtype."""
        return _dtype(self.value)

    def stop_gradient(self) -> Tensor:
        """The same as a constant of differentiation."""
        return Tensor(ops.stop_gradient(self.value))

    def __getitem__(self, key: Any) -> Tensor:
        return Tensor(self.value[unwrap(key)])

    def __pow__(self, power: Any) -> Tensor:
        # a square has a derivative everywhere
        return self * self if power == 2 else Tensor(ops.power(self.value, _number(power)))

    def __neg__(self) -> Tensor:
        return Tensor(ops.negative(self.value))

    __add__ = __radd__ = _forwards(ops.add)
    __mul__ = __rmul__ = _forwards(ops.multiply)
    __sub__, __rsub__ = _forwards(ops.subtract), _backwards(ops.subtract)
    __truediv__, __rtruediv__ = _forwards(ops.divide), _backwards(ops.divide)
    __matmul__ = _forwards(ops.matmul)
    __lt__, __le__ = _forwards(ops.less), _forwards(ops.less_equal)
    __gt__, __ge__ = _forwards(ops.greater), _forwards(ops.greater_equal)
    __eq__ = _forwards(ops.equal)  # type: ignore[assignment]
    __ne__ = _forwards(ops.not_equal)  # type: ignore[assignment]


def _dtype(value: Any) -> str:
    name = str(getattr(value.dtype, "name", value.dtype)).removeprefix("torch.")
    # `standardize_dtype` knows all that layers may have; complex numbers occur inside constructions only
    return name if name.startswith("complex") else str(keras.backend.standardize_dtype(name))
