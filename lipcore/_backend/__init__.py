"""The ground: the only rooms that name an array library. Everything above is plain `xp`."""

from .autodiff import linearize, supports_autodiff
from .convolution import convolve, convolve_adjoint
from .custom_derivative import with_derivative
from .foreign import foreign_namespace, is_sparse, sparse_transpose, standard_namespace
from .host import (
    cast,
    copied,
    detached,
    from_numpy,
    host_reads,
    host_view,
    is_differentiated,
    is_traced,
    stop_gradient,
    to_float,
    to_numpy,
)
from .inverse_factor import inverse_factor
from .linalg import adjoint, cholesky, conj, gram, matmul, transpose, triangular_solve
from .loop import fori_loop, get_rows, set_rows
from .memory import keep_freed_memory
from .namespace import (
    array_namespace,
    common_dtype,
    compute_dtype,
    device_of,
    dtype_name,
    dtype_named,
    eps,
    has_float64,
    is_array,
    is_complex,
    is_cupy,
    is_floating,
    is_jax,
    is_numpy,
    is_sharded,
    is_torch,
    numpy_dtype,
    real_dtype,
)
from .overwrite import overwritable, overwrite
from .padding import PADDING_MODES, check_pads, pad, pad_adjoint
from .random import as_rng, random_normal
from .rows import empty_rows, memory_is_lazy, store_scaled, subtract_combination, sum_squares, work_rows
from .scatter import scatter_add
from .special import erf, erfc
from .threads import beside, lapack, map_in_threads, one_blas_thread

__all__ = [
    "PADDING_MODES",
    "adjoint",
    "array_namespace",
    "as_rng",
    "beside",
    "cast",
    "check_pads",
    "cholesky",
    "common_dtype",
    "compute_dtype",
    "conj",
    "copied",
    "convolve",
    "convolve_adjoint",
    "detached",
    "device_of",
    "dtype_name",
    "dtype_named",
    "empty_rows",
    "eps",
    "erf",
    "erfc",
    "foreign_namespace",
    "fori_loop",
    "from_numpy",
    "get_rows",
    "gram",
    "has_float64",
    "host_reads",
    "host_view",
    "inverse_factor",
    "is_differentiated",
    "is_array",
    "is_complex",
    "is_cupy",
    "is_floating",
    "is_jax",
    "is_numpy",
    "is_sharded",
    "is_sparse",
    "is_torch",
    "is_traced",
    "lapack",
    "linearize",
    "keep_freed_memory",
    "map_in_threads",
    "matmul",
    "memory_is_lazy",
    "numpy_dtype",
    "one_blas_thread",
    "overwritable",
    "overwrite",
    "pad",
    "pad_adjoint",
    "random_normal",
    "real_dtype",
    "scatter_add",
    "set_rows",
    "sparse_transpose",
    "standard_namespace",
    "stop_gradient",
    "store_scaled",
    "subtract_combination",
    "sum_squares",
    "supports_autodiff",
    "to_float",
    "to_numpy",
    "transpose",
    "triangular_solve",
    "with_derivative",
    "work_rows",
]
