"""Bridges: sparse matrices and other packages' operators in, SciPy operators out."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Device, Namespace
from .base import LinearOperator
from .dense import Dense


class SparseMatrix(LinearOperator):
    """A sparse matrix or array of SciPy, CuPy, JAX (BCOO, BCSR), torch or pydata; made by `aslinearoperator`.

    Parameters
    ----------
    matrix : sparse matrix, shape (M, N)
        Real or complex floating point. It is kept as it is, and only multiplied with blocks of columns, as is its
        transpose.

    Attributes
    ----------
    matrix : sparse matrix
        What was given.

    Raises
    ------
    TypeError
        If the entries are not floating point.
    ValueError
        If `matrix` does not have two axes.

    Notes
    -----
    One product costs two operations per stored entry and column.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> import lipcore as lc
    >>> A = lc.aslinearoperator(scipy.sparse.csr_array(np.array([[0.0, 2.0], [3.0, 0.0]])))
    >>> A
    <2x2 SparseMatrix with dtype=float64>
    >>> A.rmatvec(np.array([1.0, 1.0]))
    array([3., 2.])
    """

    def __init__(self, matrix: Any) -> None:
        if len(matrix.shape) != 2:
            raise ValueError(
                f"a sparse array must have two axes to be an operator, got shape {tuple(matrix.shape)}; "
                "for a batch, wrap each matrix and combine them, e.g. with lc.BlockDiagonal"
            )
        xp = B.foreign_namespace(matrix)
        if not B.is_floating(xp, matrix.dtype):
            raise TypeError(
                f"`A` must be real or complex floating point, got a sparse {B.dtype_name(matrix.dtype)} matrix; "
                "convert it first, e.g. with A.astype(float)"
            )
        self.matrix = matrix
        self._turned = B.sparse_transpose(matrix)
        device = B.device_of(matrix) if B.is_torch(xp) else None
        self._setup(tuple(matrix.shape), dtype=matrix.dtype, xp=xp, device=device)

    def _matmat(self, X: Array) -> Array:
        return self.matrix @ X

    def _rmatmat(self, Y: Array) -> Array:
        # Conjugating the block instead of the matrix spares a copy of the matrix.
        return B.conj(self._turned @ B.conj(Y))


def aslinearoperator(A: Any, *, xp: Namespace | None = None, device: Device = None) -> LinearOperator:
    """Make an operator of whatever acts like one.

    Parameters
    ----------
    A : operator, array or sparse matrix
        One of

        - an operator of this package, which is returned as it is;
        - an array (..., M, N) of any array library, which becomes a `Dense`;
        - a `numpy.matrix`, read as an array;
        - a sparse matrix or array of SciPy, CuPy, JAX, torch or pydata, of two axes;
        - an operator of SciPy, CuPy, PyLops or anything else with ``shape`` and ``matvec``. Its ``rmatvec``,
          ``matmat``, ``rmatmat`` and ``dtype`` are used where they exist. An integer dtype is read as float64, since
          SciPy deduces integers for functions that say nothing of theirs; without one, a product with zeros tells.
    xp : namespace, optional
        Array library of the vectors of a foreign operator, e.g. ``cupy`` for a PyLops operator built on CuPy. Default:
        CuPy for operators defined by CuPy, NumPy otherwise. Not for arrays, which know theirs.
    device : device, optional
        Device of the vectors of a foreign operator.

    Returns
    -------
    LinearOperator
        The operator.

    Raises
    ------
    TypeError
        If `A` is nothing of the kind (lists are not), holds integers, or is only real-linear on complex numbers.
    ValueError
        If an array has fewer than two axes, or a sparse one not exactly two.

    See Also
    --------
    LinearOperator.to_scipy : The other direction.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from scipy.sparse.linalg import LinearOperator
    >>> double = LinearOperator((2, 2), matvec=lambda x: 2 * x, rmatvec=lambda x: 2 * x, dtype=float)
    >>> lc.aslinearoperator(double).H @ np.array([1.0, 3.0])
    array([2., 6.])
    >>> lc.aslinearoperator(np.eye(2))
    <2x2 Dense with dtype=float64>
    """
    if isinstance(A, LinearOperator):
        return A
    if isinstance(A, np.ma.MaskedArray):
        raise TypeError(
            "`A` is a masked array, whose mask a product would ignore; fill it first, e.g. with A.filled(0)"
        )
    if B.is_sparse(A):
        return SparseMatrix(A)
    if isinstance(A, np.matrix):
        return Dense(np.asarray(A))
    if B.is_array(A):
        return Dense(A)
    matvec = getattr(A, "matvec", None) or getattr(A, "_matvec", None)
    if matvec is None or not hasattr(A, "shape"):
        raise TypeError(
            f"`A` must be an array, a sparse matrix or an operator with `shape` and `matvec`, got {type(A).__name__}"
            + ("; convert it first with numpy.asarray" if isinstance(A, list | tuple) else "")
        )
    return _adopt(A, matvec, B.foreign_namespace(A) if xp is None else B.standard_namespace(xp), device)


def _adopt(A: Any, matvec: Any, xp: Namespace, device: Device) -> LinearOperator:
    """An operator made of a foreign operator's functions."""
    dtype = getattr(A, "dtype", None)
    if dtype is not None and B.dtype_name(dtype).startswith(("int", "uint", "bool")):
        dtype = None if not B.has_float64(xp, device) else xp.float64
    elif dtype is not None and B.is_numpy(xp):
        dtype = np.dtype(dtype)
    operator = LinearOperator(
        tuple(A.shape),
        matvec,
        rmatvec=getattr(A, "rmatvec", None) or getattr(A, "_rmatvec", None),
        matmat=getattr(A, "matmat", None),
        rmatmat=getattr(A, "rmatmat", None),
        dtype=dtype,
        xp=xp,
        device=device,
    )
    if getattr(A, "clinear", True) is False and B.is_complex(xp, operator.dtype):
        raise TypeError(
            f"`A` ({type(A).__name__}) says that it is only real-linear (clinear is False) and its dtype is "
            f"{B.dtype_name(operator.dtype)}: A(ix) is not iA(x), so it has no norm as a complex operator. "
            "Write it as a real operator on stacked real and imaginary parts"
        )
    return operator


def to_scipy(operator: LinearOperator) -> Any:
    """SciPy operator on NumPy vectors; behind `LinearOperator.to_scipy`."""
    from scipy.sparse.linalg import LinearOperator as ScipyOperator

    if operator.batch_shape:
        raise ValueError(
            f"SciPy's solvers take single operators, got a batch of shape {operator.batch_shape}; convert its members"
        )

    def on_host(product: Any) -> Any:
        return lambda X: B.to_numpy(product(_visitor(operator, X)))

    return ScipyOperator(
        operator.shape,
        matvec=on_host(operator.matvec),
        rmatvec=on_host(operator.rmatvec),
        matmat=on_host(operator.matmat),
        rmatmat=on_host(operator.rmatmat),
        dtype=B.numpy_dtype(operator.dtype),
    )


def _visitor(operator: LinearOperator, X: Any) -> Array:
    """NumPy vectors in the operator's library and dtype (complex where they are): its device may lack wider ones."""
    X = np.asarray(X)
    dtype = operator.dtype
    if np.iscomplexobj(X) and not B.is_complex(operator.xp, dtype):
        single = B.dtype_name(dtype) != "float64"
        dtype = operator.xp.complex64 if single else operator.xp.complex128
    return B.from_numpy(X.astype(B.numpy_dtype(dtype)), xp=operator.xp, device=operator.device, dtype=dtype)
