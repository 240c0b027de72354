"""Start vectors that know where an operator's norm is attained."""

from __future__ import annotations

from functools import singledispatch

from .._typing import Array
from ..operators import LinearOperator


@singledispatch
def start_vector(operator: LinearOperator) -> Array | None:
    """Unit vector (*batch_shape, N) near the leading right singular vector, or None where nothing is known.

    In memory of its own, and in a dtype of at least single precision.
    """
    return None
