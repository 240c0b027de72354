"""The operator that everything else is built on."""

from __future__ import annotations

import copy
import importlib
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Device, DType, Namespace, Shape
from .arithmetic import Arithmetic
from .batching import over_batches

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator as ScipyLinearOperator

Apply = Callable[[Array], Array]


class LinearOperator(Arithmetic):
    """A linear map known by its products with vectors, and a stack of such maps.

    Shaped like SciPy's class of that name (``shape``, ``matvec``, ``rmatvec``, ``@``, ``.H``, ...), without inheriting
    from it: it works on the arrays of any library and SciPy's solvers accept it on NumPy.

    Parameters
    ----------
    shape : tuple of int
        ``(*batch_shape, M, N)``.
    matvec : callable
        ``matvec(x) -> A x`` for `x` of shape ``(*batch_shape, N)``.
    rmatvec : callable, optional
        ``rmatvec(y) -> A^H y``.
    matmat, rmatmat : callable, optional
        The same on blocks ``(*batch_shape, N, K)``; by default column by column.
    dtype : dtype, optional
        Real or complex floating; deduced from one product with zeros when left out.
    xp : namespace, optional
        Array namespace of the vectors, NumPy by default.
    device : optional
        Device of the vectors.

    Raises
    ------
    ValueError
        If `shape` is not at least two nonnegative integers.
    TypeError
        If a callable is not callable, or `dtype` is not floating.

    Notes
    -----
    A subclass calls ``self._setup(shape, dtype=..., xp=..., device=...)`` in its own ``__init__`` and implements
    ``_matmat(X)`` and ``_rmatmat(Y)`` on blocks of exactly the shape ``(*batch_shape, N, K)`` and
    ``(*batch_shape, M, K)``. All else is derived: vectors, extra leading axes (they become columns), promotion, complex
    vectors under a real operator, algebra. Blocks are often transposed views of row-major arrays; returning such views
    is welcome.

    An operator is applied in its own dtype: a wider vector is rounded to it first and the product comes back in the
    promoted dtype. Where SciPy's contract differs: integer vectors raise, ``numpy.matrix`` and lists are refused, and
    a subclass overrides ``_matmat``, not ``_matvec``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> shift = lc.LinearOperator((3, 3), lambda x: np.roll(x, 1), lambda y: np.roll(y, -1), dtype=np.float64)
    >>> shift @ np.array([1.0, 2.0, 3.0])
    array([3., 1., 2.])
    >>> (2 * shift.H @ shift).to_dense()
    array([[2., 0., 0.],
           [0., 2., 0.],
           [0., 0., 2.]])
    """

    # NumPy then leaves `array @ operator` and `array * operator` to this class.
    __array_ufunc__ = None

    shape: Shape
    dtype: DType
    xp: Namespace
    device: Device
    domain_shape: Shape
    range_shape: Shape
    _functions: Mapping[str, Apply | None] = MappingProxyType({})

    def __init__(
        self,
        shape: Shape,
        matvec: Apply,
        rmatvec: Apply | None = None,
        matmat: Apply | None = None,
        dtype: DType | None = None,
        rmatmat: Apply | None = None,
        *,
        xp: Namespace | None = None,
        device: Device = None,
    ) -> None:
        given: dict[str, Any] = {"matvec": matvec, "rmatvec": rmatvec, "matmat": matmat, "rmatmat": rmatmat}
        for name, function in given.items():
            if not (callable(function) or (function is None and name != "matvec")):
                raise TypeError(f"`{name}` must be callable, got {type(function).__name__}")
        xp = B.standard_namespace(xp)
        shape = _checked_shape(shape)
        if dtype is None:
            probe = xp.zeros((*shape[:-2], shape[-1]), dtype=_default_float(xp, device), device=device)
            dtype = getattr(matvec(probe), "dtype", None)
            if dtype is None:
                raise TypeError("`matvec` must return an array; say what it computes with `dtype` if it cannot yet run")
        self._functions = given
        self._setup(shape, dtype=dtype, xp=xp, device=device)

    def _setup(
        self,
        shape: Shape,
        *,
        dtype: DType,
        xp: Namespace,
        device: Device = None,
        domain_shape: Shape | None = None,
        range_shape: Shape | None = None,
    ) -> None:
        """Set what every operator knows of itself; to be called once by a subclass."""
        self.shape, xp = _checked_shape(shape), B.standard_namespace(xp)
        if B.is_numpy(xp):
            dtype = np.dtype(dtype)
        if not B.is_floating(xp, dtype):
            raise TypeError(f"`dtype` must be real or complex floating, got {dtype}; cast the data first")
        self.dtype, self.xp, self.device = dtype, xp, device
        self.domain_shape = (self.shape[-1],) if domain_shape is None else tuple(domain_shape)
        self.range_shape = (self.shape[-2],) if range_shape is None else tuple(range_shape)
        for name, tensor, size in (("domain_shape", self.domain_shape, -1), ("range_shape", self.range_shape, -2)):
            if math.prod(tensor) != self.shape[size]:
                raise ValueError(f"`{name}` {tensor} does not hold {self.shape[size]} entries")

    def __getstate__(self) -> dict[str, Any]:
        # modules do not pickle; their names do
        return {**self.__dict__, "xp": self.xp.__name__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, xp=importlib.import_module(state["xp"]))

    # The two hooks ---------------------------------------------------------------------------------------------------

    def _matmat(self, X: Array) -> Array:
        """``A X`` for a block (*batch_shape, N, K) in the operator's dtype."""
        return self._by_functions("matmat", "matvec", X)

    def _rmatmat(self, Y: Array) -> Array:
        """``A^H Y`` for a block (*batch_shape, M, K) in the operator's dtype."""
        return self._by_functions("rmatmat", "rmatvec", Y)

    def _by_functions(self, block_name: str, vector_name: str, X: Array) -> Array:
        on_block, on_vector = self._functions.get(block_name), self._functions.get(vector_name)
        if on_block is not None:
            return on_block(X)
        if on_vector is None:
            raise NotImplementedError(
                f"{vector_name} is not defined: give `{vector_name}` or `{block_name}`, in a subclass `_{block_name}`"
            )
        columns = [on_vector(X[..., j]) for j in range(X.shape[-1])]
        if not columns:
            return self.xp.zeros((*self.batch_shape, self._rows(vector_name), 0), dtype=X.dtype, device=self.device)
        # a function written for SciPy may answer a column with a column
        flat = [self.xp.reshape(c, (*self.batch_shape, self._rows(vector_name))) for c in columns]
        return self.xp.stack(flat, axis=-1)

    def _rows(self, vector_name: str) -> int:
        return self.shape[-2] if vector_name == "matvec" else self.shape[-1]

    # Products --------------------------------------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """Number of axes of `shape`."""
        return len(self.shape)

    @property
    def batch_shape(self) -> Shape:
        """Shape of the stack of independent operators, ``()`` for a single one."""
        return self.shape[:-2]

    def matvec(self, x: Array) -> Array:
        """``A x`` for `x` (..., N); without a batch also a column (N, 1), answered by a column."""
        return self._on_vectors(self._matmat, x, self.shape[-1], "x")

    def rmatvec(self, y: Array) -> Array:
        """``A^H y`` for `y` (..., M); without a batch also a column (M, 1)."""
        return self._on_vectors(self._rmatmat, y, self.shape[-2], "y")

    def matmat(self, X: Array) -> Array:
        """``A X`` for blocks `X` (..., N, K)."""
        return self._on_blocks(self._matmat, X, self.shape[-1], "X")

    def rmatmat(self, Y: Array) -> Array:
        """``A^H Y`` for blocks `Y` (..., M, K)."""
        return self._on_blocks(self._rmatmat, Y, self.shape[-2], "Y")

    def _on_vectors(self, hook: Apply, x: Array, size: int, name: str) -> Array:
        xp = self._checked_input(x, name)
        if not self.batch_shape and x.shape == (size, 1):
            return self._on_blocks(hook, x, size, name)
        if x.ndim < 1 or x.shape[-1] != size:
            raise ValueError(f"`{name}` must have shape (..., {size}) to meet an operator {self.shape}, got {x.shape}")
        if self.batch_shape:
            return self._on_blocks(hook, xp.expand_dims(x, axis=-1), size, name)[..., 0]
        # the rows of a stack are the columns of a block, without a copy
        stack = xp.reshape(x, (math.prod(x.shape[:-1]), size)) if x.ndim != 2 else x
        y = B.transpose(self._on_blocks(hook, B.transpose(stack), size, name))
        return y if x.ndim == 2 else xp.reshape(y, (*x.shape[:-1], y.shape[-1]))

    def _on_blocks(self, hook: Apply, X: Array, size: int, name: str) -> Array:
        self._checked_input(X, name)
        if X.ndim < 2 or X.shape[-2] != size:
            raise ValueError(
                f"`{name}` must have shape (..., {size}, K) to meet an operator {self.shape}, got {X.shape}"
            )
        try:
            np.broadcast_shapes(tuple(X.shape[:-2]), self.batch_shape)
        except ValueError:
            raise ValueError(
                f"`{name}` of shape {X.shape} does not broadcast to the batch {self.batch_shape}"
            ) from None
        return over_batches(lambda block: self._promoted(hook, block), X, self.batch_shape)

    def _checked_input(self, x: Array, name: str) -> Namespace:
        xp = B.array_namespace(x, name=name)
        if xp is not self.xp and xp.__name__ != self.xp.__name__:
            raise TypeError(f"`{name}` is an array of {xp.__name__}, the operator one of {self.xp.__name__}")
        if not B.is_floating(xp, x.dtype):
            raise TypeError(f"`{name}` must be real or complex floating, got {x.dtype}; cast it first")
        return xp

    def _promoted(self, hook: Apply, X: Array) -> Array:
        """`hook` in the operator's own dtype; the answer in the promoted one."""
        if X.dtype == self.dtype:
            return hook(X)
        xp = self.xp
        out = B.common_dtype(xp, self.dtype, X.dtype)
        if B.is_complex(xp, X.dtype) and not B.is_complex(xp, self.dtype):
            K = X.shape[-1]
            Y = hook(B.cast(xp.concat([xp.real(X), xp.imag(X)], axis=-1), self.dtype))
            Y = B.cast(Y, B.real_dtype(xp, out))
            return B.cast(Y[..., :K] + 1j * Y[..., K:], out)
        return B.cast(hook(B.cast(X, self.dtype)), out)

    def apply(self, x: Array) -> Array:
        """``A x`` on tensors (..., *domain_shape), giving (..., *range_shape)."""
        return self._on_tensors(self.matvec, x, self.domain_shape, self.range_shape, "x")

    def apply_adjoint(self, y: Array) -> Array:
        """``A^H y`` on tensors (..., *range_shape), giving (..., *domain_shape)."""
        return self._on_tensors(self.rmatvec, y, self.range_shape, self.domain_shape, "y")

    def _on_tensors(self, product: Apply, x: Array, source: Shape, target: Shape, name: str) -> Array:
        xp = self._checked_input(x, name)
        lead = x.shape[: x.ndim - len(source)]
        if x.ndim < len(source) or tuple(x.shape[len(lead) :]) != source:
            raise ValueError(f"`{name}` must have shape (..., {', '.join(map(str, source))}), got {x.shape}")
        # without a batch, two more axes in front keep a vector of length 1 from being read as a column
        guard = () if self.batch_shape else (1, 1)
        y = product(xp.reshape(x, (*guard, *lead, math.prod(source))))
        return xp.reshape(y, (*y.shape[len(guard) : -1], *target))

    def with_shapes(self, domain_shape: Shape | None, range_shape: Shape | None) -> LinearOperator:
        """The same operator, with other tensor shapes for `apply`; None keeps what there is."""
        same = copy.copy(self)
        domain = self.domain_shape if domain_shape is None else domain_shape
        image = self.range_shape if range_shape is None else range_shape
        same._setup(
            self.shape, dtype=self.dtype, xp=self.xp, device=self.device, domain_shape=domain, range_shape=image
        )
        return same

    def to_dense(self) -> Array:
        """The matrix (*batch_shape, M, N); N products and all its memory."""
        return self.matmat(self.xp.eye(self.shape[-1], dtype=self.dtype, device=self.device))

    def to_scipy(self) -> ScipyLinearOperator:
        """A SciPy operator on NumPy vectors, whatever library this one lives in."""
        from .interop import to_scipy

        return to_scipy(self)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"<{shape} {type(self).__name__} with dtype={B.dtype_name(self.dtype)}>"


def _checked_shape(shape: Any) -> Shape:
    try:
        sizes = tuple(int(s) if s == int(s) else -1 for s in shape)
    except (TypeError, ValueError):
        sizes = ()
    if len(sizes) < 2 or min(sizes) < 0:
        raise ValueError(f"`shape` must be (*batch_shape, M, N) of nonnegative integers, got {shape!r}")
    return sizes


def _default_float(xp: Namespace, device: Device) -> DType:
    return xp.float64 if B.has_float64(xp, device) else xp.float32
