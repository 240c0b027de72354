"""The identity."""

from __future__ import annotations

from typing import Any

from .. import _backend as B
from .._typing import Array, Device, DType, Namespace, Shape
from .base import LinearOperator


class Identity(LinearOperator):
    r"""Identity of size n, which stores nothing.

    Parameters
    ----------
    n : int
        Size.
    dtype : dtype, optional
        Real or complex floating dtype of the namespace. Default: the namespace's default real dtype.
    xp : namespace, optional
        Array library, e.g. ``numpy`` (the default), ``torch`` or ``jax.numpy``.
    device : device, optional
        Device of the vectors. Default: whichever the vectors are on.
    batch_shape : tuple of int, optional
        Shape of a batch of identities.

    Raises
    ------
    TypeError
        If `n` is not an integer, or `dtype` not floating point.
    ValueError
        If `n` or an entry of `batch_shape` is negative.

    See Also
    --------
    Diagonal : Any other diagonal.

    Notes
    -----
    A product costs one copy of its argument: the result never shares memory with it.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> I = lc.Identity(3)
    >>> (I - lc.Diagonal(np.array([1.0, 0.0, 2.0]))) @ np.array([1.0, 2.0, 3.0])
    array([ 0.,  2., -3.])
    """

    def __init__(
        self,
        n: int,
        dtype: DType = None,
        *,
        xp: Namespace | None = None,
        device: Device = None,
        batch_shape: Shape = (),
    ) -> None:
        size = _count(n, "n")
        batch = tuple(_count(b, "batch_shape") for b in batch_shape)
        namespace = B.standard_namespace(xp)
        # An empty array tells the default dtype, and the device that a name such as "cuda" means.
        probe = namespace.empty((0,), dtype=dtype, device=device)
        # Without a device the vectors bring theirs.
        device = None if device is None else B.device_of(probe)
        self._setup((*batch, size, size), dtype=probe.dtype, xp=namespace, device=device)

    def _matmat(self, X: Array) -> Array:
        # A copy: whoever writes into the product must not write into the argument.
        return B.copied(X)

    def _rmatmat(self, Y: Array) -> Array:
        return self._matmat(Y)

    def adjoint(self) -> LinearOperator:
        """The operator itself."""
        return self

    def transpose(self) -> LinearOperator:
        """The operator itself."""
        return self


def _count(value: Any, name: str) -> int:
    """`value` as a size."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"`{name}` must be made of integers, got {value!r}")
    if value < 0:
        raise ValueError(f"`{name}` must not be negative, got {value!r}")
    return int(value)
