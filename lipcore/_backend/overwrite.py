"""Steps that write over their argument, where nobody can notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat as compat
import numpy as np

from .._typing import Array
from .host import is_traced


def overwrite(function: Callable[..., Array], a: Array, *others: Any) -> Array:
    """``function(a, *others)`` of the shape of `a`, in the memory of `a` where that is safe.

    `a` must be an array that the caller made and will not use again. NumPy and torch write over it; a torch tensor
    that a derivative or a function transform follows is left alone.
    """
    return function(a, *others, out=a) if overwritable(a, *others) else function(a, *others)


def overwritable(a: Array, *others: Any) -> bool:
    """Whether `a`, an array of the caller's, may be written over with what comes from `others`."""
    return isinstance(a, np.ndarray) or (compat.is_torch_array(a) and _plain(a, *others))


def _plain(*xs: Any) -> bool:
    import torch

    tensors = [x for x in xs if isinstance(x, torch.Tensor)]
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return False
    # dual numbers and wrapped tensors: torch.func, forward mode, DTensor, compilation
    if any(type(x) is not torch.Tensor and type(x) is not torch.nn.Parameter for x in tensors):
        return False
    return not is_traced(xs[0]) and torch._C._functorch.peek_interpreter_stack() is None
