"""Dense kernels that the array API lacks, or that must not stop a device's stream."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat as compat
import numpy as np
import scipy.linalg

from .._typing import Array
from .namespace import array_namespace, dtype_name, is_cupy, is_jax, is_numpy, is_sharded, is_torch

# Below this size a general product is as fast as a symmetric one.
_SYRK_SIZE = 192
# From this length on a thin product is made in parts; those for several rows have about this length, for up to so many.
_LONG, _PART, _THIN = 1 << 16, 1 << 11, 32


def adjoint(x: Array) -> Array:
    """Conjugate transpose of the last two axes."""
    y = transpose(x)
    return array_namespace(x).conj(y) if dtype_name(x.dtype).startswith("complex") else y


_adjoint = adjoint  # `triangular_solve` has a flag of that name


def transpose(x: Array) -> Array:
    """Swap of the last two axes."""
    if isinstance(x, np.ndarray):
        return x.mT
    return array_namespace(x).matrix_transpose(x)


def matmul(a: Array, x: Array) -> Array:
    """``a x`` of a matrix that may be sharded over processes and a block that every process holds whole."""
    if isinstance(a, np.ndarray) and isinstance(x, np.ndarray):
        return np.matmul(a, x)
    if hasattr(a, "full_tensor") and not hasattr(x, "full_tensor"):
        from torch.distributed.tensor import DTensor, Replicate

        copies = [Replicate()] * a.device_mesh.ndim
        product = a @ DTensor.from_local(x, a.device_mesh, copies, run_check=False)
        return product.redistribute(a.device_mesh, copies).to_local()
    return array_namespace(a, x).matmul(a, x)


def thin_product(x: Array, A: Array) -> Array:
    """``x A`` for rows `x` (..., b, p) and a matrix `A` (..., p, n) of which one side is long.

    On the CPU torch does not exhaust the memory here. As a stack of products with parts of the long side it takes 2.1
    instead of 2.9 ms for one row and 80 by 262,144 numbers, either way; for 12 rows and 96 by 262,144 it takes 7
    instead of 11 ms along the long side, and 9 instead of 14 ms to it.
    """
    xp = array_namespace(x, A)
    parts = _parts(x, A) if is_torch(xp) else 1
    if parts == 1:
        return xp.matmul(x, A)
    import torch

    rows = x.shape[0]
    if A.shape[0] > A.shape[1]:
        return torch.bmm(x.unflatten(1, (parts, -1)).transpose(0, 1), A.unflatten(0, (parts, -1))).sum(0)
    stack = torch.bmm(x.expand(parts, *x.shape), A.unflatten(1, (parts, -1)).transpose(0, 1))
    return stack.transpose(0, 1).reshape(rows, -1)


def _parts(x: Array, A: Array) -> int:
    """Parts of a thin product in torch: a part for each thread and a single row, parts that stay in the cache for more.

    One where the product is not thin, or not on the CPU.
    """
    if x.ndim != 2 or A.ndim != 2 or max(A.shape) < _LONG or is_sharded(A) or is_sharded(x):
        return 1
    import torch

    if A.device.type != "cpu" or torch.compiler.is_compiling():
        return 1
    long = max(A.shape)
    if x.shape[0] == 1:
        threads = torch.get_num_threads()
        return threads if long % threads == 0 else 1
    parts = math.gcd(long, 1 << ((long // _PART).bit_length() - 1))
    return parts if x.shape[0] <= _THIN and long <= 8 * _PART * parts else 1


def multiply_add(a: Array, b: Array, c: Array | None = None, *, alpha: float = 1.0, beta: float = 1.0) -> Array:
    """``alpha a b + beta c`` of real matrices in half precision: summed in single precision, and rounded once.

    torch does so in one kernel. Its kernels for float16 on a CPU are thirty times slower than those for float32.
    """
    xp = array_namespace(a, b)
    if is_torch(xp) and a.ndim in (2, 3) and (a.device.type != "cpu" or dtype_name(a.dtype) == "bfloat16"):
        import torch

        if c is None:
            c, beta = a.new_zeros(1), 0.0
        return (torch.addmm if a.ndim == 2 else torch.baddbmm)(c, a, b, beta=beta, alpha=alpha)
    if is_jax(xp):
        product = xp.matmul(a, b, preferred_element_type=xp.float32)
    else:
        product = xp.matmul(xp.astype(a, xp.float32), xp.astype(b, xp.float32))
    product = product if alpha == 1.0 else alpha * product
    return xp.astype(product if c is None else product + beta * xp.astype(c, xp.float32), a.dtype)


def conj(x: Array) -> Array:
    """Complex conjugate; `x` itself where it is real."""
    return array_namespace(x).conj(x) if dtype_name(x.dtype).startswith("complex") else x


def gram(x: Array) -> Array:
    """``x^H x`` over the last two axes, exactly Hermitian."""
    xp = array_namespace(x)
    if is_numpy(xp) and x.ndim == 2 and min(x.shape) >= _SYRK_SIZE:
        return _gram_blas(x)
    g = xp.matmul(adjoint(x), x)
    return (g + adjoint(g)) / 2


def _gram_blas(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same by BLAS syrk / herk, which computes one triangle only."""
    rank_k = scipy.linalg.blas.get_blas_funcs("herk" if x.dtype.kind == "c" else "syrk", (x,))
    # Row-major x is column-major x^T: (x^T) (x^T)^H = conj(x^H x), so no copy is made and the result is conjugated.
    fortran = np.asfortranarray(x) if x.flags.f_contiguous and not x.flags.c_contiguous else None
    if fortran is not None:
        g = rank_k(1.0, fortran, trans=2 if x.dtype.kind == "c" else 1, lower=0)
    else:
        g = rank_k(1.0, np.ascontiguousarray(x).T, trans=0, lower=0).conj()
    upper = np.triu(g, 1)
    full: np.ndarray[Any, Any] = upper + upper.conj().T
    np.fill_diagonal(full, g.diagonal().real)
    return full


