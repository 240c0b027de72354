"""Jacobians of functions written in torch or JAX."""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import _backend as B
from .._typing import Array, DType, Shape
from .base import LinearOperator


class Jacobian(LinearOperator):
    r"""Jacobian of a function at a point, applied by automatic differentiation.

    Parameters
    ----------
    f : callable
        Function of one array that returns one array, written in torch (transformable by `torch.func`) or JAX. A random
        layer such as dropout must be in its evaluation mode, or every product belongs to another function.
    x : array
        The point, of any shape: a torch or JAX array, floating point.
    holomorphic : bool, default False
        Promise that `f` is complex differentiable at a complex `x`. Without it a complex `x` is refused: a function
        such as ``abs`` has a derivative that is only real-linear, and real-linear maps are not operators here.

    Attributes
    ----------
    value : array
        ``f(x)``, computed on the way.

    Raises
    ------
    TypeError
        If `f` is not callable, `x` is not a floating-point array of torch or JAX, `f` does not return one such array,
        or the derivative would be only real-linear.

    Notes
    -----
    The operator is the matrix of :math:`\partial f_i / \partial x_j` over the flattened input and output, with
    ``domain_shape == x.shape`` and ``range_shape == f(x).shape``. A forward product is a Jacobian-vector product
    (forward mode; in torch, where an operation has none, two reverse sweeps), an adjoint product a vector-Jacobian
    product. Blocks of columns are vectorised over by ``vmap``, or go one by one where an operation does not support
    that. Each costs a small multiple of one evaluation of `f`, and memory likewise: the reverse mode holds what `f`
    computes in between. Derivatives of the products with respect to anything that `f` closes over are exact.

    A batch of samples inside `x` is one big operator. For one operator per sample use `local_lipschitz` or a loop.

    Examples
    --------
    >>> import jax.numpy as jnp  # doctest: +SKIP
    >>> import lipcore as lc
    >>> J = lc.Jacobian(lambda x: x**2, jnp.asarray([1.0, 3.0]))  # doctest: +SKIP
    >>> J.to_dense()  # doctest: +SKIP
    Array([[2., 0.],
           [0., 6.]], dtype=float32)
    """

    def __init__(self, f: Callable[[Array], Array], x: Array, *, holomorphic: bool = False) -> None:
        if not callable(f):
            raise TypeError(f"`f` must be callable, got {type(f).__name__}")
        xp = B.array_namespace(x, name="x")
        if not B.supports_autodiff(xp):
            raise TypeError(
                f"`x` must be a torch or JAX array, which `f` can be differentiated at, got one of {xp.__name__}; "
                "pass products with the Jacobian to lc.LinearOperator instead"
            )
        if not B.is_floating(xp, x.dtype):
            raise TypeError(f"`x` must be floating point, got dtype {B.dtype_name(x.dtype)}; cast it first")
        if B.is_complex(xp, x.dtype) and not holomorphic:
            raise TypeError(
                "`x` is complex: pass holomorphic=True if `f` is complex differentiable, "
                "or write `f` on real and imaginary parts"
            )
        self.value, self._push, self._pull = B.linearize(f, x, xp=xp)
        kind = B.dtype_name(self.value.dtype) if B.is_array(self.value) else type(self.value).__name__
        if not B.is_array(self.value) or not B.is_floating(xp, self.value.dtype):
            raise TypeError(f"`f` must return one floating-point array, got {kind}")
        if B.is_complex(xp, self.value.dtype) != B.is_complex(xp, x.dtype):
            raise TypeError(
                f"`f` maps {B.dtype_name(x.dtype)} to {kind}, so that its derivative "
                "is only real-linear; write `f` on real and imaginary parts"
            )
        self._setup(
            (math.prod(self.value.shape), math.prod(x.shape)),
            dtype=B.common_dtype(xp, x.dtype, self.value.dtype),
            xp=xp,
            device=B.device_of(x),
            domain_shape=tuple(x.shape),
            range_shape=tuple(self.value.shape),
        )
        self._input_dtype = x.dtype

    def _matmat(self, X: Array) -> Array:
        return self._through(self._push, X, self.domain_shape, self._input_dtype)

    def _rmatmat(self, Y: Array) -> Array:
        # `_pull` is the plain transpose.
        return B.conj(self._through(self._pull, B.conj(Y), self.range_shape, self.value.dtype))

    def _through(self, product: Callable[[Array], Array], X: Array, tensor: Shape, dtype: DType) -> Array:
        """`product` on the columns of X (n, K) as a stack of K tensors."""
        columns = X.shape[-1]
        stack = self.xp.reshape(B.cast(B.transpose(X), dtype), (columns, *tensor))
        if columns == 0:  # nothing to differentiate, and vmap refuses it
            size = self.shape[-2] if product is self._push else self.shape[-1]
            return self.xp.zeros((size, 0), dtype=self.dtype, device=self.device)
        image = product(stack)
        return B.transpose(B.cast(self.xp.reshape(image, (columns, -1)), self.dtype))
