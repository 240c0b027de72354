"""Where the arrays of a file are put: a backend and a device by name. Files have no namespace of their own."""

from __future__ import annotations

from collections.abc import Callable

from .. import _backend as B
from .._backend.named import BackendError, device_named, namespace_named
from .._typing import Array


def placement(backend: str = "numpy", device: str | None = None) -> Callable[[Array], Array]:
    """Function that puts a NumPy array on the backend, keeping every number as it is.

    Parameters
    ----------
    backend : {"numpy", "torch", "jax", "cupy"}
        Where to.
    device : str, optional
        As the backend names it: "cpu", "cuda", "cuda:1", "gpu:0".

    Returns
    -------
    callable
        It raises `BackendError` where the backend has not the array's type: a bound of rounded weights would not be
        a bound of the stored ones.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.report.placement import placement
    >>> placement("numpy")(np.ones(2))
    array([1., 1.])
    """
    xp, place = namespace_named(backend), device_named(backend, device)

    def put(array: Array) -> Array:
        try:
            placed = B.from_numpy(array, xp=xp, device=place)
        except (RuntimeError, TypeError, AssertionError) as error:
            text = " ".join(str(error).split())[:120]
            raise BackendError(
                f"backend {backend!r} cannot hold {array.dtype} on {device or 'its default device'} ({text})"
            ) from error
        if B.dtype_name(placed.dtype) != array.dtype.name:
            hint = "; set JAX_ENABLE_X64=1" if backend == "jax" else ""
            raise BackendError(
                f"backend {backend!r} has no {array.dtype} here, and rounding would change the weights{hint}"
            )
        return placed

    return put