def cholesky(g: Array) -> tuple[Array, Array]:
    """Lower Cholesky factors of a stack and, per matrix, whether it was positive definite.

    Never raises and, on torch, JAX and CuPy, never reads the device: a failed factor holds garbage.
    """
    xp = array_namespace(g)
    if is_torch(xp):
        import torch

        factor, info = torch.linalg.cholesky_ex(g)
        return factor, info == 0
    if is_jax(xp) or is_cupy(xp):  # both mark failure by NaN
        factor = xp.linalg.cholesky(g)
        return factor, xp.all(xp.isfinite(xp.real(factor)), axis=(-2, -1))
    return _cholesky_loop(g, xp)


def _cholesky_loop(g: Array, xp: Any) -> tuple[Array, Array]:
    """One matrix after the other, for namespaces whose stacked Cholesky raises when any member fails."""
    flat = xp.reshape(g, (-1, *g.shape[-2:]))
    factors, oks = [], []
    for i in range(flat.shape[0]):
        try:
            factors.append(xp.linalg.cholesky(flat[i, ...]))
            oks.append(True)
        except (np.linalg.LinAlgError, ValueError):
            factors.append(flat[i, ...])
            oks.append(False)
    device = compat.device(g)
    ok = xp.reshape(xp.asarray(oks, dtype=xp.bool, device=device), g.shape[:-2])
    return (xp.reshape(xp.stack(factors), g.shape) if factors else g), ok


def triangular_solve(lower: Array, x: Array, *, adjoint: bool = False) -> Array:
    """``L^-1 x``, or ``L^-H x``, for lower triangular stacks."""
    xp = array_namespace(lower, x)
    if is_torch(xp):
        import torch

        return torch.linalg.solve_triangular(lower.mH if adjoint else lower, x, upper=adjoint)
    if is_jax(xp):
        import jax.scipy.linalg as jsl

        batch = np.broadcast_shapes(lower.shape[:-2], x.shape[:-2])
        lower = xp.broadcast_to(lower, (*batch, *lower.shape[-2:]))
        x = xp.broadcast_to(x, (*batch, *x.shape[-2:]))
        return jsl.solve_triangular(lower, x, lower=True, trans=2 if adjoint else 0)
    if is_numpy(xp) and lower.ndim == 2 and x.ndim == 2:
        return scipy.linalg.solve_triangular(lower, x, lower=True, trans=2 if adjoint else 0, check_finite=False)
    return xp.linalg.solve(_adjoint(lower) if adjoint else lower, x)
