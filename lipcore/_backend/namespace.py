"""Which array library an array belongs to, and what its dtypes are."""

from __future__ import annotations

from functools import cache
from typing import Any

import array_api_compat as compat
import numpy as np

from .._typing import Array, Namespace

is_array = compat.is_array_api_obj
is_numpy = compat.is_numpy_namespace
is_torch = compat.is_torch_namespace
is_jax = compat.is_jax_namespace
is_cupy = compat.is_cupy_namespace

# What NumPy calls each dtype; bfloat16 has no NumPy dtype and travels as float32, which holds it exactly.
_NUMPY_NAMES = {"bfloat16": "float32"}
_COMPUTE_NAMES = {"float16": "float32", "bfloat16": "float32"}
_REAL_NAMES = {"complex64": "float32", "complex128": "float64"}
_FLOATING_NAMES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
_EPS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}


# Looking a namespace up costs microseconds, which solvers would pay hundreds of times; an array's type decides it.
_namespaces: dict[type, Namespace] = {}


def array_namespace(*arrays: Array, name: str = "array") -> Namespace:
    """Array API namespace that all `arrays` share; `name` is the argument blamed in errors."""
    first = _namespaces.get(type(arrays[0]))
    if first is not None and all(_namespaces.get(type(a)) is first for a in arrays[1:]):
        return first
    for array in arrays:
        if not is_array(array):
            raise TypeError(
                f"`{name}` must be an array of NumPy, CuPy, torch, JAX or another array-API library, "
                f"got {type(array).__name__}; convert it first, e.g. with numpy.asarray, "
                "and sparse matrices and operators of other packages with lipcore.aslinearoperator"
            )
    try:
        namespace = compat.array_namespace(*arrays)
    except TypeError as error:
        kinds = sorted({type(a).__module__.split(".")[0] for a in arrays})
        raise TypeError(f"`{name}` mixes arrays of several libraries ({', '.join(kinds)}); use one") from error
    for array in arrays:
        _namespaces[type(array)] = namespace
    return namespace


def is_sharded(x: Array) -> bool:
    """Whether `x` lives on several devices (JAX sharding or torch DTensor)."""
    if compat.is_jax_array(x):
        return not hasattr(compat.device(x), "platform")
    return hasattr(x, "full_tensor")


def device_of(x: Array) -> Any:
    """Where fresh arrays that meet `x` belong; None leaves it to the library.

    A sharded JAX array is met by copies on all of its devices, a DTensor by plain tensors on each process.
    """
    if not compat.is_jax_array(x):
        return x.device if is_sharded(x) else compat.device(x)
    import jax

    if isinstance(x, jax.core.Tracer):  # under vmap even hasattr(x, "addressable_shards") raises
        return None  # the traced program decides
    device = compat.device(x)
    if is_sharded(x):
        from jax.sharding import NamedSharding, PartitionSpec

        return NamedSharding(device.mesh, PartitionSpec()) if isinstance(device, NamedSharding) else None
    return device


# Keyed by type as well: array-api-strict warns when its dtypes are compared with others.
_dtype_names: dict[tuple[type, Any], str] = {}


def dtype_name(dtype: Any) -> str:
    """'float32', 'bfloat16', ... for a dtype of any library."""
    known = _dtype_names.get((type(dtype), dtype))
    if known is not None:
        return known
    name = getattr(dtype, "name", None)
    if not isinstance(name, str):
        name = getattr(dtype, "__name__", str(dtype)).rsplit(".", 1)[-1]
    _dtype_names[type(dtype), dtype] = name
    return name


def dtype_named(xp: Namespace, name: str) -> Any:
    """The dtype called `name` in `xp`."""
    try:
        return getattr(xp, name)
    except AttributeError:
        raise TypeError(f"dtype {name} does not exist in {xp.__name__}") from None


def is_complex(xp: Namespace, dtype: Any) -> bool:
    """Whether `dtype` is complex."""
    return dtype_name(dtype) in _REAL_NAMES


def is_floating(xp: Namespace, dtype: Any) -> bool:
    """Whether `dtype` is one that operators accept (real or complex floating)."""
    return dtype_name(dtype) in _FLOATING_NAMES


def real_dtype(xp: Namespace, dtype: Any) -> Any:
    """Dtype of the absolute value."""
    name = dtype_name(dtype)
    return dtype_named(xp, _REAL_NAMES[name]) if name in _REAL_NAMES else dtype


def compute_dtype(xp: Namespace, dtype: Any) -> Any:
    """Dtype of bases and small problems: `dtype`, but never below float32."""
    name = dtype_name(dtype)
    return dtype_named(xp, _COMPUTE_NAMES[name]) if name in _COMPUTE_NAMES else dtype


def eps(xp: Namespace, dtype: Any) -> float:
    """Spacing of 1.0 in `dtype` (of its real part)."""
    name = dtype_name(dtype)
    return _EPS[_REAL_NAMES.get(name, name)]


def numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """NumPy dtype that holds every value of `dtype`."""
    name = dtype_name(dtype)
    return np.dtype(_NUMPY_NAMES.get(name, name))


@cache
def _has_float64(xp: Namespace, device: Any) -> bool:
    try:
        return dtype_name(xp.zeros((1,), dtype=xp.float64, device=device).dtype) == "float64"
    except (TypeError, ValueError, RuntimeError):
        return False


def has_float64(xp: Namespace, device: Any) -> bool:
    """Whether float64 arrays exist on `device` (not in JAX without x64, nor on float32-only accelerators)."""
    if is_jax(xp):
        from jax import config

        return bool(config.jax_enable_x64)
    return is_numpy(xp) or _has_float64(xp, device)


def has_native_bfloat16(xp: Namespace, device: Any) -> bool:
    """Whether products in bfloat16 on `device` are known to be faster than in float32: torch, and a CPU made for it.

    False where it is not known: on other devices, and in versions of torch that do not tell.
    """
    if not is_torch(xp) or getattr(device, "type", "") != "cpu":
        return False
    import torch

    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    native = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    return bool(native) and torch.backends.mkldnn.is_available()


def common_dtype(xp: Namespace, *dtypes: Any) -> Any:
    """Promoted dtype; the half-precision formats promote with anything to at least the other one."""
    names = {dtype_name(d) for d in dtypes}
    if len(names) == 1:
        return dtypes[0]
    halves = names & set(_COMPUTE_NAMES)
    full = [dtype_named(xp, n) for n in sorted(names - halves)]
    if len(halves) == 2:
        full.append(xp.float32)
    return xp.result_type(*full) if full else dtypes[0]
