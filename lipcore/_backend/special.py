"""Special functions that the array-API standard leaves out."""

from __future__ import annotations

from typing import Any

import array_api_compat as compat
import numpy as np

from .._typing import Array
from .host import _on_cpu, from_numpy
from .namespace import array_namespace, device_of


def erf(x: Array) -> Array:
    """Error function, elementwise, in the dtype of `x`."""
    return _special("erf", x)


def erfc(x: Array) -> Array:
    """``1 - erf(x)`` without the cancellation where that is small, elementwise, in the dtype of `x`."""
    return _special("erfc", x)


def _special(name: str, x: Array) -> Array:
    function: Any
    if compat.is_torch_array(x):
        import torch

        function = getattr(torch.special, name)
        return function(x)
    if compat.is_jax_array(x):
        import jax.scipy.special

        function = getattr(jax.scipy.special, name)
        return function(x)
    if compat.is_cupy_array(x):
        import cupyx.scipy.special

        function = getattr(cupyx.scipy.special, name)
        return function(x)
    import scipy.special

    function = getattr(scipy.special, name)
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(function(x))
    # other libraries of the standard keep their arrays in the host's memory
    on_host = np.asarray(function(np.from_dlpack(_on_cpu(x))))
    return from_numpy(on_host, xp=array_namespace(x), device=device_of(x))
